"""Models of components that do nothing, for the checks of the graph."""

from __future__ import annotations

import textwrap
from pathlib import Path

from ganzoo import config
from ganzoo.config.spec import Spec
from ganzoo.errors import UserError
from ganzoo.registry import Registry
from tests.core.helpers import extended

COMPONENTS = (
    *("generator.g", "discriminator.d", "encoder.e", "adversarial.a", "loss.l1", "op.stop", "op.join", "prior.p"),
    *("regularizer.r", "metric.m", "optimizer.o", "schedule.s"),
)
BASE = """
    data: data.labelled
    parts: {G: generator.g, D: discriminator.d, Z: prior.p, adv: adversarial.a}
    flow: {z: Z(n), fake: "G(z)"}
    players:
      D: {minimize: {adversarial: "adv.d(D(real), D(fake))"}}
      G: {minimize: {adversarial: "adv.g(D(fake), D(real))"}}
    optimizer: optimizer.o
"""


def components() -> Registry:
    found = extended(Registry(), dict.fromkeys(COMPONENTS, dict))
    for name, fields in {"labelled": ["real", "label"], "unknown": None}.items():
        made = extended(Registry(), {f"data.{name}": dict})
        made.entries[f"data.{name}"][0].facts["fields"] = fields
        found.entries.update(made.entries)
    return found


class Model:
    def __init__(self, folder: Path, registry: Registry):
        self.folder, self.registry = folder, registry
        self.write("base", BASE)

    def write(self, name: str, text: str) -> Path:
        path = self.folder / f"{name}.yaml"
        path.write_text(textwrap.dedent(text).lstrip("\n"))
        return path

    def load(self, text: str = "") -> Spec:
        return config.load(self.write("m", f"extends: base\n{textwrap.dedent(text).strip()}"), (), self.registry)

    def problems(self, text: str) -> list[str]:
        """The problems without their file's folder."""
        try:
            self.load(text)
        except UserError as error:
            return [str(problem).replace(f"{self.folder}/", "") for problem in error.problems]
        return []

    def one(self, text: str) -> str:
        (problem,) = self.problems(text)
        return problem
