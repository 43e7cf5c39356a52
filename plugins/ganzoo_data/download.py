"""Downloads through torchvision, which knows the mirrors and the checksums."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from ganzoo.errors import UserError


def fetch(name: str, inner: str, home: Path) -> None:
    """Download a torchvision data set into `home`; only whole, checked files arrive there. Source: torchvision.

    Args:
        name: Name of the class in ``torchvision.datasets``.
        inner: The folder that it makes and that is kept, such as ``MNIST/raw``.
        home: Where that folder goes.

    Raises:
        UserError: the download failed, or `home` cannot be written.
    """
    from torchvision import datasets  # type: ignore[import-untyped]

    try:
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=home, prefix=".download-") as place:
            getattr(datasets, name)(place, download=True)
            (home / inner).mkdir(parents=True, exist_ok=True)
            for path in sorted((Path(place) / inner).iterdir()):
                if path.is_file():
                    os.replace(path, home / inner / path.name)
    except (OSError, RuntimeError) as error:  # no network, no room, a wrong checksum
        raise UserError(f"downloading {name} into {home} failed: {error}; copy the files there by hand") from error
