"""Checks of losses and regularizers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ganzoo.registry import Entry
from ganzoo.testing.common import drawing, seeded
from ganzoo.testing.inputs import Example, arrange, critic, images, net, parameters_of


def adversarial(entry: Entry, factory: Callable[..., Any], args: Mapping[str, Any]) -> None:
    """Both sides are finite scalars with gradients, for logits of any shape, and pull real and fake apart."""
    loss = factory(**args)
    for shape in [(6,), (6, 1), (6, 1, 4, 5)]:
        generator = seeded()
        real = (0.4 + 0.1 * torch.randn(shape, generator=generator)).requires_grad_()
        fake = (0.4 + 0.1 * torch.randn(shape, generator=generator)).requires_grad_()
        d, g = loss.d(real, fake), loss.g(fake, real)
        for side, value in (("d", d), ("g", g)):
            assert value.ndim == 0, f"{entry.id}.{side} is no scalar for logits {shape}"
            assert torch.isfinite(value), f"{entry.id}.{side} is not finite for logits {shape}"
        grad_real, grad_fake = torch.autograd.grad(d, [real, fake])
        assert grad_real.sum() < 0 < grad_fake.sum(), f"{entry.id}.d should push real logits up and fake ones down"
        (grad,) = torch.autograd.grad(g, fake)
        assert grad.sum() < 0, f"{entry.id}.g should push fake logits up"
        if hasattr(loss, "e"):
            (grad,) = torch.autograd.grad(loss.e(real, fake), real)
            assert grad.sum() > 0, f"{entry.id}.e should push real logits down"
        huge = loss.d(100 * torch.ones(shape), -100 * torch.ones(shape))
        assert torch.isfinite(huge), f"{entry.id}.d overflows at logits of 100"


def loss(entry: Entry, factory: Callable[..., Any], args: Mapping[str, Any]) -> None:
    """A finite scalar with a gradient, for images and for points."""
    loss = factory(**args)
    for example in (Example(), Example(points=True), Example(1, (8, 12))):
        given = example.inputs(seeded())
        if entry.name == "cross_entropy" or "label" in parameters_of(loss):
            given["x"] = given["x"].flatten(1)[:, :2].repeat(1, 3)[:, : example.classes]
        inputs = arrange(loss, given)
        floats = [k for k, v in inputs.items() if isinstance(v, Tensor) and v.is_floating_point()]
        inputs |= {name: inputs[name].clone().requires_grad_() for name in floats}
        value = loss(**inputs)
        assert value.ndim == 0, f"{entry.id} is no scalar at {example}"
        assert torch.isfinite(value), f"{entry.id} is not finite at {example}"
        grads = torch.autograd.grad(value, [inputs[name] for name in floats], allow_unused=True)
        assert any(g is not None and g.abs().sum() > 0 for g in grads), f"{entry.id} has no gradient at {example}"


def regularizer(entry: Entry, factory: Callable[..., Any], args: Mapping[str, Any]) -> None:
    """One of three shapes: a penalty is called, a constraint has ``after_step``, a layer has ``attach``."""
    tool = factory(**args)
    shapes = [callable(tool), hasattr(tool, "after_step"), hasattr(tool, "attach")]
    assert any(shapes), f"{entry.id} is no penalty, no constraint (after_step) and no layer (attach)"
    if callable(tool):
        for example in (Example(1, (8, 12)), Example(points=True)):
            generator = seeded()
            given = {**example.inputs(generator), "critic": critic(example, generator), "part": net()}
            given["generator"] = images(example, generator)
            values = []
            for _ in range(2):
                fresh = factory(**args)  # a penalty may keep something from call to call
                with drawing():
                    values.append(fresh(**arrange(fresh, given)))
            assert values[0].ndim == 0, f"{entry.id} is no scalar"
            assert torch.isfinite(values[0]), f"{entry.id} is not finite"
            assert torch.equal(*values), (
                f"{entry.id} draws outside ganzoo.parallel.draw, so it would not resume exactly"
            )
    if hasattr(tool, "after_step"):
        part = net()
        tool.after_step(part)
        before = [p.clone() for p in part.parameters()]
        tool.after_step(part)
        assert all(torch.equal(a, b) for a, b in zip(before, part.parameters(), strict=True)), (
            f"{entry.id}: a constraint changes what already keeps it"
        )
    if hasattr(tool, "attach"):
        attach(entry, tool)


def attach(entry: Entry, tool: Any) -> None:
    """Put on a network, it leaves the output's shape, lets gradients reach all, and rests in evaluation mode."""

    class Judge(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(nn.Conv2d(3, 4, 4, 2, 1), nn.BatchNorm2d(4), nn.LeakyReLU(0.2), nn.Flatten())
            self.head: nn.Module = nn.Linear(4 * 16, 1)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.body(x)).squeeze(1)

    torch.manual_seed(0)
    part: nn.Module = Judge()
    part = tool.attach(part) or part
    x = torch.randn(4, 3, 8, 8, generator=seeded())
    with drawing():
        output = part(x)
    assert output.shape == (4,), f"{entry.id} changes the shape of the output"
    output.sum().backward()
    for name, parameter in part.named_parameters():
        assert parameter.grad is not None, f"{entry.id}: no gradient reaches {name}"
    part.eval()
    with torch.no_grad():
        assert torch.equal(part(x), part(x)), f"{entry.id} is random or learns in evaluation mode"
