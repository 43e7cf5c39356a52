"""How models are named where a run is asked for: a path, ``zoo:NAME``, or ``hf:USER/NAME``."""

from __future__ import annotations

from pathlib import Path

from ganzoo.config import compose
from ganzoo.errors import Problem, UserError, did_you_mean, listed, similar
from ganzoo.registry import Plugin, Registry
from ganzoo.store import hub, published
from ganzoo.store.published import Published

ZOO, HUB = "zoo:", "hf:"
MORE, EXTRA = "ganzoo-weights", 'pip install "ganzoo[zoo]"'  # the distribution with more trained models


def is_named(source: str | Path) -> bool:
    """Whether it is a name and no path."""
    return str(source).startswith((ZOO, HUB))


def resolve(source: str | Path, registry: Registry) -> Path:
    """The run, checkpoint or published model that is meant, as a path; what is on the hub is fetched.

    Raises:
        UserError: there is no such model, or the hub cannot be asked.
    """
    text = str(source)
    if text.startswith(HUB):
        return hub.fetch(text.removeprefix(HUB))
    return find(text.removeprefix(ZOO), registry) if text.startswith(ZOO) else Path(source)


def find(name: str, registry: Registry) -> Path:
    """The folder of a trained model of the zoo.

    Raises:
        UserError: there is none, or two plugins have one.
    """
    found = [folder / name for _, folder in registry.trained if name and published.is_one(folder / name)]
    if len(found) == 1:
        return found[0]
    if found:
        places = " and ".join(map(str, found))
        raise UserError(Problem(f"two plugins have a trained model '{name}': {places}", hint="give the path"))
    known = sorted({key for key, _, _ in trained(registry)})
    paper = name.partition("/")[0]
    of_paper = [key for key in known if key.startswith(f"{paper}/")]
    models = compose.models(registry)
    near = [] if name in models else similar(name, known)
    hint = did_you_mean(name, known) if near else f"there are {listed(of_paper)}" if of_paper else ""
    if name in models:
        hint = "; ".join(filter(None, [hint, f"`ganzoo train {name}` trains it"]))
    hint = hint or did_you_mean(paper, {key.partition("/")[0] for key in known}) or "`ganzoo list zoo:` shows them all"
    hint += "" if has_more(registry) or near else f"; {EXTRA} brings more"
    raise UserError(Problem(f"there is no trained model '{ZOO}{name}'", hint=hint))


def has_more(registry: Registry) -> bool:
    """Whether the distribution with more trained models is installed."""
    return any(plugin.dist == MORE for plugin in registry.plugins)


def trained(registry: Registry) -> list[tuple[str, Path, Plugin]]:
    """Every trained model that was registered: its name, its folder, and the plugin that brings it."""
    found = []
    for plugin, folder in registry.trained:
        for path in folder.glob(f"*/*/{published.CONFIG}"):
            if published.is_one(path.parent) and not path.parent.name.startswith("."):  # which is being written
                found.append((path.parent.relative_to(folder).as_posix(), path.parent, plugin))
    return sorted(found, key=lambda item: item[0])


def every(registry: Registry) -> list[tuple[Published, Plugin]]:
    """Every trained model, with what it says of itself.

    Raises:
        UserError: one is damaged.
    """
    return [(Published.at(path), plugin) for _, path, plugin in trained(registry)]
