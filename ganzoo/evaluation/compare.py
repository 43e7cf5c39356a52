"""Runs side by side: only numbers of one protocol, with their mean and spread over training seeds."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

from ganzoo.errors import Problem, UserError, choices
from ganzoo.evaluation.records import deviation, named
from ganzoo.parallel import launch
from ganzoo.store.files import atomic
from ganzoo.store.folder import RunFolder

Stored = Mapping[str, Any]


@dataclass
class Row:
    """Runs that differ in their training seed alone: their numbers by metric, one a run, and how each was measured."""

    model: str
    step: int | None  # None where each is at its best
    runs: list[str] = field(default_factory=list)
    seeds: list[int] = field(default_factory=list)
    protocols: dict[str, Stored] = field(default_factory=dict)
    values: dict[str, list[float]] = field(default_factory=dict)

    def summary(self) -> dict[str, tuple[float, float | None]]:
        """Mean and standard deviation over the runs."""
        return {k: (fmean(v), deviation(v) if len(v) > 1 else None) for k, v in self.values.items()}


def compare(
    runs: Sequence[str | Path], metrics: Iterable[str] = (), best: bool = False, across: Iterable[str] = ()
) -> list[Row]:
    """The records of several runs, at their last step, or each at its `best` by the first metric.

    Args:
        runs: Run folders.
        metrics: Names; all that every run has, if none are given.
        best: The checkpoint that ``train.keep.best`` kept instead of the last.
        across: Keys of the protocol, such as ``versions`` or ``code``, that may differ.

    Raises:
        UserError: a run has no such record, two are of one seed, or the runs were measured by different protocols; the
            message says how.
    """
    folders = [RunFolder(path) for path in dict.fromkeys(map(Path, runs))]
    stored = [_at(folder, best) for folder in folders]
    has = [{name for record in records for name in record["values"]} for records in stored]
    names = [_full(metric, set().union(*has)) for metric in metrics] or sorted(set.intersection(*has))
    if not names:
        raise UserError(
            Problem("these runs have no metric in common", hint="`ganzoo evaluate RUN --metrics NAME` adds")
        )
    rows: dict[tuple[str, int | None], Row] = {}
    for name in names:
        chosen = _alike(name, [str(f.path) for f in folders], stored, set(across))
        for folder, record in zip(folders, chosen, strict=True):
            step = None if best else record["step"]
            row = rows.setdefault((record["config"], step), Row(record["model"], step))
            if str(folder.path) not in row.runs:
                if record["train_seed"] in row.seeds:
                    other = row.runs[row.seeds.index(record["train_seed"])]
                    message = f"{other} and {folder.path} are the same model with the same seed"
                    raise UserError(Problem(message, hint="leave one out"))
                row.runs.append(str(folder.path))
                row.seeds.append(record["train_seed"])
            row.protocols[name] = record["protocol"]
            row.values.setdefault(name, []).append(record["values"][name])
    return list(rows.values())


def _at(folder: RunFolder, best: bool) -> list[Stored]:
    """A run's records of one step, the last or the best; of equal protocol the newest."""
    records = folder.evaluated()
    if not records:
        hint = f"`{launch.command('evaluate', folder.path)}` makes some"
        raise UserError(Problem(f"{folder.path} has no metric records", hint=hint))
    try:
        index = json.loads((folder.checkpoints / "index.json").read_text(encoding="utf-8"))
        step = int(str(index["best" if best else "last"]).removesuffix(".pt").rpartition("_")[2])
    except (OSError, ValueError, KeyError):
        if best:
            raise UserError(f"{folder.path} keeps no best checkpoint (train.keep.best names what by)") from None
        step = max(record["step"] for record in records)
    newest = {(r["metric"], _key(r["protocol"])): r for r in records if r["step"] == step}
    if not newest:
        message = f"{folder.path} has no metric records at its {'best' if best else 'last'} checkpoint, of step {step}"
        raise UserError(
            Problem(message, hint=f"`{launch.command('evaluate', folder.path, *['--best'] * best)}` makes some")
        )
    return list(newest.values())


