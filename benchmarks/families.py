"""A step of newer families against hand-written loops of the same networks, batch and optimizer."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, relu, softplus

from benchmarks import harness, models
from ganzoo.contract import first
from ganzoo.train.loop import Trainer

CONV, MLP = 1.03, 1.05  # what ganzoo may cost


class Loop:
    """Networks built a second time, optimizers of the same settings, resident data; nothing is logged."""

    def __init__(self, like: Trainer):
        self.parts = like.blueprint.build("cpu")
        self.G, self.D = self.parts["G"].train(), self.parts["D"].train()
        self.z, self.batch, self.step = self.parts["Z"].size, like.train.batch, 0
        self.data = {name: _stored(rows) for name, rows in like.blueprint.data.arrays.items()}
        self.order, self.at = torch.randperm(len(self.data[min(self.data)])), 0
        self.of_d, self.of_g = (self.optimizer(like, player) for player in "DG")

    def optimizer(self, like: Trainer, player: str) -> torch.optim.Optimizer:
        state = like.players[player]
        own = [p for name in state.player.trains for p in self.parts[name].parameters() if p.requires_grad]
        return type(state.optimizer)(own, **state.optimizer.defaults)

    def take(self, *names: str) -> list[Tensor]:
        """The next batch of these fields, images in [-1, 1]."""
        if self.at + self.batch > len(self.order):
            self.order, self.at = torch.randperm(len(self.order)), 0
        rows = self.order[self.at : self.at + self.batch]
        self.at += self.batch
        found = [self.data[name][rows] for name in names]
        return [x.float().mul_(2 / 255).sub_(1) if x.dtype == torch.uint8 else x for x in found]

    def noise(self) -> Tensor:
        return torch.randn(self.batch, self.z)

    def judge(self, *inputs: Tensor) -> Tensor:
        return first(self.D(*inputs))

    def update(self, optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    def generate(self, loss: Any) -> None:
        """G's step, D being frozen."""
        self.D.requires_grad_(False)
        self.update(self.of_g, loss())
        self.D.requires_grad_(True)


def _stored(rows: Any) -> Tensor:
    tensor = torch.from_numpy(rows)
    return tensor.permute(0, 3, 1, 2).contiguous() if tensor.dtype == torch.uint8 else tensor


class Began(Loop):
    """Both players' gradients from one graph, then both steps, then k."""

    k = 0.0

    def advance(self) -> None:
        (real,) = self.take("real")
        z = torch.rand(self.batch, self.z) * 2 - 1
        fake = self.G(z)
        error_real = (self.D(real).reconstruction - real).abs().mean()
        error_fake = (self.D(fake).reconstruction - fake).abs().mean()
        self.of_d.zero_grad(), self.of_g.zero_grad()
        (error_real - self.k * error_fake).backward(inputs=list(self.D.parameters()), retain_graph=True)
        error_fake.backward(inputs=list(self.G.parameters()))
        self.of_d.step(), self.of_g.step()
        self.k = (self.k + 0.02 * (error_real - error_fake).detach()).clamp(0, 1)


