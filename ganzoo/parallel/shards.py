"""Parts of which every process holds a piece: ``shard: true``, by torch's ``fully_shard`` (FSDP2).

Parameters, their gradients and what an optimizer keeps of them are DTensors, cut along the first dimension. A part is
whole again, unit by unit, only while it computes. Source: PyTorch, torch.distributed.fsdp.fully_shard.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from ganzoo.parallel import distributed

GATHER = ("all_gather_single", "all_gather_into_tensor")  # the names in newer and older versions of torch
SCATTER = ("reduce_scatter_single", "reduce_scatter_tensor")
UNIT = 1_000_000  # parameters from which on a block of a part is gathered by itself


def is_sharded(value: Any) -> bool:
    """Whether a tensor is a DTensor, of which this process holds a piece."""
    return hasattr(value, "to_local")


def local(value: Tensor) -> Tensor:
    """This process's piece of a tensor, or the tensor itself where it is whole."""
    return value.to_local() if is_sharded(value) else value  # type: ignore[attr-defined]


def whole(value: Tensor) -> Tensor:
    """A tensor put together from the pieces of all processes, who all must ask for it."""
    with distributed.during("gathering weights"):
        return value.full_tensor() if is_sharded(value) else value  # type: ignore[attr-defined]


class Shards:
    """The sharded parts of a trainer, and how copies of them are made.

    Args:
        device: Where to train.
    """

    def __init__(self, device: torch.device):
        self.device = device
        self.blanks: dict[str, nn.Module] = {}  # each part as it was, its parameters without memory

    def __bool__(self) -> bool:
        return bool(self.blanks)

    def add(self, name: str, part: nn.Module, called: Collection[str], methods: Iterable[str]) -> None:
        """Cut a part that lies whole on the CPU; the pieces are moved to the device.

        Args:
            name: Its name in the model.
            part: The part.
            called: The names of the modules in it that are called, and not only read by others.
            methods: The methods by which it is called beside ``forward``.
        """
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.fsdp import FSDPModule, fully_shard, register_fsdp_forward_method

        # outputs that are views are common here, and nothing changes them in place
        warnings.filterwarnings("ignore", message="FSDP2-wrapped module")
        self.blanks[name] = _filled(part, lambda key, p: torch.empty_like(p, device="meta"))
        mesh = init_device_mesh(self.device.type, (distributed.world(),))
        numbers = {parameter for parameter in part.parameters() if not parameter.ndim}  # which stay whole
        for module in units(part, called):
            fully_shard(module, mesh=mesh, reshard_after_forward=True, ignored_params=numbers)
        for module in part.modules():
            if isinstance(module, FSDPModule):
                module.set_custom_all_gather(_Message(GATHER, f"gathering the weights of {name}"))  # type: ignore
                module.set_custom_reduce_scatter(_Message(SCATTER, f"averaging the gradients of {name}"))  # type: ignore
        for number in numbers:
            number.data = number.data.to(self.device)
        for method in methods:
            register_fsdp_forward_method(part, method)

    def copy(self, name: str, part: nn.Module) -> nn.Module:
        """A part with pieces of its own, equal to those of a sharded part; it cannot compute."""
        found = dict(part.named_parameters())
        return self._like(name, part, lambda key, blank: found[key].detach().clone())

    def whole(self, name: str, part: nn.Module) -> nn.Module:
        """A whole copy of a sharded part, for whoever computes alone. All processes must ask for it."""
        found = dict(part.named_parameters())
        return self._like(name, part, lambda key, blank: whole(found[key].detach()).clone())

    def _like(self, name: str, part: nn.Module, value: Callable[[str, nn.Parameter], Tensor]) -> nn.Module:
        with torch.no_grad():
            made = _filled(self.blanks[name], value)
            for (_, own), (_, other) in zip(made.named_buffers(), part.named_buffers(), strict=True):
                own.data = other.detach().clone()
        return made.train(part.training).requires_grad_(False)


def _filled(part: nn.Module, value: Callable[[str, nn.Parameter], Tensor]) -> nn.Module:
    """A copy of a part with other tensors as its parameters; those that are one stay one."""
    memo = {id(p): nn.Parameter(value(key, p), p.requires_grad) for key, p in part.named_parameters()}
    return copy.deepcopy(part, memo)


