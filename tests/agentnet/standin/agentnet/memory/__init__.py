"""Agent memory of the stand-in."""
