"""Which images a folder holds, their classes, and which of them are held out."""

from __future__ import annotations

import csv
import hashlib
import os
import posixpath
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar

from ganzoo.data.pixels import COMMON, is_image
from ganzoo.errors import UserError, choices
from ganzoo_data.words import natural, printable, some

T = TypeVar("T")


class File(NamedTuple):
    """One image file: its path below the root, with ``/``, its size in bytes and when it was changed."""

    path: str
    bytes: int
    changed: int

    @property
    def top(self) -> str:
        """The first folder on the way to it; empty for a file in the root itself."""
        return self.path.partition("/")[0] if "/" in self.path else ""


@dataclass(frozen=True)
class Listing:
    """The images of a folder in a fixed order, with labels if it has classes."""

    root: Path
    files: tuple[File, ...]
    classes: tuple[str, ...] = ()
    labels: tuple[int, ...] = ()

    def only(self, wanted: Iterable[int]) -> Listing:
        """The files with these numbers."""
        rows = list(wanted)
        labels = tuple(self.labels[i] for i in rows) if self.labels else ()
        return Listing(self.root, tuple(self.files[i] for i in rows), self.classes, labels)

    def split(self, holdout: float, test: bool) -> Listing:
        """The files that are held out, or the others: a matter of each file's own path, not of its neighbours."""
        rows = (i for i, file in enumerate(self.files) if (draw(file.path) < holdout) == test)
        return self if not holdout and not test else self.only(rows)

    def key(self, *settings: object) -> str:
        """A hash of the paths, sizes, times of change, and settings. Source: BLAKE2, RFC 7693."""
        digest = hashlib.blake2b(repr((str(self.root.resolve()), settings)).encode("utf-8", "replace"), digest_size=16)
        for file in self.files:
            digest.update(os.fsencode(file.path) + f"\0{file.bytes} {file.changed}\0".encode())
        return digest.hexdigest()


def draw(path: str) -> float:
    """A number from 0 to 1 that depends on a file's path alone. Source: BLAKE2, RFC 7693."""
    name = os.fsencode(unicodedata.normalize("NFC", path))
    return int.from_bytes(hashlib.blake2b(name, digest_size=8).digest(), "big") / 2**64


def refuse_file(root: Path) -> None:
    """Raises UserError where a file, such as an archive, is given for a folder."""
    if root.is_file():
        raise UserError(f"{printable(root)} is a file; unpack it, and give the folder: data.root=FOLDER")


def list_images(root: Path, classes: Sequence[str] | int | None = None) -> Listing:
    """The images under a folder; its sub-folders are their classes if it has any with images. Source: ganzoo's own.

    Args:
        root: The folder.
        classes: What is expected: the names of the classes in their order, or how many; 0 ignores sub-folders.

    Raises:
        UserError: there is no such folder, it has no images, or the classes are not the expected ones.
    """
    refuse_file(root)
    if not root.is_dir():
        raise UserError(f"there is no folder {printable(root)}; give data.root=FOLDER")
    files = tuple(sorted(walk(root)))
    if not files:
        raise UserError(f"there are no images in {printable(root)} or its folders ({' '.join(COMMON)} …)")
    tops = sorted({file.top for file in files})
    if classes == 0 or classes == () or (classes is None and tops == [""]):
        return Listing(root, files)
    if tops == [""]:
        raise UserError(f"{printable(root)} has no class folders, but classes is {classes!r}; write `classes: 0`")
    if "" in tops:
        loose = [file.path for file in files if not file.top]
        raise UserError(
            f"{printable(root)} has {len(loose)} images beside its class folders, such as {printable(loose[0])}; "
            "move them into one, or write `classes: 0` to have no classes"
        )
    number = _numbered(root, tops, classes)
    return Listing(root, files, tuple(number), tuple(number[_name(file.top)] for file in files))


