"""The page of all models: paper, parameters, data, picture, what was measured and in what time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path
from statistics import median

from ganzoo import config
from ganzoo.config import compose
from ganzoo.config.spec import Spec
from ganzoo.errors import UserError
from ganzoo.registry import Registry
from ganzoo.reproduction.claims import Claim, groups
from ganzoo.reproduction.tables import HEAD, Found, lines_of, table

_TOP = """# The zoo

Every model that comes with ganzoo, from its YAML and from the ledger of what was measured here. This page is made by
`ganzoo reproduce --zoo docs/zoo.md`; a test fails when it drifts. Parameter counts are the papers' own, and tests hold
the networks to them. How numbers were measured, with protocols, machines and seeds: [Reproduction](reproduction.md).
"""


def page(folder: Path, registry: Registry, claims: Iterable[Claim], found: Found, changed: Iterable[str] = ()) -> str:
    """The whole page as Markdown.

    Args:
        folder: Where it lies: pictures and cards are looked for beside it, in ``images/`` and ``cards/``.
        registry: Finds the models.
        claims: All claims.
        found: What was measured.
        changed: Claims whose model has other settings by now.
    """
    specs = [spec(name, registry) for name in compose.models(registry)]
    families = [(name, list(members)) for name, members in groupby(specs, lambda spec: spec.name.split("/")[0])]
    families = [(name, members) for name, members in families if any(spec.about.paper for spec in members)]
    claims = list(claims)
    measured = _measured(claims, found, changed)
    index = [["model", "paper", "on bundled data", "measured here"]]
    sections = []
    for name, members in families:
        first = first_of(name, members)
        bundled = ", ".join(f"`{spec.name}`" for spec in members if spec.about.scaled)
        seen = any(measured[c.name] and found.get(c.name) for c in claims if c.said.model.split("/")[0] == name)
        index.append([f"[`{name}`](#{name})", _paper(first), bundled, "yes" if seen else ""])
        sections.append(_section(name, members, folder, claims, found, measured))
    return "\n".join([_TOP, *lines_of(index), "", *sections])


def spec(name: str, registry: Registry) -> Spec:
    """A model; where it needs files, with a root for the reader to fill in."""
    try:
        return config.load(name, {}, registry)
    except UserError as error:
        if [problem.path for problem in error.problems] != ["data.root"]:
            raise
        return config.load(name, {"data.root": "FOLDER"}, registry)


def first_of(name: str, members: Sequence[Spec]) -> Spec:
    """The paper's own settings, which are named like the family."""
    return next((spec for spec in members if spec.name == f"{name}/{name}"), members[0])


def _paper(spec: Spec) -> str:
    paper = spec.about.paper
    if not paper.startswith("arXiv:"):
        return f"[{paper}]({paper})" if paper else ""
    return f"[{paper}](https://arxiv.org/abs/{paper.removeprefix('arXiv:')})"


def _measured(claims: Iterable[Claim], found: Found, changed: Iterable[str]) -> dict[str, list[list[str]]]:
    """The rows of every claim, as in the table of its group."""
    rows: dict[str, list[list[str]]] = {}
    for group in groups(claims).values():
        for row in table(group, found, changed)[1:]:
            rows.setdefault(row[0].strip("`"), []).append(row)
    return rows


def _section(
    name: str,
    members: Sequence[Spec],
    folder: Path,
    claims: Iterable[Claim],
    found: Found,
    measured: dict[str, list[list[str]]],
) -> str:
    first = first_of(name, members)
    about = first.about
    card = [f"[card](cards/{name}.md)"] if (folder / "cards" / f"{name}.md").exists() else []
    code = [f"code: {about.code}"] if about.code else []
    lines = [f"## {name}", "", f"{about.title}. {'; '.join([_paper(first), *card, *code])}.", ""]
    if (folder / "images" / f"{name}.png").exists():
        lines += [f"![samples of {name}](images/{name}.png)", ""]
    if about.expected:
        where = f" ({about.reproduces})" if about.reproduces else ""
        lines += [f"The paper reports{where}: {about.expected}.", ""]
    lines += [*lines_of([["model", "data", "parameters", "training"], *map(_row, members)]), ""]
    mine = [claim for claim in claims if claim.said.model.split("/")[0] == name]
    rows = [row for claim in mine for row in measured[claim.name]]
    if rows:
        spent = [line["seconds"] for c in mine for line in found.get(c.name, {}).values() if line.get("seconds")]
        lines += [*lines_of([HEAD, *rows]), ""]
        if spent:
            lines += [f"CPU minutes of a training with its evaluations: {median(spent) / 60:.1f}.", ""]
    return "\n".join(lines)


def _row(spec: Spec) -> list[str]:
    counts = ", ".join(f"{part} {count:,}" for part, count in spec.about.parameters.items())
    return [f"`{spec.name}`", f"`{spec.data.entry.id}`" if spec.data else "", counts, spec.about.budget]
