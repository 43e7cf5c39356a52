"""Several processes: started by ``torchrun``, one copy of the model each, gradients averaged per player.

Tensors of the step travel through the backend of the device, and nobody waits longer than a timeout for them. What the
host has to settle, such as whether to stop, travels through gloo, where a process that works alone may take its time.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist

from ganzoo.errors import Lost, Problem, UserError
from ganzoo.parallel import launch

T = TypeVar("T")
PATIENCE = timedelta(days=7)  # for the first process to evaluate or to write; its death is noticed at once
HEARD = 5.0  # seconds within which processes that fail together are heard of

_host: Any = None  # the gloo group
_alone = False


def world() -> int:
    """The number of processes that compute together: one in what a process does alone."""
    return dist.get_world_size() if _ready() and not _alone else 1


@contextmanager
def alone() -> Iterator[None]:
    """Inside the block this process computes without the others, which are elsewhere."""
    global _alone
    before, _alone = _alone, True
    try:
        yield
    finally:
        _alone = before


def rank() -> int:
    """The number of this process among those that compute together, from 0."""
    return dist.get_rank() if _ready() and not _alone else 0


def start(device: str = "auto", timeout: float = 600.0) -> torch.device:
    """Join the process group that ``torchrun`` announces in the environment, and choose this process's device.

    Args:
        device: ``auto`` or a device of torch.
        timeout: Seconds after which a process that does not take part in a step counts as lost.

    Raises:
        UserError: there is no such device here.
        Lost: the other processes did not come.
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
    if launch.world() > 1 and not _ready():
        if chosen.type == "cuda" and chosen.index is None:
            chosen = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
            torch.cuda.set_device(chosen)
        with during("joining the others"):
            backend = "nccl" if chosen.type == "cuda" else "gloo"
            _join(backend, timedelta(seconds=timeout))
            host()
        if rank() > 0:
            warnings.simplefilter("ignore")  # the first process gives the same
    return chosen


def _join(backend: str, timeout: timedelta) -> None:
    count, _ = launch.restarts()
    if not count:
        dist.init_process_group(backend, timeout=timeout)
        return
    # torchrun keeps one store, and in it the addresses of the processes that are gone: these have keys of their own
    store, rank, size = next(dist.rendezvous("env://", timeout=timeout))
    own = dist.PrefixStore(f"ganzoo/start/{count}", store)
    dist.init_process_group(backend, timeout=timeout, store=own, rank=rank, world_size=size)


def stop() -> None:
    """Leave the process group, all at the same time: torchrun ends what is still at work when one process fails."""
    global _host
    if _ready():
        with suppress(Lost):
            barrier()
        dist.destroy_process_group()
        _host = None


def _ready() -> bool:
    return dist.is_available() and dist.is_initialized()


def host() -> Any:
    """The group by which the host settles things, with patience."""
    global _host
    if _host is None:
        _host = dist.new_group(backend="gloo", timeout=PATIENCE)
    return _host


# -- tensors of the step -----------------------------------------------------------------------------------------------


class _Mean(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, value: torch.Tensor) -> torch.Tensor:
        return _averaged(value)

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> torch.Tensor:
        return _Mean.apply(grads[0])  # differentiable again, for penalties


def _averaged(value: torch.Tensor) -> torch.Tensor:
    value = value.contiguous().clone()
    with during("averaging over the batch"):
        dist.all_reduce(value)
    return value / world()


def batch_mean(value: torch.Tensor) -> torch.Tensor:
    """The mean over the global batch (dimension 0), with gradient: what a loss needs that compares with an average."""
    mean = value.mean(0)
    return _Mean.apply(mean) if world() > 1 else mean


def every_row(value: torch.Tensor) -> torch.Tensor:
    """The rows of the global batch (dimension 0), without gradient: those of all processes, in their order.

    Raises:
        Lost: another process is gone.
    """
    if world() == 1:
        return value
    value = value.detach().contiguous()
    found = [torch.empty_like(value) for _ in range(world())]
    with during("gathering a batch"):
        dist.all_gather(found, value)
    return torch.cat(found)


def batch_rows(value: torch.Tensor) -> torch.Tensor:
    """The rows of the global batch, in the order of the processes, with gradient: what a loss compares pairs in."""
    if world() == 1:
        return value
    placed = value.new_zeros(world(), *value.shape)
    placed[rank()] = value
    return batch_mean(placed.flatten(0, 1)[None]) * world()


def average(tensors: Sequence[torch.Tensor], what: str = "averaging numbers") -> None:
    """Average tensors over the processes in place, as one flat message; an error says `what` this was for.

    Raises:
        Lost: another process is gone.
    """
    if world() == 1 or not tensors:
        return
    flat = torch.cat([t.reshape(-1).float() for t in tensors])
    with during(what):
        dist.all_reduce(flat)
    flat /= world()
    for tensor, mean in zip(tensors, flat.split([t.numel() for t in tensors]), strict=True):
        tensor.copy_(mean.view_as(tensor))


