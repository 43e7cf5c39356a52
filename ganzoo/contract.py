"""What parts may return and take: the few conventions that let any network meet any loss."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


class Scales(tuple):
    """Outputs of one network at several scales. Losses take it scale by scale and add them up."""

    __slots__ = ()


class Measured(NamedTuple):
    """What a metric returns where a number alone does not say enough.

    `protocol` holds, as plain values, what the number depends on and only the metric knows, such as how many real
    samples it was measured against; `verdict` says in words what is wrong, if anything is.
    """

    values: float | Mapping[str, float]
    protocol: Mapping[str, Any] = {}
    verdict: str = ""


@dataclass
class Pieces:
    """Images that are made in pieces, ``B C height width``, which need not all be held at the same time.

    A network that makes large images so has a method ``pieces``, called as its ``forward``, which returns this in
    evaluation mode. A command that writes a picture makes bytes of each piece.

    Attributes:
        height: Of the whole image.
        width: Of the whole image.
        made: Of each piece its top row, its left column and its pixels, ``B C h w``, made when it is asked for.
    """

    height: int
    width: int
    made: Iterable[tuple[int, int, Any]]

    def whole(self) -> Any:
        """All pieces in their places: what ``forward`` returns."""
        image = None
        for top, left, piece in self.made:
            height, width = piece.shape[2:]
            if (height, width) == (self.height, self.width):
                return piece
            if image is None:
                image = piece.new_empty(*piece.shape[:2], self.height, self.width)
            image[:, :, top : top + height, left : left + width].copy_(piece)
        return image


def first(output: Any) -> Any:
    """The tensor that stands for an output: the first field of a NamedTuple, anything else as it is."""
    while isinstance(output, tuple) and hasattr(output, "_fields"):
        output = output[0]
    return output


def ignores(*names: str) -> Callable[[F], F]:
    """Mark arguments that a method takes but never reads, so that they are not even computed.

    Every adversarial loss has ``d(real, fake)`` and ``g(fake, real)``; only relativistic ones read `real` in ``g``.
    """

    def mark(method: F) -> F:
        method.__ganzoo_ignores__ = frozenset(names)  # type: ignore[attr-defined]
        return method

    return mark


def ignored(method: Any) -> frozenset[str]:
    """The arguments that :func:`ignores` marked."""
    return getattr(method, "__ganzoo_ignores__", frozenset())


def map_tensors(function: Callable[[Any], Any], output: Any) -> Any:
    """`function` applied to every tensor of a nested output; tuples, lists and NamedTuples keep their type."""
    if isinstance(output, tuple) and hasattr(output, "_fields"):
        return type(output)(*(map_tensors(function, item) for item in output))
    if isinstance(output, list | tuple):
        return type(output)(map_tensors(function, item) for item in output)
    return function(output) if hasattr(output, "dtype") else output


def shape_of(output: Any) -> str:
    """A readable shape, ``64x3x32x32``; ``{logit 64, features 64x128}`` for several outputs."""
    if isinstance(output, tuple) and hasattr(output, "_fields"):
        return "{" + ", ".join(f"{k} {shape_of(v)}" for k, v in zip(output._fields, output, strict=True)) + "}"
    if isinstance(output, list | tuple):
        return "[" + ", ".join(map(shape_of, output)) + "]"
    if hasattr(output, "shape"):
        return "x".join(map(str, output.shape)) or "scalar"
    return repr(output) if isinstance(output, int | float | str | bool | None) else type(output).__name__
