"""The write side: calls of agents become spans and metrics."""
