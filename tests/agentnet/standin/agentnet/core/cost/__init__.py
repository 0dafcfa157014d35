"""Cost records of the stand-in."""
