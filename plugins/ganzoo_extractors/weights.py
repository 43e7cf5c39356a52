"""Fixed weights: a safetensors file with a record of where the weights come from, or a file of others."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor, nn

from ganzoo.errors import UserError, listed
from ganzoo.store import weights as stored

COUNTER = "num_batches_tracked"  # of a batch norm; older files have none
FILES = Path(__file__).parent / "files"


class Weights(NamedTuple):
    """The bytes of a safetensors file, their sha256, and the record of how they were trained."""

    data: bytes
    sha256: str
    record: dict[str, Any]

    def tensors(self) -> dict[str, Tensor]:
        """The tensors by name, on the CPU."""
        return load(self.data)


def read(path: Path) -> Weights:
    """The weights at `path`, checked against the record ``<name>.json`` beside them. Source: FIPS 180-4 (SHA-256).

    Raises:
        ValueError: a file is absent, or the weights are not those that the record speaks of.
    """
    try:
        data, record = path.read_bytes(), json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        wanted = record["sha256"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} and its record cannot be read ({error}); install ganzoo again") from error
    found = hashlib.sha256(data).hexdigest()
    if found != wanted:
        message = f"{path} is not the file that its record describes: sha256 {found[:16]}…, but {wanted[:16]}… is meant"
        raise ValueError(f"{message}; install ganzoo again")
    return Weights(data, found, record)


class Published(NamedTuple):
    """A file of weights that others publish: an extractor's name, the address, and the beginning of the sha256."""

    extractor: str
    url: str
    digest: str

    @property
    def path(self) -> Path:
        """Where ``torch.hub``, and so torch-fidelity, keeps it."""
        return Path(torch.hub.get_dir()) / "checkpoints" / self.url.rpartition("/")[2]

    def find(self, path: str | None) -> Path:
        """The file at `path`, any of that shape, or else the published one where it is kept. Nothing is fetched.

        Raises:
            ValueError: it is absent, or another file.
        """
        found = Path(path) if path is not None else self.path
        if not found.is_file():
            how = f"`python -m ganzoo_extractors.published {self.extractor}` fetches {self.url}"
            raise ValueError(f"there are no weights at {found}; {how}, or write `weights: FILE`")
        if path is None and not digest(found).startswith(self.digest):
            raise ValueError(f"{found} is damaged: its sha256 does not begin with {self.digest}; remove it")
        return found

    def fetch(self) -> Path:
        """The file where it is kept, fetched if it is absent.

        Raises:
            OSError: it cannot be reached.
            RuntimeError: what came is another file.
        """
        if not self.path.is_file():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(self.url, str(self.path), self.digest)
        return self.path


def digest(path: Path) -> str:
    """The sha256 of a file, computed once while it stays the same. Source: FIPS 180-4.

    Raises:
        ValueError: it cannot be read.
    """
    try:
        facts = path.stat()
        return _digest(path, facts.st_mtime_ns, facts.st_size)
    except OSError as error:
        raise ValueError(f"the weights {path} cannot be read: {error}") from error


@lru_cache
def _digest(path: Path, changed: int, size: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def unpickled(path: Path) -> dict[str, Tensor]:
    """The tensors of a file in any format that parts start from; nothing else that it may hold is run.

    Source: ganzoo's own.

    Raises:
        ValueError: it is no such file.
    """
    try:
        return stored.chosen(path)[0][1]
    except UserError as error:
        raise ValueError(error.problems[0].message) from error


def fix(network: nn.Module, tensors: Callable[[], dict[str, Tensor]]) -> None:
    """Load weights and make them constants: neither trained, nor stored in checkpoints. Source: ganzoo's own.

    On the meta device nothing is loaded.

    Raises:
        ValueError: the weights are not this network's, or not finite.
    """
    if not any(tensor.is_meta for tensor in network.state_dict().values()):
        try:
            found = tensors()
        except (RuntimeError, TypeError, SafetensorError) as error:
            raise ValueError(f"these weights cannot be read: {error}") from error
        own = network.state_dict()
        absent = [name for name in own if name not in found and not name.endswith(COUNTER)]
        more = [name for name in found if name not in own]
        wrong = [name for name in own if name in found and found[name].shape != own[name].shape]
        if absent or more or wrong:
            lists = {"are missing": absent, "have no place": more, "have another shape": wrong}
            what = "; ".join(f"{len(names)} {which} ({listed(names, 3)})" for which, names in lists.items() if names)
            raise ValueError(f"these weights do not fit the network: {what}")
        network.load_state_dict(found)
        if not all(torch.isfinite(tensor).all() for tensor in network.state_dict().values()):
            raise ValueError("these weights are not finite")
    for module in network.modules():
        for name, parameter in list(module._parameters.items()):
            if parameter is not None:
                delattr(module, name)
                module.register_buffer(name, parameter.detach(), persistent=False)
        module._non_persistent_buffers_set.update(module._buffers)
