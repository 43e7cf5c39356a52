"""Settings that people write by habit, as other projects call them: what they are called here."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import fields, replace
from typing import Any

from ganzoo.config.schema import TOP, Train
from ganzoo.config.spec import Phase, Spec
from ganzoo.config.tree import MISSING, Node, shown
from ganzoo.errors import Problem

EPOCHS = "epochs"
_NAMES = {
    "train.batch": "batch batch_size batchsize bs minibatch",
    "train.steps": "iters iterations n_iters num_iters max_iters max_steps num_steps n_steps total_steps",
    "train.seed": "random_seed manual_seed manualseed",
    "train.device": "gpu gpus gpu_id gpu_ids cuda devices",
    "train.precision": "amp fp16 bf16 half mixed_precision",
    "optimizer.lr": "lr learning_rate learningrate",
    "optimizer.betas": "betas beta1 beta2 beta_1 beta_2 b1 b2",
    "data.root": "root dataroot data_root data_dir data_path",
    "data.size": "size image_size img_size imagesize resolution",
    "--out": "out outdir out_dir output output_dir save_dir log_dir results_dir",
    EPOCHS: "epochs epoch n_epochs num_epochs nepochs max_epochs",
    "": "workers num_workers n_workers threads",
}
_EPOCHS = 1e9  # more than anybody trains
_MEANT = {name: path for path, names in _NAMES.items() for name in names.split()}
_OWN = {item.name for item in fields(Train)}


def answer(tree: Node, problems: list[Problem]) -> None:
    """Note what stands under another project's name, at the top or under ``train:``, and the path that is meant.

    What was noted is left out of further checks.
    """
    train = tree.get("train")
    inside = train.value if train is not None and isinstance(train.value, dict) else {}
    found = [(key, key, node) for key, node in tree.value.items() if key not in TOP]
    found += [(f"train.{key}", key, node) for key, node in inside.items() if key not in _OWN or key == "device"]
    for path, key, node in found:
        hint = _hint(path, key, node, tree)
        if hint:
            what = f"there is no device '{node.value}'" if path == "train.device" else f"there is no setting '{key}'"
            problems.append(Problem(what, node.origin, path, hint))
            if _MEANT.get(key) == "train.batch" and isinstance(node.value, int):
                inside["batch"] = node.copy()  # for the steps of an epoch
            node.value, node.reported = MISSING, True


def _hint(path: str, key: str, node: Node, tree: Node) -> str:
    value = node.plain()
    name = key.lower().replace("-", "_")
    meant = _MEANT.get(name, f"train.{key}" if key in _OWN else None)
    rate = re.fullmatch(r"lr_?([a-z])|([a-z])_?lr", name)
    if path == "train.device":
        device = _device(value)
        return f"write train.device={device}" if device and device != value else ""
    if rate is not None and (player := (rate[1] or rate[2]).upper()) in _players(tree):
        return f"write players.{player}.optimizer.lr={_written(value)}"
    if meant is None or node.missing:
        return ""
    if meant == "train.device":
        device = _device(value)
        count = len(re.findall(r"\d+", str(value)))
        several = f"one process for each GPU: `torchrun --standalone --nproc-per-node {count} -m ganzoo train …`"
        return f"write train.device={device}" if device else several
    if meant == "train.precision" and key not in _OWN:
        return f"write train.precision={'fp32' if value in (False, 0, 'fp32', 'no') else 'bf16'}"
    if meant == "optimizer.betas" and key != "betas":
        pair = f"[{value}, 0.999]" if name.endswith("1") else f"[0.9, {value}]"
        return f"write optimizer.betas={pair}"
    if meant == "optimizer.lr":
        return _rate(_written(value), tree)
    if meant == EPOCHS:
        return "write train.steps=…; an epoch is the number of samples divided by those that a step takes"
    if meant == "--out":
        return f"it is an option: --out {value}"
    return f"write {meant}={_written(value)}" if meant else "leave it out: data is read ahead without a setting"


def _written(value: Any) -> str:
    """A value as the command line takes it."""
    return value if isinstance(value, str) else shown(value)


def _device(value: Any) -> str:
    """The device that is meant, such as ``cuda:1``; none where several are."""
    text = str(value).lower().strip()
    found = re.fullmatch(r"(?:gpu|cuda|nvidia)?:?(\d*)", text)
    if text in ("-1", "false", "none", "no", "cpu"):
        return "cpu"
    if found is not None and text:
        return "cuda" if found[1] in ("", "0") and text != "cuda:0" else f"cuda:{found[1]}"
    if text in ("true", "yes"):
        return "cuda"
    return "" if re.search(r"\d\D+\d", text) else text


def _players(tree: Node) -> dict[str, Node]:
    players = tree.get("players")
    return players.value if players is not None and isinstance(players.value, dict) else {}


def _rate(value: str, tree: Node) -> str:
    """Where a learning rate goes: players that have their own do not see the model's."""
    own = [name for name, player in _players(tree).items() if player.get("optimizer", "lr") is not None]
    common = ["optimizer.lr"] if not own or len(own) < len(_players(tree)) else []
    return "write " + " ".join(f"{path}={value}" for path in (*common, *(f"players.{n}.optimizer.lr" for n in own)))


def counted(problems: Iterable[Problem], epochs: dict[str, Any], spec: Spec) -> Iterator[Problem]:
    """The problems, with the steps that the `epochs` of each path are for this model's data and batch."""
    for problem in problems:
        wanted = epochs.get(problem.path)
        hint = _steps(wanted, spec) if isinstance(wanted, int | float) and 0 < wanted < _EPOCHS else ""
        yield replace(problem, hint=hint) if hint else problem


def written_epochs(tree: Node) -> dict[str, Any]:
    """The numbers of epochs that a model states, by path."""
    leaves = ((".".join(path), path, leaf.plain()) for path, leaf in tree.leaves())
    return {
        key: value
        for key, path, value in leaves
        if path[0] in (path[-1], "train") and len(path) < 3 and _MEANT.get(path[-1].lower()) == EPOCHS
    }


def _steps(epochs: float, spec: Spec) -> str:
    """``train.steps=N``; empty where the data is not here, so that nobody can say."""
    if spec.data is None or not spec.phases:
        return ""
    try:
        size = len(spec.data.entry.load()(**spec.data.args))
    except Exception:  # whatever is wrong with the data is told once the settings are right
        return ""
    said = []
    for phase in spec.phases.values():
        taken = _taken(phase, spec.train.batch)
        if taken <= 0:
            return ""  # a batch that is refused
        path = f"phases.{phase.name}" if "phases" in spec.config else "train"
        steps = math.ceil(epochs * size / taken)
        said.append(f"write {path}.steps={steps}: {epochs:g} epochs of {size:,} samples, {taken:g} a step")
    return "; or ".join(said)


def _taken(phase: Phase, batch: int) -> float:
    """How many samples a step takes from the data: its batch, and those that repeats and other batch sizes ask for."""
    more = 0.0
    for player in phase.players.values():
        own = player.batch or batch
        more += own * (player.repeat if own != batch else player.repeat - 1) / player.every
    return batch + more
