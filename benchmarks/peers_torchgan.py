"""A step of torchgan's DCGAN against ganzoo's of the same widths: 32x32 grey, batch 64, width 64, data already loaded.

It needs torchgan: ``pip install -e ".[peers]"``.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator

import torch
from torch import nn

from benchmarks import harness, models
from ganzoo.train.precision import has_bf16

ADAM = {"name": torch.optim.Adam, "args": {"lr": 2e-4, "betas": (0.5, 0.999)}}


def torchgans(images: torch.Tensor) -> Callable[[], None]:
    """One iteration of torchgan's trainer, logging and pictures aside."""
    os.environ |= {"TENSORBOARD_LOGGING": "0", "CONSOLE_LOGGING": "0"}
    from torchgan.losses import MinimaxDiscriminatorLoss, MinimaxGeneratorLoss
    from torchgan.models import DCGANDiscriminator, DCGANGenerator
    from torchgan.trainer import Trainer

    size = {"step_channels": 64, "nonlinearity": nn.LeakyReLU(0.2), "last_nonlinearity": nn.Tanh()}
    generator = {"encoding_dims": 100, "out_size": 32, "out_channels": 1, **size}
    discriminator = {"in_size": 32, "in_channels": 1, **size, "last_nonlinearity": nn.LeakyReLU(0.2)}
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(
            {
                "generator": {"name": DCGANGenerator, "args": generator, "optimizer": ADAM},
                "discriminator": {"name": DCGANDiscriminator, "args": discriminator, "optimizer": ADAM},
            },
            [MinimaxGeneratorLoss(), MinimaxDiscriminatorLoss()],
            device=torch.device("cpu"),
            checkpoints=f"{folder}/model",
            recon=folder,
            log_dir=folder,
        )
    trainer.batch_size = len(images)
    trainer.real_inputs, trainer.labels = images, torch.zeros(len(images), dtype=torch.int64)

    def advance() -> None:
        trainer.loss_information["generator_iters"] += 1
        trainer.loss_information["discriminator_iters"] += 1
        trainer.train_iter()

    return advance


def rows(rounds: int, *overrides: str) -> Iterator[harness.Row]:
    title = "DCGAN, 32x32, width 64"
    ours = models.trainer("dcgan32", *overrides)
    cases = {"ganzoo": ours.advance, "torchgan": torchgans(ours.feed.take(64)[0]["real"])}
    if has_bf16(torch.device("cpu")):
        cases["ganzoo in bf16"] = models.trainer("dcgan32", "train.precision=bf16", *overrides).advance
    times = harness.interleave(cases, rounds)
    yield harness.ratio(times, "torchgan", "ganzoo", title, gain=True)
    if "ganzoo in bf16" in cases:
        yield harness.ratio(times, "torchgan", "ganzoo in bf16", title, least=2)


if __name__ == "__main__":
    harness.main({"torchgan": rows}, __doc__)
