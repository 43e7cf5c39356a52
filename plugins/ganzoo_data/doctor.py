"""The data doctor: what is in a data set, and which of the usual accidents have happened to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ganzoo_data import folder_doctor
from ganzoo_data.findings import Finding, of_arrays


def diagnose(target: str | Path | Any, limit: int = 2000) -> list[Finding]:
    """What is in a folder or a data component, worst first.

    Source: ganzoo's own; arXiv:2006.06676 for what happens with few images.

    Args:
        target: A folder of images, or a data component.
        limit: How many images are decoded and looked at, evenly spaced; headers and file hashes are read of all.
    """
    if isinstance(target, str | Path):
        found = folder_doctor.of_folder(Path(target).expanduser(), limit)
    elif hasattr(target, "listing"):
        labels = getattr(target, "labels", None)
        found = folder_doctor.of_folder(target.root, limit, target.size is not None, labels)
    else:
        found = of_arrays(target, limit)
    return sorted(found, key=lambda f: ("error", "warning", "info").index(f.severity))
