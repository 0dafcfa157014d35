"""Model engines of the stand-in."""
