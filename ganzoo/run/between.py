"""Samples on the way from one draw of the noise to another."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import torch

from ganzoo.config.static import Graph
from ganzoo.errors import UserError
from ganzoo.parallel import draw

if TYPE_CHECKING:
    from ganzoo.run.opened import Run


class Between(draw.Draws):
    """Draws of rows of `steps` samples: noise goes from one draw to the next, all else is the same in a row.

    x_t = cos(t) a + sin(t) b for normal numbers a and b, t from 0 to pi/2, so that all steps are distributed as draws
    are; x_t = a + t (b - a) for uniform ones, t from 0 to 1. Row r goes from draw 2r to draw 2r + 1.

    Paper: arXiv:1609.04468 (along the sphere).

    Args:
        key: What seeds the draws.
        device: Where to draw.
        least: At least so many rows are drawn, as for samples.
        rows: How many rows there are.
        steps: How many samples a row has, both ends included.
        start: The first sample that is asked for, of all rows one after the other.
        noise: The priors; what other parts draw stays as it is.
    """

    __slots__ = ("noise", "rows", "start", "steps")

    def __init__(
        self,
        key: tuple[Any, ...],
        device: torch.device,
        least: int,
        rows: int,
        steps: int,
        start: int,
        noise: Collection[str],
    ):
        super().__init__(key, device, least=least)
        self.rows, self.steps, self.start, self.noise = rows, steps, start, noise

    def sliced(self, make: Any, n: int, shape: tuple[int, ...]) -> torch.Tensor:
        drawn = make((max(2 * self.rows, self.least), *shape), generator=self.generator(), device=self.device)
        place = torch.arange(self.start, self.start + n, device=self.device) % (self.rows * self.steps)
        row = place // self.steps
        first, last = drawn[2 * row], drawn[2 * row + 1]
        if self.part not in self.noise or make not in (torch.randn, torch.rand):
            return first
        share = (place % self.steps / (self.steps - 1)).reshape(n, *(1 for _ in shape))
        if make is torch.rand:
            return torch.lerp(first, last, share)
        return draw.on_sphere(first, last, share)


def interpolate(run: Run, rows: int, steps: int, seed: int, value: str | None, given: dict[str, Any]) -> Any:
    """See :meth:`Run.interpolate`."""
    if min(rows, steps - 1) < 1:
        raise UserError(f"{rows} rows of {steps}: there is at least 1 row, of at least 2 steps")
    run, equation, inputs = run.asked(value or run.spec.sample, rows, given)
    reached = Graph(run.spec).of(equation, inputs)
    noise = {name for name, part in run.spec.parts.items() if part.kind == "prior" and name in reached}
    if not noise:
        raise UserError(f"{value or run.spec.sample} is made of no noise here, so nothing lies between its draws")
    inference = run.inference(equation)
    for name in run.fields.keys() & reached - inputs.keys():
        if run.fields[name].drawn:
            inputs[name] = inference.compute([run.equation(name)], 2 * rows, (seed, "sample"))[0][::2]
    repeated = {name: tensor.repeat_interleave(steps, 0) for name, tensor in inputs.items()}
    least = inference.together([equation], repeated)

    def draws(start: int) -> Between:
        return Between((seed, "sample", 0), inference.device, least, rows, steps, start, noise)

    return inference.compute([equation], rows * steps, (seed, "sample"), repeated, draws=draws)[0]