def units(part: nn.Module, called: Collection[str]) -> list[nn.Module]:
    """What is gathered by itself: blocks with many parameters, innermost first, and at last the part with the rest.

    A block must be called, for it is whole only then, and share no parameter with another.
    """
    found: list[nn.Module] = []
    taken: set[int] = set()
    shared = len(list(part.parameters())) < len(list(part.named_parameters(remove_duplicate=False)))
    for name, module in reversed(list(part.named_modules())):
        own = {id(p): p.numel() for p in module.parameters() if id(p) not in taken}
        if module is part or (name in called and not shared and sum(own.values()) >= UNIT):
            found.append(module)
            taken |= own.keys()
    return found


class _Message:
    """How a unit's weights are gathered, or its gradients averaged: as torch does, but that a lost process is told."""

    def __init__(self, names: Sequence[str], what: str):
        self.send, self.what = next(getattr(dist, name) for name in names if hasattr(dist, name)), what

    def allocate(self, size: Sequence[int], *, dtype: torch.dtype, device: torch.device) -> Tensor:
        return torch.empty(*size, dtype=dtype, device=device)

    def __call__(self, output_tensor: Tensor, input_tensor: Tensor, **options: Any) -> Any:
        with distributed.during(self.what):
            return self.send(output_tensor, input_tensor, **options)


# -- gradients ---------------------------------------------------------------------------------------------------------


def norm(gradients: Sequence[Tensor]) -> Tensor:
    """The norm of all gradients together, whole ones and pieces; a scalar."""
    pieces = [local(gradient) for gradient in gradients if is_sharded(gradient)]
    if not pieces:
        return nn.utils.get_total_norm(gradients)
    square = distributed.total(nn.utils.get_total_norm(pieces).square())
    return (square + nn.utils.get_total_norm([g for g in gradients if not is_sharded(g)]).square()).sqrt()


@torch.no_grad()
def clip(parameters: Iterable[nn.Parameter], most: float) -> Tensor:
    """Scale the gradients of parameters, so that their norm is at most `most`; the norm that they had."""
    given = list(parameters)
    gradients = [parameter.grad for parameter in given if parameter.grad is not None]
    if not any(map(is_sharded, gradients)):
        return nn.utils.clip_grad_norm_(given, most)
    found = norm(gradients)
    factor = (most / (found + 1e-6)).clamp(max=1.0)  # as torch has it
    torch._foreach_mul_([local(gradient) for gradient in gradients], factor)
    return found


# -- states ------------------------------------------------------------------------------------------------------------

Path = tuple[Any, ...]


def flat(state: Any, path: Path = ()) -> dict[Path, Tensor]:
    """Every tensor of nested mappings by its path."""
    if isinstance(state, Tensor):
        return {path: state}
    items = state.items() if isinstance(state, Mapping) else ()
    return {place: tensor for key, value in items for place, tensor in flat(value, (*path, key)).items()}


def mapped(function: Callable[[Path, Tensor], Tensor], state: Any, path: Path = ()) -> Any:
    """Nested mappings with other tensors; those of modules keep the versions by which torch reads them."""
    if isinstance(state, Tensor):
        return function(path, state)
    if not isinstance(state, Mapping):
        return state
    made: Any = copy.copy(state)
    for key, value in state.items():
        made[key] = mapped(function, value, (*path, key))
    return made


@torch.no_grad()
def cut(value: Tensor, like: Tensor | None) -> Tensor:
    """A stored tensor as it is held here: a piece where `like` is one, or else whole.

    One without memory (on meta, for it is yet to be read) is given some.
    """
    if is_sharded(value):
        return value
    if like is None or not is_sharded(like) or like.shape != value.shape:
        return torch.empty_like(value, device="cpu") if value.is_meta else value
    if value.is_meta:
        return torch.empty_like(like, dtype=value.dtype)
    from torch.distributed.tensor import distribute_tensor

    placed = value.to(local(like).device)
    return distribute_tensor(placed, like.device_mesh, like.placements, src_data_rank=None)  # type: ignore[attr-defined]
