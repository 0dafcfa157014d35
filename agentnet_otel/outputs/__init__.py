"""What people and machines read: rows of turns, reports, tables on a terminal."""
