"""Training into a run folder: what happens between the steps."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from ganzoo.config import limits
from ganzoo.config.limits import seconds
from ganzoo.config.spec import Value
from ganzoo.config.static import Graph
from ganzoo.contract import first
from ganzoo.errors import Collapsed, Diverged, GanzooError, Lost, NoSpace, Problem, UserError, choices, listed
from ganzoo.evaluation.evaluate import evaluate
from ganzoo.evaluation.records import Record, flat, mode_of, named
from ganzoo.model.blueprint import Blueprint
from ganzoo.model.inference import Inference
from ganzoo.parallel import distributed, launch, shards
from ganzoo.registry import Registry, plugins
from ganzoo.report.facts import STATUS
from ganzoo.run import callbacks, provenance, warm
from ganzoo.run.events import RunInfo
from ganzoo.run.interrupts import Interrupts
from ganzoo.run.pictures import describe, picture
from ganzoo.store import checkpoint, lock, pieces
from ganzoo.store.folder import RunFolder
from ganzoo.train import budget
from ganzoo.train.health import PAGE, Health, diversity
from ganzoo.train.loop import Trainer
from ganzoo.train.stopping import Stopping


class Session:
    """One stretch of training, from where the trainer stands to the end of its last phase.

    Args:
        blueprint: The checked model.
        folder: Where everything goes.
        registry: Its plugins follow the run.
        device: Where to train.
        quiet: No progress on the console.
    """

    def __init__(
        self, blueprint: Blueprint, folder: RunFolder, registry: Registry, device: torch.device, quiet: bool = False
    ):
        self.blueprint, self.spec, self.folder = blueprint, blueprint.spec, folder
        self.trainer = Trainer(blueprint, device)
        self.first = distributed.rank() == 0
        self.locked = provenance.locked(blueprint)
        self.warmup_seconds = 0.0
        steps = self.trainer.total if self.spec.train.budget is None else None
        self.info = RunInfo(folder.path, self.spec.name, self.locked, steps)
        own: list[Any] = [callbacks.Log(folder), callbacks.Pictures(folder)]
        self.console = callbacks.Console()
        if not quiet:
            own.append(self.console)
        own.append(callbacks.Report(folder))
        self.own = own
        self.manager = plugins.run_hooks(registry, own)
        self.hooks = self.manager.hook
        self.fingerprint = blueprint.data.fingerprint() if blueprint.data is not None else ""
        self.samples = len(blueprint.data) if blueprint.data is not None else 0
        if self.first and hasattr(blueprint.data, "doctor"):
            for finding in blueprint.data.doctor():
                self.console.say(f"data: {finding}")
        self.stopping = self.stopper()
        self.best: float | None = None
        self.best_file: str | None = None
        self.seconds = 0.0
        self.interrupts = Interrupts()
        self.due = False
        self.held: dict[str, torch.Tensor] | None = None
        self.health = Health()
        self.alarms: list[str] = []

    def stopper(self) -> Stopping:
        stop = self.spec.stop
        if stop is None:
            return Stopping(None)
        return Stopping(stop, stop.mode or mode_of(stop.watch, self.spec, self.trainer.parts))

    def begin(self) -> None:
        """Write what a new run starts with, warm-start its parts, and show the noise before training."""
        reports = warm.start(self.spec, self.trainer.parts)
        if reports:
            self.trainer.restart_averages()
        if self.trainer.plain:
            names = listed(self.trainer.plain)
            reports.append(f"not compiled: {names}, for a penalty differentiates what is computed twice")
        if self.first:
            header = f"# {self.spec.name}, as composed; locked.yaml has every default and fact filled\n"
            self.folder.sweep()
            self.folder.write_yaml("config.yaml", self.spec.config, header)
            self.folder.write_yaml("locked.yaml", self.locked)
            self.folder.write_json("environment.json", provenance.environment(self.spec, self.trainer.device))
            provenance.keep_source(self.spec, self.folder.path)
            lock.check_held(self.folder.path)
            for line in reports if self.console in self.own else ():
                self.console.say(line)

    def restore(self, stored: checkpoint.Checkpoint, changes: Mapping[str, Any] | None = None) -> None:
        """Go on from a checkpoint.

        Args:
            stored: The checkpoint.
            changes: Settings of training that are others from here on: by their paths, what they were and are.

        Raises:
            UserError: the data is not what the run was trained on.
        """
        then = stored.header["fingerprint"]
        if then != self.fingerprint:
            rows, data = stored.header.get("samples"), self.spec.data
            message = f"the data is not what {self.folder.path} was trained on: {rows} samples then, {self.samples} now"
            if rows == self.samples:
                message = f"the data is not what {self.folder.path} was trained on, though there is as much of it"
            hint = "bring it back; or start a new run from these weights with parts.NAME.init=RUN"
            raise UserError(Problem(message, data.origin if data else None, "data", hint))
        self.trainer.load_state_dict(stored.state, stored.read, bool(changes))
        before = stored.header["config"]["locked"].get("changes", [])
        if before or changes:
            now = [{"step": self.trainer.step, "settings": dict(changes)}] if changes else []
            self.locked["locked"]["changes"] = [*before, *now]
        session = stored.header["session"]
        self.best, self.best_file, self.seconds = session["best"], session["best_file"], session["seconds"]
        self.stopping.load_state_dict(session.get("stop", {}))
        if self.first:
            self.folder.cut_back(self.trainer.step)
            self.health.recall(self.folder.records())
            self.folder.sweep()
            checkpoint.set_aside(self.folder, self.trainer.step)
            self.folder.write_yaml("locked.yaml", self.locked)
            self.folder.write_json("environment.json", provenance.environment(self.spec, self.trainer.device))

    def cut_short(self, reason: str) -> bool:
        """Whether the run reached its last checkpoint, but was killed, or could not write, before it said so."""
        return self.folder.read_json(STATUS).get("reason") != reason

    def completed(self, reason: str) -> str:
        """Do what a run that was cut short after its last checkpoint had still to do; the reason why it ended."""
        self.tell("on_start", step=self.trainer.step)
        if self.first:
            self.index(self.folder.checkpoints / checkpoint.name(self.trainer.step))
        self.tell("on_end", step=self.trainer.step, reason=reason)
        return reason

    # -- the run ---------------------------------------------------------------------------------------------------

    def run(self) -> str:
        """Train to the end; the reason it stopped: ``finished``, ``interrupted``, or ``stopped …`` and why.

        Raises:
            Diverged: a term or a parameter was NaN or infinite. The last checkpoint is from before that.
            Lost: another process is gone.
        """
        with self.interrupts.handled():
            return self.trained()

    def trained(self) -> str:
        """Train to the end, and tell the hooks why it ended, whatever happens; the reason."""
        try:
            self.tell("on_start", step=self.trainer.step)
            reason = self.loop()
        except Diverged as error:
            what = "collapsed" if isinstance(error, Collapsed) else "diverged"
            self.tell("on_end", step=self.trainer.step, reason=f"{what}: {error}")
            raise self.explained(error) from None
        except Lost as error:
            self.tell("on_end", step=self.trainer.step, reason=f"failed: {error}")
            raise Lost(f"{error}; {self.left()}") from error
        except KeyboardInterrupt:
            self.tell("on_end", step=self.trainer.step, reason="interrupted")
            raise
        except NoSpace as error:
            with suppress(UserError):  # there is no room for the end of the log either
                self.tell("on_end", step=self.trainer.step, reason=f"failed: {error}")
            hint = f"make room; {self.left()}"
            raise NoSpace(replace(problem, hint=hint) for problem in error.problems) from error
        except BaseException as error:
            self.tell("on_end", step=self.trainer.step, reason=f"failed: {error}")
            raise
        lock.check_held(self.folder.path)
        self.tell("on_end", step=self.trainer.step, reason=reason)
        return reason

    def loop(self) -> str:
        """Step after step, each followed by what is due; why the last was the last."""
        settings = self.spec.train
        self.clock, self.counted = time.monotonic(), self.trainer.step
        if self.trainer.step == 0:
            self.aside(self.pictures)
        while self.trainer.advance():
            if settings.budget is not None:
                self.fit(settings.budget)
                if self.trainer.step == 0:
                    continue
            step, last = self.trainer.step, self.trainer.step == self.trainer.total
            self.after_step(step, last)
            if self.stopping.reason and not last:
                return self.stopping.reason
            if not last and self.interrupts.stop(step):
                if step % settings.checkpoint_every:
                    self.checkpoint()
                return "interrupted"
        return "finished"

    def after_step(self, step: int, last: bool) -> None:
        """Log, pictures, metrics and a checkpoint, where they are due; all of them where the run ends."""
        settings = self.spec.train
        if step % settings.log_every == 0 or last:
            self.log()
        ends = last or bool(self.stopping.reason)
        if step % settings.sample_every == 0 or ends:
            self.aside(self.pictures)
        if self.spec.metrics and (step % self.spec.evaluate.every == 0 or ends):
            self.aside(self.evaluation)
        if self.stopping.reason and not ends and step % settings.sample_every:  # a metric has just ended it
            self.aside(self.pictures)
        if self.due or step % settings.checkpoint_every == 0 or last or self.stopping.reason:
            self.aside(self.checkpoint)

    def fit(self, allowed: str | float) -> None:
        """Fix the number of steps once enough of them were timed; from there the run is like any other.

        A schedule that would have been different in the steps so far starts the training again.
        """
        if self.trainer.step not in (budget.WARM, budget.TIMED):
            return
        if self.trainer.device.type == "cuda":
            torch.cuda.synchronize(self.trainer.device)
        spent = self.seconds + time.monotonic() - self.clock
        if self.trainer.step == budget.WARM:
            self.warmup_seconds = spent
            return
        step = (spent - self.warmup_seconds) / (budget.TIMED - budget.WARM)
        steps = budget.fitting(seconds(allowed), spent, step, budget.TIMED)
        steps = distributed.gather(steps)[0]
        (phase,) = self.spec.phases.values()
        phase.steps = self.spec.train.steps = steps
        self.spec.train.budget = None
        state = self.trainer.state_dict() if budget.unchanged(self.blueprint, steps, budget.TIMED) else None
        before, self.trainer = self.trainer, Trainer(self.blueprint, self.trainer.device)
        if state is not None:
            self.trainer.load_state_dict(state)
            self.trainer.meters.diagnostics = before.meters.diagnostics  # this step is still to be logged
        else:
            warm.start(self.spec, self.trainer.parts)
            self.trainer.restart_averages()
            self.counted, self.best, self.best_file, self.due, self.alarms = 0, None, None, False, []
            self.stopping = self.stopper()
            if self.first:
                self.folder.cut_back(0)
                self.health.recall(self.folder.records())
                checkpoint.clear(self.folder)
        self.locked = provenance.locked(self.blueprint)
        self.info = replace(self.info, config=self.locked, steps=steps)
        if self.first:
            self.folder.write_yaml("locked.yaml", self.locked)
            if self.console in self.own:
                self.console.say(f"budget: {allowed} is {steps} steps of {1000 * step:.3g} ms")

    def tell(self, hook: str, **what: Any) -> None:
        """Call a run hook, on the first process. A plugin that fails is left out; training goes on."""
        if not self.first:
            return
        given = {"run": self.info, **what}
        for impl in reversed(getattr(self.hooks, hook).get_hookimpls()):
            try:
                impl.function(*(given[name] for name in impl.argnames))
            except (Exception, SystemExit) as error:
                if impl.plugin in self.own:
                    raise
                why = str(error) if isinstance(error, GanzooError) else repr(error)
                self.console.say(f"plugin {impl.plugin_name} failed in {hook} and is left out from here on: {why}")
                self.manager.unregister(impl.plugin)

    def aside(self, work: Any) -> None:
        """Do something that does not count as training time; all wait for the process that does it."""
        before = time.monotonic()
        work()
        distributed.barrier()
        self.clock += time.monotonic() - before

    def log(self) -> None:
        """Read the meters: the only regular wait for the device."""
        trainer = self.trainer
        values = trainer.meters.read() | trainer.rates()
        now = time.monotonic()
        elapsed, steps = now - self.clock, trainer.step - self.counted
        self.clock, self.counted = now, trainer.step
        self.seconds += elapsed
        interval = min(max(int(steps / max(elapsed, 1e-9)), 1), self.spec.train.log_every)
        self.interrupts.interval = distributed.gather(interval)[0]
        self.improve(values)
        self.act(values)
        values["epoch"] = round(trainer.feed.epoch, 4)
        values["seconds"] = round(self.seconds, 3)
        values["samples_per_second"] = round(steps * self.spec.train.batch / max(elapsed, 1e-9), 1)
        self.tell("on_step", step=trainer.step, values=values)
        if trainer.gradients is not None:
            arrays = {name: gradient.numpy() for name, gradient in trainer.gradients.items()}
            self.tell("on_gradients", step=trainer.step, gradients=arrays)
        self.heed({}, self.health.see(trainer.step, values))
        if self.spec.train.on_collapse == "stop" and (alarms := distributed.gather(self.alarms)[0]):
            raise Collapsed(alarms[0])

    def heed(self, values: dict[str, float], warnings: list[str]) -> None:
        """Pass on what the samples' numbers are and what looks wrong."""
        self.alarms += warnings
        if values or warnings:
            self.tell("on_health", step=self.trainer.step, values=values, warnings=warnings)

    def improve(self, values: dict[str, float]) -> None:
        """Ask for a checkpoint if these values hold a new best."""
        keep = self.spec.train.keep
        value = named(keep.best, values)
        if value is not None and value == value:
            mode = keep.mode or mode_of(keep.best or "", self.spec, self.trainer.parts)
            better = self.best is None or (value < self.best if mode == "min" else value > self.best)
            if better:
                self.best, self.due = value, True
                self.best_file = checkpoint.name(self.trainer.step)

    def act(self, values: dict[str, float]) -> None:
        """Let schedules and ``stop:`` go by what was logged or evaluated; `values` are the same on every process."""
        self.trainer.see(lambda name: named(name, values))
        self.stopping.see(named(self.stopping.watch, values), self.trainer.step)

    def inference(self, values: Iterable[Value]) -> Inference:
        """What computes these values; all processes must ask for it, for parts that are sharded become whole."""
        graph = Graph(self.spec)
        parts, averages = self.trainer.whole({name for value in values for name in graph.of(value)})
        return Inference(self.blueprint, parts, averages, self.trainer.step)

    def held_inputs(self, n: int) -> dict[str, torch.Tensor]:
        """The same rows all run long, from what is not trained on if the data has such."""
        data = self.blueprint.data
        if data is None:
            return {}
        if self.held is None or len(next(iter(self.held.values()))) < n:
            held = data.held_out() or data
            self.held = held.batch(torch.arange(n) % len(held), torch.device("cpu"))
        return {name: rows[:n] for name, rows in self.held.items()}

    def pictures(self) -> None:
        """What ``show:`` asks for, from the same noise and inputs every time."""
        spec = self.spec
        self.trainer.average_buffers()
        if not spec.shown:
            return
        sample = spec.flow.get(spec.sample) if self.trainer.step else None  # untrained, it says nothing
        values = [*([sample] if sample else []), *spec.shown, *([spec.score] if spec.score else [])]
        inference = self.inference(values)
        if not self.first:
            return
        given, across = self.held_inputs(spec.show.n), spec.show.across
        if spec.show.rows:
            given[spec.show.rows], each = self.blueprint.fields[spec.show.rows].in_rows(spec.show.n)
            across = across or each
        results = inference.compute(values, spec.show.n, (spec.train.seed, "show"), given)
        if sample is not None:
            found = diversity(spec, results.pop(0), given)
            self.heed(found, self.health.see(self.trainer.step, found))
        scores = first(results.pop()) if spec.score else None
        columns = dict(zip((v.name for v in spec.shown), results, strict=True))
        shapes = {first(t).shape[1:] for t in columns.values()}
        vectors = (name for name, field in self.blueprint.fields.items() if field.kind == "vector")
        real = next((given[name] for name in vectors if name in given and given[name].shape[1:] in shapes), None)
        image = picture(columns, self.blueprint.fields, scores, real, across)
        if image is not None:
            self.tell("on_samples", step=self.trainer.step, picture=image)
        points = {n: t for n, t in columns.items() if isinstance(t, torch.Tensor) and t.ndim == 2 and t.shape[1] <= 3}
        if points and real is not None:
            table = {"real": describe(real)} | {name: describe(t) for name, t in points.items()}
            self.folder.write_json("samples/summary.json", table)

    def evaluation(self) -> None:
        """The model's metrics."""
        self.trainer.average_buffers()
        values: dict[str, float] = {}
        if (records := self.measured()) and self.first:
            values = flat(records)
            self.improve(values)
            logged = {*self.spec.log, *(player for phase in self.spec.phases.values() for player in phase.players)}
            for name, _, path in limits.watching(self.spec):
                if name.split(".")[0] not in logged and named(name, values) is None:
                    self.console.say(f"{path}: there is no '{name}' ({choices(name, values)}), so it has no effect")
            self.tell("on_evaluation", step=self.trainer.step, values=values, records=records)
        self.due = distributed.agree(self.due)
        self.act(distributed.gather(values)[0])

    def measured(self) -> list[Record]:
        """What the metrics say; none where they cannot be computed, for which training does not end."""
        try:
            return evaluate(self.inference(self.spec.metrics.values()))
        except Lost:
            raise
        except Exception as error:  # of any metric, of whoever wrote it
            what = str(error) if isinstance(error, GanzooError) else f"{type(error).__name__}: {error}"
            if self.first:
                self.console.say(f"warning: nothing could be measured at step {self.trainer.step}: {what}")
            return []

    def checkpoint(self) -> None:
        """Write a checkpoint, unless something in it is not finite."""
        self.trainer.meters.check()
        if not self.trainer.finite():
            raise Diverged(f"a parameter was not finite at step {self.trainer.step}, though every term was")
        state = self.trainer.state_dict()
        self.due = False
        path = self.folder.checkpoints / checkpoint.name(self.trainer.step)
        if self.first:
            lock.check_held(self.folder.path)
        cut = {key: tensor for key, tensor in shards.flat(state).items() if shards.is_sharded(tensor)}
        sizes = pieces.write(path, cut) if cut else {}
        if not self.first:
            return
        checkpoint.save(path, self.header(), state, sizes)
        self.index(path)
        self.tell("on_checkpoint", step=self.trainer.step, path=path)

    def index(self, path: Path) -> None:
        """Say which checkpoint is the last and which the best, and delete those that are not kept."""
        self.folder.write_json(
            "checkpoints/index.json",
            {"last": path.name, "best": self.best_file, "value": self.best, "stopped": self.stopping.reason or None},
        )
        checkpoint.prune(self.folder, self.spec.train.keep, self.best_file)

    def header(self) -> dict[str, Any]:
        """What a checkpoint says beside its tensors: all that opening it and going on from it need."""
        return {
            "name": self.spec.name,
            "config": self.locked,
            "fingerprint": self.fingerprint,
            "samples": self.samples,
            "environment": provenance.environment(self.spec, self.trainer.device),
            "averages": sorted(self.trainer.averages()),
            "session": {
                "best": self.best,
                "best_file": self.best_file,
                "seconds": self.seconds,
                "stop": self.stopping.state_dict(),
            },
        }

    def explained(self, error: Diverged) -> Diverged:
        """The error with what is left of the run and what to try."""
        files = checkpoint.every(self.folder)
        kept = f"the last good checkpoint is {files[-1]}" if files else "there is no checkpoint from before that"
        if isinstance(error, Collapsed):
            return Collapsed(f"stopped by train.on_collapse: {error}; {kept}")
        player = error.player or "NAME"
        state = self.trainer.players.get(player)
        rate = state.optimizer.defaults["lr"] if state is not None else None  # as it is set, whatever its schedule
        lower = f"players.{player}.optimizer.lr={rate / 5:.2g}" if rate else f"a lower players.{player}.optimizer.lr"
        tries = [lower, f"players.{player}.clip=1"]
        if self.trainer.train.precision != "fp32":
            tries.append("train.precision=fp32")
        return Diverged(f"training diverged: {error}; {kept}. Try {', '.join(tries)}; {PAGE} has more")

    def left(self) -> str:
        """What is left of a run that lost a process, and how to go on."""
        files = checkpoint.every(self.folder)
        count, most = launch.restarts()
        if count < most:
            return f"torchrun may start again, {count + 1} of {most}, from {files[-1] if files else 'the beginning'}"
        if not files:
            return f"there is no checkpoint yet, so delete {self.folder.path} and start again"
        return f"go on from {files[-1]} with: {launch.command('resume', self.folder.path)}"
