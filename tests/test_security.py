"""What files from strangers can and cannot do: each claim of ``docs/security.md``, shown."""

from __future__ import annotations

import io
import json
import os
import pickle
import re
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ganzoo_data.packed import Packed
from ganzoo_data.shards import Shards
from PIL import Image

import ganzoo
from ganzoo import config
from ganzoo.data.fields import Field
from ganzoo.errors import Problem, UserError
from ganzoo.registry import plugins
from ganzoo.run import inputs
from ganzoo.store import checkpoint, weights
from ganzoo.store.folder import RunFolder

MARK = "ganzoo_stranger_ran"
CODE = f"import sys; sys.{MARK} = True"
MODEL = {
    "data": {"use": "data.random", "fields": {"real": {"kind": "vector", "shape": [2]}}},
    "parts": {"G": {"use": "generator.mlp"}, "Z": {"use": "prior.normal", "size": 4}, "mse": {"use": "loss.mse"}},
    "flow": {"fake": "G(Z(n))"},
    "players": {"G": {"minimize": {"a": "mse(fake, real)"}}},
    "optimizer": {"use": "optimizer.adam"},
    "train": {"steps": 1},
}


class Code:
    def __reduce__(self) -> Any:
        return exec, (CODE,)


@pytest.fixture(autouse=True)
def nothing_ran():
    yield
    assert not hasattr(sys, MARK)


def refused(model: dict[str, Any]) -> str:
    with pytest.raises(UserError) as error:
        config.load(model, (), plugins.installed())
    return str(error.value)


def test_the_model_of_these_tests_is_right_without_what_they_add() -> None:
    assert config.load(MODEL, (), plugins.installed()).warnings == []


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize("archive", [False, True])
def test_a_pickle_with_code_is_not_executed(archive: bool, protocol: int, tmp_path: Path) -> None:
    path = tmp_path / "step_00000001.pt"
    data = pickle.dumps({"format": 1, "header": "{}", "state": Code()}, protocol)
    path.write_bytes(data)
    if archive:
        with zipfile.ZipFile(path, "w") as file:
            file.writestr("archive/data.pkl", data)
            file.writestr("archive/version", "3\n")
    for read in (checkpoint.load, weights.read, ganzoo.open, lambda p: inputs.parse("x", str(p), None)):
        with pytest.raises(UserError):
            read(path)


def test_an_array_with_objects_is_not_unpickled(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array([Code()], object), allow_pickle=True)
    np.savez(tmp_path / "x.npz", a=np.array([Code()], object))
    with pytest.raises(UserError):
        inputs.parse("x", str(tmp_path / "x.npy"), None)
    with pytest.raises(UserError, match="nothing of it was run"):
        weights.read(tmp_path / "x.npz")


@pytest.mark.parametrize(
    "use", ["os.system", "builtins.exec", "torch.nn.Linear", "op.__class__", "generator.mlp.__init__"]
)
def test_use_names_registered_components_only(use: str) -> None:
    assert "component" in refused({**MODEL, "parts": {**MODEL["parts"], "G": {"use": use}}})


@pytest.mark.parametrize(
    "text",
    [
        "G.__class__(real)",
        "__import__('os')",
        "eval('1')",
        "G(real).__dict__",
        "open('/etc/passwd')",
        "[x for x in real]",
    ],
)
def test_expressions_reach_no_python(text: str) -> None:
    refused({**MODEL, "flow": {"fake": text}})


def test_an_expression_calls_no_inherited_method_of_a_module() -> None:
    players = {"G": {"minimize": {"a": "mse(hooked, real)"}}}
    model = {**MODEL, "flow": {**MODEL["flow"], "hooked": "G.register_forward_hook(fake)"}, "players": players}
    with pytest.raises(UserError, match="register_forward_hook"):
        ganzoo.load(model).check()


