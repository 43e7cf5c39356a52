"""A checkpoint alone is enough: parts, samples, any named value."""

from __future__ import annotations

import shutil
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import ganzoo
from ganzoo.data.fields import Field
from ganzoo.errors import UserError
from ganzoo.model.blueprint import Blueprint
from ganzoo.registry import plugins
from ganzoo.run.start import train
from ganzoo.store import checkpoint
from tests.zoo import written

LABELLED = """
data:
  use: data.random
  count: 60
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
  judged: D(real)
players:
  D: {minimize: {a: "adv.d(judged, D(fake))"}}
  G: {minimize: {a: "adv.g(D(fake))"}, ema: 0.9}
share: [fake]
optimizer: optimizer.adam
show: {values: [fake, real], n: 6}
train: {batch: 8, steps: 4}
"""


@pytest.fixture(scope="module")
def lonely(tmp_path_factory):
    """A checkpoint by itself in an empty folder; the run and its data are gone."""
    folder = tmp_path_factory.mktemp("opened")
    run, _ = train(written(folder, LABELLED).blueprint, folder / "run", plugins.installed(), True)
    alone = tmp_path_factory.mktemp("alone") / "model.pt"
    shutil.copy(checkpoint.locate(run.path), alone)
    shutil.rmtree(folder)
    return alone


def test_samples_from_a_checkpoint_alone(lonely) -> None:
    run = ganzoo.open(lonely)
    one, again, other = run.sample(10, seed=1), run.sample(10, seed=1), run.sample(10, seed=2)
    assert one.shape == (10, 1, 8, 8)
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    assert one.abs().max() <= 1


def test_more_samples_begin_with_the_same(lonely) -> None:
    run = ganzoo.open(lonely)
    assert torch.allclose(run.sample(64)[:64], run.sample(100)[:64], atol=1e-6)


def test_sampling_loads_only_what_it_needs(lonely, monkeypatch) -> None:
    asked: list[set[str]] = []
    build = Blueprint.build

    def noted(self: Blueprint, device: Any, names: Any = None) -> dict[str, Any]:
        found = build(self, device, names)
        asked.append(set(found))
        return found

    monkeypatch.setattr(Blueprint, "build", noted)
    run = ganzoo.open(lonely)
    run.sample(2)
    run.sample(2)
    run.compute("judged", real=torch.zeros(2, 1, 8, 8))
    assert asked == [{"Z", "C", "join", "G"}, {"D"}]
    assert run.parts["D"] is run.parts["D"] and {"G", "Z", "D"} <= run.parts.keys()


def test_parts_are_plain_modules_with_averages_where_kept(lonely) -> None:
    G = ganzoo.open(lonely).parts["G"]
    raw = ganzoo.open(lonely, raw=True).parts["G"]
    assert isinstance(G, nn.Module)
    assert not G.training
    assert type(G).__name__ == "Generator"
    assert not torch.equal(next(G.parameters()), next(raw.parameters()))
    assert G(torch.zeros(2, 7)).shape == (2, 1, 8, 8)


def test_labels_by_number_name_and_list(lonely) -> None:
    run = ganzoo.open(lonely)
    by_number, by_name = run.sample(5, label=1), run.sample(5, label="Dog")
    assert torch.equal(by_number, by_name)
    assert not torch.equal(by_number, run.sample(5, label="cat"))
    rows = run.sample(3, label=["cat", "dog", "newt"])
    assert rows.shape == (3, 1, 8, 8)


def test_a_class_is_found_by_its_own_spelling_first() -> None:
    field = Field("label", (), None, ("A", "a", "Bäume"), (0.3, 0.3, 0.4))
    assert [field.label(text) for text in ("A", "a", "bäume", "Ba\u0308ume", "1")] == [0, 1, 2, 2, 1]
    with pytest.raises(UserError, match=r"there is no class 'sea'.*there are A, Bäume, a"):
        field.label("sea")


def test_labels_that_are_not_given_are_drawn(lonely) -> None:
    assert ganzoo.open(lonely).compute("fake", n=4).shape == (4, 1, 8, 8)


