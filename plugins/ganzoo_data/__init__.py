"""Image sets: bundled ones, the classic ones, any folder of images, and made-up data for tests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ganzoo
from ganzoo_data.credits import CLOTHES, EMOJI, PHOTOS


def _named(default: tuple[str, ...]) -> Any:
    """The field names of a component whose argument `fields` lists them, or maps them to what they are."""

    def names(args: Mapping[str, Any]) -> list[str] | None:
        fields = args.get("fields") or default
        return None if isinstance(fields, str) or not hasattr(fields, "__iter__") else [str(name) for name in fields]

    return names


def _folder(args: Mapping[str, Any]) -> list[str] | None:
    """A folder's fields, where the YAML states whether it has classes; otherwise only the files know."""
    classes = args.get("classes")
    if args.get("labels"):
        return ["real", "label"]
    return None if classes is None else ["real", "label"] if classes else ["real"]


def _packed(args: Mapping[str, Any]) -> list[str] | None:
    """The fields of a packed folder, from its index; None where there is none."""
    try:
        index = json.loads((Path(args["root"]).expanduser() / "index.json").read_text(encoding="utf-8"))
        fields = next(iter(index["splits"].values()))["fields"]
    except (OSError, ValueError, LookupError, TypeError, AttributeError, StopIteration):
        return None
    dropped = "label" if args.get("classes") in (0, [], ()) else None
    return [name for name, field in fields.items() if field["kind"] != dropped]


def _shards(args: Mapping[str, Any]) -> list[str] | None:
    """The fields of shards: as packed, or where there are no files, as the YAML states."""
    root = Path(str(args.get("root"))).expanduser()
    return _packed(args) or (None if root.exists() or set("*?[") & set(root.name) else _folder(args))


TWO = {
    "paired_folders": "ganzoo_data.paired:PairedFolders",
    "side_by_side": "ganzoo_data.paired:SideBySide",
    "unpaired_folders": "ganzoo_data.unpaired_folders:UnpairedFolders",
}


@ganzoo.hookimpl
def register(zoo):
    labelled = ["real", "label"]
    zoo.data("random", "ganzoo_data.made_up:Random", fields=_named(("real",)), licence="CC0-1.0")
    zoo.data("fashion_mnist", "ganzoo_data.idx_sets:FashionMnist", fields=labelled, **CLOTHES)
    zoo.data(
        "fashion_mnist_sample",
        "ganzoo_data.fashion_sample:FashionMnistSample",
        fields=labelled,
        bundled=True,
        **CLOTHES,
    )
    zoo.data("mnist", "ganzoo_data.idx_sets:Mnist", fields=labelled)
    zoo.data("cifar10", "ganzoo_data.cifar:Cifar10", fields=labelled)
    zoo.data("image_folder", "ganzoo_data.folder:ImageFolder", fields=_folder, reads="folder")
    zoo.data("attributes", "ganzoo_data.attributes:Attributes", fields=["real", "attributes"])
    zoo.data("packed", "ganzoo_data.packed:Packed", fields=_packed, packs="memmap")
    zoo.data("webdataset", "ganzoo_data.shards:Shards", fields=_shards, packs="shards")
    zoo.data("openmoji", "ganzoo_data.openmoji:OpenMoji", fields=_named(("real", "label")), bundled=True, **EMOJI)
    zoo.data(
        "openmoji_unpaired",
        "ganzoo_data.openmoji_unpaired:OpenMojiUnpaired",
        fields=["real_a", "real_b"],
        bundled=True,
        **EMOJI,
    )
    for name, target in TWO.items():
        zoo.data(name, target, fields=["real_a", "real_b"])
    zoo.data("photos", "ganzoo_data.photos:Photos", fields=["real"], bundled=True, **PHOTOS)
