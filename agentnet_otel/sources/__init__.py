"""The read side: where spans come from."""
