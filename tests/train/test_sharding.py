"""Parts of which each of two processes holds a piece: the same training, half the memory, checkpoints in pieces."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.distributed.checkpoint import HuggingFaceStorageWriter
from typer.testing import CliRunner

from ganzoo import api
from ganzoo.cli.app import app
from ganzoo.errors import NoSpace, UserError
from ganzoo.model import blueprint
from ganzoo.parallel import distributed, shards
from ganzoo.run import start, warm
from ganzoo.run.session import Session
from ganzoo.store import checkpoint, pieces, published
from ganzoo.train.loop import Trainer
from tests.train.processes import numbers, together

SIZE = 16
LABELS = {"real": {"kind": "image", "shape": [1, SIZE, SIZE]}, "label": {"kind": "label", "classes": ["a", "b", "c"]}}
TRAIN = {"precision": "fp32", "batch": 8, "steps": 20, "log_every": 2, "rewrite": False}
MODEL: dict[str, Any] = {
    "extends": "base/unconditional.yaml",
    "data": {"use": "data.random", "count": 40, "fields": {"real": LABELS["real"]}},
    "parts": {
        "Z": {"use": "prior.normal", "size": 4},
        "G": {"use": "generator.mlp", "hidden": [32, 16], "activation": "leaky_relu", "shard": True},
        "D": {"use": "discriminator.mlp", "hidden": [16, 16], "shard": True},
        "adv": "adversarial.hinge",
        "l1": "loss.l1",
    },
    "log": {"away": "l1(fake, real)"},
    "players": {"D": {}, "G": {"ema": 0.9, "clip": 1.0}},
    "train": TRAIN,
    "plugins": {"tensorboard": False},
}
UNCLIPPED = {"players": {"G": {"clip": None}}}
CONVOLUTIONS = {
    **UNCLIPPED,
    "parts": {
        "G": {"use": "generator.dcgan", "width": 8, "shard": True},
        "D": {"use": "discriminator.dcgan", "width": 8, "shard": True},
    },
}
CLASSES = {
    "data": {"fields": LABELS},
    "parts": {
        "G": {"use": "generator.cgan", "noise": 8, "classes": 8, "joint": 16, "shard": True},
        "D": {"use": "discriminator.cgan", "image": 8, "classes": 8, "joint": 16, "shard": True},
    },
    "flow": {"fake": "G(z, label)"},
    "players": {
        "D": {"minimize": {"adversarial": "adv.d(D(real, label), D(fake, label))"}},
        "G": {"clip": None, "minimize": {"adversarial": "adv.g(D(fake, label), D(real, label))"}},
    },
}
ATTENTION = {
    **UNCLIPPED,
    "parts": {
        "G": {
            **{"use": "generator.biggan", "width": [8, 8, 8], "attention": 8, "shard": True},
            "with": {"sn": {"use": "regularizer.spectral_norm", "embeddings": False}},
        },
        "D": {
            **{"use": "discriminator.resnet", "width": [8, 8, 8], "base": 4, "plain": 1, "attention": 8, "shard": True},
            "with": {"sn": "regularizer.spectral_norm"},
        },
    },
}


def merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """A mapping over another; what names another component takes the whole place."""
    if "use" in over and "use" in base:
        return over
    return base | {k: merged(base[k], v) if isinstance(base.get(k), dict) else v for k, v in over.items()}


def trainers(model: dict[str, Any]) -> tuple[Trainer, Trainer]:
    """Two trainers of a model: without sharded parts, and with them."""
    drawn = api.Model(merged(MODEL, model)).blueprint
    cut = Trainer(drawn, torch.device("cpu"))
    for part in drawn.spec.parts.values():
        part.shard = False
    return Trainer(drawn, torch.device("cpu")), cut


def tensors(trainer: Trainer) -> dict[tuple[Any, ...], torch.Tensor]:
    """Every tensor of a trainer's state, whole."""
    return {path: shards.whole(tensor).clone() for path, tensor in shards.flat(trainer.state_dict()).items()}


def apart(one: dict[Any, Any], two: dict[Any, Any]) -> float:
    """The largest difference, as a part of the value where that is above one."""
    assert one.keys() == two.keys()
    pairs = [(torch.as_tensor(one[key]).double(), torch.as_tensor(two[key]).double()) for key in one]
    return max([((a - b).abs() / a.abs().clamp(min=1)).max().item() for a, b in pairs if a.numel()], default=0.0)


