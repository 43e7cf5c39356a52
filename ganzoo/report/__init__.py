"""Pages that show runs: one, several side by side, or a folder of them. Each is one file that fetches nothing."""