class BigGan(Loop):
    """The hinge loss with labels, D twice for every G, and G's filters kept orthogonal."""

    def __init__(self, like: Trainer):
        super().__init__(like)
        layers = [m for m in self.G.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
        self.filters = [
            m.parametrizations.weight.original if "parametrizations" in m._modules else m.weight for m in layers
        ]

    def advance(self) -> None:
        real, label = self.take("real", "label")
        for turn in range(2):
            if turn:
                real, label = self.take("real", "label")
            with torch.no_grad():
                fake = self.G(self.noise(), label)
            self.update(self.of_d, relu(1 - self.judge(real, label)).mean() + relu(1 + self.judge(fake, label)).mean())
            if not turn:
                of_g = label
        self.generate(lambda: 1e-4 * self.orthogonal() - self.judge(self.G(self.noise(), of_g), of_g).mean())

    def orthogonal(self) -> Tensor:
        total = torch.zeros(())
        for weight in self.filters:
            rows = weight.flatten(1)
            product = rows @ rows.T
            total = total + (product - product.diagonal().diag()).square().sum()
        return total


class CoGan(Loop):
    """Two domains, one batch of noise; G on the pair that D saw."""

    def advance(self) -> None:
        a, b = self.take("real_a", "real_b")
        pair = self.G(self.noise())
        with_a, with_b = pair.a.detach(), pair.b.detach()
        self.update(self.of_d, softplus(-self.judge(a, b)).mean() + softplus(self.judge(with_a, with_b)).mean())
        self.generate(lambda: softplus(-self.judge(pair.a, pair.b)).mean())


class Rcgan(Loop):
    """LSTMs that are told the class, with a logit for each step of a series."""

    def advance(self) -> None:
        real, label = self.take("real", "label")
        self.G.requires_grad_(False)  # not no_grad, for which torch has another LSTM
        fake = self.G(self.noise(), label)
        self.G.requires_grad_(True)
        self.update(self.of_d, softplus(-self.judge(real, label)).mean() + softplus(self.judge(fake, label)).mean())
        self.generate(lambda: softplus(-self.judge(self.G(self.noise(), label), label)).mean())


class CtGan(Loop):
    """A Wasserstein critic with a gradient penalty, and the cross-entropy of the value that was asked for."""

    def advance(self) -> None:
        real, cond = self.take("real", "cond")
        with torch.no_grad():
            fake = self.made(cond).row
        x, y = torch.cat([real, cond], 1), torch.cat([fake, cond], 1)
        self.update(self.of_d, self.judge(y).mean() - self.judge(x).mean() + 10 * self.penalty(x, y))
        self.generate(lambda: self.loss(cond))

    def made(self, cond: Tensor) -> Any:
        return self.G(torch.cat([self.noise(), cond], 1))

    def loss(self, cond: Tensor) -> Tensor:
        made = self.made(cond)
        sizes = list(self.parts["chosen"].blocks)
        logits = made.logits[:, -cond.shape[1] :].split(sizes, 1)
        pairs = zip(logits, cond.split(sizes, 1), strict=True)
        asked = sum(cross_entropy(logit, mark, reduction="sum") for logit, mark in pairs) / self.batch
        return asked - self.judge(torch.cat([made.row, cond], 1)).mean()

    def penalty(self, real: Tensor, fake: Tensor) -> Tensor:
        x = (real + torch.rand(len(real), 1) * (fake - real)).requires_grad_()
        (gradient,) = torch.autograd.grad(self.judge(x).sum(), x, create_graph=True)
        return (torch.linalg.vector_norm(gradient, dim=1) - 1).square().mean()


class StyleGan2(Loop):
    """R1 in every 16th step of D, path lengths in every 4th of G, two styles mixed."""

    mean = torch.zeros(())

    def advance(self) -> None:
        M, flip = self.parts["M"], self.parts["flip"]
        real = flip(self.take("real")[0])
        w = M(self.noise())
        fake = self.G(w, M(self.noise()))
        loss = softplus(-self.judge(real)).mean() + softplus(self.judge(fake.detach())).mean()
        if self.step % 16 == 0:
            x = real.clone().requires_grad_()
            (gradient,) = torch.autograd.grad(self.judge(x).sum(), x, create_graph=True)
            loss = loss + 16 * 0.1 / 2 * gradient.flatten(1).square().sum(1).mean()
        self.update(self.of_d, loss)
        self.generate(lambda: softplus(-self.judge(fake)).mean() + self.path(w))
        self.step += 1

    def path(self, w: Tensor) -> Tensor | float:
        if self.step % 4:
            return 0.0
        styles = self.G.styles(w, self.parts["M"](self.noise()))[: self.batch // 2]
        image = self.G(styles)
        noise = torch.randn_like(image) / (image.shape[2] * image.shape[3]) ** 0.5
        (gradient,) = torch.autograd.grad((image * noise).sum(), styles, create_graph=True)
        lengths = torch.linalg.vector_norm(gradient.flatten(1), dim=1) / styles.shape[1] ** 0.5
        self.mean = self.mean.lerp(lengths.detach().mean(), 0.01)
        return 4 * 2 * (lengths - self.mean).square().mean()


CASES: dict[str, tuple[str, type[Any], float, int]] = {  # model, loop, aim, steps after which lazy terms come again
    "BEGAN, 28x28": ("began", Began, CONV, 1),
    "BigGAN, 28x28, class-conditional batch norm": ("biggan", BigGan, CONV, 1),
    "CoGAN, 28x28": ("cogan", CoGan, CONV, 1),
    "StyleGAN2, 32x32, 16 steps": ("stylegan2", StyleGan2, CONV, 16),
    "RCGAN, LSTMs, 30 steps": ("rgan", Rcgan, MLP, 1),
    "CTGAN, MLP": ("ctgan", CtGan, MLP, 1),
}


def pair(name: str, *overrides: str) -> tuple[Trainer, Any]:
    """A case's trainer and hand-written loop."""
    trainer = models.trainer(CASES[name][0], *overrides)
    return trainer, CASES[name][1](trainer)


def several(loop: Any, steps: int) -> None:
    for _ in range(steps):
        loop.advance()


def rows(rounds: int) -> Iterator[harness.Row]:
    for name, (_, _, most, steps) in CASES.items():
        ours, hand = pair(name)
        cases = {"ganzoo": partial(several, ours, steps), "hand-written loop": partial(several, hand, steps)}
        times = harness.interleave(cases, rounds)
        yield harness.ratio(times, "ganzoo", "hand-written loop", name, most=most)


if __name__ == "__main__":
    harness.main({"families": rows}, __doc__)