def _full(metric: str, known: set[str]) -> str:
    """A metric's name, written out: ``fid`` as ``fid[fashion_cnn]``."""
    if metric in known:
        return metric
    found = [name for name in sorted(known) if named(metric, {name: 0.0}) is not None]
    if len(found) != 1:
        raise UserError(Problem(f"there is no metric '{metric}'", hint=choices(metric, known)))
    return found[0]


def _alike(name: str, paths: list[str], stored: list[list[Stored]], across: set[str]) -> list[Stored]:
    """One record of a metric for each run, all of the same protocol: the newest of most samples that all have.

    Records from before the code was hashed are compared without it.
    """
    if not all("code" in record["protocol"] for records in stored for record in records if name in record["values"]):
        across = {*across, "code"}
    by_key = [{_key(r["protocol"], across): r for r in records if name in r["values"]} for records in stored]
    for path, found in zip(paths, by_key, strict=True):
        if not found:
            raise UserError(
                Problem(f"{path} has no {name}", hint=f"`{launch.command('evaluate', path)} --metrics …` adds it")
            )
    common = set.intersection(*(set(found) for found in by_key))
    if not common:
        other = next(i for i, found in enumerate(by_key) if not set(found) & set(by_key[0]))
        pairs = [(a["protocol"], b["protocol"]) for a in by_key[0].values() for b in by_key[other].values()]
        different = min((differences(a, b, across) for a, b in pairs), key=len)
        message = f"{name} of {paths[0]} and {paths[other]} cannot be compared: " + "; ".join(different)
        names = ",".join(dict.fromkeys(line.split()[0].split(".")[0] for line in different))
        hint = f"evaluate both alike, with `ganzoo evaluate`; or accept it: --across {names}"
        raise UserError(Problem(message, hint=hint))
    order = list(by_key[0])
    key = max(common, key=lambda k: (by_key[0][k]["protocol"].get("n_fake", 0), order.index(k)))
    return [found[key] for found in by_key]


def differences(a: Stored, b: Stored, across: Iterable[str] = (), path: str = "") -> list[str]:
    """What differs between two protocols, in words."""
    found = []
    for key in sorted({*a, *b} - set(across)):
        x, y = a.get(key), b.get(key)
        if isinstance(x, Mapping) and isinstance(y, Mapping):
            found += differences(x, y, (), f"{path}{key}.")
        elif x != y:
            found.append(f"{path}{key} is {_short(x)} and {_short(y)}")
    return found


def _short(value: Any) -> str:
    text = "not stated" if value is None else json.dumps(value)
    return text if len(text) <= 40 else f"{text[:37]}…"


def _key(protocol: Stored, across: Iterable[str] = ()) -> str:
    return json.dumps({k: v for k, v in protocol.items() if k not in set(across)}, sort_keys=True)


def curves(runs: Sequence[str | Path], metrics: Mapping[str, Stored], out: Path, across: Iterable[str] = ()) -> None:
    """A picture of metrics over steps, a line a run, those of one training seed apart in one colour.

    Args:
        runs: Run folders.
        metrics: Metrics by name, each with the protocol of the records that are drawn.
        out: The picture.
        across: Keys of the protocol that may differ.

    Raises:
        UserError: it cannot be written.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6 * len(metrics), 4), layout="constrained")
    axes = figure.subplots(1, len(metrics), squeeze=False)[0]
    colours: dict[str, str] = {}
    for path in runs:
        records = RunFolder(path).evaluated()
        for axis, name in zip(axes, metrics, strict=True):
            key = _key(metrics[name], across)
            same = [r for r in records if name in r["values"] and _key(r["protocol"], across) == key]
            points = {r["step"]: r["values"][name] for r in sorted(same, key=lambda r: r["step"])}
            group, new = records[-1]["config"], records[-1]["config"] not in colours
            colour = colours.setdefault(group, f"C{len(colours) % 10}")
            label = records[-1]["model"] if new else None
            axis.plot(list(points), list(points.values()), color=colour, label=label, marker=".")
            axis.set(title=name, xlabel="step")
    axes[0].legend()
    with atomic(out) as file:
        figure.savefig(file, format=out.suffix.lstrip(".") or "png", dpi=120)
