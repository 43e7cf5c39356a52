"""The data doctor's look at a folder of images."""

from __future__ import annotations

import hashlib
import os
from collections import Counter, defaultdict
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from ganzoo.data.pixels import GREY, flatten, is_image
from ganzoo.errors import UserError
from ganzoo_data.findings import Finding, classes, few, pixels, repeated, spread
from ganzoo_data.listing import File, Listing, labelled, list_images
from ganzoo_data.store import in_order, reason
from ganzoo_data.survey import Survey, survey
from ganzoo_data.words import natural, printable, some

SPLITS = {"train", "training", "test", "testing", "val", "valid", "validation", "eval", "dev"}


def of_folder(root: Path, limit: int, sized: bool = False, labels: str | None = None) -> list[Finding]:
    """Everything about a folder of images, which will be `sized` alike or should be, or of those that `labels` names.

    Source: ganzoo's own.
    """
    found = []
    try:
        listing = labelled(root, labels) if labels else list_images(root)
    except UserError as error:
        found.append(Finding("error", str(error)))
        try:
            listing = list_images(root, 0)
        except UserError:
            return found
    found.append(Finding("info", f"{len(listing.files)} images, {sum(f.bytes for f in listing.files) / 1e6:.1f} MB"))
    if listing.classes:
        counts = Counter(listing.classes[i] for i in listing.labels)
        of_folders = [] if labels else levels(listing)
        found += [*classes({**dict.fromkeys([] if labels else _folders(root), 0), **counts}), *of_folders]
    seen = survey(listing)
    found += [
        *_headers(seen, sized),
        *_copies(listing),
        *_contents(listing, seen, limit),
        *few(len(listing.files)),
        *_others(root),
    ]
    return found


def levels(listing: Listing) -> list[Finding]:
    """A warning where the class folders look like splits, or like one folder too many. Source: ganzoo's own."""
    names = listing.classes
    if not names:
        return []
    tops = sorted({file.top for file in listing.files})
    inner = {file.path.split("/")[1] for file in listing.files if file.path.count("/") > 1}
    if len(names) == 1 and inner:
        message = f"the only class is '{names[0]}', and there are {len(inner)} folders in it"
        fix = f"one folder level too many: write `root: {printable(listing.root / tops[0])}`"
        return [Finding("warning", message, fix)]
    if {name.lower() for name in names} <= SPLITS:
        chosen = next((top for top in tops if top.lower().startswith("train")), tops[0])
        message = f"the classes are {', '.join(names)}, which look like splits"
        return [Finding("warning", message, f"write `root: {printable(listing.root / chosen)}`")]
    return []


def _folders(root: Path) -> list[str]:
    """What may have been meant as a class."""
    found = (p.name for p in root.iterdir() if p.is_dir() and p.name[0] != "." and p.name != "__MACOSX")
    return sorted(map(printable, found), key=natural)


def _headers(seen: Survey, sized: bool) -> list[Finding]:
    sizes, modes = seen.sizes, seen.modes
    if not sizes:
        return []
    clear = sum(count for header, count in seen.headers.items() if header.transparent)
    listed = some([f"{h}x{w} {n}" for (h, w), n in sizes.most_common()], 8)
    found = [
        Finding("info", f"{len(sizes)} sizes, height x width: {listed}"),
        Finding("info", "modes: " + ", ".join(f"{mode} {n}" for mode, n in modes.most_common())),
    ]
    if len(sizes) > 1 and not sized:
        side = min(min(size) for size in sizes)
        found.append(Finding("warning", f"the images have {len(sizes)} sizes", f"write `size: {side}`, and see `fit:`"))
    if clear:
        found.append(Finding("info", f"{clear} images may be transparent: they are put on white", "or `channels: 4`"))
    return found


