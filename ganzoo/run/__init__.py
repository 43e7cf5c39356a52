"""A run: its folder, checkpoints, pictures and report, and the session that trains it."""
