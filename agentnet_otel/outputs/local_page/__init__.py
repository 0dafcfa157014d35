"""The local page: turns as they arrive, one turn, and the verdicts on them, as HTML. It knows no server."""
