"""A published model: a folder with weights and all that using them takes, to be copied, shipped or uploaded.

``config.json`` says what it is and holds the complete model; ``model.safetensors`` holds the weights, averaged where
averages are kept, of the parts that are needed; ``evaluations.jsonl`` what was measured with these very weights;
``README.md`` is for people.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganzoo.errors import Problem, UserError, choices, listed
from ganzoo.store import form
from ganzoo.store.files import atomic, from_json, read_lines, write_atomic

if TYPE_CHECKING:
    from torch import Tensor

FORMAT = 1
CONFIG, WEIGHTS, RECORDS, CARD, PICTURE = (
    "config.json",
    "model.safetensors",
    "evaluations.jsonl",
    "README.md",
    "samples.png",
)
PRECISIONS = ("fp16", "fp32", "int8")
STEP, LARGE = "|step", 1024  # of a tensor in int8; numbers from which on one is
SAID = ("sha256", "bytes", "parts", "averaged", "left_out")  # of the weights
FILES = (CONFIG, WEIGHTS, RECORDS, CARD, PICTURE)


@dataclass(frozen=True)
class Published:
    """A published model: its folder, and what ``config.json`` says. No weights are read for it.

    Raises:
        UserError: it is no published model, or one of a newer ganzoo.
    """

    path: Path
    header: dict[str, Any]

    @classmethod
    def at(cls, path: Path) -> Published:
        """The published model in a folder.

        Raises:
            UserError: there is none, or its ``config.json`` is damaged or newer than this ganzoo.
        """
        try:
            header = from_json((path / CONFIG).read_text(encoding="utf-8"))
            form.check_header(header)
            number, _, _ = header["format"], header["data"]["licence"], [header["weights"][key] for key in SAID]
            if not isinstance(header["step"], int) or not isinstance(header["weights"]["bytes"], int):
                raise ValueError
        except OSError as error:
            raise UserError(f"{path / CONFIG} cannot be read: {error.strerror or error}") from None
        except (ValueError, LookupError, TypeError, AttributeError):
            hint = "`ganzoo publish RUN --out FOLDER` writes one"
            raise UserError(Problem(f"{path / CONFIG} does not describe a model of ganzoo", hint=hint)) from None
        if not isinstance(number, int) or number > FORMAT:
            raise UserError(f"{path} has format {number}; this ganzoo reads up to {FORMAT}: upgrade ganzoo")
        return cls(path, header)

    @property
    def name(self) -> str:
        return self.header["name"]

    @property
    def records(self) -> list[dict[str, Any]]:
        """What was measured with these weights, each number with its protocol."""
        return read_lines(self.path / RECORDS)

    @property
    def values(self) -> dict[str, float]:
        """All measured numbers by name."""
        return {name: value for record in self.records for name, value in record["values"].items()}

    @property
    def bytes(self) -> int:
        return self.header["weights"]["bytes"]

    def state(self) -> dict[str, Any]:
        """The weights, as the state of a checkpoint has them.

        Raises:
            UserError: the file is not the one that ``config.json`` describes.
        """
        from ganzoo.store import weights

        path, said = self.path / WEIGHTS, self.header["weights"]
        try:
            data = path.read_bytes()
        except OSError as error:
            raise UserError(f"{path} cannot be read: {error.strerror or error}") from None
        if hashlib.sha256(data).hexdigest() != said["sha256"]:
            hint = "fetch or publish it again"
            raise UserError(Problem(f"{path} is damaged, or not the file that {CONFIG} describes", hint=hint))
        parts: dict[str, dict[str, Tensor]] = {}
        tensors = weights.read(path)
        if odd := [key for key, tensor in tensors.items() if not tensor.isfinite().all()]:
            raise UserError(f"{path} holds values that are not finite: {listed(odd)}")
        for key, tensor in tensors.items():
            part, _, name = key.partition(".")
            if not key.endswith(STEP):
                step = tensors.get(key + STEP)
                parts.setdefault(part, {})[name] = tensor if step is None else tensor * step
        averages = {name: parts[name] for name in said["averaged"] if name in parts}
        ema = {"parts": averages} if averages else None
        return {"step": self.header["step"], "parts": parts, "players": {"published": {"ema": ema}}}


def is_one(path: Path) -> bool:
    """Whether a folder holds a published model."""
    return (path / CONFIG).is_file() and (path / WEIGHTS).is_file()


def stored(parts: Mapping[str, Mapping[str, Any]], precision: str = "fp16") -> dict[str, Tensor]:
    """The tensors of parts under ``PART.NAME``, matrices and kernels in less precision, where that can hold them.

    Vectors and single numbers, such as biases and statistics, are few and stay as they are. In ``int8`` each output
    (the first axis) has a step of its own, the largest magnitude / 127, under ``PART.NAME|step``.

    Raises:
        UserError: there is no such precision, a part keeps something else than tensors, or a tensor is not finite.
    """
    import torch

    if precision not in PRECISIONS:
        raise UserError(f"there is no precision '{precision}' ({choices(precision, PRECISIONS)})")
    found: dict[str, Tensor] = {}
    for part, state in parts.items():
        odd = [key for key, value in state.items() if not isinstance(value, torch.Tensor)]
        if odd:
            raise UserError(f"{part} keeps {listed(odd)}, which is no tensor and cannot be published")
        for key, value in state.items():
            name, tensor = f"{part}.{key}", value.detach().cpu()
            floating = tensor.is_floating_point()
            if floating and not tensor.isfinite().all():
                raise UserError(f"{name} is not finite")
            if floating and tensor.ndim > 1 and precision == "int8" and tensor.numel() >= LARGE:
                tensor = tensor.float()
                step = tensor.abs().amax(tuple(range(1, tensor.ndim)), keepdim=True).clamp(min=1e-12) / 127
                found[name + STEP] = step
                tensor = (tensor / step).round().to(torch.int8)
            elif floating and tensor.ndim > 1 and precision != "fp32" and tensor.half().isfinite().all():
                tensor = tensor.half()
            found[name] = tensor.contiguous().clone()
    return found


def write(folder: Path, header: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Published:
    """Write weights and ``config.json``; what the header says of the weights is completed by their hash and size."""
    from safetensors.torch import save

    data = save(dict(tensors), {"format": "pt"})
    with atomic(folder / WEIGHTS, len(data)) as file:
        file.write(data)
    described = {**header["weights"], "sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    write_atomic(folder / CONFIG, json.dumps({"format": FORMAT, **header, "weights": described}, indent=1) + "\n")
    return Published.at(folder)
