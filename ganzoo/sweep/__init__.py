"""One model trained many times with other settings: which, in what order, what came of each, and which is the best."""
