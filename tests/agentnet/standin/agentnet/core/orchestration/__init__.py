"""Turn sessions and task graphs of the stand-in."""