def test_any_value_from_given_inputs(lonely) -> None:
    run = ganzoo.open(lonely)
    verdict = run.compute("judged", real=torch.zeros(3, 1, 8, 8))
    assert verdict.logit.shape == (3,)
    z = torch.randn(3, 4)
    fakes = run.compute("fake", z=z, label=["cat"] * 3)
    assert torch.equal(fakes, run.compute("fake", z=z, label=[0, 0, 0], seed=9))


def test_a_row_of_each_class(lonely) -> None:
    run = ganzoo.open(lonely)
    labels, across = run.in_rows("label", 6)
    assert labels.tolist() == [0, 0, 1, 1, 2, 2] and across == 2
    labels, across = run.in_rows("label", 7)
    assert labels.tolist() == [0, 0, 0, 1, 1, 1, 2] and across == 3
    assert len(run.in_rows("label")[0]) == 30
    assert torch.equal(run.in_rows("label", 2)[0], torch.tensor([0, 1])), "one of each, as far as they go"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda r: r.compute("judged"), "needs real, an image: give real="),
        (lambda r: r.compute("fakes"), "there is no value 'fakes' .*'fake'"),
        (lambda r: r.sample(2, label="lion"), "there is no class 'lion'"),
        (lambda r: r.sample(2, label=3), "there is no class '3'"),
        (lambda r: r.sample(2, lable=1), "there is no input 'lable' .*'label'"),
        (lambda r: r.in_rows("lable"), "there is no label 'lable' .*'label'"),
        (lambda r: r.in_rows("real"), "there is no label 'real'"),
        (lambda r: r.sample(2, z=torch.zeros(3, 4)), "z has 3 rows, but 2 are wanted"),
    ],
)
def test_wrong_use_is_explained(lonely, call, message) -> None:
    with pytest.raises(UserError, match=message):
        call(ganzoo.open(lonely))


def test_a_shape_that_does_not_fit_names_the_equation(lonely) -> None:
    from ganzoo.errors import EvaluationError

    with pytest.raises(EvaluationError, match=r"while computing judged = D\(real\) \[real 1x1x9x9\]"):
        ganzoo.open(lonely).compute("judged", real=torch.zeros(1, 1, 9, 9))


