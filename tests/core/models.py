"""A folder of model files, composed."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ganzoo.config import compose
from ganzoo.config.tree import Node
from ganzoo.errors import Origin, Problem, UserError
from ganzoo.registry import Registry
from tests.core.helpers import extended

BASE = """
    parts:
      G: {use: generator.a, width: 8, depth: 2}
      D: discriminator.a
    flow:
      z: Z(n)
      fake: G(z)
    players:
      D: {minimize: {adversarial: "adv.d(D(real), D(fake))"}}
      G: {minimize: {adversarial: "adv.g(D(fake))"}}
    train: {steps: 10, batch: 4}
    share: fake
"""


class Models:
    """A folder of models that a plugin gives."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.registry = extended(Registry(), {}, folder)
        self.problems: list[Problem] = []
        self.tree = Node({}, Origin(""))

    def write(self, **files: str) -> Models:
        for name, text in files.items():
            path = self.folder / f"{name.replace('__', '/')}.yaml"
            path.parent.mkdir(exist_ok=True)
            path.write_text(textwrap.dedent(text).lstrip("\n"))
        return self

    def compose(self, model: str = "m/m", overrides: Mapping[str, Any] | Iterable[str] = ()) -> Any:
        self.problems = []
        _, self.tree = compose.compose(model, overrides, self.registry, self.problems)
        return self.tree.plain()

    def good(self, model: str = "m/m", overrides: Mapping[str, Any] | Iterable[str] = ()) -> Any:
        found = self.compose(model, overrides)
        assert not self.problems, self.problems
        return found

    def refused(self, model: str = "m/m", overrides: Mapping[str, Any] | Iterable[str] = ()) -> str:
        try:
            self.compose(model, overrides)
        except UserError as error:
            self.problems += error.problems
        assert self.problems
        return "\n".join(map(str, self.problems))

    def origin(self, *path: str) -> str:
        node = self.tree.get(*path)
        assert node is not None
        return f"{Path(node.origin.file).stem}:{node.origin.line}" if node.origin.line else node.origin.file