def average_gradients(parameters: Iterable[torch.nn.Parameter], player: str) -> None:
    """Average the gradients of one player's parameters; those that no term reached this time have none anywhere.

    Those of sharded parts are averaged while the backward pass runs.
    """
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    average([g for g in gradients if not hasattr(g, "to_local")], f"averaging the gradients of {player}")


def average_buffers(modules: Iterable[torch.nn.Module]) -> None:
    """Average floating-point buffers, such as running statistics, so that any process can speak for all.

    Those that are not stored are constants.
    """
    if world() > 1:
        stored = [t for module in modules for t in module.state_dict(keep_vars=True).values()]
        buffers = [t for t in stored if isinstance(t, torch.Tensor) and not isinstance(t, torch.nn.Parameter)]
        average([t for t in buffers if t.is_floating_point()], "averaging running statistics")


def total(value: torch.Tensor) -> torch.Tensor:
    """The sum over the processes."""
    return _averaged(value) * world() if world() > 1 else value


def minimum(value: torch.Tensor) -> torch.Tensor:
    """The smallest of each element over the processes."""
    if world() > 1:
        value = value.clone()
        with during("looking for values that are not finite"):
            dist.all_reduce(value, dist.ReduceOp.MIN)
    return value


# -- what the host settles ---------------------------------------------------------------------------------------------


def agree(value: bool) -> bool:
    """True everywhere if it is true on any process."""
    if world() == 1:
        return value
    flag = torch.tensor(float(value))
    with during("agreeing how to go on"):
        dist.all_reduce(flag, dist.ReduceOp.MAX, group=host())
    return bool(flag.item())


def gather(value: Any) -> list[Any]:
    """Every process's value, in order, on every process."""
    if world() == 1:
        return [value]
    found: list[Any] = [None] * world()
    with during("telling each other what was found"):
        dist.all_gather_object(found, value, group=host())
    return found


def collect(value: Any) -> list[Any]:
    """Every process's value, in order, on the first process; nothing on the others."""
    if world() == 1:
        return [value]
    found: list[Any] = [None] * world() if rank() == 0 else []
    with during("bringing together what was computed"):
        dist.gather_object(value, found or None, group=host())
    return found


def attempt(work: Callable[[], T]) -> T:
    """What `work`, which tells the others nothing, returns; where it fails on one process, all fail.

    Raises:
        UserError: it failed on another process.
        Lost: another process is gone.
    """
    if world() == 1:
        return work()
    try:
        found, error = work(), None
    except Exception as caught:
        error = caught
    said = gather(None if error is None else str(error))
    if error is not None:
        raise error
    for other, why in enumerate(said):
        if why is not None:
            raise UserError(f"process {other} of {world()}: {why}")
    return found


def barrier() -> None:
    """Wait for all processes, however long they take."""
    if world() > 1:
        with during("waiting for the first process"):
            dist.barrier(group=host())


# -- what becomes of errors --------------------------------------------------------------------------------------------


@contextmanager
def during(what: str) -> Iterator[None]:
    """A message to the others, of which an error says `what` it was for.

    Raises:
        Lost: another process is gone.
    """
    try:
        yield
    except RuntimeError as error:
        reason = str(error).split("\n")[0].rpartition("] ")[2].split(". ")[0].rstrip(".")
        raise Lost(f"{launch.named()} lost {_gone()} while {what}: {reason}") from error


def begins(run: str) -> None:
    """Leave word, for processes that torchrun may start in place of these, of the run folder that was made."""
    if launch.restarts()[1] and (board := _board("begun")) is not None:
        board.set("run", run)


def begun() -> str | None:
    """The run folder that was made by processes in whose place torchrun has started these; None if there is none."""
    board = _board("begun") if launch.restarts()[0] else None
    return board.get("run").decode() if board is not None and board.check(["run"]) else None


def _board(*names: str) -> dist.Store | None:
    """Where processes leave word: the store of torchrun, which outlives them; None if it is gone."""
    try:
        store = dist.TCPStore(
            os.environ["MASTER_ADDR"],
            int(os.environ["MASTER_PORT"]),
            is_master=False,
            timeout=timedelta(seconds=HEARD),
        )
    except (KeyError, RuntimeError):
        return None
    return dist.PrefixStore("/".join(("ganzoo", os.environ.get("TORCHELASTIC_RUN_ID", ""), *names)), store)


def _gone() -> str:
    """Who does not answer, in words: only of two does the backend say which; torchrun's own report does so of more."""
    return f"process {1 - launch.rank()}" if launch.world() == 2 else "one of the others"


def speaks(cause: bool) -> bool:
    """Whether this process, which fails, is the one to say so.

    The first process speaks if it fails by itself, or else another that does; those that only lost one of the others
    speak if none has said why.
    """
    board, me = _board(str(launch.restarts()[0])), launch.rank()
    if board is None:
        return cause or me == 0
    try:
        if cause:
            board.set("failed", "")
            board.set(f"failed/{me}", "")
            if me:
                with suppress(RuntimeError):  # it has not failed
                    board.wait(["failed/0"], timedelta(seconds=HEARD))
                    return False
        elif board.check(["failed"]):
            return False
        return board.add("spoken", 1) == 1
    except RuntimeError:
        return True
