"""What the data doctor notices: rows that are constant, dark, repeated or not finite, classes that are rare."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from ganzoo_data.words import some

FEW = 500  # images below which a discriminator knows them by heart
SKEW = 10  # times that the largest class may be larger than the smallest
DARK = 8  # of 255: no pixel of an almost black image is brighter
RARE = 0.01  # the part of the images up to which an oddity is no accident
LOOKED_AT = 1000  # rows that the quick check looks at


@dataclass(frozen=True)
class Finding:
    """One thing that the doctor noticed: how bad it is, what it is, and the likely fix. Source: ganzoo's own."""

    severity: Literal["info", "warning", "error"]
    message: str
    fix: str = ""

    def __str__(self) -> str:
        return f"{self.severity}: {self.message}" + (f" ({self.fix})" if self.fix else "")


def quick(data: Any, limit: int = LOOKED_AT) -> list[Finding]:
    """Warnings only, about rows that are in memory or mapped: labels all equal, constant images, NaN.

    Source: ganzoo's own.
    """
    found = [f for name, field in data.fields.items() for f in _field(name, field, data.arrays[name], limit)]
    return [finding for finding in found if finding.severity != "info"]


def of_arrays(data: Any, limit: int) -> list[Finding]:
    """Everything about a data component's rows. Source: ganzoo's own."""
    found = [Finding("info", f"{len(data)} rows")]
    for name, field in data.fields.items():
        rows = data.arrays[name]
        shape = "x".join(map(str, field.shape)) or "a number"
        found.append(Finding("info", f"{name}: {field.kind}, {shape}"))
        found += _field(name, field, rows, limit)
        if field.kind == "label":
            counts = dict(zip(field.classes, np.bincount(rows, minlength=len(field.classes)).tolist(), strict=True))
            found += classes(counts)
        elif field.kind == "image":
            found += repeated(Counter(row.tobytes() for row in spread(rows, limit)), f"{name}: images")
    return [*found, *few(len(data))]


def spread(rows: np.ndarray, limit: int) -> np.ndarray:
    """At most `limit` rows, evenly spaced. Source: ganzoo's own."""
    return np.asarray(rows[:: -(-len(rows) // limit)]) if len(rows) > limit else np.asarray(rows[:])


def _field(name: str, field: Any, rows: np.ndarray, limit: int) -> list[Finding]:
    if field.kind == "label":
        if len(rows) and len(field.classes) > 1 and (rows == rows[0]).all():
            message = f"{name}: every row is of class '{field.classes[int(rows[0])]}'"
            return [Finding("warning", message, "is the folder one level too high, or the data sorted and cut?")]
        return []
    looked = spread(rows, limit)
    if field.kind == "image":
        constant = (looked == looked[:, :1, :1]).all((1, 2, 3))
        return pixels(name, constant, looked.max((1, 2, 3), initial=0))
    bad = int((~np.isfinite(looked)).reshape(len(looked), -1).any(1).sum())
    message = f"{name}: {bad} of {len(looked)} rows hold NaN or infinity"
    return [Finding("error", message, "training on them stops at once; remove them")] if bad else []


def pixels(name: str, constant: np.ndarray, brightest: np.ndarray) -> list[Finding]:
    """Warnings from whether each image is of one colour, and its brightest value, 0 to 255. Source: ganzoo's own."""
    plain, dark = int(constant.sum()), int(((brightest <= DARK) & ~constant).sum())
    found = []
    if plain:
        message = f"{name}: {plain} of {len(constant)} images are of one colour"
        found.append(Finding(_bad(plain / len(constant)), message, "empty pictures, or damaged ones: remove them"))
    if dark:
        message = f"{name}: {dark} of {len(constant)} images are almost black: no value above {DARK} of 255"
        found.append(
            Finding(_bad(dark / len(constant)), message, "masks with classes 0, 1, 2 as pixels, or values from 0 to 1?")
        )
    return found


def classes(counts: Mapping[str, int]) -> list[Finding]:
    """The histogram of the classes, and whether they are all one, empty, or far from equal. Source: ganzoo's own."""
    listed = some([f"{name} {count}" for name, count in sorted(counts.items(), key=lambda c: -c[1])])
    found = [Finding("info", f"{len(counts)} classes: {listed}")]
    empty = [name for name, count in counts.items() if not count]
    if empty:
        message = f"{len(empty)} classes have no images: {some(empty)}"
        found.append(Finding("warning", message, "remove them, or add images"))
    filled = {name: count for name, count in counts.items() if count}
    if len(filled) == 1:
        message = f"all labels are equal: the only class is '{next(iter(filled))}'"
        found.append(Finding("warning", message, "write `classes: 0` if there are no classes"))
    elif filled:
        most, least = max(filled, key=filled.__getitem__), min(filled, key=filled.__getitem__)
        if filled[most] > SKEW * filled[least]:
            times = filled[most] / filled[least]
            message = f"'{most}' ({filled[most]}) has {times:.0f} times the images of '{least}' ({filled[least]})"
            found.append(Finding("warning", message, "a conditional model will hardly learn the small classes"))
    return found


def few(count: int) -> list[Finding]:
    """A warning if a discriminator would know the images by heart. Source: arXiv:2006.06676 figure 1."""
    message = f"only {count} images: the discriminator will know them by heart"
    return [Finding("warning", message, "use augment.diffaugment, or find more")] if count < FEW else []


def repeated(counts: Counter[bytes], what: str, examples: Sequence[str] = ()) -> list[Finding]:
    """A warning if some of the hashed things occur more than once. Source: ganzoo's own."""
    extra = sum(count - 1 for count in counts.values())
    shown = f", such as {' = '.join(examples)}" if examples else ""
    message = f"{what}: {extra} of {counts.total()} are copies of others{shown}"
    return [Finding(_bad(extra / counts.total()), message, "remove the copies: they count double")] if extra else []


def _bad(part: float) -> Literal["info", "warning"]:
    return "warning" if part > RARE else "info"