def compared(model: dict[str, Any], steps: int, folder: str, unit: int = 100) -> dict[str, Any]:
    """How far trainings with and without sharded parts come apart, what they hold, and how their checkpoints go on."""
    shards.UNIT = unit
    torch.set_default_dtype(torch.float32)
    blueprint.lay_out = lambda part: None  # type: ignore[assignment]  # channels last, which rounds otherwise
    plain, cut = trainers(model)
    losses = []
    for _ in range(steps):
        plain.advance()
        cut.advance()
        read = [trainer.meters.read() for trainer in (plain, cut)]
        norms = [{key: found.pop(key) for key in list(found) if key.endswith(".gradient")} for found in read]
        assert apart(*norms) < 1e-6  # summed in another order
        losses.append(apart(*read))
    held = [sum(shards.local(t).nbytes for t in shards.flat(t.state_dict()).values()) for t in (plain, cut)]
    units = sum(type(module).__name__.startswith("FSDP") for module in cut.parts["G"].modules())
    found = {"losses": losses, "state": apart(tensors(plain), tensors(cut)), "held": held, "units": units}
    images = []
    for trainer in (plain, cut):
        parts, averages = trainer.whole({"G"})
        network = {**parts, **averages}["G"].eval()
        assert not any(map(shards.is_sharded, network.parameters()))
        fields = {"label": torch.arange(2)} if "label" in trainer.blueprint.fields else {}
        with torch.no_grad():
            images.append(network(torch.ones(2, trainer.parts["Z"].size), **fields))
    found["images"] = apart({0: images[0]}, {0: images[1]})

    path = Path(folder) / checkpoint.name(steps)
    state = cut.state_dict()
    split = {key: tensor for key, tensor in shards.flat(state).items() if shards.is_sharded(tensor)}
    sizes = pieces.write(path, split)
    if distributed.rank() == 0:
        header = {"name": "model", "config": {"locked": {"fields": {}}, "parts": {}, "flow": {}}}
        checkpoint.save(path, header, state, sizes)
    distributed.barrier()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    if distributed.rank() == 1:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    with pytest.raises(NoSpace, match="the disk is full"):  # on all processes
        pieces.write(path.with_name("step_00000099.pt"), split)
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    before, stored = tensors(cut), checkpoint.load(path, whole=False)
    found["files"] = sorted(sizes)
    found["read"] = apart(before, shards.flat(checkpoint.load(path).state))
    plain, again = trainers(model)
    again.load_state_dict(stored.state, stored.read)
    plain.load_state_dict(checkpoint.load(path).state)
    found["resumed"], found["unsharded"] = apart(before, tensors(again)), apart(before, tensors(plain))
    for trainer in (cut, again, plain):
        trainer.advance()
    found["went on"], found["went on unsharded"] = (
        apart(tensors(cut), tensors(again)),
        apart(tensors(cut), tensors(plain)),
    )
    again.load_state_dict(plain.state_dict())
    found["sharded"] = apart(tensors(plain), tensors(again))
    return found


@pytest.mark.parametrize(
    "model",
    [
        pytest.param({}, id="mlp"),
        pytest.param(CONVOLUTIONS, id="dcgan", marks=pytest.mark.slow),
        pytest.param(CLASSES, id="cgan", marks=pytest.mark.slow),
        pytest.param(ATTENTION, id="attention", marks=pytest.mark.slow),
    ],
)
def test_sharded_parts_train_as_whole_ones(model: dict[str, Any], tmp_path: Path) -> None:
    """Up to rounding: norms are summed in another order, and gradients of several forwards averaged each by itself."""
    found = together(compared, model, 3, str(tmp_path))
    for each in found:
        assert max(*each["losses"], each["state"], each["images"]) <= 1e-6, each
        assert each["units"] > 1
        assert 0.45 < each["held"][1] / each["held"][0] < 0.75  # what is not of a parameter is whole
        for what in ("read", "resumed", "unsharded", "went on", "sharded"):
            assert each[what] == 0.0, what
        assert each["went on unsharded"] <= 1e-6
    assert {path.name for path in tmp_path.iterdir()} == {"step_00000003.pt", "step_00000003.shards"}
    assert found[0]["files"] == [f"shard-0000{rank}-model-00001-of-00001.safetensors" for rank in (1, 2)]