def _copies(listing: Listing) -> list[Finding]:
    """Files with the same bytes; only files of one length are read."""
    of_length: dict[int, list[File]] = defaultdict(list)
    for file in listing.files:
        of_length[file.bytes].append(file)
    hashed: dict[bytes, list[str]] = defaultdict(list)
    for same in of_length.values():
        for file in same:
            try:
                content = (listing.root / file.path).read_bytes() if len(same) > 1 else os.fsencode(file.path)
            except OSError:
                continue
            hashed[hashlib.blake2b(content, digest_size=16).digest()].append(file.path)
    example = next((paths for paths in hashed.values() if len(paths) > 1), [])
    counts = Counter({key: len(paths) for key, paths in hashed.items()})
    found = repeated(counts, "files", [printable(path) for path in example[:2]])
    torn = [paths for paths in hashed.values() if len({path.partition("/")[0] for path in paths if "/" in path}) > 1]
    if torn and listing.classes:
        pair = " = ".join(printable(path) for path in torn[0][:2])
        found.append(Finding("warning", f"{len(torn)} images are in two classes, such as {pair}", "keep one of each"))
    return found


class _Seen(NamedTuple):
    """What one decoded image shows; `deepest` is its largest value if it has 16 bits."""

    constant: bool
    brightest: int
    mode: str
    grey: bool
    deepest: int


def _contents(listing: Listing, seen: Survey, limit: int) -> list[Finding]:
    """What only the pixels tell, of at most `limit` files."""
    rows = spread(np.arange(len(listing.files)), limit)
    Image.init()

    def one(path: Path) -> _Seen | str:
        try:
            with Image.open(path) as image:
                sixteen = int(np.asarray(image).max()) if image.mode.startswith("I") else 0
                flat = np.asarray(flatten(image, 3))
                grey = bool((flat == flat[..., :1]).all())
                return _Seen(bool((flat == flat[0, 0]).all()), int(flat.max()), image.mode, grey, sixteen)
        except Exception as error:  # Pillow's readers raise anything
            return reason(error)

    read = list(in_order(one, [listing.root / listing.files[row].path for row in rows], "looking at pixels"))
    bad = dict(seen.failed) | {row: why for row, why in zip(rows.tolist(), read, strict=True) if isinstance(why, str)}
    good = [item for item in read if not isinstance(item, str)]
    found = []
    if bad:
        named = some([f"{printable(listing.files[row].path)} ({why})" for row, why in sorted(bad.items())])
        fix = "repair or remove them, or write `skip_broken: true`"
        found.append(Finding("error", f"{len(bad)} images cannot be read: {named}", fix))
    if not good:
        return found
    found += pixels("real", np.array([g.constant for g in good]), np.array([g.brightest for g in good]))
    colour = [g for g in good if g.mode not in GREY]
    if colour and all(g.grey for g in good):
        message = f"all {len(good)} images looked at are grey, though {len(colour)} are stored in colour"
        found.append(Finding("warning", message, "write `channels: 1`"))
    elif any(g.grey for g in good) and not all(g.grey for g in good):
        found.append(Finding("info", f"{sum(g.grey for g in good)} of {len(good)} images looked at are grey"))
    deep = [g.deepest for g in good if g.deepest]
    if deep and max(deep) < 2**14:
        message = f"{len(deep)} images have 16 bits, but no value above {max(deep)} of 65535: they will be almost black"
        found.append(Finding("warning", message, "multiply them so that white is 65535, or save them with 8 bits"))
    return found


def _others(root: Path) -> list[Finding]:
    """Files that are no images by their names."""
    kinds = Counter(
        p.suffix.lower() or "no suffix"
        for p in root.rglob("*")
        if p.is_file() and not is_image(p.name) and not any(part.startswith(".") for part in p.relative_to(root).parts)
    )
    listed = ", ".join(f"{kind} {count}" for kind, count in kinds.most_common(8))
    return [Finding("info", f"{kinds.total()} other files are not read: {listed}")] if kinds else []
