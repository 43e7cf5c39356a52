"""Which arithmetic a model trains in, measured where the model leaves it open: ``train.precision: auto``."""

from __future__ import annotations

import time
from dataclasses import replace
from statistics import median
from typing import Literal

import torch
from torch import nn

from ganzoo.model.blueprint import Blueprint
from ganzoo.parallel import distributed
from ganzoo.train.loop import Trainer

SECONDS = 3.0  # of measuring, after the first step of each
ROUNDS = 12
WORTH = 100  # steps; a shorter training is over before the measuring is
FASTER = 0.95  # bfloat16 is taken if a step takes at most this part of the time


def settle(blueprint: Blueprint, device: torch.device) -> str | None:
    """Replace ``auto`` by ``fp32`` or ``bf16`` in the model's settings; why, or None if nothing was open.

    bf16 is autocast: parameters, losses, and all that is differentiated twice stay in single precision. It is taken
    for models with convolutions, on devices that compute in it, where steps of a throw-away copy show it faster.
    """
    train = blueprint.spec.train
    if train.precision != "auto":
        return None
    train.precision, why = _choose(blueprint, device)
    return f"precision: {train.precision} ({why})"


def _choose(blueprint: Blueprint, device: torch.device) -> tuple[Literal["fp32", "bf16"], str]:
    if not any(isinstance(m, nn.modules.conv._ConvNd) for part in _modules(blueprint) for m in part.modules()):
        return "fp32", "no convolutions"
    if not has_bf16(device):
        return "fp32", f"{device.type} without bfloat16 arithmetic"
    if sum(phase.steps for phase in blueprint.spec.phases.values()) < WORTH:
        return "fp32", f"fewer than {WORTH} steps are not worth measuring"
    single, half = _measure(blueprint, device)
    ratio = distributed.gather(half / single)[0]
    return ("bf16" if ratio <= FASTER else "fp32"), f"a step in bfloat16 takes {ratio:.2f} of the time"


def _modules(blueprint: Blueprint) -> list[nn.Module]:
    return [part for part in blueprint.parts.values() if isinstance(part, nn.Module)]


def has_bf16(device: torch.device) -> bool:
    """Whether a device computes in bfloat16, rather than emulating it."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type == "cpu":
        return any(getattr(torch.cpu, name, bool)() for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
    return False


def _measure(blueprint: Blueprint, device: torch.device) -> tuple[float, float]:
    """Seconds a step in single precision and in bfloat16: medians of interleaved steps of two copies."""
    trainers = []
    for precision in ("fp32", "bf16"):
        train = replace(blueprint.spec.train, precision=precision, graphs=False)
        trainers.append(Trainer(replace(blueprint, spec=replace(blueprint.spec, train=train)), device))
    times: tuple[list[float], list[float]] = [], []
    for trainer in trainers:
        _time(trainer, device)
    began = time.monotonic()
    for _ in range(ROUNDS):
        for trainer, found in zip(trainers, times, strict=True):
            found.append(_time(trainer, device))
        if distributed.agree(time.monotonic() - began >= SECONDS):
            break
    return median(times[0]), median(times[1])


def _time(trainer: Trainer, device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    began = time.perf_counter()
    trainer.advance()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - began
