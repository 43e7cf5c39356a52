"""What makes a run repeatable: the config with every default and fact filled, and the versions it ran with."""

from __future__ import annotations

import copy
import hashlib
import json
import os
import platform
import re
import shlex
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

import ganzoo
from ganzoo.config.expression import Call, root
from ganzoo.config.read import PART_SETTINGS
from ganzoo.config.schema import TOP, Ema, PlayerSettings
from ganzoo.config.spec import Component, Part, Spec, Value
from ganzoo.errors import Problem, UserError
from ganzoo.model.blueprint import Blueprint
from ganzoo.model.explain import count
from ganzoo.model.factory import ENGINE_FACTS
from ganzoo.parallel import distributed
from ganzoo.registry import local
from ganzoo.registry.source import source_of
from ganzoo.store.files import write_atomic

PACKAGES = ("torch", "torchvision", "numpy", "omegaconf", "pluggy", "pillow")


def qualified(component: Component) -> str:
    """The name that finds a component again: with its distribution unless that is ganzoo itself."""
    entry = component.entry
    return entry.id if entry.plugin.dist == "ganzoo" else f"{entry.plugin.dist}:{entry.id}"


def locked(blueprint: Blueprint) -> dict[str, Any]:
    """The config with every argument, default and fact of every component written out."""
    spec = blueprint.spec
    config = copy.deepcopy(spec.config)
    for component in spec.components():
        if isinstance(component, Part) and component.implicit:
            continue
        node = _node(config, component.path)
        args = blueprint.args.get(component.path, component.args)
        kept = {k: v for k, v in node.items() if k in ("with", "lr_scale", *PART_SETTINGS)}
        node.clear()
        node["use"] = qualified(component)
        node.update({k: _plain(v) for k, v in args.items() if k not in ENGINE_FACTS and _writable(k, v, component)})
        node.update(kept)
    for player in (player for phase in spec.phases.values() for player in phase.players.values()):
        if player.lr_scale and player.optimizer is not None:  # of a phase's own copy of the optimizer too
            _node(config, player.optimizer.path)["lr_scale"] = dict(player.lr_scale)
        for name, constraint in player.after.items():
            if player.on[name] != player.trains:
                _node(config, constraint.path)["on"] = list(player.on[name])
    for stated in config.get("players", {}).values():
        for key in ("repeat", "every", "batch", "clip"):
            stated.setdefault(key, getattr(PlayerSettings, key))
        if stated.get("ema"):
            stated["ema"].setdefault("start", Ema.start)
    config["train"] = asdict(spec.train)
    if "phases" in config:
        config["train"].pop("steps")
    plugins = {c.entry.plugin for c in spec.components()}
    config["locked"] = {
        "ganzoo": ganzoo.__version__,
        "model": spec.name,
        "components": {c.entry.id: f"{c.entry.plugin.dist} {c.entry.plugin.version}" for c in spec.components()},
        "plugins": {p.dist: p.version for p in sorted(plugins)},
        "weights": {n: part.sha256 for n, part in blueprint.parts.items() if hasattr(part, "sha256")},
        "fields": {name: field.to_json() for name, field in blueprint.fields.items()},
        "parameters": {n: count(part) for n, part in blueprint.parts.items() if count(part)},
        "better": {n: _better(blueprint, value) for n, value in spec.metrics.items()},
    }
    return {key: config[key] for key in TOP if key in config}


def _better(blueprint: Blueprint, value: Value) -> Any:
    """Whether the numbers of a metric are best when `lower` or `higher`, for all or by their names."""
    part = blueprint.parts.get(root(value.expr.func) or "") if isinstance(value.expr, Call) else None
    better = getattr(part, "better", "lower")
    return dict(better) if isinstance(better, Mapping) else better


def subject(name: str, config: Mapping[str, Any], step: int) -> dict[str, Any]:
    """What a metric record is of: the model, its training seed and steps, and a hash of all its other settings."""
    sections = ("data", "parts", "flow", "players", "phases", "share", "update", "optimizer", "schedule", "train")
    kept = {key: config.get(key) for key in sections}
    taught = json.dumps([kept["flow"], kept["players"], kept["phases"]])

    def measures(name: str, use: str) -> bool:
        return use.startswith("metric.") or (use.startswith("extractor.") and not re.search(rf"\b{name}\b", taught))

    kept["parts"] = {k: v for k, v in (kept["parts"] or {}).items() if not measures(k, str(v["use"]))}
    elsewhere = {"data": ("root",), "train": ("seed", "device", "timeout", "log_every", "sample_every", "on_collapse")}
    for section, keys in elsewhere.items():
        kept[section] = {k: v for k, v in (kept[section] or {}).items() if k not in (*keys, "checkpoint_every", "keep")}
    if changes := config.get("locked", {}).get("changes"):
        kept["changes"] = changes
    digest = hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()[:16]
    return {"model": name, "config": digest, "train_seed": config["train"]["seed"], "step": step}


def _node(config: dict[str, Any], path: str) -> dict[str, Any]:
    """Where a component stands; made where a player's own is the model's with changes."""
    node = config
    for key in path.split("."):
        if not isinstance(node.get(key), dict):
            node[key] = {}
        node = node[key]
    return node


def _plain(value: Any) -> Any:
    """Paths as texts that mean the same from any working directory."""
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return str(Path(os.path.expanduser(value)).absolute()) if isinstance(value, os.PathLike) else value


def _writable(key: str, value: Any, component: Component) -> bool:
    """Whether an argument can be written; a default that cannot, such as a function, is left to be the default."""

    def plain(value: Any) -> bool:
        if isinstance(value, list | tuple):
            return all(map(plain, value))
        if isinstance(value, dict):
            return all(map(plain, value.values()))
        return value is None or isinstance(value, bool | int | float | str | os.PathLike)

    if not plain(value) and key in component.args:
        message = f"a value of type {type(value).__name__} cannot be written down"
        raise UserError(Problem(message, component.at(key), f"{component.path}.{key}"))
    return plain(value)


def keep_source(spec: Spec, folder: Path) -> None:
    """Write the components that a notebook or script registered beside the run, as a file that --code can load."""
    used = {c.entry.id: c.entry for c in spec.components() if c.entry.plugin == local.PLUGIN}
    if used:
        path = folder / "code" / local.FILE
        write_atomic(path, source_of(used.values(), f"code/{local.FILE}"))


def kept_source(run: Path) -> Path | None:
    """Where a run, or the run of a checkpoint, keeps the source of its own components."""
    folder = run if run.is_dir() else run.resolve().parent.parent
    path = folder / "code" / local.FILE
    return path if path.is_file() else None


@contextmanager
def telling_source(run: Path) -> Iterator[None]:
    """A component that only the run's own source has is asked for with the place of that source."""
    try:
        yield
    except UserError as error:
        path = kept_source(run)
        hint = f"--code {shlex.quote(str(path))} (or code=…) has it: read that file first, then load it"
        raise UserError(
            replace(p, hint=hint) if path is not None and local.FILE in p.message else p for p in error.problems
        ) from error


def environment(spec: Spec, device: torch.device) -> dict[str, Any]:
    """Versions and machine: what bit-exact resume depends on."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "not installed"
    return {
        "ganzoo": ganzoo.__version__,
        "python": platform.python_version(),
        "packages": versions,
        "plugins": {c.entry.plugin.dist: c.entry.plugin.version for c in spec.components()},
        "platform": platform.platform(),
        "processor": platform.processor() or platform.machine(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "threads": torch.get_num_threads(),
        "processes": distributed.world(),
        "command": [os.path.basename(sys.argv[0]), *sys.argv[1:]],
    }
