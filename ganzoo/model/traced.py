"""A value of a model as one module over plain tensors: data, noise and whatever else is drawn are its inputs."""

from __future__ import annotations

import builtins
import copy
import inspect
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeGuard

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd
from torch.nn.utils import parametrize

from ganzoo.config.expression import Call, Const, Expr, Name
from ganzoo.config.spec import Value
from ganzoo.contract import first
from ganzoo.data.fields import Field
from ganzoo.model.inference import Inference
from ganzoo.model.program import Program
from ganzoo.model.rewrite import restore
from ganzoo.model.turn import Getter, Turn
from ganzoo.parallel import draw


@dataclass(frozen=True)
class Input:
    """What a graph is given under one name.

    Args:
        kind: The kind of a data field, ``value`` for a named value, ``latent`` for what a prior draws, ``normal`` or
            ``uniform`` for numbers that networks draw, N(0, 1) or U(0, 1).
        of: The field, or the name of the part that draws.
    """

    kind: str
    of: Any = None


class Tape(Mapping[str, Any]):
    """The inputs of one computation by name, in the order in which they are first asked for.

    While it records, an input is made when it is asked for. Otherwise it is one of those `given`.

    Args:
        fields: The data's fields.
        n: How many samples.
        seed: Of what is made.
        given: Inputs that were made before.
        wide: Whether images are made twice as wide as the data's.
    """

    def __init__(
        self,
        fields: Mapping[str, Field],
        n: Any,
        seed: int = 0,
        given: Mapping[str, Tensor] | None = None,
        wide: bool = False,
    ):
        self.fields, self.n, self.given, self.wide = fields, n, given, wide
        self.made: dict[str, Tensor] = {}
        self.inputs: dict[str, Input] = {}
        self.inside = False  # an input, of which nothing is an input itself
        self.random = torch.Generator().manual_seed(draw.seed_of(seed, "export"))
        self._aside: dict[str, Any] = {}

    def take(self, name: str, what: Input, make: Callable[[], Any]) -> Any:
        """The input of this name; made, while recording, if there is none yet."""
        if self.given is not None:
            return self.given[name]
        known = self._aside if self.inside else self.made
        if name not in known:
            before, self.inside = self.inside, True
            try:
                made = make()
            finally:
                self.inside = before
            if self.wide and made.ndim == 4 and not before and what.kind in ("image", "value"):
                made = torch.cat([made, made.flip(3)], 3)
            known[name] = made
            if not self.inside:
                self.inputs[name] = what
        return known[name]

    def __getitem__(self, name: str) -> Any:
        field = self.fields[name]
        return self.take(name, Input(field.kind, field), lambda: field.batch(self.n, "cpu", self.random))

    def __iter__(self) -> Iterator[str]:
        return iter(self.fields)

    def __len__(self) -> int:
        return len(self.fields)


class _Draws(draw.Draws):
    """Draws that are inputs, each of a name of its own: ``G_noise``, ``G_noise_2``."""

    __slots__ = ("tape",)

    def __init__(self, tape: Tape, seed: int):
        super().__init__((seed, "export"), torch.device("cpu"))
        self.tape = tape

    def sliced(self, make: Any, n: Any, shape: tuple[Any, ...]) -> Tensor:
        generator = self.generator()  # which counts
        count = self._count[self.part]
        name = f"{self.part}_noise" + (f"_{count + 1}" if count else "")
        what = Input("normal" if make is torch.randn else "uniform", self.part)
        return self.tape.take(name, what, lambda: make((n, *shape), generator=generator))


class _Traced(Program):
    """Compiles equations so that what priors draw, and the values named in `starts`, are taken from the tape."""

    def __init__(self, program: Program, starts: Collection[str]):
        super().__init__(program.flow, program.part, program.kind)
        self.starts = starts
        self._inline: dict[str, int] = {}

    def named(self, name: str) -> Getter:
        expr = self.flow[name].expr
        if name not in self._named and name in self.starts:
            self._named[name] = _taken(name, Input("value"), self.value(self.flow[name]))
        elif name not in self._named and self._is_latent(expr):
            self._named[name] = _taken(name, Input("latent", str(expr.func)), super()._call(expr))
        return super().named(name)

    def _call(self, call: Call) -> Getter:
        get = super()._call(call)
        if not self._is_latent(call):
            return get
        part = str(call.func)
        count = self._inline[part] = self._inline.get(part, 0) + 1
        return _taken(part if count == 1 else f"{part}_{count}", Input("latent", part), get)

    def _is_latent(self, expr: Expr) -> TypeGuard[Call]:
        """Whether it is a prior's draw that nothing learned and no input has a say in."""
        if not isinstance(expr, Call) or not isinstance(expr.func, Name) or self.kind(expr.func.id) != "prior":
            return False
        part = self.part(expr.func.id)
        learned = isinstance(part, nn.Module) and any(True for _ in part.state_dict())
        arguments = [*expr.args, *(value for _, value in expr.kwargs)]
        return not learned and all(isinstance(a, Const) or a == Name("n") for a in arguments)


def _taken(name: str, what: Input, get: Getter) -> Getter:
    def take(turn: Turn) -> Any:
        assert isinstance(turn.batch, Tape)
        return turn.batch.take(name, what, lambda: first(get(turn)))

    return take


