"""Fixed weights: a safetensors file, and a record beside it that says where the weights come from."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, NamedTuple

from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor, nn

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


def fix(network: nn.Module, weights: Weights) -> None:
    """Load the weights and make them constants: neither trained, nor stored in checkpoints. Source: ganzoo's own.

    On the meta device nothing is loaded.

    Raises:
        ValueError: the weights are not this network's.
    """
    if not any(tensor.is_meta for tensor in network.state_dict().values()):
        try:
            network.load_state_dict(weights.tensors())
        except (RuntimeError, SafetensorError) as error:
            raise ValueError(f"these weights do not fit the network: {error}") from error
    for module in network.modules():
        for name, parameter in list(module._parameters.items()):
            if parameter is not None:
                delattr(module, name)
                module.register_buffer(name, parameter.detach(), persistent=False)
        module._non_persistent_buffers_set.update(module._buffers)