def test_tags_of_yaml_make_no_objects(tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(f"parts: !!python/object/apply:builtins.exec [{CODE!r}]\n")
    with pytest.raises(UserError, match=r"tag .* is not allowed"):
        config.load(path, (), plugins.installed())


def test_a_model_reaches_no_function_that_another_library_gave_to_omegaconf(monkeypatch: pytest.MonkeyPatch) -> None:
    from omegaconf import OmegaConf

    OmegaConf.register_new_resolver("stranger", lambda code: exec(code), replace=True)
    try:
        nested = (
            "${stranger:'%s'}",
            "${oc.select:x,${stranger:'%s'}}",
            "${oc.decode:'${stranger:\"%s\"}'}",
            "${${about.code}:'%s'}",
        )
        for text in nested:
            model = {**MODEL, "about": {"code": "stranger", "title": text % CODE}}
            assert "unsupported interpolation type" in refused(model)
    finally:
        OmegaConf.clear_resolver("stranger")


def test_a_model_reads_variables_but_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACES", "/data/faces")
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    found = config.load({**MODEL, "about": {"title": "${oc.env:FACES}"}}, (), plugins.installed())
    assert found.config["about"]["title"] == "/data/faces"
    for text in (
        "${oc.env:HF_TOKEN}",
        "x${oc.env:HF_TOKEN,}",
        "${oc.env:${about.code}}",
        "${oc.env:AWS_ACCESS_KEY_ID}",
    ):
        message = refused({**MODEL, "about": {"title": text, "code": "HF_TOKEN"}})
        assert "hf_secret" not in message


def test_aliases_that_stand_for_too_much(tmp_path: Path) -> None:
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    rows += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 10)]
    (tmp_path / "m.yaml").write_text("\n".join(rows))
    with pytest.raises(UserError, match="aliases"):
        config.load(tmp_path / "m.yaml", (), plugins.installed())


def test_messages_hold_no_escape_sequences() -> None:
    assert str(Problem("there is no 'a\x1b[2J\nb'")) == r"there is no 'a\x1b[2J b'"
    assert refused({**MODEL, "\x1b]0;title\x07": 1}).isprintable()


def zip_bomb(path: Path, member: str, head: bytes = b"") -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open(member, "w") as file:
        file.write(head)
        for _ in range(3):
            file.write(bytes(1 << 20))


def test_archives_that_unpack_to_much_more_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "|u1", "fortran_order": False, "shape": (3 << 20,)})
    monkeypatch.setattr("ganzoo.store.files._UNPACKED", 1 << 20)  # in less time
    zip_bomb(tmp_path / "x.npz", "a.npy", head.getvalue())
    zip_bomb(tmp_path / "x.pt", "archive/data/0")
    zip_bomb(tmp_path / "step_00000001.pt", "archive/data/0")
    for read, name in (
        (weights.read, "x.npz"),
        (weights.read, "x.pt"),
        (checkpoint.load, "step_00000001.pt"),
        (lambda path: inputs.parse("x", str(path), None), "x.pt"),
    ):
        with pytest.raises(UserError, match="would unpack to"):
            read(tmp_path / name)


def test_a_header_that_says_it_is_huge_takes_no_memory(tmp_path: Path) -> None:
    header = json.dumps({"a": {"dtype": "F32", "shape": [1 << 20, 1 << 20], "data_offsets": [0, 4]}}).encode()
    (tmp_path / "x.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
    (tmp_path / "y.safetensors").write_bytes((1 << 60).to_bytes(8, "little") + b"{}")
    for name in ("x.safetensors", "y.safetensors"):
        with pytest.raises(UserError):
            weights.read(tmp_path / name)


def test_images_that_are_bombs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        Image, "MAX_IMAGE_PIXELS", 100
    )  # Pillow's own limit, which is 89 million; it refuses twice that
    Image.new("L", (20, 20)).save(tmp_path / "a.png")
    with pytest.raises(UserError, match="decompression bomb"):
        inputs.image(tmp_path / "a.png", Field("image", (1, 8, 8), (-1.0, 1.0)))


