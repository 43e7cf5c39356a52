"""Training from the start, and going on from a checkpoint."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from typing import Any

from torch.optim.lr_scheduler import LRScheduler

from ganzoo import config
from ganzoo.config import changes
from ganzoo.config.limits import seconds
from ganzoo.config.spec import Spec
from ganzoo.config.tree import shown
from ganzoo.errors import NoSpace, Problem, UserError
from ganzoo.model import dry
from ganzoo.model.blueprint import Blueprint, reading
from ganzoo.parallel import distributed
from ganzoo.registry import Registry
from ganzoo.run import provenance
from ganzoo.run.session import Session
from ganzoo.store import checkpoint, lock, names
from ganzoo.store.folder import RunFolder
from ganzoo.train import budget, graphs, precision
from ganzoo.train.loop import Trainer


def train(
    blueprint: Blueprint, out: str | Path | None, registry: Registry, quiet: bool = False
) -> tuple[RunFolder, str]:
    """Train a model into a new run folder; the folder and why training stopped.

    Processes that torchrun starts again, after one was lost, go on from the last checkpoint of the run they began.

    Raises:
        UserError: the folder is taken, or a warm start cannot be read.
        Diverged: training produced NaN or infinity.
        Lost: another process is gone.
    """
    device = distributed.start(blueprint.spec.train.device, seconds(blueprint.spec.train.timeout))
    if begun := distributed.gather(distributed.begun() if distributed.rank() == 0 else None)[0]:
        if checkpoint.every(RunFolder(begun)):
            return resume(begun, registry, quiet=quiet)
        if distributed.rank() == 0:
            shutil.rmtree(begun)  # what processes that were lost before the first checkpoint have made of it
        out = begun
    path = RunFolder.claim(out, blueprint.spec.name) if distributed.rank() == 0 else None
    folder = RunFolder(distributed.gather(path)[0])
    budget.leave_open(blueprint.spec)
    try:
        with _alone(folder):
            if distributed.rank() == 0:
                folder.check_empty()  # another process may have trained there in the meantime
            with reading(blueprint.spec.data):
                chosen = [precision.settle(blueprint, device), graphs.settle(blueprint, device, Trainer)]
                session = Session(blueprint, folder, registry, device, quiet)
            try:
                session.begin()
                if session.first:
                    distributed.begins(str(folder.path))
            except NoSpace:
                shutil.rmtree(folder.path, ignore_errors=True)  # it was empty, and half a run is none
                raise
            for line in filter(None, chosen if session.first and not quiet else []):
                session.console.say(line)
            return folder, session.run()
    except BaseException:
        with suppress(OSError):  # unless something was written
            folder.path.rmdir()
            if out is None:
                folder.path.parent.rmdir()
        raise


def _alone(folder: RunFolder) -> AbstractContextManager[None]:
    """The first of the processes that train together holds the folder, so that nobody else writes there."""
    return lock.writing(folder.path) if distributed.rank() == 0 else nullcontext()


def resume(
    run: str | Path,
    registry: Registry,
    steps: int | None = None,
    quiet: bool = False,
    moved: Iterable[str] = (),
) -> tuple[RunFolder, str]:
    """Go on with a run from its last checkpoint.

    Args:
        run: The run folder, or an older checkpoint in it; newer ones are then set aside.
        registry: Finds the components.
        steps: Train to this step instead of the one the run was made for.
        quiet: No progress on the console.
        moved: Where the data or the device is now, such as ``data.root=FOLDER``; and numbers of training that shall be
            others from here on, such as ``optimizer.lr=1e-4``, which ``locked.yaml`` keeps with their step.

    Raises:
        UserError: there is nothing to resume, or it cannot be read, or the data has changed.
        Diverged: training produced NaN or infinity.
        Lost: another process is gone.
    """
    run = names.resolve(run, registry)
    folder, stored = _to_go_on_from(run)
    plain = stored.header["config"]
    if steps is not None:
        if "phases" in plain:
            raise UserError("this model has phases: --steps has no meaning for it")
        plain["train"]["steps"] = steps
    with provenance.telling_source(folder.path):
        spec = config.from_plain(stored.header["name"], plain, str(stored.path), registry, moved)
    changed = {k: v for k, v in changes.between(plain, spec.config).items() if changes.may(k, *v)}
    blueprint = dry.check(spec)
    _check_changed(spec, changed, blueprint)
    budget.leave_open(spec)
    device = distributed.start(spec.train.device, seconds(spec.train.timeout))
    graphs.settle(blueprint, device, Trainer)
    if len(set(distributed.gather(stored.step))) > 1:
        raise UserError(f"the processes see different checkpoints of {run}: they need one folder that all can read")
    with _alone(folder):
        if checkpoint.locate(run) != stored.path:
            raise UserError(
                Problem(f"{run} was trained on in the meantime", hint="the same command goes on from there")
            )
        session = Session(blueprint, folder, registry, device, quiet)
        ended = stored.header["session"].get("stop", {}).get("reason")
        complete = bool(ended) or stored.step >= session.trainer.total
        if complete and steps is None and session.cut_short(ended or "finished"):
            session.restore(stored)
            return folder, session.completed(ended or "finished")
        _check_unfinished(run, stored, session.trainer.total, steps)
        session.restore(stored, changed)
        if session.first and not quiet:
            for key, (was, now) in changed.items():
                session.console.say(f"changed from step {stored.step} on: {key} was {shown(was)}, is {shown(now)}")
            for line in _differences(stored.header["environment"], provenance.environment(spec, device)):
                session.console.say(line)
        return folder, session.run()


def _check_changed(spec: Spec, changed: Iterable[str], blueprint: Blueprint) -> None:
    """Refuse other rates where a scheduler of torch holds the rate in its own state.

    Raises:
        UserError: there is one.
    """
    rates = [key for key in changed if key.startswith("schedule.") or ".schedule." in key or key.endswith(".lr")]
    for player in (player for phase in spec.phases.values() for player in phase.players.values()):
        for component in player.schedules.values():
            maker = blueprint.factories[component.path]
            if rates and isinstance(maker, type) and issubclass(maker, LRScheduler):
                message = (
                    f"{rates[0]} cannot be changed in a run: {component.entry.id} of {player.name} keeps its rates"
                )
                raise UserError(Problem(message, component.origin, component.path, changes.ELSEWHERE))


def _to_go_on_from(run: Path) -> tuple[RunFolder, checkpoint.Checkpoint]:
    """The run folder that a run, or a checkpoint in one, stands for, and the checkpoint.

    Raises:
        UserError: it cannot be read, lies in no run folder, or holds weights alone.
    """
    stored = checkpoint.load(checkpoint.locate(run), whole=False)
    folder = RunFolder(run)
    if folder.path.is_file():
        folder = RunFolder(stored.path.resolve().parent.parent)
        if not folder.metrics.exists():
            raise UserError(f"{run} does not lie in a run folder, so there is no run to go on with")
    if "session" not in stored.header:
        hint = "start a new run from its weights: `ganzoo train MODEL parts.NAME.init=FOLDER`"
        raise UserError(Problem(f"{run} is a published model, which holds nothing to go on from", hint=hint))
    return folder, stored


def _check_unfinished(run: Path, stored: checkpoint.Checkpoint, total: int, steps: int | None) -> None:
    """Refuse a run that was stopped, unless more `steps` are asked for, and one that has its `total` steps.

    Raises:
        UserError: it is finished; the message says what trains on.
    """
    ended, in_phases = stored.header["session"].get("stop", {}).get("reason"), "phases" in stored.header["config"]
    if ended and steps is None:
        hint = "" if in_phases else f"`--steps {total}` trains on"
        raise UserError(Problem(f"{run} is finished: it was {ended}", hint=hint))
    if stored.step >= total:
        wanted = f", and --steps {steps} is no more than that" if steps else ""
        hint = "" if in_phases else f"`--steps {2 * stored.step}` trains on"
        raise UserError(Problem(f"{run} is finished: it has {stored.step} steps{wanted}", hint=hint))


def _differences(then: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """What has changed since a checkpoint, so that the run goes on, but not bit for bit."""
    keys = ("ganzoo", "python", "packages", "plugins", "device", "threads", "processes")
    changed = [f"{key} was {then.get(key)}, is {now[key]}" for key in keys if then.get(key) != now[key]]
    return [f"not bit for bit as before: {line}" for line in changed]
