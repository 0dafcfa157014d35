"""Agent core of the stand-in."""
