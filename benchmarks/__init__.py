"""What ganzoo's speed is, as ratios taken within one run: ``python -m benchmarks``."""
