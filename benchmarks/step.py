"""A step of ganzoo against a hand-written loop of the same networks, batch, precision, layout and optimizer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from benchmarks import harness, models
from ganzoo.contract import first
from ganzoo.train.loop import Trainer
from ganzoo.train.precision import has_bf16

CONV, MLP = 1.03, 1.05  # what ganzoo may cost


class Loop:
    """What hand-written loops share: networks, optimizers and resident uint8 images, nothing logged.

    Args:
        like: A trainer, whose settings are taken and whose networks are built a second time.
        decay: Of an average of G's weights, if any.
        schedule: Whether the learning rate falls over the second half of training.
    """

    def __init__(self, like: Trainer, decay: float | None = None, schedule: bool = False):
        self.device = like.device
        parts = like.blueprint.build(self.device)
        self.G, self.D = parts["G"].train(), parts["D"].train()
        self.z, self.batch, self.steps = parts["Z"].size, like.train.batch, like.train.steps
        images = torch.from_numpy(like.blueprint.data.arrays["real"])
        self.images = images.permute(0, 3, 1, 2).contiguous().to(self.device)
        self.order, self.at = torch.randperm(len(images), device=self.device), 0
        self.optimizers = [self.optimizer(like, "D", self.D), self.optimizer(like, "G", self.G)]
        self.bf16 = like.train.precision == "bf16"
        self.decay, self.schedule, self.step = decay, schedule, 0
        if decay is not None:
            self.averaged = like.blueprint.build(self.device)["G"].eval().requires_grad_(False)
            self.average = list(self.averaged.parameters())
            self.trained = list(self.G.parameters())

    def optimizer(self, like: Trainer, player: str, network: nn.Module) -> torch.optim.Adam:
        settings = like.players[player].optimizer.defaults
        self.rate = settings["lr"]
        return torch.optim.Adam(network.parameters(), settings["lr"], settings["betas"], fused=True)

    def real(self) -> Tensor:
        """The next batch, in [-1, 1]."""
        if self.at + self.batch > len(self.images):
            self.order, self.at = torch.randperm(len(self.images), device=self.device), 0
        rows = self.order[self.at : self.at + self.batch]
        self.at += self.batch
        return self.images[rows].float().mul_(2 / 255).sub_(1)

    def noise(self) -> Tensor:
        return torch.randn(self.batch, self.z, device=self.device)

    def autocast(self) -> Any:
        return torch.autocast(self.device.type, torch.bfloat16) if self.bf16 else nullcontext()

    def judge(self, x: Tensor) -> Tensor:
        return first(self.D(x)).float()

    def after(self) -> None:
        """The average and the learning rate, at the end of a step."""
        self.step += 1
        if self.decay is not None:
            torch._foreach_lerp_(self.average, self.trained, 1 - self.decay)
            for own, other in zip(self.averaged.buffers(), self.G.buffers(), strict=True):
                own.copy_(other)
        if self.schedule:
            part = max(2 * self.step / self.steps - 1, 0)
            for optimizer in self.optimizers:
                optimizer.param_groups[0]["lr"] = self.rate * (1 - 0.98 * part)


class Gan(Loop):
    """D, then G on the same fake images, with the non-saturating loss."""

    def advance(self) -> None:
        of_d, of_g = self.optimizers
        with self.autocast():
            fake = self.G(self.noise())
            loss = softplus(-self.judge(self.real())).mean() + softplus(self.judge(fake.detach())).mean()
        of_d.zero_grad()
        loss.backward()
        of_d.step()
        self.D.requires_grad_(False)
        with self.autocast():
            loss = softplus(-self.judge(fake)).mean()
        of_g.zero_grad()
        loss.backward()
        of_g.step()
        self.D.requires_grad_(True)
        self.after()


class WganGp(Loop):
    """Five steps of a critic with a gradient penalty of weight 10, then one of G."""

    def advance(self) -> None:
        of_d, of_g = self.optimizers
        for _ in range(5):
            real = self.real()
            with torch.no_grad():
                fake = self.G(self.noise())
            loss = self.judge(fake).mean() - self.judge(real).mean() + 10 * self.penalty(real, fake)
            of_d.zero_grad()
            loss.backward()
            of_d.step()
        self.D.requires_grad_(False)
        loss = -self.judge(self.G(self.noise())).mean()
        of_g.zero_grad()
        loss.backward()
        of_g.step()
        self.D.requires_grad_(True)
        self.after()

    def penalty(self, real: Tensor, fake: Tensor) -> Tensor:
        x = (real + torch.rand(len(real), 1, 1, 1, device=self.device) * (fake - real)).requires_grad_()
        (gradient,) = torch.autograd.grad(self.judge(x).sum(), x, create_graph=True)
        return (torch.linalg.vector_norm(gradient.flatten(1), dim=1) - 1).square().mean()


SAMPLE: dict[str, Any] = {"decay": 0.995, "schedule": True}
CASES: dict[str, tuple[str, str, type[Loop], dict[str, Any], float]] = {
    "DCGAN recipe, 28x28": ("dcgan/fashion_mnist_sample", "fp32", Gan, SAMPLE, CONV),
    "DCGAN recipe, 28x28, bf16": ("dcgan/fashion_mnist_sample", "bf16", Gan, SAMPLE, CONV),
    "DCGAN, 32x32, width 64": ("dcgan32", "fp32", Gan, {}, CONV),
    "DCGAN, 32x32, width 64, bf16": ("dcgan32", "bf16", Gan, {}, CONV),
    "GAN, MLP": ("mlp_gan", "fp32", Gan, {}, MLP),
    "WGAN-GP, MLP": ("mlp_wgan_gp", "fp32", WganGp, {}, MLP),
}


def pair(name: str, *overrides: str) -> tuple[Trainer, Any]:
    """A case's trainer and hand-written loop."""
    model, precision, loop, settings, _ = CASES[name]
    trainer = models.trainer(model, f"train.precision={precision}", *overrides)
    return trainer, loop(trainer, **settings)


def rows(rounds: int, *overrides: str) -> Iterator[harness.Row]:
    for name, (_, precision, _, _, most) in CASES.items():
        if precision == "bf16" and not has_bf16(torch.device("cpu")):
            continue
        ours, hand = pair(name, *overrides)
        times = harness.interleave({"ganzoo": ours.advance, "hand-written loop": hand.advance}, rounds)
        yield harness.ratio(times, "ganzoo", "hand-written loop", name, most=most)


if __name__ == "__main__":
    harness.main({"step": rows}, __doc__)
