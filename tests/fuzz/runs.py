"""Checkpoints, files of weights, published models, and the files of a run's folder."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import shutil
import struct
import sys
import tempfile
import zipfile
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from tests.fuzz import mutate, texts
from tests.fuzz.engine import Target
from tests.fuzz.files import _refused, arrays

MODEL = """
data:
  use: data.random
  count: 16
  fields:
    real: {kind: image, shape: [1, 8, 8]}
    label: {kind: label, classes: [cat, dog, newt]}
parts:
  Z: {use: prior.normal, size: 4}
  C: op.one_hot
  G: {use: generator.mlp, hidden: [16]}
  D: {use: discriminator.mlp, hidden: [16]}
  adv: adversarial.hinge
flow:
  z: Z(n)
  fake: G(join(z, C(label)))
players:
  D: {minimize: {a: "adv.d(D(real), D(fake))"}}
  G: {minimize: {a: "adv.g(D(fake))"}, ema: 0.9}
share: [fake]
optimizer: optimizer.adam
show: {values: [fake, real], n: 6}
train: {batch: 8, steps: 4, log_every: 1, checkpoint_every: 2, keep: {last: 2, best: G.a}}
plugins: {tensorboard: false}
"""
ODD_VALUES = (
    None,
    0,
    -1,
    10**18,
    1.5,
    "",
    "x",
    "../../etc/passwd",
    [],
    [1, "a"],
    {},
    {"use": "op.stop"},
    True,
    "\x1b[2J",
)
RAN = "ganzoo_fuzz_ran"  # set on `sys` by a pickle that was executed


@cache
def made() -> dict[str, bytes]:
    """Every file of a small run, and of what was published of it, by its path."""
    from ganzoo import api

    with tempfile.TemporaryDirectory() as place:
        path = Path(place, "small.yaml")
        path.write_text(MODEL)
        run = api.Model(path).train(Path(place, "run"), quiet=True)
        run.save_pretrained(Path(place, "published"), None, licence="MIT")
        every = (p for p in Path(place).rglob("*") if p.is_file() and p.suffix not in (".png", ".html"))
        return {p.relative_to(place).as_posix(): p.read_bytes() for p in sorted(every)}


@cache
def checkpoint() -> bytes:
    return next(data for name, data in made().items() if name.endswith("step_00000004.pt"))


class Hostile:
    """Sets a mark when it is unpickled."""

    def __init__(self, how: int):
        self.how = how

    def __reduce__(self) -> Any:
        code = f"import sys; sys.{RAN} = True"
        return (exec, (code,)) if self.how == 0 else (eval, (f"exec({code!r})",))


def changed(tree: Any, random: Random) -> Any:
    """A tree of mappings and lists with one node changed."""
    if not isinstance(tree, dict | list) or not tree or random.random() < 0.1:
        return random.choice(ODD_VALUES)
    key = random.choice(list(tree) if isinstance(tree, dict) else range(len(tree)))
    how = random.randrange(6)
    if how == 0:
        del tree[key]
    elif how == 1 and isinstance(tree, dict):
        tree[random.choice((*tree, "x", "use", "../x"))] = tree.pop(key)
    else:
        tree[key] = changed(tree[key], random)
    return tree


def a_checkpoint(random: Random) -> bytes:
    """Bytes changed, members of the archive exchanged, header or state changed, or another pickle in its place."""
    import torch

    how, source = random.randrange(5), checkpoint()
    if how == 0:
        return mutate.flipped(source, random, [source])
    if how == 1:
        return _exchanged(source, random)
    if how == 2:
        return _foreign(random)
    stored = torch.load(io.BytesIO(source), weights_only=True)
    if how == 3:
        header = json.loads(stored["header"])
        for _ in range(random.randint(1, 2)):
            header = changed(header, random)
        stored["header"] = json.dumps(header)
    else:
        stored = _changed_state(stored, random)
    found = io.BytesIO()
    torch.save(stored, found)
    return found.getvalue()


def _changed_state(tree: Any, random: Random) -> Any:
    """Tensors of other shapes and kinds, and what :func:`changed` does."""
    import torch

    if isinstance(tree, torch.Tensor):
        others = (
            tree[:0] if tree.ndim else tree,
            tree.to(torch.complex64),
            tree.bool(),
            tree[None],
            tree * float("nan"),
        )
        return random.choice((*others, torch.zeros(1).expand(1 << 20, 1 << 20), 3, None))
    if not isinstance(tree, dict | list) or not tree or random.random() < 0.1:
        return random.choice(ODD_VALUES)
    key = random.choice(list(tree) if isinstance(tree, dict) else range(len(tree)))
    if random.randrange(6) == 0:
        del tree[key]
    else:
        tree[key] = _changed_state(tree[key], random)
    return tree


def _exchanged(source: bytes, random: Random) -> bytes:
    """An archive with two members exchanged, one left out, emptied, twice, renamed, or pretending to be huge."""
    with zipfile.ZipFile(io.BytesIO(source)) as archive:
        members = [(info.filename, archive.read(info)) for info in archive.infolist()]
    one, other = random.randrange(len(members)), random.randrange(len(members))
    how = random.randrange(7)
    if how == 0:
        (name, data), (name2, data2) = members[one], members[other]
        members[one], members[other] = (name, data2), (name2, data)
    elif how == 1:
        del members[one]
    elif how == 2:
        members[one] = members[one][0], b""
    elif how == 3:
        members.append(members[one])
    elif how == 4:
        members[one] = random.choice(("../../x", "/etc/x", "a/data.pkl", "x", "archive/data/0")), members[one][1]
    elif how == 5:
        members[one] = members[one][0], bytes(random.choice((1 << 10, 1 << 24)))
    else:
        members[one] = members[one][0], mutate.flipped(members[one][1], random)
    made = io.BytesIO()
    kind = random.choice((zipfile.ZIP_STORED, zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
    with zipfile.ZipFile(made, "w", kind) as archive:
        for name, data in members:
            if name not in archive.namelist():
                archive.writestr(name, data)
    return made.getvalue()


def _foreign(random: Random) -> bytes:
    """A pickle that another program wrote, some with code in it, raw or inside an archive of torch's form."""
    content: Any = random.choice(
        (Hostile(0), Hostile(1), {"state_dict": Hostile(0)}, [1, 2], {"a": {"b": 1}}, object, complex(1), b"x", {1: 2})
    )
    protocol = random.choice((0, 2, 4, 5))
    data = pickle.dumps(content, protocol)
    if random.random() < 0.3:
        data = mutate.flipped(data, random)
    if random.random() < 0.5:
        return data
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("archive/data.pkl", data)
        archive.writestr("archive/version", "3\n")
    return made.getvalue()


