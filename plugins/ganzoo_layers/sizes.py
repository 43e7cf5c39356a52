"""Which image sizes a network of doublings or halvings passes through."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

Size = tuple[int, int]


def doubling_path(size: Sequence[int], base: int | None = None) -> list[Size]:
    """The sizes a generator passes through, smallest first: ``[(7, 7), (14, 14), (28, 28)]`` for 28x28.

    Without `base` the size is halved while that is exact and no side falls below 4. With `base` it is halved, rounding
    up, until no side exceeds it; the generator crops what its doublings give too much.

    Raises:
        ValueError: the size cannot be reached by doubling; the message names sizes that can.
    """
    path = [(size[0], size[1])]
    if base is not None:
        while max(path[0]) > base:
            path.insert(0, (-(-path[0][0] // 2), -(-path[0][1] // 2)))
    else:
        while all(side % 2 == 0 and side >= 8 for side in path[0]):
            path.insert(0, (path[0][0] // 2, path[0][1] // 2))
    if len(path) == 1:
        height, width = path[0]
        near = " or ".join(f"{a}x{b}" for a, b in sorted({_even(path[0], -1), _even(path[0], 1)}))
        other = f"or `base: 4`, which crops {_cropped(path[0])}"
        raise ValueError(f"out_size {height}x{width} is no size doubled; {near} would do, {other}")
    return path


def _even(size: Size, direction: int) -> Size:
    height, width = (max(side + direction * (side % 2), 8) for side in size)
    return height, width


def _cropped(size: Size) -> str:
    grown = size
    count = 0
    while max(grown) > 4:
        grown, count = (-(-grown[0] // 2), -(-grown[1] // 2)), count + 1
    return f"{grown[0] * 2**count}x{grown[1] * 2**count}"


def halvings(size: Sequence[int], base: int | None = None) -> int:
    """How often a discriminator halves an image: until a side would fall below 4, or until none exceeds `base`."""
    count, (height, width) = 0, size
    while (max(height, width) > base) if base is not None else (min(height, width) // 2 >= 4):
        height, width, count = -(-height // 2), -(-width // 2), count + 1
    return count


def multiples(size: Sequence[int], step: int) -> str:
    """The sizes next to this one whose sides are multiples of `step`, in words: ``256x256 or 256x512``."""
    lower, upper = ([step * max(-(-side // step) - (down and side % step > 0), 1) for side in size] for down in (1, 0))
    return " or ".join(dict.fromkeys(f"{height}x{width}" for height, width in (lower, upper)))


def quartered(size: Sequence[int], least: int = 8) -> None:
    """Let only sizes pass that can be halved twice and doubled again, with at least `least` pixels to a side.

    Raises:
        ValueError: a side is no multiple of 4, or too small; the message names sizes that would do.
    """
    height, width = size
    if height % 4 or width % 4 or min(size) < least:
        near = multiples([max(side, least) for side in size], 4)
        raise ValueError(f"an image of {height}x{width} cannot be halved twice and doubled again; {near} would do")


def at_least(size: Sequence[int], least: int) -> None:
    """Refuse a size that a network's halvings would leave nothing of.

    Raises:
        ValueError: a side is below `least`.
    """
    if min(size) < least:
        height, width = size
        raise ValueError(f"in_size {height}x{width} is too small: both sides should be at least {least}")


def images_only(x: Tensor) -> None:
    """Let only images pass.

    Raises:
        ValueError: it has other than four axes.
    """
    if x.ndim != 4:
        raise ValueError(f"it takes images, B C H W, not {x.ndim} axes")


def of_size(images: Tensor, size: Sequence[int]) -> None:
    """Let only images of one size pass: for networks whose last layer spans the map.

    Raises:
        ValueError: they have another size.
    """
    if tuple(images.shape[2:]) != tuple(size):
        height, width = images.shape[2:]
        raise ValueError(f"it was built for images of {size[0]}x{size[1]}, and is given {height}x{width}")