def labelled(root: Path, table: str, classes: Sequence[str] | int | None = None) -> Listing:
    """The images that a table of the columns ``image`` and ``label`` names, with its labels. Source: ganzoo's own.

    Args:
        root: The folder; the table's images are paths below it.
        table: The table's path below the folder.
        classes: What is expected, as in :func:`list_images`; not 0.

    Raises:
        UserError: there is no such table, it lacks a column or names an image that is not there or one twice, or the
            classes are not the expected ones.
    """
    place, every = root / table, list_images(root, 0)
    if not place.is_file():
        raise UserError(f"there is no table {printable(place)}; `labels` is a path below {printable(root)}")
    label: dict[str, str] = {}
    try:
        with place.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            missing = {"image", "label"} - set(rows.fieldnames or ())
            if missing:
                there = some(rows.fieldnames or ()) or "none"
                raise UserError(f"{printable(place)} has no column {' and '.join(sorted(missing))} (it has {there})")
            for row in rows:
                image, name = (row["image"] or "").strip(), _name((row["label"] or "").strip())
                if not name or label.setdefault(image, name) != name:
                    fault = f"no label for {image}" if not name else f"two labels for {image}: {label[image]}, {name}"
                    raise UserError(f"{printable(place)}:{rows.line_num} has {fault}")
    except UnicodeDecodeError:
        raise UserError(f"{printable(place)} is not UTF-8 text; save it as UTF-8") from None
    except csv.Error as error:
        raise UserError(f"{printable(place)} is no table of comma-separated values: {error}") from None
    label, absent = placed(label, every)
    if absent or not label:
        what = f"names {len(absent)} images that are not there: {some(absent, 3)}" if absent else "holds no rows"
        raise UserError(f"{printable(place)} {what}")
    names = sorted(set(label.values()), key=natural)
    if isinstance(classes, int) and classes != len(names):
        fix = f"write `classes: {len(names)}`"
        raise UserError(f"{printable(place)} has {len(names)} classes, not {classes}: {some(names)}; {fix}")
    if classes is not None and not isinstance(classes, int):
        unknown = [name for name in names if name not in classes]
        if unknown:
            raise UserError(f"{printable(place)} has a class '{unknown[0]}' that `classes:` does not name; add it")
        names = list(classes)
    mine = every.only(i for i, file in enumerate(every.files) if file.path in label)
    return Listing(root, mine.files, tuple(names), tuple(names.index(label[file.path]) for file in mine.files))


def placed(table: Mapping[str, T], every: Listing) -> tuple[dict[str, T], list[str]]:
    """What a table says of images, by their paths in a listing; and the names in it that are none of them.

    A table may write a path with ``\\`` or ``./`` before it, the whole path, or leave the suffix out where no two files
    differ in that alone; letters with accents may be composed otherwise than on the disk.

    Source: ganzoo's own; Unicode Standard Annex 15 (NFC).

    Raises:
        UserError: an image is named twice, in two ways.
    """
    files = [file.path for file in every.files]
    stems = Counter(map(_stem, files))
    known = {_plain(_stem(path)): path for path in files if stems[_stem(path)] == 1} | {_plain(p): p for p in files}
    root = f"{_plain(every.root.resolve().as_posix())}/"
    found: dict[str, T] = {}
    absent = []
    for name, said in table.items():
        path = known.get(_plain(name).removeprefix(root))
        if path is None:
            absent.append(name)
        elif path in found:
            raise UserError(f"{printable(path)} is named twice, once as '{printable(name)}'")
        else:
            found[path] = said
    return found, sorted(absent)


def _stem(path: str) -> str:
    return os.path.splitext(path)[0]


def _plain(path: str) -> str:
    """A path as it is compared."""
    return posixpath.normpath(unicodedata.normalize("NFC", path).replace("\\", "/"))


def _name(folder: str) -> str:
    return unicodedata.normalize("NFC", printable(folder))


def _numbered(root: Path, tops: Sequence[str], classes: Sequence[str] | int | None) -> dict[str, int]:
    """The number of each class."""
    found = sorted({_name(top) for top in tops}, key=natural)
    if classes is None or isinstance(classes, int):
        if classes is not None and classes != len(found):
            fix = f"write `classes: {len(found)}`"
            raise UserError(f"{printable(root)} has {len(found)} classes, not {classes}: {some(found)}; {fix}")
        return {name: i for i, name in enumerate(found)}
    stated = [unicodedata.normalize("NFC", name) for name in classes]
    present = {_name(entry) for entry in os.listdir(root)}
    for name in stated:
        if name not in present:
            near = choices(name, present)
            raise UserError(
                f"classes names '{name}', but {printable(root)} has no such folder" + (near and f" ({near})")
            )
    for name in found:
        if name not in stated:
            raise UserError(f"{printable(root)} has a folder '{name}' that `classes:` does not name; add it or move it")
    return {name: i for i, name in enumerate(stated)}


def walk(root: Path) -> Iterator[File]:
    """Every image file under a folder, links followed, hidden files and folders left out. Source: scandir(3)."""
    stack, seen = [(str(root), "")], set()
    while stack:
        folder, inner = stack.pop()
        try:
            here = os.stat(folder)
            entries = list(os.scandir(folder))
        except OSError as error:
            raise UserError(f"the folder {printable(folder)} cannot be read: {error.strerror}") from error
        if (here.st_dev, here.st_ino) in seen:  # a link that leads back
            continue
        seen.add((here.st_dev, here.st_ino))
        for entry in entries:
            path = inner + entry.name
            if entry.name.startswith(".") or entry.name == "__MACOSX":
                continue
            if entry.is_dir():
                stack.append((entry.path, path + "/"))
            elif is_image(entry.name):
                try:
                    stat = entry.stat()
                    yield File(path, stat.st_size, stat.st_mtime_ns)
                except OSError:  # a link to nowhere: reading it will say so
                    yield File(path, 0, 0)
