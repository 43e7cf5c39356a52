"""A model without a run, opened for use with weights from elsewhere."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from torch import nn

from ganzoo import config
from ganzoo.errors import Problem, UserError, listed
from ganzoo.model.blueprint import Blueprint
from ganzoo.parallel import distributed
from ganzoo.registry import Registry
from ganzoo.run import provenance, warm
from ganzoo.run.opened import Run
from ganzoo.store import checkpoint


class Untrained(Run):
    """A model without a run, used with weights that its parts get by ``init``.

    Args:
        blueprint: The checked model.
        registry: Finds the components.
    """

    def __init__(self, blueprint: Blueprint, registry: Registry):
        self.path, self.name, self.registry = Path(blueprint.spec.name), blueprint.spec.name, registry
        self.config = provenance.locked(blueprint)
        header = {"name": self.name, "config": self.config}
        state: dict[str, Any] = {"step": 0, "parts": {}, "players": {}}
        self.checkpoint = checkpoint.Checkpoint(self.path, header, state)
        self.raw, self.device, self._loaded = False, distributed.start(), {}
        self.fields = dict(blueprint.fields)
        self.spec = config.from_plain(self.name, self.config, self.name, registry)

    def load(self, blueprint: Blueprint, names: Collection[str]) -> dict[str, Any]:
        """Parts with the weights that their ``init`` names.

        Raises:
            UserError: one has none, or it cannot be read.
        """
        parts = super().load(blueprint, names)
        bare = [
            name
            for name, part in parts.items()
            if isinstance(part, nn.Module)
            and self.spec.parts[name].init is None
            and any(parameter.requires_grad or parameter.numel() for parameter in part.parameters())
        ]
        if bare:
            hint = " ".join(f"parts.{name}.init=FILE" for name in bare)
            raise UserError(Problem(f"{self.name} is a model, not a run: {listed(bare)} would be untrained", hint=hint))
        warm.start(self.spec, parts)
        return parts
