"""Claims put to the test: their trainings, and what came of each."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from ganzoo.config.spec import Spec
from ganzoo.errors import UserError
from ganzoo.reproduction.claims import Claim
from ganzoo.run import trainings
from ganzoo.run.trainings import Training, settings
from ganzoo.store.files import append
from ganzoo.store.folder import RunFolder


def task(claim: Claim, spec: Spec, seed: int, out: Path) -> Training:
    """The training of a claim's model with one seed. Claims of equal models share it."""
    said = claim.said
    steps = sum(phase.steps for phase in spec.phases.values())
    stated = {**said.overrides, "train.seed": seed, "train.device": said.needs}
    overrides = tuple(f"{key}={json.dumps(value)}" for key, value in stated.items())
    return Training(said.model, overrides, seed, steps, trainings.place(spec, seed, out), f"{said.model}, seed {seed}")


def has_cuda() -> bool:
    import torch

    return torch.cuda.is_available()


def run(
    tasks: Iterable[Training], jobs: int, say: Callable[[str], None] = print, code: str | Path | None = None
) -> None:
    """Train what is not finished; see :func:`ganzoo.run.trainings.run`.

    Raises:
        UserError: a training could not be done, and did not merely diverge.
        KeyboardInterrupt: after all that run have saved.
    """
    problems = trainings.run(tasks, jobs, say, code)
    if problems:
        raise UserError(problems.values())


def line(claim: Claim, spec: Spec, task: Training) -> dict[str, Any] | None:
    """One line of the ledger: what a seed gave, last and best, with all that it depends on; None if it is not done."""
    from ganzoo.evaluation.records import named

    if not task.finished:
        return None
    assert task.steps is not None, "claims count steps"
    notes, folder = task.notes, RunFolder(task.folder)
    made = json.loads((task.folder / "environment.json").read_text(encoding="utf-8"))
    found: dict[str, Any] = {"claim": claim.name, "seed": task.seed, "model": spec.name, "settings": settings(spec)}
    if "failed" in notes:
        found["failed"] = notes["failed"]
    else:
        records = folder.evaluated()
        values: dict[int, dict[str, float]] = {}
        for record in records:
            values[record["step"]] = {**record["values"], **values.get(record["step"], {})}  # the training's own first
        measured = {s: {m: v for m in claim.metrics if (v := named(m, held)) is not None} for s, held in values.items()}
        numbers = {s: v[claim.said.metric] for s, v in measured.items() if claim.said.metric in v}
        finite = [step for step, number in numbers.items() if number == number]
        sign = -1 if claim.said.better == "lower" else 1
        best = max(finite, key=lambda step: (sign * numbers[step], step)) if finite else task.steps
        last = {record["metric"]: record for record in reversed(records) if record["step"] == task.steps}
        if not last:
            raise UserError(f"{task.folder} has no record at its last step, {task.steps}")
        found |= {
            "config": next(iter(last.values()))["config"],
            "last": {"step": task.steps, "values": measured[task.steps]},
            "best": {"step": best, "values": measured[best]},
            "protocol": {metric: record["protocol"] for metric, record in reversed(last.items())},
        }
    return found | {
        "seconds": notes.get("seconds"),
        "machine": {
            "processor": notes.get("machine"),
            "device": made["device"],
            "threads": made["threads"],
            "torch": made["packages"]["torch"],
        },
        "ganzoo": made["ganzoo"],
        "date": notes.get("date"),
    }


def read_ledger(path: Path) -> list[dict[str, Any]]:
    """Every line of a ledger."""
    return [json.loads(text) for text in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def record(path: Path, lines: Iterable[dict[str, Any]]) -> int:
    """Append lines that the ledger does not hold yet; how many.

    Raises:
        UserError: there is no checkout to keep it in.
    """
    if not (path.parents[1] / "pyproject.toml").is_file():
        raise UserError(f"{path.parent} is not in a checkout, where a ledger could be kept")
    known = read_ledger(path)
    new = [item for item in lines if item not in known]
    append(path, "".join(json.dumps(item) + "\n" for item in new))
    return len(new)


def current(lines: Iterable[dict[str, Any]]) -> dict[str, dict[int, dict[str, Any]]]:
    """By claim and seed: the newest line of each seed, of those measured as the claim's newest line was."""
    found: dict[str, dict[int, dict[str, Any]]] = {}
    for item in lines:
        seeds = found.setdefault(item["claim"], {})
        if any(_unlike(other, item) for other in seeds.values()):
            seeds.clear()
        seeds[item["seed"]] = item
    return found


def _unlike(a: dict[str, Any], b: dict[str, Any]) -> bool:
    """Whether two seeds cannot stand in one row: other settings, or numbers of other protocols."""
    protocols = a.get("protocol"), b.get("protocol")
    return a["settings"] != b["settings"] or (None not in protocols and protocols[0] != protocols[1])
