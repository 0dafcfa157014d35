"""Answer monitors of the stand-in."""