@pytest.mark.parametrize(
    ("over", "why"),
    [
        (
            {"parts": {"gp": "regularizer.gradient_penalty"}, "flow": {}, "term": "gp(D, real, fake)"},
            "gives the part itself",
        ),
        ({"parts": {"gp": "regularizer.gradient_penalty"}, "term": "gp(D(_), real, fake)"}, "is differentiated again"),
        ({"train": {"compile": True}}, "train.compile cannot compile it"),
        ({"train": {"graphs": True}}, "train.graphs cannot capture"),
        ({"update": "simultaneous"}, "in a simultaneous update"),
        (
            {"players": {"D": {"after": {"clip": {"use": "regularizer.clip_weights", "bound": 0.1}}}}},
            "the constraint clip",
        ),
        ({"parts": {"adv": {"use": "adversarial.hinge", "shard": True}}}, "has no parameters"),
    ],
)
def test_what_cannot_be_sharded_is_refused(over: dict[str, Any], why: str) -> None:
    over = dict(over)
    if "term" in over:
        over["players"] = {"D": {"minimize": {"penalty": over.pop("term")}}}
    with pytest.raises(UserError) as caught:
        api.Model(merged(MODEL, over)).blueprint  # noqa: B018
    assert all(why in problem.message and problem.path.endswith(".shard") for problem in caught.value.problems)


