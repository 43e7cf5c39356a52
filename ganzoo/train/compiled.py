"""``train.compile: true``: networks through ``torch.compile``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from ganzoo.config.expression import Call, names, root, walk
from ganzoo.config.spec import Spec


def compile_parts(spec: Spec, parts: Mapping[str, Any]) -> list[str]:
    """Compile in place every network that no regularizer is applied to; the names of the others.

    A regularizer differentiates a network twice, which ``torch.compile`` cannot. A network is compiled once for each
    set of its parameters that asks for gradients, so that turns do not compile it anew.
    Source: PyTorch, torch.compile troubleshooting.
    """
    penalised = {
        name
        for value in spec.equations()
        for piece in walk(value.expr)
        if isinstance(piece, Call) and (part := spec.parts.get(root(piece.func) or "")) and part.kind == "regularizer"
        for name in names(piece)
    }
    networks = [n for n, p in parts.items() if isinstance(p, nn.Module) and any(True for _ in p.parameters())]
    for name in networks:
        if name not in penalised:
            parts[name].compile()
    return [name for name in networks if name in penalised]