@pytest.mark.parametrize("damage", ["empty", "truncated", "text", "pickle"])
def test_damaged_files_are_no_checkpoints(lonely, damage, tmp_path) -> None:
    path = tmp_path / "bad.pt"
    data = lonely.read_bytes()
    if damage == "pickle":

        class Evil:
            def __reduce__(self):
                return (print, ("executed",))

        torch.save({"format": 1, "header": "{}", "state": Evil()}, path)
    else:
        path.write_bytes({"empty": b"", "truncated": data[: len(data) // 2], "text": b"hello"}[damage])
    with pytest.raises(UserError, match="not a ganzoo checkpoint, or is damaged"):
        ganzoo.open(path)


def test_a_newer_format_says_upgrade(lonely, tmp_path) -> None:
    stored = torch.load(lonely, weights_only=True)
    stored["format"] = 99
    torch.save(stored, tmp_path / "new.pt")
    with pytest.raises(UserError, match="upgrade ganzoo"):
        ganzoo.open(tmp_path / "new.pt")


def test_frozen_statistics_and_batch_statistics(tmp_path) -> None:
    text = """
extends: base/images.yaml
data: {use: data.random, count: 30, fields: {real: {kind: image, shape: [1, 16, 16]}}}
parts: {Z: {size: 4}, G: {width: 4, eval_bn: MODE}, D: {width: 4}}
show: []
train: {batch: 8, steps: 3}
"""
    found = {}
    for mode in ("running", "batch"):
        (tmp_path / mode).mkdir()
        model = written(tmp_path / mode, text.replace("MODE", mode))
        run, _ = train(model.blueprint, tmp_path / mode / "run", plugins.installed(), True)
        opened = ganzoo.open(run.path)
        before = {k: v.clone() for k, v in opened.parts["G"].state_dict().items()}
        found[mode] = opened.sample(16)
        after = opened.parts["G"].state_dict()
        assert all(torch.equal(before[k], after[k]) for k in before), "sampling changes no tensor"
    assert not torch.equal(found["running"], found["batch"])


def test_batch_statistics_are_of_as_many_as_in_training(tmp_path) -> None:
    text = """
extends: base/images.yaml
data: {use: data.random, count: 30, fields: {real: {kind: image, shape: [1, 16, 16]}}}
parts: {Z: {size: 4}, G: {width: 4, eval_bn: batch}, D: {width: 4}}
players: {D: {}, G: {batch: 4}}
share: []
show: []
train: {batch: 8, steps: 2}
"""
    run, _ = train(written(tmp_path, text).blueprint, tmp_path / "run", plugins.installed(), True)
    opened = ganzoo.open(run.path)
    fake = opened.spec.flow["fake"]
    assert opened.inference(fake).together([fake]) == 4
    z = torch.randn(8, 4)
    opened = ganzoo.open(run.path)
    both, half = opened.compute("G(z)", z=z), opened.compute("G(z)", z=z[4:])
    assert torch.equal(both[4:], half)
    six, filled = opened.compute("G(z)", z=z[:6]), opened.compute("G(z)", z=torch.cat([z[4:6], z[:2]]))
    assert torch.equal(six, torch.cat([both[:4], filled[:2]])), "the last chunk has as many for its statistics"
    assert torch.equal(opened.sample(6), opened.sample(8)[:6])


def test_fewer_large_images_are_computed_at_once(lonely) -> None:
    opened = ganzoo.open(lonely)
    real = opened.spec.flow["judged"]
    sizes = {8: 64, 16: 16, 64: 1, 512: 1, 4: 64}
    found = {side: opened.inference(real).together([real], {"real": torch.zeros(2, 1, side, side)}) for side in sizes}
    assert found == sizes


def test_numbers_of_classes_are_checked(lonely) -> None:
    run = ganzoo.open(lonely)
    assert torch.equal(run.sample(2, label=torch.tensor([2.0, 0.0])), run.sample(2, label=[2, 0]))
    for wrong in ([3, 0], [-1, 0], [0.5, 0]):
        with pytest.raises(UserError, match=r"label: there is no class .*; they go from 0 to 2"):
            run.sample(2, label=torch.tensor(wrong))


def test_names_of_classes_that_are_numbers_are_what_is_meant() -> None:
    numbered, named = Field("label", (), classes=("1", "2", "03")), Field("label", (), classes=("cat", "dog"))
    assert [numbered.label(text) for text in ("1", "2", "03")] == [0, 1, 2]
    assert [named.label(text) for text in ("1", "Cat")] == [1, 0]
    with pytest.raises(UserError, match="no class '0'"):
        numbered.label("0")


CODED = LABELLED.replace("C: op.one_hot", "C: op.one_hot\n  K: {use: prior.categorical, num_classes: 3}").replace(
    "z: Z(n)", "z: Z(n)\n  k: K(n)\n  both: join(z, k)"
)


def test_codes_by_their_numbers_and_arrays_of_numpy(tmp_path) -> None:
    folder, _ = train(written(tmp_path, CODED).blueprint, tmp_path / "run", plugins.installed(), True)
    run = ganzoo.open(folder.path)
    both = run.compute("both", k=[2, 0], z="1,2,3,4.5")
    assert both.tolist() == [[1, 2, 3, 4.5, 0, 0, 1], [1, 2, 3, 4.5, 1, 0, 0]]
    assert run.compute("join(k)", n=3, k="0,0.5,0.5").tolist() == [[0, 0.5, 0.5]] * 3
    with pytest.raises(UserError, match="k is 3, but its categories go from 0 to 2"):
        run.sample(2, value="both", k=3)
    with pytest.raises(UserError, match="z is 1,2, but should be 4 numbers with commas between them"):
        run.sample(2, value="both", z="1,2")
    with pytest.raises(UserError, match="z: 'x' is no number"):
        run.sample(2, value="both", z="x")
    z = np.random.default_rng(0).standard_normal((2, 4))
    wanted = run.compute("fake", z=torch.from_numpy(z), label=[2, 0])
    assert torch.equal(run.compute("fake", z=z, label=np.array([2, 0])), wanted)
    assert torch.equal(run.compute("fake", z=z, label=np.array(["newt", "cat"])), wanted)