def read_checkpoint(data: bytes, folder: Path) -> None:
    """Opened as a run, with its parts; and read as weights that another program wrote."""
    from ganzoo.run.opened import Run
    from ganzoo.store import weights

    path = folder / "step_00000004.pt"
    path.write_bytes(data)
    refused = _refused(lambda: Run(path, texts.registry(), device="cpu").parts)
    refused += _refused(lambda: weights.chosen(path))
    assert not hasattr(sys, RAN), "a pickle was executed"
    if refused:
        raise refused[0]


@cache
def tensors() -> list[bytes]:
    import numpy as np
    from safetensors.numpy import save

    small = {"a.weight": np.ones((2, 3), np.float32), "a.bias": np.zeros(2, np.float16), "n": np.array(1)}
    return [save(small), save({}), made()["published/model.safetensors"]]


def some_tensors(random: Random) -> bytes:
    """Bytes changed, or a header written anew: sizes, offsets, kinds, names twice."""
    source = random.choice(tensors())
    if random.random() < 0.4:
        return mutate.flipped(source, random, tensors())
    (size,) = struct.unpack("<Q", source[:8])
    header, body = source[8 : 8 + size].decode(), source[8 + size :]
    if random.random() < 0.5:
        header = json.dumps(changed(json.loads(header), random))
    if random.random() < 0.3:
        header = header.replace(
            "{", '{"a": {"dtype": "F32", "shape": [99999999, 99999999], "data_offsets": [0, 4]}, ', 1
        )
    if random.random() < 0.3:
        header = mutate.text(header, random, [header])
    if random.random() < 0.2:  # values that are not finite
        body = b"\xff" * len(body)
    written = header.encode("utf-8", "surrogatepass")
    length = len(written) if random.random() < 0.9 else random.choice((0, 2**63, 10**8, size))
    return struct.pack("<Q", length) + written + body