def test_one_process_holds_parts_whole() -> None:
    trainer = Trainer(api.Model(MODEL).blueprint, torch.device("cpu"))
    assert trainer.advance()
    assert not trainer.shards
    assert not any(map(shards.is_sharded, shards.flat(trainer.state_dict()).values()))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (("4.pt", "4.shards", ".8.shards.tmp"), ("4.pt", "4.shards")),
        (("4.pt", "4.shards", "8.shards"), ("4.pt", "4.shards")),
        (("4.pt", "4.shards", "8.pt.old", "8.shards"), ("4.pt", "4.shards", "8.pt.old", "8.shards.old")),
        (("8.pt.old", "8.shards.old", "8.shards"), ("8.pt.old", "8.shards.old")),
        (("8.shards.old",), ()),
    ],
)
def test_what_a_killed_process_left_is_swept(before: tuple[str, ...], after: tuple[str, ...], tmp_path: Path) -> None:
    for name in before:
        path = tmp_path / (f".step_{name[1:]}" if name[0] == "." else f"step_{name}")
        if "shards" in name:
            path.mkdir()
            (path / "piece").write_text(name)
        else:
            path.write_text(name)
    pieces.sweep(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {f"step_{name}" for name in after}


LONG = {
    "parts": {"psnr": "metric.psnr"},
    "evaluate": {"every": 8, "n": 16, "values": {"near": "psnr(fake, real)"}},
    "train": {**TRAIN, "steps": 12, "checkpoint_every": 4, "sample_every": 8},
}
RUN = merged(merged(CONVOLUTIONS, LONG), {"train": {**TRAIN, "steps": 32, "checkpoint_every": 4, "sample_every": 32}})
WRITER = HuggingFaceStorageWriter

SPOTS: dict[str, tuple[Any, str, bool, str]] = {  # whose function; whether after it; of which file, where several are
    "before its pieces": (WRITER, "write_data", False, ""),
    "after its pieces": (WRITER, "write_data", True, ""),
    "after its pieces, before the other's": (WRITER, "write_data", True, ""),
    "before the pieces have their name": (os, "replace", False, ".shards"),
    "when the pieces have their name": (os, "replace", True, ".shards"),
    "before the file": (checkpoint, "save", False, ""),
    "before the file has its name": (os, "replace", False, ".pt"),
    "when the file has its name": (os, "replace", True, ".pt"),
    "before the index": (Session, "index", False, ""),
    "before the index has its name": (os, "replace", False, "checkpoints/index.json"),
    "after the index": (checkpoint, "prune", False, ""),
    "when the old file is gone": (pieces, "remove", False, ""),
    "when one old piece is gone": (pieces, "remove", False, "piece"),
    "when all is done": (Session, "index", True, ""),
}
KILLED = [  # of a rank at a spot of the checkpoint of a step
    *((rank, spot, 8) for spot in ("before its pieces", "after its pieces, before the other's") for rank in (0, 1)),
    *((0, spot, 8) for spot in list(SPOTS)[1:7] if "other" not in spot),
    *((0, spot, step) for spot, step in zip(reversed(list(SPOTS)[7:]), range(8, 36, 4), strict=True)),
]


def trained(run: str, sharded: bool = True, spot: str = "", rank: int = 0, number: int = 2, model: Any = RUN) -> None:
    """Train, or go on; a process of this `rank` is killed at a spot of the checkpoint with this number from here."""
    blueprint.lay_out = lambda part: None  # type: ignore[assignment]
    if spot and distributed.rank() == rank:
        _kill(spot, number, Path(f"{run}.written"))
    elif "before the other's" in spot:
        _wait(number, Path(f"{run}.written"))
    if Path(run, "config.yaml").exists():
        moved = [] if sharded else ["parts.G.shard=false", "parts.D.shard=false"]
        start.resume(run, api.registry(), quiet=True, moved=moved)
    else:
        start.train(api.Model(merged(MODEL, model)).blueprint, run, api.registry(), quiet=True)


def _kill(spot: str, number: int, written: Path) -> None:
    owner, name, after, of = SPOTS[spot]
    function, calls = getattr(owner, name), 0

    def wrapped(*args: Any, **more: Any) -> Any:
        nonlocal calls
        calls += name != "replace" or str(args[1]).endswith(of)
        here = calls == number
        made = function(*args, **more) if after or not here else None
        if here and of == "piece":
            next(iter(sorted(pieces.folder_of(args[0]).iterdir()))).unlink()
        if here:
            written.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return made

    setattr(owner, name, wrapped)


def _wait(number: int, written: Path) -> None:
    """Write no pieces of a checkpoint until the other process has written its own."""
    function, calls = WRITER.write_data, 0

    def wrapped(*args: Any) -> Any:
        nonlocal calls
        calls += 1
        while calls == number and not written.exists():
            time.sleep(0.01)
        return function(*args)

    WRITER.write_data = wrapped  # type: ignore[method-assign]


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two processes, with sharded parts, that nothing disturbed."""
    run = tmp_path_factory.mktemp("sharded") / "straight"
    together(trained, str(run))
    return run


@pytest.mark.slow
def test_a_sharded_run_is_opened_whole(straight: Path) -> None:
    assert sorted(path.name for path in (straight / "checkpoints").iterdir()) == [
        "index.json",
        "step_00000032.pt",
        "step_00000032.shards",
    ]
    run = api.open(straight)
    assert run.sample(3).shape == (3, 1, SIZE, SIZE)
    run.save_pretrained(straight.parent / "published", None, licence="CC0-1.0", precision="fp32")
    assert api.open(straight.parent / "published").sample(3).equal(run.sample(3))
    init = {"parts": {"G": {"init": str(straight)}, "D": {"init": f"{straight}:D"}}}
    again = together(started, init)
    stored = checkpoint.load(checkpoint.locate(straight)).state
    for each in again:
        assert apart(each, {("parts", "D", key): value for key, value in stored["parts"]["D"].items()}) == 0.0
    shutil.rmtree(straight.parent / "published")


def started(init: dict[str, Any]) -> dict[tuple[Any, ...], torch.Tensor]:
    """The weights of D in a sharded trainer that starts from others."""
    model = merged(merged(MODEL, CONVOLUTIONS), {})
    for name, more in init["parts"].items():
        model["parts"][name] = {**model["parts"][name], **more}
    drawn = api.Model(model).blueprint
    trainer = Trainer(drawn, torch.device("cpu"))
    warm.start(drawn.spec, trainer.parts)
    return {path: tensor for path, tensor in tensors(trainer).items() if path[:2] == ("parts", "D")}


def files(run: Path) -> set[str]:
    return {str(path.relative_to(run)) for path in run.rglob("*")}


def same(one: Path, two: Path) -> float:
    """How far the last checkpoints of two runs are apart."""
    return apart(*(shards.flat(checkpoint.load(checkpoint.locate(run)).state) for run in (one, two)))


@pytest.mark.slow
def test_a_sharded_run_that_is_killed_at_every_spot_goes_on_exactly(straight: Path, tmp_path: Path) -> None:
    """One run, each time gone on with where it was killed, at the end that of its last checkpoint too."""
    run = tmp_path / "killed"
    for number, (rank, spot, step) in enumerate(KILLED):
        Path(f"{run}.written").unlink(missing_ok=True)
        codes = together(trained, str(run), True, spot, rank, 1 if number else 2, die=True)
        assert codes[rank] == -signal.SIGKILL, spot
        there = list(SPOTS).index(spot) >= list(SPOTS).index("when the file has its name")
        assert checkpoint.locate(run).name == checkpoint.name(step if there else step - 4), spot
    together(trained, str(run))
    assert files(run) == files(straight)
    assert same(run, straight) == 0.0
    assert numbers(run) == numbers(straight)


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 4])
def test_a_sharded_run_of_two_processes_goes_on_with_others(processes: int, tmp_path: Path) -> None:
    """As one process without sharding trains, up to rounding: sums over a batch are split in other ways."""
    # Adam's first steps are the signs of gradients, those that are nothing but rounding too, unless eps is above them
    plain, run, model = tmp_path / "plain", tmp_path / "run", merged(UNCLIPPED, LONG) | {"optimizer": {"eps": 1e-3}}
    whole = {"parts": {name: {**MODEL["parts"][name], "shard": False} for name in "GD"}}
    together(trained, str(plain), True, "", 0, 2, merged(model, whole), processes=1)
    together(trained, str(run), True, "when all is done", 0, 2, model, die=True)
    assert checkpoint.locate(run).name == "step_00000008.pt"
    together(trained, str(run), processes=processes)
    assert checkpoint.locate(run).name == "step_00000012.pt"
    assert (run / "checkpoints" / "step_00000012.shards").exists() == (processes > 1)
    logged = [{(r["step"], *key): v for r in numbers(each) for key, v in leaves(r)} for each in (plain, run)]
    assert len(logged[0]) > 12
    assert apart(*logged) <= 1e-6
    assert same(plain, run) <= 1e-6


def leaves(record: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], float]]:
    """The numbers of a record of a log, with where they stand."""
    if isinstance(record, dict):
        for key, value in record.items():
            yield from leaves(value, (*path, key))
    elif isinstance(record, int | float):
        yield path, record


@pytest.mark.slow
def test_commands_of_one_process_take_a_sharded_run(straight: Path, tmp_path: Path) -> None:
    run, out = tmp_path / "run", tmp_path / "published"
    shutil.copytree(straight, run)

    def ganzoo(*words: object) -> None:
        done = CliRunner().invoke(app, list(map(str, words)))
        assert done.exit_code == 0, (words, done.output, done.exception)

    ganzoo("sample", run, "-n", 4, "--out", tmp_path / "samples.png")
    ganzoo("compute", run, "D(fake)", "--out", tmp_path / "judged.npy")
    ganzoo("evaluate", run)
    ganzoo("export", run, "fake", "--out", tmp_path / "fake.pt2")
    ganzoo("report", run)
    ganzoo("publish", run, "--out", out, "--licence", "CC0-1.0", "--precision", "fp32")
    (weights,) = out.rglob(published.WEIGHTS)
    ganzoo("sample", weights.parent, "-n", 4, "--out", tmp_path / "again.png")
    measured = json.loads((run / "evaluations.jsonl").read_text().splitlines()[-1])
    assert measured["step"] == 32 and measured["protocol"]["n_fake"] == 16
    assert (tmp_path / "samples.png").read_bytes() == (tmp_path / "again.png").read_bytes()
    graph = torch.export.load(tmp_path / "fake.pt2").module()
    z = torch.randn(3, 4)
    assert torch.allclose(graph(z=z)[0], api.open(run).compute("fake", z=z), atol=1e-5)
    assert not any(path.suffix == pieces.ENDS for path in out.rglob("*"))


@pytest.mark.slow
def test_a_sharded_run_goes_on_without_sharding(straight: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    together(trained, str(run), True, "before the file", 0, die=True)
    together(trained, str(run), False)
    assert same(run, straight) <= 1e-6  # gradients are averaged in another order
    assert not list((run / "checkpoints").glob("*.shards"))