def test_members_of_shards_are_read_and_never_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path / "cache"))
    picture = io.BytesIO()
    Image.new("RGB", (8, 8)).save(picture, "PNG")
    root = tmp_path / "in" / "here"
    root.mkdir(parents=True)
    with tarfile.open(root / "a.tar", "w") as tar:
        for name in ("../../out.png", "/abs.png"):
            member = tarfile.TarInfo(name)
            member.size = len(picture.getvalue())
            tar.addfile(member, io.BytesIO(picture.getvalue()))
        link = tarfile.TarInfo("b.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    rows = Shards(root).load()["real"]
    assert rows[np.arange(len(rows))].shape == (2, 8, 8, 3)  # the link is no sample
    assert {path.name for path in tmp_path.iterdir()} == {"cache", "in"} and not (tmp_path / "in" / "out.png").exists()


def test_an_index_names_no_file_of_another_folder(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.checkpoints.mkdir(parents=True)
    for best in ("../../x.pt", "/etc/passwd", 3, "step_1.pt/../../x"):
        (folder.checkpoints / "index.json").write_text(json.dumps({"best": best}))
        with pytest.raises(UserError, match="no checkpoint"):
            checkpoint.locate(folder.path, "best")
    field = Field("vector", (2,)).to_json()
    splits = {"train": {"count": 1, "fields": {"../../../secret": field}}}
    (tmp_path / "index.json").write_text(json.dumps({"layout": "memmap", "version": 1, "splits": splits}))
    with pytest.raises(UserError, match="no name of a field"):
        Packed(tmp_path).load()


def test_weights_ask_for_no_more_memory_than_they_have(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint says how large its networks are; that is compared with its tensors before any is made."""
    from tests.fuzz import runs

    stored = torch.load(io.BytesIO(runs.checkpoint()), weights_only=True)
    header = json.loads(stored["header"])
    header["config"]["parts"]["G"]["hidden"] = [10**9]
    torch.save({**stored, "header": json.dumps(header)}, tmp_path / "step_00000004.pt")
    monkeypatch.setattr("ganzoo.model.blueprint.Blueprint.build", lambda *_: pytest.fail("it was built"))
    with pytest.raises(UserError, match="does not hold the weights of G"):
        ganzoo.open(tmp_path / "step_00000004.pt", device="cpu").part("G")


def test_code_of_a_run_is_loaded_only_by_name(tmp_path: Path) -> None:
    """A run's folder and a published model may bring ``components.py``; opening them does not run it."""
    from tests.fuzz import runs

    for name, data in runs.made().items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    for folder in ("run", "published"):
        for place in ("components.py", "code/components.py", "__init__.py", "sitecustomize.py"):
            (tmp_path / folder / place).parent.mkdir(exist_ok=True)
            (tmp_path / folder / place).write_text(CODE)
        assert ganzoo.open(tmp_path / folder, device="cpu").sample(1).shape == (1, 1, 8, 8)


def test_a_page_of_a_run_shows_markup_and_does_not_obey_it(tmp_path: Path) -> None:
    from ganzoo.report import facts, one
    from tests.fuzz import runs

    for name, data in runs.made().items():
        if name.startswith("run/"):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(data.replace(b"generator.mlp", b"<script>alert(1)</script>"))
    lines = (tmp_path / "run" / "metrics.jsonl").read_text()
    warning = json.dumps({"step": 1, "warning": "<script>alert(2)</script>"})
    (tmp_path / "run" / "metrics.jsonl").write_text(lines + warning + "\n")
    page = "".join(one.body(facts.read(tmp_path / "run")))
    assert "alert(1)" in page and "alert(2)" in page and "<script>alert" not in page


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="no links here")
def test_links_in_a_folder_of_images_are_followed(tmp_path: Path) -> None:
    """Said in the documents: look at a folder from a stranger before you train on it."""
    from ganzoo_data.folder import ImageFolder

    (tmp_path / "mine").mkdir()
    Image.new("L", (4, 4), 7).save(tmp_path / "mine" / "a.png")
    (tmp_path / "theirs").mkdir()
    os.symlink(tmp_path / "mine" / "a.png", tmp_path / "theirs" / "a.png")
    assert ImageFolder(tmp_path / "theirs").load()["real"].max() == 7


def test_every_claim_of_the_document_names_a_test_that_is_here() -> None:
    said = (Path(__file__).parents[1] / "docs" / "security.md").read_text(encoding="utf-8")
    here = {name.removeprefix("test_") for name in globals() if name.startswith("test_")}
    named = set(re.findall(r"`([a-z0-9]+(?:_[a-z0-9]+){3,})`", said))
    assert len(named) >= 15
    assert named <= here
