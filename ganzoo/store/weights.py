"""Files of weights as others publish them: tensors by name, read without running anything."""

from __future__ import annotations

import argparse
import pickle
import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganzoo.errors import Problem, UserError, choices, listed
from ganzoo.store.files import check_archive, from_json

AVERAGED = ("params_ema", "g_ema", "G_ema", "ema", "model_ema", "state_dict_ema")
WRAPPERS = ("module.", "_orig_mod.")
BESIDE = "../"  # before the name of a tensor that lies beside a mapping
HEADER = 100_000_000  # bytes of names and shapes, as the safetensors format allows


def read(path: Path) -> Any:
    """What a file holds: tensors by name, perhaps in mappings of mappings, with plain values beside.

    Raises:
        UserError: it is damaged, of another kind, or holds code.
    """
    try:
        if path.suffix == ".safetensors":
            return _safetensors(path)
        return _npz(path) if path.suffix == ".npz" else _pickled(path)
    except UserError:
        raise
    except (OSError, MemoryError) as error:
        reason = getattr(error, "strerror", None) or "it is cut short, or another file"
        raise UserError(f"{path} cannot be read: {reason}") from None
    except Exception as error:  # of any kind, on bytes of any kind
        first = str(error).strip().split("\n", 1)[0][:200]
        raise UserError(f"{path} is damaged, or no file of weights: {first or type(error).__name__}") from None


def _pickled(path: Path) -> Any:
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            check_archive(archive, path)
            if archive.testzip():
                raise UserError(f"{path} is damaged: its content does not match its checksums")
    try:
        with torch.serialization.safe_globals([argparse.Namespace]):
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        named = re.search(r"GLOBAL (\S+)", str(error))
        with path.open("rb") as file:
            marked = file.read(2) in (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"PK")
        if named is None and not (marked and "Unsupported" in str(error)):
            raise UserError(f"{path} is damaged, or no file of weights") from None
        hint = "where you trust it, its own program can save tensors alone: torch.save(network.state_dict(), FILE)"
        what = f"more than tensors and plain values{f' ({named[1]})' if named else ''}"
        raise UserError(Problem(f"{path} holds {what}; nothing of it was run", hint=hint)) from None
    except EOFError:
        raise UserError(f"{path} is cut short") from None


def _safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors.torch import load_file

    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > min(size - 8, HEADER):
            raise UserError(f"{path} is no .safetensors file, or cut short: its header would have {length} bytes")
        from_json(file.read(length))
    return load_file(path)


def _npz(path: Path) -> dict[str, Tensor]:
    found = {}
    with zipfile.ZipFile(path) as archive:
        check_archive(archive, path)
        for member in archive.infolist():
            with archive.open(member) as file:
                version = np.lib.format.read_magic(file)
                read_header = getattr(np.lib.format, f"read_array_header_{version[0]}_0")
                shape, _, dtype = read_header(file)
                if dtype.hasobject:
                    raise UserError(f"{path} holds more than arrays of numbers; nothing of it was run")
                if int(np.prod(shape, dtype=object)) * dtype.itemsize > member.file_size:
                    raise UserError(f"{path} is damaged: {member.filename} is smaller than its header says")
            with archive.open(member) as file:
                array = np.lib.format.read_array(file, allow_pickle=False)
            found[member.filename.removesuffix(".npy")] = torch.from_numpy(np.ascontiguousarray(array))
    return found


def candidates(content: Any, key: str = "") -> Iterator[tuple[str, dict[str, Tensor]]]:
    """The mappings of tensors in a file, those of averaged weights first, each with where it stands.

    Wrappers such as ``module.`` before every name are taken off. A tensor beside a mapping stands in it as ``../NAME``.

    Args:
        content: What :func:`read` returned.
        key: The one that is wanted: a key, or what the names of its tensors begin with.
    """
    found = dict(_mappings(content, ""))
    for place in sorted(found, key=lambda p: p.rpartition(".")[2] not in AVERAGED):
        tensors = _unwrapped(found[place])
        if place:
            tensors |= {f"{BESIDE}{name}": value for name, value in found.get(place.rpartition(".")[0], {}).items()}
        if not key or place == key:
            yield place, tensors
        elif key.startswith(f"{place}.") or not place:
            start = key[len(place) + 1 if place else 0 :]
            begins = f"{start}.", f"{start}_"
            inner = {name[len(start) + 1 :]: value for name, value in tensors.items() if name.startswith(begins)}
            if inner:
                yield key, inner


def _mappings(content: Any, place: str) -> Iterator[tuple[str, dict[str, Tensor]]]:
    if not isinstance(content, Mapping):
        return
    own = {str(name): value for name, value in content.items() if isinstance(value, Tensor)}
    if own:
        yield place, own
    for name, value in content.items():
        if isinstance(name, str) and "optim" not in name:
            yield from _mappings(value, f"{place}.{name}" if place else name)


def _unwrapped(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    tensors = dict(tensors)
    for wrapper in WRAPPERS:
        while all(name.startswith(wrapper) for name in tensors):
            tensors = {name.removeprefix(wrapper): value for name, value in tensors.items()}
    return tensors


def chosen(path: Path, key: str = "") -> list[tuple[str, dict[str, Tensor]]]:
    """The mappings of tensors in a file, or the one named `key`.

    Raises:
        UserError: it cannot be read, or holds none.
    """
    content = read(path)
    found = list(candidates(content, key))
    if found:
        return found
    if isinstance(content, Mapping) and key:
        hint = choices(key, [place for place, _ in candidates(content) if place])
        raise UserError(Problem(f"{path} has no tensors under '{key}'", hint=hint))
    what = f"keys {listed(map(str, content))}" if isinstance(content, Mapping) else type(content).__name__
    raise UserError(f"{path} holds no tensors by name: {what}")
