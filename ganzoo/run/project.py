"""From images back to what a model makes them of: the nearest point of a space such as W, found by descent."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from ganzoo.config.expression import names
from ganzoo.config.static import Graph
from ganzoo.contract import first
from ganzoo.errors import UserError, choices, listed
from ganzoo.model import light
from ganzoo.model.inference import Inference
from ganzoo.parallel import draw

if TYPE_CHECKING:
    from ganzoo.run.opened import Run

DRAWS = 1024  # of which the first point is the mean
RATE = 0.2  # learning rate, in standard deviations of a coordinate
UP, DOWN = 0.05, 0.25  # the parts of the steps in which it rises and falls
JITTER, STILL = 0.05, 0.75  # noise on the point, in deviations from the mean; the part of the steps after which none is


class Projected(NamedTuple):
    """Images found, ``n C H W``; the `points` they are made of, ``n …``; and their squared `errors`, ``n``."""

    images: Tensor
    points: Tensor
    errors: Tensor


def project(
    run: Run,
    targets: Tensor,
    value: str | None = None,
    steps: int = 300,
    seed: int = 0,
    by: str | None = None,
    given: Mapping[str, Tensor] | None = None,
) -> Projected:
    """The points from which a run's model makes images as near as possible to given ones.

    It starts at the mean of the value and lowers the mean of (image - target)^2 by Adam; with `by` also
    ||E(image) - E(target)||^2 / ||E(target)||^2. The noise on the point fades, the learning rate rises and falls, and
    what else the model draws stays as it is for this seed: ``run.sample(n, seed, w=points)`` makes these images.

    Paper: arXiv:1912.04958 appendix D, where distances are LPIPS and noise maps are optimised too.

    Args:
        run: The opened run.
        targets: Images, ``n C H W``, in the range of the data.
        value: The name of the value to find; the only vector that samples are directly computed from, if not given.
        steps: How many steps of descent.
        seed: Of all draws.
        by: The name of an extractor among the model's parts, whose features are compared too.
        given: Other inputs by name, ``n …``.

    Raises:
        UserError: there is no such value or extractor, samples do not depend on the value, or sizes differ.
    """
    given = given or {}
    equation = run.spec.flow[run.spec.sample]
    value = value or vector(run)
    if value not in run.spec.flow:
        raise UserError(f"there is no value '{value}' ({choices(value, run.spec.flow)})")
    if value not in Graph(run.spec).of(equation):
        raise UserError(f"{run.spec.sample} does not depend on {value}")
    inference = run.inference(equation)
    extractors = [part.name for part in run.spec.parts.values() if part.kind == "extractor"]
    if by is not None and by not in extractors:
        raise UserError(f"the model has no extractor '{by}' ({listed(extractors) or 'it has none'})")
    judge = run.part(by) if by is not None else None
    chunk = inference.together([equation])
    pieces = []
    for index, start in enumerate(range(0, len(targets), chunk)):
        rows = {name: tensor[start : start + chunk] for name, tensor in given.items()}
        some = targets[start : start + chunk].to(inference.device)
        drawn = {name: tensor[torch.arange(DRAWS) % len(tensor)] for name, tensor in rows.items()}
        around = first(inference.compute([run.spec.flow[value]], DRAWS, (seed, "project"), drawn)[0])
        key = (seed, "sample", index)
        image = _maker(run, inference, value, rows, len(some), key)
        noise = torch.Generator().manual_seed(draw.seed_of(*key, "project"))
        with inference.evaluating(seed), torch.enable_grad():
            pieces.append(_descend(image, around.to(inference.device), some, steps, noise, judge))
    return Projected(*(torch.cat(found).cpu() for found in zip(*pieces, strict=True)))


def vector(run: Run) -> str:
    """The only vector that samples are directly computed from.

    Raises:
        UserError: there are several, or none.
    """
    direct = [name for name in dict.fromkeys(names(run.spec.flow[run.spec.sample].expr)) if name in run.spec.flow]
    found = [name for name in direct if run.shape(name) is not None and len(run.shape(name) or ()) == 1]
    if len(found) == 1:
        return found[0]
    known = listed(found or run.spec.flow)
    raise UserError(
        f"{run.spec.sample} is made from {'several vectors' if found else 'no vector'}; say which value: {known}"
    )


def _maker(
    run: Run, inference: Inference, value: str, rows: Mapping[str, Tensor], n: int, key: tuple[Any, ...]
) -> Callable[[Tensor], Tensor]:
    """The images that the model makes of `n` points of a value, all else that it draws held as it is for this key."""
    sample = run.spec.flow[run.spec.sample]
    make, least = inference.program.value(sample), inference.together([sample])
    fixed = {name: tensor.to(inference.device) for name, tensor in rows.items()}

    def image(point: Tensor) -> Tensor:
        draws = draw.Draws(key, inference.device, least=least)
        with draw.using(draws):
            return first(make(inference.turn({**fixed, value: point}, None, n, key, draws)))

    return image


def _descend(
    image: Callable[[Tensor], Tensor], around: Tensor, targets: Tensor, steps: int, noise: torch.Generator, judge: Any
) -> Projected:
    """Adam from the mean of `around`, vectors that the model drew, towards the targets; the schedules are StyleGAN2's.

    Raises:
        UserError: the model's images have another size than the targets.
    """
    mean = around.mean(0)
    distance = (around - mean).square().flatten(1).sum(1).mean().sqrt()
    rate = RATE * float(distance) / math.sqrt(mean.numel())

    def errors(made: Tensor) -> Tensor:
        return (made - targets).square().flatten(1).mean(1)

    point = mean.repeat(len(targets), *[1] * mean.dim()).requires_grad_()
    light.eager_optimizers()
    optimizer = torch.optim.Adam([point], lr=rate)
    wanted = first(judge(targets)).detach() if judge is not None else None
    for step in range(steps):
        part = step / steps
        fall = 0.5 - 0.5 * math.cos(math.pi * min(1.0, (1 - part) / DOWN))
        optimizer.param_groups[0]["lr"] = rate * fall * min(1.0, (step + 1) / (UP * steps))
        size = JITTER * distance * max(0.0, 1 - part / STILL) ** 2
        made = image(point + size * torch.randn(point.shape, generator=noise).to(point.device))
        if made.shape != targets.shape:
            sizes = ["x".join(map(str, tensor.shape[1:])) for tensor in (made, targets)]
            raise UserError(f"the model makes images of {sizes[0]}, and is given {sizes[1]}")
        loss = errors(made).sum()
        if wanted is not None:
            apart = (first(judge(made)) - wanted).square().sum(1)
            loss = loss + (apart / wanted.square().sum(1)).sum()
        point.grad = None
        loss.backward()
        light.step(optimizer)
    with torch.no_grad():
        made = image(point)
        return Projected(made, point.detach(), errors(made))