def read_tensors(data: bytes, folder: Path) -> None:
    """As weights that another program wrote, and as a published model that says this is its file."""
    from ganzoo.run.opened import Run
    from ganzoo.store import weights

    place = _published(folder)
    (place / "model.safetensors").write_bytes(data)
    header = json.loads(made()["published/config.json"])
    header["weights"] |= {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    (place / "config.json").write_text(json.dumps(header))
    refused = _refused(lambda: weights.chosen(place / "model.safetensors"))
    refused += _refused(lambda: Run(place, texts.registry(), device="cpu").part("G"))
    if refused:
        raise refused[0]


def _published(folder: Path) -> Path:
    place = folder / "published"
    place.mkdir(exist_ok=True)
    for name, data in made().items():
        if name.startswith("published/") and not (folder / name).is_file():
            (folder / name).write_bytes(data)
    return place


def a_description(random: Random) -> str:
    """``config.json`` of a published model, changed."""
    source = made()["published/config.json"].decode()
    if random.random() < 0.3:
        return mutate.text(source, random, [source])
    tree = json.loads(source)
    for _ in range(random.randint(1, 2)):
        tree = changed(tree, random)
    return json.dumps(tree)


def read_description(text: str, folder: Path) -> None:
    """The model opened, its parts, and its numbers."""
    from ganzoo.run.opened import Run
    from ganzoo.store.published import Published

    place = _published(folder)
    (place / "model.safetensors").write_bytes(made()["published/model.safetensors"])
    (place / "config.json").write_text(text, encoding="utf-8", errors="surrogatepass")
    refused = _refused(lambda: Run(place, texts.registry(), device="cpu").part("G"))
    refused += _refused(lambda: Published.at(place).values)
    if refused:
        raise refused[0]


def _lines(name: str) -> str:
    return made()[f"run/{name}"].decode()


def a_log(random: Random) -> str:
    """``metrics.jsonl``: lines changed, and values within them."""
    source = _lines("metrics.jsonl")
    if random.random() < 0.5:
        return mutate.lines(source, random, [*source.split("\n"), "[]", "3", "null", "{}", '{"step": "x"}', '"a"'])
    rows = [json.loads(line) for line in source.splitlines()]
    at = random.randrange(len(rows))
    rows[at] = changed(rows[at], random)
    return "\n".join(map(json.dumps, rows)) + "\n"


def an_index(random: Random) -> str:
    """``checkpoints/index.json``."""
    source = _lines("checkpoints/index.json")
    if random.random() < 0.5:
        return mutate.text(source, random, [source, "[]", "null", "{"])
    return json.dumps(changed(json.loads(source), random))


def a_locked(random: Random) -> str:
    """``locked.yaml``."""
    source = _lines("locked.yaml")
    return mutate.lines(source, random, [*source.split("\n"), *texts.lines()[:500]])


def folder_of(folder: Path, name: str, text: str) -> Path:
    """The folder of the small run, with one of its files changed."""
    place = folder / "run"
    if not place.is_dir():
        for path, data in made().items():
            if path.startswith("run/"):
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                (folder / path).write_bytes(data)
    (place / name).parent.mkdir(exist_ok=True)
    (place / name).write_text(text, encoding="utf-8", errors="surrogatepass")
    return place


def report(place: Path) -> None:
    """What the page of a run is made of."""
    from ganzoo.report import facts, one

    "".join(one.body(facts.read(place)))


def read_log(text: str, folder: Path) -> None:
    """The report of the run, and what resuming does with its log."""
    from ganzoo.store.folder import RunFolder

    place = folder_of(folder, "metrics.jsonl", text)
    refused = _refused(lambda: report(place))
    RunFolder(place).cut_back(2)
    if refused:
        raise refused[0]


RECORD = {"step": 4, "values": {"near": 9.5}, "protocol": {"n_fake": 8, "seed": 0, "n_real": 8}, "verdict": "good."}
SUMMARY = {"real": {"x": {"mean": 0.1}}, "fake": {"x": {"mean": 0.2}}}


def a_file_of_a_run(random: Random) -> tuple[str, ...]:
    """One of the small files of JSON in a run's folder by its name, changed."""
    made_up = {"evaluations.jsonl": RECORD, "samples/summary.json": SUMMARY}
    name = random.choice(("status.json", "environment.json", "checkpoints/index.json", *made_up))
    source = json.dumps(made_up[name]) if name in made_up else _lines(name)
    if random.random() < 0.3:
        return name, mutate.text(source, random, [source, "[]", "null", "NaN", "[" * 5000, "9" * 400])
    return name, json.dumps(changed(json.loads(source), random))


def read_file_of_a_run(case: tuple[str, ...], folder: Path) -> None:
    """The report of a run in which only this file is another, and that of one which did not say how it ended."""
    shutil.rmtree(folder / "run", ignore_errors=True)
    place = folder_of(folder, *case)
    if case[0] != "status.json":
        (place / "status.json").unlink()
    with (place / "metrics.jsonl").open("a") as file:
        file.write(json.dumps({"step": 4, "evaluation": {"near": 9.5}}) + "\n")
    report(place)


def read_index(text: str, folder: Path) -> None:
    """The report of the run, its last and its best checkpoint."""
    from ganzoo.store import checkpoint

    place = folder_of(folder, "checkpoints/index.json", text)
    refused = _refused(lambda: report(place))
    refused += _refused(lambda: checkpoint.locate(place)) + _refused(lambda: checkpoint.locate(place, "best"))
    if not refused:
        assert checkpoint.locate(place, "best").resolve().parent == (place / "checkpoints").resolve()
    if refused:
        raise refused[0]


def read_locked(text: str, folder: Path) -> None:
    """The report of the run, and the model that trains it again."""
    from ganzoo import config

    place = folder_of(folder, "locked.yaml", text)
    refused = _refused(lambda: report(place))
    refused += _refused(lambda: texts.check(config.load(place / "locked.yaml", (), texts.registry())))
    if refused:
        raise refused[0]


def prepare() -> None:
    made(), tensors(), arrays()
    texts.lines()
    with tempfile.TemporaryDirectory() as folder:  # what is imported late is imported here
        read_checkpoint(checkpoint(), Path(folder))
        read_locked(_lines("locked.yaml"), Path(folder))
        shutil.rmtree(folder)
        Path(folder).mkdir()


TARGETS = (
    Target("checkpoints", "checkpoints, and pickles in their place", a_checkpoint, read_checkpoint, prepare),
    Target("safetensors", "files of tensors, and published models with them", some_tensors, read_tensors, prepare),
    Target("published", "what a published model says of itself", a_description, read_description, prepare),
    Target("metrics", "the log of a run", a_log, read_log, prepare),
    Target("index", "the index of a run's checkpoints", an_index, read_index, prepare),
    Target("folder", "the small files of a run", a_file_of_a_run, read_file_of_a_run, prepare),
    Target("locked", "the complete model of a run", a_locked, read_locked, prepare),
)
