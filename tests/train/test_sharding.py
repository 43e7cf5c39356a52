"""Parts of which each of two processes holds a piece: the same training, half the memory, checkpoints in pieces."""

from __future__ import annotations

import os
import resource
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.distributed.checkpoint import HuggingFaceStorageWriter

from ganzoo import api
from ganzoo.errors import NoSpace, UserError
from ganzoo.model import blueprint
from ganzoo.parallel import distributed, shards
from ganzoo.run import start, warm
from ganzoo.store import checkpoint, pieces
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


RUN = merged(CONVOLUTIONS, {"train": {**TRAIN, "steps": 8, "checkpoint_every": 4, "sample_every": 8}})


SPOTS = ("before its pieces", "after its pieces", "before the file")


def trained(run: str, sharded: bool = True, spot: str = "", rank: int = 0) -> None:
    """Train, or go on; a process of this `rank`, or each, is killed at a spot of the second checkpoint."""
    blueprint.lay_out = lambda part: None  # type: ignore[assignment]
    if spot and distributed.rank() == rank:
        _kill(spot)
    if Path(run, "config.yaml").exists():
        moved = [] if sharded else ["parts.G.shard=false", "parts.D.shard=false"]
        start.resume(run, api.registry(), quiet=True, moved=moved)
    else:
        start.train(api.Model(merged(MODEL, RUN)).blueprint, run, api.registry(), quiet=True)


def _kill(spot: str) -> None:
    def die(*args: Any) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    write, save = HuggingFaceStorageWriter.write_data, checkpoint.save
    calls: list[str] = []

    def second(*args: Any) -> bool:
        calls.append("")
        return len(calls) == 2

    if spot == "before its pieces":
        HuggingFaceStorageWriter.write_data = lambda *args: die() if second() else write(*args)  # type: ignore
    elif spot == "after its pieces":
        HuggingFaceStorageWriter.write_data = lambda *args: (write(*args), second() and die())[0]  # type: ignore
    else:
        checkpoint.save = lambda *args: die() if second() else save(*args)  # type: ignore


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
        "step_00000008.pt",
        "step_00000008.shards",
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


@pytest.mark.slow
@pytest.mark.parametrize(("rank", "spot"), [(1, SPOTS[0]), (0, SPOTS[1]), (0, SPOTS[2])])
@pytest.mark.parametrize("processes", [2])
def test_a_sharded_run_that_was_killed_goes_on_exactly(
    rank: int, spot: str, processes: int, straight: Path, tmp_path: Path
) -> None:
    run = tmp_path / "killed"
    codes = together(trained, str(run), True, spot, rank, die=True)
    assert codes[rank] == -signal.SIGKILL
    assert checkpoint.locate(run).name == "step_00000004.pt"
    together(trained, str(run), processes=processes)
    assert {path.name for path in (run / "checkpoints").iterdir()} == {
        path.name for path in (straight / "checkpoints").iterdir()
    }
    one, two = (shards.flat(checkpoint.load(checkpoint.locate(path)).state) for path in (straight, run))
    assert apart(one, two) == 0.0
    assert numbers(run) == numbers(straight)


@pytest.mark.slow
def test_a_sharded_run_goes_on_without_sharding(straight: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    together(trained, str(run), True, SPOTS[2], 0, die=True)
    together(trained, str(run), False)
    one, two = (shards.flat(checkpoint.load(checkpoint.locate(path)).state) for path in (straight, run))
    assert apart(one, two) <= 1e-6  # gradients are averaged in another order
    assert not list((run / "checkpoints").glob("*.shards"))
