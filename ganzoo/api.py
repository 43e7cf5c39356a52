"""The same from Python: load a model, check it, train it; open a run, sample from it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from ganzoo import config
from ganzoo.config import compose
from ganzoo.config.spec import Component
from ganzoo.errors import Problem, UserError
from ganzoo.registry import Registry, plugins
from ganzoo.store import names


class Model:
    """A model that was composed from YAML and can be checked and trained.

    Args:
        model: ``paper/variant``, ``paper``, the path of a YAML file, or a mapping that reads like one.
        overrides: ``{"train.batch": 128}``, or ``["train.batch=128"]``.
        registry: Where components are found; everything installed if not given.
        data: Data in hand instead of the model's own; see :func:`load`.

    Raises:
        UserError: with every problem that can be found without importing a component.
    """

    def __init__(
        self,
        model: str | Path | Mapping[str, Any],
        overrides: Mapping[str, Any] | Iterable[str] = (),
        registry: Registry | None = None,
        data: Any = None,
    ):
        self.registry = registry if registry is not None else plugins.installed()
        given = hold(data, self.registry) if data is not None else {}
        self.spec = config.load(model, overrides, self.registry, given)
        self.name = self.spec.name

    def __repr__(self) -> str:
        lines = self.spec.lines()
        more = [f"… and {len(lines) - 18} more"] if len(lines) > 18 else []
        return "\n".join([f"<Model {self.name}", *(f"  {line}" for line in [*lines[:18], *more])]) + ">"

    def _repr_html_(self) -> str:
        """What a notebook shows: equations, parts, shapes and counts, as ``ganzoo explain`` says them."""
        from html import escape

        from ganzoo.model.explain import text

        return f"<pre>{escape(text(self.blueprint))}</pre>"

    @cached_property
    def blueprint(self) -> Any:
        """The model checked to the end: arguments, facts, shapes, gradients.

        Raises:
            UserError: with every problem found.
        """
        from ganzoo.model import dry

        with self._where_data_is():
            return dry.check(self.spec)

    @contextmanager
    def _where_data_is(self) -> Iterator[None]:
        """A problem with the data also names what the user's own needs, or models of the paper on bundled data."""
        try:
            yield
        except UserError as error:
            raise UserError(map(self._with_data_hint, error.problems)) from error

    def _with_data_hint(self, problem: Problem) -> Problem:
        first, _, key = problem.path.partition(".")
        if first != "data":
            return problem
        if not problem.hint:
            return replace(problem, hint=compose.bundled_variants(self.name, self.registry).removeprefix("; "))
        reader = next((entry for entry in self.registry if entry.facts.get("reads") == "folder"), None)
        if reader and self.spec.data and {"real"} <= {*(self.spec.fields or ())} <= {"real", "label"}:
            from ganzoo.model.factory import arguments

            if key in arguments(reader.load()).keys() - arguments(self.spec.data.entry.load()).keys():
                return replace(problem, hint=f"{problem.hint}; for images of your own: data.use={reader.id}")
        return problem

    def check(self) -> list[str]:
        """Check everything that can be checked without computing; the warnings.

        Raises:
            UserError: with every problem found.
        """
        found = [*self.spec.warnings, *self.blueprint.notes]
        from ganzoo.run import warm

        warm.check(self.spec)
        return found

    def locked(self) -> dict[str, Any]:
        """The config with every default and fact filled."""
        from ganzoo.run.provenance import locked

        return locked(self.blueprint)

    def doctor(self) -> list[Any]:
        """What the data component finds out about its files and rows, worst first.

        Raises:
            UserError: the files are not there, or the data component cannot examine itself.
        """
        from ganzoo.model.blueprint import load_factories, make_data, reading

        data = make_data(self.spec.data, load_factories(self.spec))
        if not hasattr(data, "diagnose"):
            raise UserError(f"the data of {self.name} has no doctor; data of images and labels has one")
        with self._where_data_is(), reading(self.spec.data):
            return data.diagnose()

    def profile(self, steps: int = 20, phase: str | None = None) -> dict[str, Any]:
        """Where the time, FLOPs and memory of a training step go, measured on throw-away copies, as plain data.

        Raises:
            UserError: the model is wrong, there is no such phase, or its data is not there.
        """
        from ganzoo.parallel import distributed
        from ganzoo.train.profile import profile

        with self._where_data_is():
            return profile(self.blueprint, distributed.start(self.spec.train.device), steps, phase)

    def run(self, out: str | Path | None = None, quiet: bool = False) -> tuple[Any, str]:
        """Train into a new run folder; the folder, and why it ended: ``finished``, ``interrupted``, or ``stopped …``.

        Raises:
            UserError: the model is wrong, or the folder is taken.
            Diverged: training produced NaN or infinity.
        """
        from ganzoo.run.start import train

        with self._where_data_is():
            return train(self.blueprint, out, self.registry, quiet)

    def train(self, out: str | Path | None = None, quiet: bool = False) -> Any:
        """Train into a new run folder (``runs/<model>-001`` if not given); the run, opened.

        Raises:
            UserError: the model is wrong, or the folder is taken.
            Diverged: training produced NaN or infinity.
        """
        from ganzoo.run.opened import Run

        folder, _ = self.run(out, quiet)
        return Run(folder.path, self.registry)


