"""The sizes and modes of all files of a folder, from their headers."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from ganzoo.data.arrays import cache_folder
from ganzoo.data.pixels import GREY
from ganzoo.errors import UserError
from ganzoo_data.decode import Header, header
from ganzoo_data.listing import Listing
from ganzoo_data.places import whole
from ganzoo_data.store import VERSION, Failed, in_order, reason
from ganzoo_data.words import printable, some

MANY = 1000  # files from which on the answer is kept


@dataclass(frozen=True)
class Survey:
    """How often each header occurs, and which files have none."""

    headers: Counter[Header]
    failed: list[Failed]

    @property
    def sizes(self) -> Counter[tuple[int, int]]:
        """How often each (height, width) occurs."""
        total: Counter[tuple[int, int]] = Counter()
        for seen, count in self.headers.items():
            total[seen.height, seen.width] += count
        return total

    @property
    def modes(self) -> Counter[str]:
        """How often each of Pillow's modes occurs."""
        total: Counter[str] = Counter()
        for seen, count in self.headers.items():
            total[seen.mode] += count
        return total

    @property
    def channels(self) -> int:
        """1 if every file is grey, else 3."""
        return 1 if all(mode in GREY for mode in self.modes) else 3


def survey(listing: Listing) -> Survey:
    """Read every header, or what an earlier run kept of the same files. Source: Pillow, Image.open."""
    path = cache_folder() / "images" / f"{listing.key(VERSION)}.survey.json"
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        return Survey(Counter({Header(*h): n for h, n in kept["headers"]}), [Failed(*f) for f in kept["failed"]])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    found = _read(listing)
    if len(listing.files) >= MANY:
        try:
            with whole(path) as place:
                place.write_text(json.dumps({"headers": list(found.headers.items()), "failed": found.failed}))
        except OSError:
            pass  # it is only slower the next time
    return found


def _read(listing: Listing) -> Survey:
    Image.init()

    def one(path: Path) -> Header | str:
        try:
            return header(path)
        except Exception as error:  # Pillow's readers raise anything
            return reason(error)

    headers: Counter[Header] = Counter()
    failed: list[Failed] = []
    for row, found in enumerate(in_order(one, [listing.root / f.path for f in listing.files], "looking at images")):
        if isinstance(found, str):
            failed.append(Failed(row, found))
        else:
            headers[found] += 1
    return Survey(headers, failed)


def damaged(listing: Listing) -> list[Failed]:
    """The files that cannot be read to their end, cut ones too, of which the header says nothing. Source: Pillow."""
    Image.init()

    def one(path: Path) -> str:
        try:
            with Image.open(path) as image:
                image.load()
            return ""
        except Exception as error:  # Pillow's readers raise anything
            return reason(error)

    found = in_order(one, [listing.root / f.path for f in listing.files], "looking for damage")
    return [Failed(row, why) for row, why in enumerate(found) if why]


def broken(listing: Listing, failed: list[Failed]) -> UserError:
    """The error that names the files that cannot be read, ten at most. Source: ganzoo's own."""
    named = [f"{printable(listing.files[row].path)} ({why})" for row, why in failed]
    return UserError(
        f"{len(failed)} of {len(listing.files)} images in {printable(listing.root)} cannot be read: "
        f"{some(named)}; repair or remove them, or write `skip_broken: true`"
    )
