"""Equality: the CPU and the device, a run and its resumption, one process with and without its process group."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import torch
import torch.distributed as dist
from torch import Tensor, nn

from benchmarks.gpu.carried import Carried
from benchmarks.gpu.setting import LeftOut, Row, Setting, checked, tf32
from ganzoo.model.blueprint import Blueprint
from ganzoo.parallel import distributed
from ganzoo.registry import plugins
from ganzoo.run.start import resume, train
from ganzoo.store import checkpoint
from ganzoo.train.loop import Trainer

TOLERANCE = 1e-4
EPS = 1e-4  # Adam's first step is the sign of a gradient, whatever its size: with this it is no sign of rounding
LEAST = 1e-3  # losses nearer to zero are compared as if they were this large

EQUAL = (
    "gan/fashion_mnist_sample",
    "dcgan/fashion_mnist_sample",
    "lsgan/fashion_mnist_sample",
    "wgan_gp/fashion_mnist_sample",
    "dragan/fashion_mnist_sample",
    "sngan/fashion_mnist_sample",
    "sagan/fashion_mnist_sample",
    "biggan/fashion_mnist_sample",
    "acgan/fashion_mnist_sample",
    "projection/fashion_mnist_sample",
    "infogan/fashion_mnist_sample",
    "began/fashion_mnist_sample",
    "vae_gan/fashion_mnist_sample",
    "stylegan2/fashion_mnist_sample",
    "r3gan/fashion_mnist_sample",
    "ada/openmoji",
    "cyclegan/openmoji",
    "pix2pix/openmoji",
    "stackgan/openmoji",
    "srgan/photos",
)
RESUMED = (
    "dcgan/fashion_mnist_sample",
    "wgan_gp/fashion_mnist_sample",
    "biggan/fashion_mnist_sample",
    "vae_gan/fashion_mnist_sample",
)
GROUPED = ("dcgan/fashion_mnist_sample", "biggan/fashion_mnist_sample", "pix2pix/openmoji")
GRAPHED = (
    "gan/fashion_mnist_sample",
    "dcgan/fashion_mnist_sample",
    "wgan_gp/fashion_mnist_sample",
    "sngan/fashion_mnist_sample",
    "stylegan2/openmoji",
    "ada/openmoji",
    "cyclegan/openmoji",
)
STEPS = 6  # of a run that is resumed in its middle


# -- the CPU and the device --------------------------------------------------------------------------------------------


def equality(on: Setting) -> Iterator[Row]:
    """One step of each model on the CPU and on the device, with the same weights, data and random numbers.

    On the CPU the other device is the CPU without oneDNN, which rounds differently.
    """
    for name in EQUAL:
        yield on.attempt(name, lambda name=name: _compared(name, on))


def _compared(name: str, on: Setting) -> Row:
    blueprint = checked(name, on)
    with tf32(False):
        here = one_step(blueprint, torch.device("cpu"))
        with nullcontext() if on.cuda else torch.backends.mkldnn.flags(enabled=False):
            there = one_step(blueprint, on.device)
    row = {kind: worst(kind, here[kind], there[kind]) for kind in here}
    return {**row, "ok": max(row["losses"], row["parameters"]) <= TOLERANCE}


def one_step(
    blueprint: Blueprint, device: torch.device, steps: int = 1, carried: bool = True
) -> dict[str, dict[str, Tensor]]:
    """The losses of the first steps of the last phase, the gradients of the last turns, what the parts then hold."""
    trainer = Trainer(blueprint, device)
    trainer.enter(list(trainer.spec.phases.values())[-1])
    for state in trainer.players.values():
        for group in state.optimizer.param_groups:
            group["eps"] = max(group.get("eps", 0.0), EPS)
    with Carried(device) if carried else nullcontext():
        for _ in range(steps):
            trainer.advance()
    losses = {name: torch.tensor(value) for name, value in trainer.meters.read().items()}
    modules = {name: part for name, part in trainer.parts.items() if isinstance(part, nn.Module)}
    return {
        "losses": losses,
        "gradients": {n: _flat(p.grad for p in part.parameters() if p.grad is not None) for n, part in modules.items()},
        "parameters": {n: _flat(part.state_dict().values()) for n, part in modules.items()},
    }


def _flat(tensors: Any) -> Tensor:
    pieces = [t.detach().double().cpu().flatten() for t in tensors if t.is_floating_point()]
    return torch.cat(pieces) if pieces else torch.zeros(0, dtype=torch.float64)


def worst(kind: str, a: dict[str, Tensor], b: dict[str, Tensor]) -> float:
    """The largest relative difference: of each loss, and of all numbers of a part together, ``|a - b| / |a|``."""
    if a.keys() != b.keys():
        raise ValueError(f"the {kind} are {', '.join(a)} here, {', '.join(b)} there")
    least = LEAST if kind == "losses" else 1e-30
    return max((float((a[k] - b[k]).norm() / a[k].norm().clamp(min=least)) for k in a if a[k].numel()), default=0.0)


def _deterministic(
    names: tuple[str, ...], work: Callable[[str, Setting], Row], on: Setting, strict: bool = True
) -> Iterator[Row]:
    """A row for each model, computed by deterministic algorithms; if not `strict`, as far as there are any."""
    torch.use_deterministic_algorithms(True, warn_only=not strict)
    try:
        for name in names:
            yield on.attempt(name, lambda name=name: work(name, on))
    finally:
        torch.use_deterministic_algorithms(False)


# -- a run and its resumption ------------------------------------------------------------------------------------------


def exact_resume(on: Setting) -> Iterator[Row]:
    """A run of some steps, and the same run gone on with from a checkpoint in its middle: equal to the bit."""
    return _deterministic(RESUMED, _resumed, on)


def _resumed(name: str, on: Setting) -> Row:
    every = STEPS // 2
    blueprint = checked(
        name,
        on,
        train__steps=STEPS,
        train__checkpoint_every=every,
        train__keep={"last": 2, "every": every},
        train__sample_every=1_000_000,
        evaluate=None,
    )
    folder, _ = train(blueprint, on.out / "resumed" / name.replace("/", "_"), plugins.installed(), quiet=True)
    whole = checkpoint.load(checkpoint.locate(folder.path)).state
    middle = next(path for path in checkpoint.every(folder) if checkpoint.load(path).step == every)
    resume(middle, plugins.installed(), quiet=True)
    again = checkpoint.load(checkpoint.locate(folder.path)).state
    found = list(differing(whole, again))
    return {"steps": STEPS, "tensors": _count(whole), "differing": len(found), "first": found[:1], "ok": not found}


def differing(a: Any, b: Any, where: str = "state") -> Iterator[str]:
    """The places at which two states are not the same to the bit."""
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        if a.dtype != b.dtype or not torch.equal(a, b):
            yield where
    elif isinstance(a, dict) and isinstance(b, dict) and a.keys() == b.keys():
        for key in a:
            yield from differing(a[key], b[key], f"{where}.{key}")
    elif isinstance(a, list | tuple) and isinstance(b, list | tuple) and len(a) == len(b):
        for index, pair in enumerate(zip(a, b, strict=True)):
            yield from differing(*pair, f"{where}[{index}]")
    elif a != b:
        yield where


def _count(state: Any) -> int:
    if isinstance(state, Tensor):
        return 1
    values = state.values() if isinstance(state, dict) else state if isinstance(state, list | tuple) else ()
    return sum(map(_count, values))


# -- one process, with and without a group -----------------------------------------------------------------------------


class Lonely(int):
    """The number one, for a process that is to talk to itself as if there were others."""

    def __eq__(self, other: object) -> bool:
        return False

    def __gt__(self, other: int) -> bool:
        return int(self) >= int(other)

    __hash__ = int.__hash__


@contextmanager
def group_of_one(on: Setting) -> Iterator[list[str]]:
    """Inside, this process is in a group by itself and sends every message; their kinds, in order."""
    folder = on.out / "group"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"store-{os.getpid()}"
    file.unlink(missing_ok=True)
    backend, reduce, sent = "nccl" if on.cuda else "gloo", dist.all_reduce, []
    store = dist.FileStore(str(file), 1)
    dist.init_process_group(backend, store=store, rank=0, world_size=1, timeout=timedelta(seconds=60))

    def counted(tensor: Tensor, *args: Any, **kwargs: Any) -> Any:
        sent.append(f"{tensor.device.type} {tuple(tensor.shape)}")
        return reduce(tensor, *args, **kwargs)

    try:
        with patch.object(distributed, "world", lambda: Lonely(1)), patch.object(dist, "all_reduce", counted):
            yield sent
    finally:
        dist.destroy_process_group()
        distributed._host = None


def one_process(on: Setting) -> Iterator[Row]:
    """Three steps with and without a process group of one, by NCCL or gloo: the same weights to the bit.

    What is logged travels in single precision, so losses may differ by its rounding.
    """
    return _deterministic(GROUPED, _grouped, on)


def _grouped(name: str, on: Setting) -> Row:
    blueprint = checked(name, on)
    alone = one_step(blueprint, on.device, 3)
    with group_of_one(on) as sent:
        together = one_step(blueprint, on.device, 3)
    losses = worst("losses", alone.pop("losses"), together.pop("losses"))
    found, backend = list(differing(alone, together)), "nccl" if on.cuda else "gloo"
    same = bool(sent) and not found and losses <= 1e-6
    return {"backend": backend, "messages": len(sent), "differing": len(found), "losses": losses, "ok": same}


# -- with and without graphs -------------------------------------------------------------------------------------------


def captured(on: Setting) -> Iterator[Row]:
    """Twelve steps with ``train.graphs`` and without, on the device: the same losses and weights within 1e-4."""
    return _deterministic(GRAPHED, _captured, on, strict=False)  # reflected borders and warped images have none


def _captured(name: str, on: Setting) -> Row:
    if not on.cuda:
        raise LeftOut("not applicable on the CPU")
    plain, graphed = (one_step(checked(name, on, train__graphs=g), on.device, 12, False) for g in (False, True))
    row = {kind: worst(kind, plain[kind], graphed[kind]) for kind in plain}
    found = len(list(differing(plain, graphed)))
    return {**row, "differing": found, "ok": max(row["losses"], row["parameters"]) <= TOLERANCE}
