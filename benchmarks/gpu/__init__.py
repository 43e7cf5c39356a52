"""What can only be seen on a GPU, measured in one call: ``python -m benchmarks.gpu --minutes 8 --out DIR``."""
