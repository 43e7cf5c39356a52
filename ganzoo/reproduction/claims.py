"""Claims of papers: one YAML each, beside the models of a plugin, in the folder ``reproduce``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ganzoo import config
from ganzoo.config.spec import Spec
from ganzoo.config.typecheck import read
from ganzoo.config.yaml12 import read_file
from ganzoo.errors import Problem, UserError, choices
from ganzoo.registry import Registry

LEDGER = "ledger.jsonl"


@dataclass
class Reported:
    """What the paper says: a number if there is one, the metric, and how it was measured, in words."""

    metric: str
    protocol: str
    value: float | None = None
    spread: float | None = None


@dataclass
class Settings:
    """One claim as its file has it.

    With `bounds`, each ``metric: [low, high]`` (``null`` for none) must hold for the last step of every seed. Without,
    the claim is one row of a ranking: those of its group that have a reported value, ordered by `metric`.
    """

    title: str
    paper: str
    where: str
    reported: Reported
    model: str
    metric: str
    budget: str
    needs: Literal["cpu", "cuda"]
    overrides: dict[str, Any] = field(default_factory=dict)
    better: Literal["lower", "higher"] = "lower"
    seeds: list[int] = field(default_factory=lambda: [0, 1, 2])
    bounds: dict[str, tuple[float | None, float | None]] = field(default_factory=dict)
    differs: str = ""


@dataclass(frozen=True)
class Claim:
    """A claim, its name ``group/name``, and its file."""

    name: str
    path: Path
    said: Settings

    @property
    def group(self) -> str:
        return self.name.split("/")[0]

    @property
    def metrics(self) -> list[str]:
        """The metric of the claim, then others that it bounds."""
        return list(dict.fromkeys((self.said.metric, *self.said.bounds)))

    @property
    def ledger(self) -> Path:
        """Where what was found is written down."""
        return self.path.parents[1] / LEDGER

    def spec(self, registry: Registry) -> Spec:
        """The model as the claim has it.

        Raises:
            UserError: it is wrong, or has no such metric.
        """
        try:
            spec = config.load(self.said.model, self.said.overrides, registry)
        except UserError as error:
            raise UserError(
                [Problem(f"{self.name}: {self.said.model}: {problem}") for problem in error.problems]
            ) from error
        known = {spec.metric_name(value).split("[")[0] for value in spec.metrics.values()}
        for metric in self.metrics:
            if metric.split(".")[0].split("[")[0] not in known:
                hint = choices(metric, known) or "it has no evaluate:"
                raise UserError(Problem(f"{self.name}: {self.said.model} does not measure '{metric}'", hint=hint))
        return spec


def read_claim(name: str, path: Path) -> Claim:
    """One file, read strictly.

    Raises:
        UserError: with everything that is wrong with it.
    """
    problems: list[Problem] = []
    node = read_file(path, problems)
    said: Settings = read(Settings, node, "", problems)

    def wrong(message: str, *at: str, hint: str = "") -> None:
        place = node.get(*at) or node
        problems.append(Problem(message, place.origin, ".".join(at), hint))

    for metric, (low, high) in (said.bounds or {}).items():
        if low is None and high is None:
            wrong("bounds nothing", "bounds", metric, hint="write [low, high], one of which may be null")
        elif low is not None and high is not None and low > high:
            wrong(f"{low} is above {high}", "bounds", metric)
    if said.seeds is not None and (not said.seeds or len(set(said.seeds)) < len(said.seeds)):
        wrong("needs seeds, each once", "seeds")
    if said.paper and not said.paper.startswith(("arXiv:", "https://")):
        wrong(f"'{said.paper}' is no paper", "paper", hint="write arXiv:NNNN.NNNNN or an address")
    if problems:
        raise UserError(problems)
    return Claim(name, path, said)


def every(registry: Registry) -> dict[str, Claim]:
    """All claims by name, those of a group together.

    Raises:
        UserError: with everything that is wrong with any.
    """
    found, problems = {}, []
    for _, folder in registry.folders:
        for path in sorted((folder.parent / "reproduce").glob("*/*.yaml")):
            name = path.relative_to(path.parents[1]).with_suffix("").as_posix()
            try:
                found[name] = read_claim(name, path)
            except UserError as error:
                problems += error.problems
    if problems:
        raise UserError(problems)
    return dict(sorted(found.items()))


def chosen(name: str, claims: dict[str, Claim]) -> list[Claim]:
    """A claim, or those of a group.

    Raises:
        UserError: there is neither.
    """
    found = [claim for claim in claims.values() if name in (claim.name, claim.group)]
    if not found:
        hint = choices(name, {*claims, *groups(claims.values())}) or "`ganzoo reproduce --list` shows them all"
        raise UserError(Problem(f"there is no claim and no group '{name}'", hint=hint))
    return found


def groups(claims: Iterable[Claim]) -> dict[str, list[Claim]]:
    """Claims by group."""
    found: dict[str, list[Claim]] = {}
    for claim in claims:
        found.setdefault(claim.group, []).append(claim)
    return found
