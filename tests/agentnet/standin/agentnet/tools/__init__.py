"""Tools and their executor of the stand-in."""
