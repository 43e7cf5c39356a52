"""All benchmarks: ``python -m benchmarks --page docs/benchmarks.md``."""

from functools import partial

from benchmarks import data, families, growth, harness, levers, rewrite, sampling, start, step

ALL: dict[str, harness.Benchmark] = {
    "step": step.rows,
    "families": families.rows,
    "levers": levers.rows,
    "rewrite": partial(rewrite.rows, only="32x32"),
    "data": data.rows,
    "sampling": sampling.rows,
    "start": start.rows,
    "growth": growth.rows,
}

if __name__ == "__main__":
    harness.main(ALL, __doc__)
