"""Images to write, and a machine on which nothing is found and nothing is left."""

from __future__ import annotations

import gzip
import hashlib
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from ganzoo_data import base, cifar, idx_sets
from PIL import Image

CPU = torch.device("cpu")


@pytest.fixture
def elsewhere(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of this machine is found, and nothing is left on it."""
    home = tmp_path_factory.mktemp("home")
    for name in ("HOME", "GANZOO_CACHE", "GANZOO_DATA"):
        monkeypatch.setenv(name, str(home))
    monkeypatch.setattr(idx_sets.FashionMnist, "elsewhere", ())


def all_rows(data: base.ImageSet) -> dict[str, torch.Tensor]:
    return data.batch(torch.arange(len(data)), CPU)


def save(path: Path, pixels: object, mode: str | None = None, **how: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(np.asarray(pixels))
    (image.convert(mode) if mode else image).save(path, **how)  # type: ignore[arg-type]
    return path


def grey(value: int, height: int = 4, width: int = 4) -> np.ndarray:
    return np.full((height, width), value, np.uint8)


def coloured(red: int, green: int, blue: int, height: int = 4, width: int = 4) -> np.ndarray:
    return np.broadcast_to(np.array([red, green, blue], np.uint8), (height, width, 3)).copy()


def fill(root: Path, counts: dict[str, int], size: tuple[int, int] = (6, 5), suffix: str = ".png") -> Path:
    random = np.random.default_rng(len(counts))
    for name, count in counts.items():
        for i in range(count):
            save(root / name / f"{i:03}{suffix}", random.integers(256, size=(*size, 3), dtype=np.uint8))
    return root


def write_idx(path: Path, array: np.ndarray) -> None:
    content = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


def write_set(where: Path, suffix: str = ".gz", counts: tuple[int, int] = (30, 20), mark: str = "-") -> None:
    random = np.random.default_rng(0)
    for part, count in zip(("train", "t10k"), counts, strict=True):
        images = random.integers(256, size=(count, 28, 28), dtype=np.uint8)
        write_idx(where / f"{part}-images{mark}idx3-ubyte{suffix}", images)
        write_idx(where / f"{part}-labels{mark}idx1-ubyte{suffix}", (np.arange(count) // 2 % 10).astype(np.uint8))


def write_cifar(root: Path, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """Tiny batches in CIFAR's own layout: rows of 1024 red, 1024 green, 1024 blue bytes; the checksums to match."""
    from torchvision import datasets

    (root / "cifar-10-batches-py").mkdir(parents=True)
    rows = np.random.default_rng(0).integers(256, size=(12, 3072), dtype=np.uint8)

    def put(name: str, content: dict) -> tuple[str, str]:
        raw = pickle.dumps(content)
        (root / "cifar-10-batches-py" / name).write_bytes(raw)
        return name, hashlib.md5(raw).hexdigest()

    names = [f"data_batch_{i}" for i in range(1, 6)]
    train = [put(n, {"data": rows[2 * i : 2 * i + 2], "labels": [i, 9]}) for i, n in enumerate(names)]
    test = [put("test_batch", {"data": rows[10:], "labels": [3, 4]})]
    meta = put("batches.meta", {"label_names": list(cifar.CLASSES)})
    monkeypatch.setattr(datasets.CIFAR10, "train_list", train)
    monkeypatch.setattr(datasets.CIFAR10, "test_list", test)
    monkeypatch.setattr(datasets.CIFAR10, "meta", {"filename": meta[0], "key": "label_names", "md5": meta[1]})
    return rows
