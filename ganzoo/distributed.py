"""Several processes: started by ``torchrun``, one copy of the model each, gradients averaged per player."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any

import torch
import torch.distributed as dist

from ganzoo.errors import Problem, UserError


def world() -> int:
    """The number of processes."""
    return dist.get_world_size() if _ready() else 1


def rank() -> int:
    """The number of this process, from 0."""
    return dist.get_rank() if _ready() else 0


def start(device: str = "auto") -> torch.device:
    """Join the process group that ``torchrun`` announces in the environment, and choose this process's device.

    Raises:
        UserError: there is no such device here.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        chosen = torch.device(device)
        torch.empty(0, device=chosen)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).split("\n")[0].rstrip(".")
        raise UserError(
            Problem(f"'{device}' cannot be used: {reason}", path="train.device", hint="auto, or cpu")
        ) from None
    if int(os.environ.get("WORLD_SIZE", "1")) > 1 and not _ready():
        if chosen.type == "cuda" and chosen.index is None:
            chosen = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
            torch.cuda.set_device(chosen)
        dist.init_process_group("nccl" if chosen.type == "cuda" else "gloo")
    return chosen


def stop() -> None:
    """Leave the process group."""
    if _ready():
        dist.destroy_process_group()


def _ready() -> bool:
    return dist.is_available() and dist.is_initialized()


class _Mean(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, value: torch.Tensor) -> torch.Tensor:
        return _averaged(value)

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> torch.Tensor:
        return _Mean.apply(grads[0])  # differentiable again, for penalties


def _averaged(value: torch.Tensor) -> torch.Tensor:
    value = value.contiguous().clone()
    dist.all_reduce(value)
    return value / world()


def batch_mean(value: torch.Tensor) -> torch.Tensor:
    """The mean over the global batch (dimension 0), with gradient: what a loss needs that compares with an average."""
    mean = value.mean(0)
    return _Mean.apply(mean) if world() > 1 else mean


def average(tensors: Sequence[torch.Tensor]) -> None:
    """Average tensors over the processes in place, as one flat message."""
    if world() == 1 or not tensors:
        return
    flat = torch.cat([t.reshape(-1).float() for t in tensors])
    dist.all_reduce(flat)
    flat /= world()
    for tensor, mean in zip(tensors, flat.split([t.numel() for t in tensors]), strict=True):
        tensor.copy_(mean.view_as(tensor))


def average_gradients(parameters: Iterable[torch.nn.Parameter]) -> None:
    """Average the gradients of one player's parameters; those that no term reached this time have none anywhere."""
    average([parameter.grad for parameter in parameters if parameter.grad is not None])


def average_buffers(modules: Iterable[torch.nn.Module]) -> None:
    """Average floating-point buffers, such as running statistics, so that any process can speak for all.

    Those that are not stored are constants.
    """
    if world() > 1:
        stored = [t for module in modules for t in module.state_dict(keep_vars=True).values()]
        buffers = [t for t in stored if isinstance(t, torch.Tensor) and not isinstance(t, torch.nn.Parameter)]
        average([t for t in buffers if t.is_floating_point()])


def minimum(value: torch.Tensor) -> torch.Tensor:
    """The smallest of each element over the processes."""
    if world() > 1:
        value = value.clone()
        dist.all_reduce(value, dist.ReduceOp.MIN)
    return value


def agree(value: bool) -> bool:
    """True everywhere if it is true on any process."""
    if world() == 1:
        return value
    flag = torch.tensor(float(value))
    if dist.get_backend() == "nccl":
        flag = flag.cuda()
    dist.all_reduce(flag, dist.ReduceOp.MAX)
    return bool(flag.item())


def gather(value: Any) -> list[Any]:
    """Every process's value, in order, on every process."""
    if world() == 1:
        return [value]
    found: list[Any] = [None] * world()
    dist.all_gather_object(found, value)
    return found


def barrier() -> None:
    """Wait for all processes."""
    if world() > 1:
        dist.barrier()