def pack(
    source: str | Path,
    out: str | Path,
    layout: str = "memmap",
    overrides: Iterable[str] = (),
    registry: Registry | None = None,
) -> tuple[str, dict[str, Any]]:
    """Write a folder of images, or the data of a model, in a layout that training reads fast.

    Args:
        source: The folder, or a model.
        out: The folder to write.
        layout: One that a data component says it packs.
        overrides: Arguments of the component that reads the folder, such as ``size=64``; or a model's overrides.
        registry: Where components are found; everything installed if not given.

    Returns:
        The component that reads what was written, and what was written: its layout and splits.

    Raises:
        UserError: the source or an argument is wrong, or `out` exists or cannot be written.
    """
    from ganzoo.model import factory

    registry = registry if registry is not None else plugins.installed()
    writer, place = registry.offering("packs", layout), Path(out).expanduser()
    if Path(source).expanduser().is_dir():
        reader = registry.offering("reads", "folder")
        component = config.component(reader, {"root": str(source)}, overrides, registry)
    else:
        component = _data_of(source, overrides, registry)
    problems: list[Problem] = []
    maker = factory.check(component, problems)
    if maker is None or problems:
        raise UserError(problems)
    data = factory.make(component, maker, factory.complete(component, maker, {}))
    written = writer.load().pack(data, place)  # type: ignore[attr-defined]
    return writer.id, written


def _data_of(model: str | Path, overrides: Iterable[str], registry: Registry) -> Component:
    """The data component of a model."""
    try:
        compose.find(model, registry)
    except UserError as error:
        raise UserError(f"there is no folder and no model '{model}'") from error
    spec = Model(model, overrides, registry).spec
    if spec.data is None:
        raise UserError(f"{spec.name} has no data")
    return spec.data


def load(
    model: str | Path | Mapping[str, Any],
    overrides: Mapping[str, Any] | Iterable[str] = (),
    code: str | Path | None = None,
    data: Any = None,
) -> Model:
    """A model by name, path or as a mapping, with overrides: ``ganzoo.load("dcgan", {"train.batch": 128})``.

    Args:
        model: ``paper/variant``, ``paper``, the path of a YAML file, or a mapping that reads like one.
        overrides: ``{"train.batch": 128}``, or ``["train.batch=128"]``.
        code: A Python file with more components.
        data: Data in hand instead of the model's own: an array or tensor (``N C H W``, ``N H W C`` of uint8, ``N n``),
            ``(images, labels)``, a mapping of field names to these, a map-style data set, or a Hugging Face data set.

    Raises:
        UserError: with every problem that can be found without importing a component, or what is wrong with the data.
    """
    return Model(model, overrides, registry(code), data)


def hold(data: Any, registry: Registry) -> dict[str, Any]:
    """Overrides by which a model takes data in hand as its own.

    Raises:
        UserError: it is no data that could be used.
    """
    entry = registry.offering("reads", "objects")
    return {"data": {"use": entry.id, **entry.load().hold(data)}}  # type: ignore[attr-defined]


def resume(
    run: str | Path,
    steps: int | None = None,
    data: Any = None,
    overrides: Iterable[str] = (),
    code: str | Path | None = None,
    quiet: bool = False,
) -> Any:
    """Go on with a run from its last checkpoint, exactly as if it had never stopped; the run, opened.

    Args:
        run: The run folder, or an older checkpoint in it; newer ones are then set aside.
        steps: Train to this step instead of the one that the run was made for.
        data: The data that the run was trained on, if a program had it in hand: the same, which is checked.
        overrides: Where the data or the device is now, such as ``["data.root=FOLDER"]``.
        code: A Python file with more components.
        quiet: Whether nothing is said while it trains.

    Raises:
        UserError: there is nothing to resume, it cannot be read, or the data is not what it was.
        Diverged: training produced NaN or infinity.
    """
    from ganzoo.run import start
    from ganzoo.run.opened import Run

    known = registry(code)
    if data is not None:
        _same(run, hold(data, known)["data"])
    folder, _ = start.resume(run, known, steps, quiet, overrides)
    return Run(folder.path, known)


