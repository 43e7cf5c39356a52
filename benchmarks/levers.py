"""What each lever of the trainer brings: the same model with and without it."""

from __future__ import annotations

from collections.abc import Iterator
from unittest.mock import patch

import torch

from benchmarks import harness, models
from ganzoo.train.loop import Trainer
from ganzoo.train.precision import has_bf16

PLAIN = ("train.precision=fp32", "train.rewrite=false", "share=[]")


def contiguous(model: str, *overrides: str, code: str | None = None) -> Trainer:
    """A trainer whose networks stay in PyTorch's default layout."""
    with patch("ganzoo.model.blueprint.lay_out", lambda part: None):
        return models.trainer(model, *overrides, code=code)


def rows(rounds: int, *overrides: str) -> Iterator[harness.Row]:
    bf16 = "train.precision=bf16"
    half = has_bf16(torch.device("cpu"))
    for title, model, code in (
        ("DCGAN, 32x32, width 64", "dcgan32", None),
        ("DCGAN of upsamplings, 32x32", "upsampling", "layers.py"),
    ):
        cases = {
            "as it is": models.trainer(model, *overrides, code=code),
            "in the default layout": contiguous(model, *overrides, code=code),
            "without share": models.trainer(model, "share=[]", *overrides, code=code),
        }
        if code:
            cases["without rewrite"] = models.trainer(model, "train.rewrite=false", *overrides, code=code)
        if half:
            cases["in bf16"] = models.trainer(model, bf16, *overrides, code=code)
            cases["in bf16 and the default layout"] = contiguous(model, bf16, *overrides, code=code)
        cases["with no lever"] = contiguous(model, *PLAIN, *overrides, code=code)
        times = harness.interleave({name: trainer.advance for name, trainer in cases.items()}, rounds)
        for what in ("in the default layout", "without share", "without rewrite", "with no lever"):
            if what in cases:
                yield harness.ratio(times, what, "as it is", title, gain=True)
        if half:
            yield harness.ratio(times, "as it is", "in bf16", title, gain=True)
            yield harness.ratio(times, "in bf16 and the default layout", "in bf16", title, gain=True)
            yield harness.ratio(times, "with no lever", "in bf16", title, gain=True)


if __name__ == "__main__":
    harness.main({"levers": rows}, __doc__)
