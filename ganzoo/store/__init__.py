"""What lies on the disk: files written whole or not at all, run folders, checkpoints."""
