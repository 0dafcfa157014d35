"""The pure core: spans to turns, turns to figures. No clock, thread, file or socket; time is an argument."""