class Traced(nn.Module):
    """A value of a model as a module whose inputs are given by name.

    Args:
        inference: The parts, and what to compute with them. They are copied, written plainly, and left on the CPU.
        equation: The value.
        starts: Named values that are inputs, and not computed.
    """

    def __init__(self, inference: Inference, equation: Value, starts: Collection[str] = ()):
        super().__init__()
        self.step, self.fields = inference.step, inference.blueprint.fields
        parts = copy.deepcopy(inference.parts)
        self.modules_by_name = nn.ModuleDict({k: plain(p) for k, p in parts.items() if isinstance(p, nn.Module)})
        parts |= dict(self.modules_by_name.items())
        flow, kind = inference.blueprint.spec.flow, inference.blueprint.kind
        self._copied = _Traced(Program(flow, parts.__getitem__, kind), starts).value(equation)
        dropping = any(isinstance(module, _Dropped) for module in self.modules())
        own = _Traced(Program(flow, inference.parts.__getitem__, kind), starts).value(equation)
        self._own = self._copied if dropping else own

    def record(self, n: int, seed: int, wide: bool = False) -> tuple[Tape, Any]:
        """Inputs for `n` samples, and the value for them; `wide` for images twice as wide as the data's."""
        tape = Tape(self.fields, n, seed, wide=wide)
        return tape, self._compute(self._copied, tape, n, seed)

    def own(self, given: Mapping[str, Tensor]) -> Any:
        """What the parts that were copied compute from given inputs; the copies, where dropout needs numbers."""
        n = len(next(iter(given.values())))
        return self._compute(self._own, Tape(self.fields, n, 0, given), n, 0)

    def taking(self, names: Sequence[str]) -> nn.Module:
        """The module with a signature of these names, as exporters want one; it returns a tuple of tensors."""
        parameters = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY) for name in names]

        def forward(self: Traced, **given: Tensor) -> Any:
            return self._tensors(given)

        me = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
        forward.__signature__ = inspect.Signature([me, *parameters])  # type: ignore[attr-defined]
        self.__class__ = type("Traced", (Traced,), {"forward": forward})
        return self

    def _tensors(self, given: Mapping[str, Tensor]) -> tuple[Tensor, ...]:
        n = next(iter(given.values())).shape[0]
        return tuple(flat(self._compute(self._copied, Tape(self.fields, n, 0, given), n, 0)).values())

    def _compute(self, get: Getter, tape: Tape, n: Any, seed: int) -> Any:
        draws = _Draws(tape, seed)
        with draw.using(draws):
            return get(Turn(tape, n, self.step, draws))


class _Dropped(nn.Module):
    """Dropout whose uniform numbers are drawn where all noise is: ``x u>=p / (1 - p)``."""

    def __init__(self, dropout: _DropoutNd):
        super().__init__()
        self.p = dropout.p
        self.whole = type(dropout) is not nn.Dropout  # channels at once

    def forward(self, x: Tensor) -> Tensor:
        shape = (*x.shape[1:2], *(1 for _ in x.shape[2:])) if self.whole else x.shape[1:]
        return x * (draw.uniform(x.shape[0], *shape) >= self.p) / (1 - self.p)


class _BatchStatistics(nn.Module):
    """Batch norm with the statistics of the batch, in plain operations."""

    def __init__(self, norm: _BatchNorm):
        super().__init__()
        self.weight, self.bias, self.eps = norm.weight, norm.bias, norm.eps

    def forward(self, x: Tensor) -> Tensor:
        axes = [0, *range(2, x.dim())]
        mean = x.mean(axes, keepdim=True)
        centred = x - mean
        y = centred * torch.rsqrt((centred * centred).mean(axes, keepdim=True) + self.eps)
        if self.weight is None:
            return y
        shape = (1, -1, *(1 for _ in axes[1:]))
        return y * self.weight.view(shape) + self.bias.view(shape)


def plain(part: nn.Module) -> nn.Module:
    """A part, which is changed, without anything that an exporter cannot write: hooks of parametrisations, fused pairs,
    layouts of memory, dropout and batch statistics that are still at work."""
    part.to("cpu").to(memory_format=torch.contiguous_format)
    for module in part.modules():
        if parametrize.is_parametrized(module):
            _settle(module)
    restore(part)
    for module in list(part.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, _DropoutNd) and child.training:
                setattr(module, name, _Dropped(child))
            elif isinstance(child, _BatchNorm) and child.training:
                setattr(module, name, _BatchStatistics(child))
    return part.requires_grad_(False)


def _settle(module: Any) -> None:
    """Reparametrised weights as what they are now. Torch's own way would change a class that copies have in common."""
    weights = {name: getattr(module, name).detach().clone() for name in module.parametrizations}
    module.__class__ = parametrize.type_before_parametrizations(module)
    del module._modules["parametrizations"]
    for name, weight in weights.items():
        module.register_parameter(name, nn.Parameter(weight))


def flat(value: Any, name: str = "") -> dict[str, Tensor]:
    """The tensors of a value by name: fields of a NamedTuple, numbers of a list."""
    if isinstance(value, Tensor):
        return {name: value}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        items = list(zip(value._fields, value, strict=True))
    elif isinstance(value, list | tuple):
        items = [(str(i), item) for i, item in enumerate(value)]
    else:
        return {}
    found: dict[str, Tensor] = {}
    for key, item in items:
        found |= flat(item, f"{name}.{key}" if name else key)
    return found


@contextmanager
def lengths() -> Iterator[None]:
    """Inside the block ``len(x)`` of a tensor is ``x.shape[0]``, which may be open; else it is fixed."""
    length = builtins.len

    def traced(item: Any, /) -> Any:
        return item.shape[0] if isinstance(item, Tensor) and item.dim() else length(item)

    builtins.len = traced
    try:
        yield
    finally:
        builtins.len = length
