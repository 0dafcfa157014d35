"""The bridge as a process: it receives spans, keeps them, and serves the turns that they are."""
