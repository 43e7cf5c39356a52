"""A part's weights in a file that the programs of other authors read."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from ganzoo.errors import UserError, choices, listed
from ganzoo.model.adopt import COUNTER, by_layout
from ganzoo.model.revert import revert
from ganzoo.registry import plugins
from ganzoo.store import weights
from ganzoo.store.files import atomic

if TYPE_CHECKING:
    from ganzoo.run.opened import Run

CLOSE = 1e-6  # relative; conversions that scale round


def convert(run: Run, part: str, layout: str, out: str | Path) -> list[str]:
    """Write a part's weights under the names of a layout; see :meth:`ganzoo.run.opened.Run.convert`."""
    path = Path(out)
    if path.suffix not in (".pth", ".pt", ".safetensors"):
        raise UserError(f"{path}: write a .pth, .pt or .safetensors file")
    if part not in run.spec.parts:
        raise UserError(f"there is no part '{part}' ({choices(part, run.spec.parts)})")
    target = run.spec.parts[part].entry.id
    known = {found.name: found for found in plugins.in_use().layouts if found.target == target}
    if layout not in known:
        hint = choices(layout, known) or "no layout is registered for it"
        raise UserError(f"{target} has no layout '{layout}' ({hint})")
    built = run.part(part)
    assert isinstance(built, nn.Module)
    tensors = revert(built, known[layout])
    with atomic(path) as file:
        if path.suffix == ".safetensors":
            from safetensors.torch import save

            file.write(save({name: tensor.contiguous() for name, tensor in tensors.items()}))
        else:
            torch.save(tensors, file)
        file.flush()
        temporary = Path(str(file.name))
        back = weights._safetensors(temporary) if path.suffix == ".safetensors" else weights.read(temporary)
        adopted = by_layout(copy.deepcopy(built), back, known[layout]).tensors
        own = {name: tensor.cpu() for name, tensor in built.state_dict().items()}
        lost = [name for name in own if name not in adopted and not name.endswith(COUNTER)]
        lost += [n for n, t in adopted.items() if not torch.allclose(t.float(), own[n].float(), CLOSE, CLOSE)]
        if lost:
            raise UserError(f"{path} was not kept: read back, {len(lost)} tensors differ ({listed(lost, 3)})")
    source = f", as {known[layout].source} has them" if known[layout].source else ""
    first = next(iter(tensors))
    return [
        f"{path}: {len(tensors)} tensors of {part} in the layout {layout}{source}, such as {first}",
        f"  check: read back by parts.{part}.init={path}, all {len(own)} tensors of {part} are the same",
    ]
