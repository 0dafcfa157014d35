"""Policy evaluation of the stand-in."""
