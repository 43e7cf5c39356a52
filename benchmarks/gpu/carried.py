"""Random numbers drawn on the CPU and carried to the device, so that two devices see the same ones."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

MAKE = {"rand", "randn", "randint", "randperm", "rand_like", "randn_like", "randint_like", "bernoulli", "multinomial"}
FILL = {"bernoulli_", "uniform_", "normal_", "random_", "exponential_"}
DROP = {"native_dropout", "_fused_dropout"}


class Carried(TorchDispatchMode):
    """Inside, every draw for `device` is made on the CPU: by the CPU's global generator, or by one of the same seed."""

    def __init__(self, device: torch.device):
        super().__init__()
        self.device = device

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs, name = dict(kwargs or {}), func.overloadpacket.__name__
        if name not in MAKE | FILL | DROP:
            return func(*args, **kwargs)
        tensor = next((a for a in args if isinstance(a, Tensor)), None)
        place = kwargs.get("device") or (tensor.device if tensor is not None else torch.device("cpu"))
        if torch.device(place).type != self.device.type:
            return func(*args, **kwargs)
        if name in DROP:
            return self._dropped(*args, **kwargs)
        if (generator := kwargs.get("generator")) is not None:  # ganzoo seeds it afresh for each draw
            kwargs["generator"] = torch.Generator().manual_seed(generator.initial_seed())
        if kwargs.get("device") is not None:
            kwargs["device"] = torch.device("cpu")
        here = [torch.empty_like(a, device="cpu").copy_(a) if isinstance(a, Tensor) else a for a in args]
        drawn = func(*here, **kwargs)
        return tensor.copy_(drawn) if tensor is not None and name in FILL else drawn.to(place)

    def _dropped(self, x: Tensor, p: float, train: bool | None = True, **_: Any) -> tuple[Tensor, Tensor]:
        """Dropout as the CPU computes it: noise in the layout of `x`, divided by the share that is kept."""
        kept = torch.empty_like(x, device="cpu", dtype=torch.float32).bernoulli_(1 - p).to(x.device)
        return x * kept.to(x.dtype) / (1 - p), kept.bool()
