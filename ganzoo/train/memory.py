"""Where memory goes: bytes of parameters, gradients, optimizers and averages, and of what autograd keeps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn

from ganzoo.train.loop import Trainer


def held(trainer: Trainer) -> dict[str, dict[str, int]]:
    """Bytes of every part after a step. What parts share is counted with the first of them."""
    states: dict[Any, Any] = {}
    for state in trainer.players.values():
        states |= state.optimizer.state
    averages, seen = trainer.averages(), set[int]()
    found = {}
    for name, part in trainer.parts.items():
        if not isinstance(part, nn.Module):
            continue
        own = [p for p in part.parameters() if id(p) not in seen]
        buffers = [b for b in part.buffers() if id(b) not in seen]
        seen |= {id(tensor) for tensor in (*own, *buffers)}
        average = averages.get(name)
        found[name] = {
            "parameters": _bytes(own),
            "gradients": _bytes(p.grad for p in own if p.grad is not None),
            "optimizer": _bytes(v for p in own for v in states.get(p, {}).values() if isinstance(v, torch.Tensor)),
            "buffers": _bytes(buffers),
            "average": _bytes((*average.parameters(), *average.buffers())) if average is not None else 0,
        }
    return found


def _bytes(tensors: Iterable[torch.Tensor]) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


class Saved:
    """What autograd keeps for backward passes, in bytes by part, when it is most; for ``saved_tensors_hooks``.

    Args:
        constants: Tensors that are there anyway, such as parameters.
        part: The name of the part that computes now.
    """

    def __init__(self, constants: Iterable[torch.Tensor], part: Callable[[], str]):
        self.constants = {tensor.untyped_storage().data_ptr() for tensor in constants}
        self.part = part
        self.uses: Counter[int] = Counter()
        self.owners: dict[int, tuple[str, int]] = {}
        self.live: Counter[str] = Counter()
        self.total = self.peak = 0
        self.at_peak: dict[str, int] = {}

    def pack(self, tensor: torch.Tensor) -> _Kept:
        """Count the storage of a tensor that autograd keeps, once, for the part that computes now."""
        storage = tensor.untyped_storage()
        key = storage.data_ptr()
        if key and key not in self.constants:
            self.uses[key] += 1
            if key not in self.owners:
                self.owners[key] = self.part(), storage.nbytes()
                self._add(*self.owners[key])
            return _Kept(tensor, lambda: self._release(key))
        return _Kept(tensor, None)

    @staticmethod
    def unpack(kept: _Kept) -> torch.Tensor:
        return kept.tensor

    def _add(self, part: str, size: int) -> None:
        self.live[part] += size
        self.total += size
        if self.total > self.peak:
            self.peak, self.at_peak = self.total, dict(self.live)

    def _release(self, key: int) -> None:
        self.uses[key] -= 1
        if not self.uses[key]:
            part, size = self.owners.pop(key)
            self._add(part, -size)


class _Kept:
    """A tensor in a graph; tells when the graph lets it go."""

    def __init__(self, tensor: torch.Tensor, release: Callable[[], None] | None):
        self.tensor, self.release = tensor, release

    def __del__(self) -> None:
        if self.release is not None:
            self.release()