def _same(run: str | Path, given: Mapping[str, Any]) -> None:
    """Refuse data in hand that a run was not trained on."""
    from ganzoo.store import checkpoint

    stored = checkpoint.load(checkpoint.locate(run)).header["config"].get("data") or {}
    if stored.get("use") != given["use"]:
        raise UserError(f"{run} was trained on {stored.get('use', 'no data')}, not on data in hand: leave data=… out")
    if stored != given:
        raise UserError(f"the data given is not what {run} was trained on; bring that, or start a new run")


def make(name: str, /, *, code: str | Path | None = None, **arguments: Any) -> Any:
    """A component by its name, made with checked arguments: ``ganzoo.make("regularizer.r1")``.

    Args:
        name: The kind and the name, as in a model file.
        code: A Python file with more components.
        arguments: Those of the component; facts that a model would read, such as ``in_channels``, are given here too.

    Raises:
        UserError: there is no such component, or an argument is wrong or missing.
    """
    from ganzoo.model import factory

    known = registry(code)
    component = config.component(known.find(name), arguments, (), known, "ganzoo.make")
    problems: list[Problem] = []
    maker = factory.check(component, problems)
    needed = factory.arguments(maker).values() if maker is not None else ()
    missing = [a.name for a in needed if a.is_fact and a.default is factory.EMPTY and a.name not in arguments]
    if missing:
        hint = f"give {missing[0]}=…, which a model would know"
        problems.append(Problem(f"{name} needs {', '.join(missing)}", hint=hint))
    if maker is None or problems:
        raise UserError(problems)
    return factory.make(component, maker, factory.complete(component, maker, {}))


def open(
    path: str | Path, which: str = "last", raw: bool = False, device: str = "auto", code: str | Path | None = None
) -> Any:
    """A run folder, a checkpoint, or a published model, opened: ``ganzoo.open("zoo:NAME").sample(64)``.

    Args:
        path: A path, the folder of a published model too; ``zoo:NAME`` of a trained model that is installed; or
            ``hf:USER/NAME`` of one on the Hugging Face Hub.
        which: Of a run, the ``last`` checkpoint or the ``best``.
        raw: The trained weights, even where averages are kept.
        device: Where to compute.
        code: A Python file with more components.

    Raises:
        UserError: there is no such run, a plugin is missing, or the checkpoint is damaged.
    """
    from ganzoo.run.opened import Run

    return Run(path, registry(code), which, raw, device)


def opened(
    source: str | Path,
    overrides: Iterable[str] = (),
    which: str = "last",
    raw: bool = False,
    code: str | Path | None = None,
) -> Any:
    """A run, as :func:`open` has it; or a model without one, whose parts get their weights by ``parts.NAME.init``.

    Args:
        source: A run, as :func:`open` takes it, or a model's name or YAML file.
        overrides: Of a model, such as ``["parts.G.init=FILE"]``.
        which: Of a run, the ``last`` checkpoint or the ``best``.
        raw: Of a run, the trained weights even where averages are kept.
        code: A Python file with more components.

    Raises:
        UserError: there is neither such a run nor such a model, or it is wrong.
    """
    known, stated = registry(code), list(overrides)
    if not _is_model(source, known):
        return open(source, which, raw, code=code)
    from ganzoo.run.untrained import Untrained

    return Untrained(Model(str(source), stated, known).blueprint, known)


def _is_model(source: str | Path, registry: Registry) -> bool:
    """Whether that is a model's name or file, and no run."""
    path = Path(source)
    if names.is_named(source):
        return False
    if path.suffix in (".yaml", ".yml"):
        return True
    try:
        return not path.exists() and bool(compose.find(str(source), registry))
    except UserError:
        return False


def publish(
    runs: Iterable[str | Path], out: str | Path, which: str = "last", code: str | Path | None = None, **how: Any
) -> list[Any]:
    """Publish runs, each into ``OUT/<paper>/<variant>``: weights that are needed, numbers, licence, card.

    Args:
        runs: Run folders or checkpoints; or published models, in less precision.
        out: The folder that holds them.
        which: The ``last`` checkpoint or the ``best``.
        code: A Python file with more components.
        how: ``metrics``, ``n``, ``replace``, ``say``, ``licence``, ``unfinished``, ``precision``; see
            :meth:`ganzoo.run.opened.Run.save_pretrained`.

    Raises:
        UserError: one of them may not be published, and then none is; or the folder is taken.
    """
    from ganzoo.run import publish

    opened = [open(run, which, code=code) for run in runs]
    return publish.publish(opened, Path(out).expanduser(), **how)


def registry(code: str | Path | None = None) -> Registry:
    """Everything installed, with a local plugin file if one is given."""
    if code is None:
        return plugins.installed()
    found = plugins.discover()
    plugins.add_file(found, code)
    return found
