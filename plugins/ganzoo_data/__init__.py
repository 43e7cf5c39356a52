"""Image sets: bundled ones, the classic ones, any folder of images, and made-up data for tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ganzoo


def _named(default: tuple[str, ...]) -> Any:
    """The field names of a component whose argument `fields` lists them, or maps them to what they are."""

    def names(args: Mapping[str, Any]) -> list[str] | None:
        fields = args.get("fields") or default
        return None if isinstance(fields, str) or not hasattr(fields, "__iter__") else [str(name) for name in fields]

    return names


def _folder(args: Mapping[str, Any]) -> list[str] | None:
    """A folder's fields, where the YAML states whether it has classes; otherwise only the files know."""
    classes = args.get("classes")
    return None if classes is None else ["real", "label"] if classes else ["real"]


@ganzoo.hookimpl
def register(zoo):
    labelled = ["real", "label"]
    zoo.data("random", "ganzoo_data.made_up:Random", fields=_named(("real",)))
    zoo.data("fashion_mnist", "ganzoo_data.idx_sets:FashionMnist", fields=labelled)
    zoo.data("fashion_mnist_sample", "ganzoo_data.fashion_sample:FashionMnistSample", fields=labelled, bundled=True)
    zoo.data("mnist", "ganzoo_data.idx_sets:Mnist", fields=labelled)
    zoo.data("cifar10", "ganzoo_data.cifar:Cifar10", fields=labelled)
    zoo.data("image_folder", "ganzoo_data.folder:ImageFolder", fields=_folder)
    zoo.data("openmoji", "ganzoo_data.openmoji:OpenMoji", fields=_named(("real", "label")), bundled=True)
    zoo.data("photos", "ganzoo_data.photos:Photos", fields=["real"], bundled=True)
