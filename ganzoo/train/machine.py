"""What this machine can do, measured, and what it is given to do, counted: FLOPs."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch
from torch.nn.functional import conv2d
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

SECONDS = 0.25  # a kernel


def synchronize(device: torch.device) -> None:
    """Wait for what was started."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def ceiling(
    device: torch.device, dtype: torch.dtype, clock: Callable[[], float] = time.perf_counter
) -> tuple[float, str]:
    """The best of three kernels in FLOP/s, and which it was; takes about a second.

    A square matrix product, and a 3x3 convolution with channels first and with channels last. It is what large layers
    can reach, and no bound in the strict sense.
    """
    rates = {name: _rate(kernel, device, clock) * flops for name, (kernel, flops) in _kernels(device, dtype).items()}
    best = max(rates, key=lambda name: rates[name])
    return rates[best], best


def _kernels(device: torch.device, dtype: torch.dtype) -> dict[str, tuple[Callable[[], object], float]]:
    size, batch, channels, side = (8192, 64, 256, 64) if device.type == "cuda" else (1024, 16, 64, 32)
    matrix = torch.ones(size, size, device=device, dtype=dtype)
    images = torch.ones(batch, channels, side, side, device=device, dtype=dtype)
    weight = torch.ones(channels, channels, 3, 3, device=device, dtype=dtype)
    images_last, weight_last = (t.contiguous(memory_format=torch.channels_last) for t in (images, weight))
    flops = 2.0 * batch * side**2 * channels**2 * 9
    return {
        "matrix product": (lambda: matrix @ matrix, 2.0 * size**3),
        "convolution": (lambda: conv2d(images, weight, padding=1), flops),
        "convolution, channels last": (lambda: conv2d(images_last, weight_last, padding=1), flops),
    }


@torch.no_grad()
def _rate(kernel: Callable[[], object], device: torch.device, clock: Callable[[], float]) -> float:
    """The most calls a second."""
    kernel()
    synchronize(device)
    best, began = float("inf"), clock()
    while (start := clock()) - began < SECONDS or best == float("inf"):
        kernel()
        synchronize(device)
        best = min(best, clock() - start)
    return 1.0 / best


class Flops(TorchDispatchMode):
    """Adds up FLOPs by torch's own formulas. torch's counter hooks every module, which ends rewriting layers."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0
        self.formulas = FlopCounterMode(display=False).flop_registry

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        formula = self.formulas.get(func._overloadpacket)
        if formula is not None:
            self.total += formula(*args, **kwargs, out_val=result)
        return result
