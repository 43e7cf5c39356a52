"""A short form of ``python -m tests.fuzz``, the machinery itself, and what longer campaigns found."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ganzoo.config.expression import ExpressionError, parse
from ganzoo.data.fields import Field
from ganzoo.errors import UserError
from ganzoo.store.files import read_lines
from tests.fuzz import engine, files, oracle, runs, texts
from tests.fuzz.targets import TARGETS

COUNTS = {"expressions": 300, "configs": 12, "overrides": 2, "captions": 15, "npy": 30, "shards": 10, "images": 15}
COUNTS |= {
    "inputs": 300,
    "folder": 15,
    "checkpoints": 12,
    "safetensors": 12,
    "published": 8,
    "metrics": 15,
    "index": 8,
    "locked": 4,
}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize("name", TARGETS)
def test_some_inputs(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first inputs of a seed that no longer campaign had."""
    target = TARGETS[name]
    quick = engine.Target(target.name, target.about, target.make, target.run)  # not the preparation of campaigns
    result = engine.here(quick, seed=99, count=COUNTS[name])
    assert result.count == COUNTS[name]
    assert not result.findings, "\n".join(f"{n}: {f.kind} {f.place}\n{f.detail}" for n, f in result.findings.values())


def test_every_target_makes_equal_inputs_of_equal_seeds() -> None:
    for target in TARGETS.values():
        assert target.case(3, 5) == target.case(3, 5) != target.case(4, 5)


# -- hypothesis: the same oracle over inputs that it makes and shrinks -------------------------------------------------

words = st.sampled_from(("G", "D", "real", "_", "z", "None", "lambda", "é", "1", "'a'", "1e999", "x.y", "_x"))
nested = st.recursive(
    words,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from((" * ", ", ", ".", " + ", " if ", "=", ":", "\n", "**")), inner).map("".join),
        inner.map(lambda text: f"({text})"),
        inner.map(lambda text: f"[{text}]"),
        st.tuples(words, inner).map(lambda pair: f"{pair[0]}({pair[1]})"),
    ),
    max_leaves=12,
)


@given(nested | st.text(max_size=40))
@settings(max_examples=50)
def test_hypothesis_finds_no_bad_expression(text: str) -> None:
    with oracle.listening():
        _, finding = oracle.judge(texts.read_expression, text)
    assert finding is None, finding


# -- the machinery -----------------------------------------------------------------------------------------------------


def _bad(case: str, folder: Path) -> None:
    if "q" in case:
        raise ZeroDivisionError
    if "w" in case:
        raise UserError("no")
    if "k" in case:
        import os
        import signal

        os.kill(os.getpid(), signal.SIGKILL)
    if "m" in case:
        _ = np.ones(16 << 20)  # 128 MB
    if "s" in case:
        while True:
            pass


def _target(letters: str) -> engine.Target:
    return engine.Target("bad", "nothing", lambda random: "".join(random.choices(letters, k=8)), _bad)


def test_a_campaign_finds_exceptions_messages_and_deaths_and_goes_on_after_them() -> None:
    told: list[str] = []
    result = engine.campaign(_target("abcdefghijkqw"), 0, count=40, tell=lambda r, f, n: told.append(f.kind))
    kinds = {kind for kind, _ in result.findings}
    assert kinds == {"ZeroDivisionError", "message: names nothing of the input", "died"} == set(told)
    assert result.count == 40
    number, finding = next(v for k, v in result.findings.items() if k[0] == "ZeroDivisionError")
    assert engine.minimal(_target("abcdefghijkqw"), _target("abcdefghijkqw").case(0, number), finding.key) == "q"
    assert json.loads(result.line())["count"] == 40


def test_the_one_of_a_batch_that_takes_too_much_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oracle, "MEMORY", 16 << 20)
    monkeypatch.setattr(oracle, "SECONDS", 60.0)  # a busy machine gives memory slowly
    target = _target("m" + "a" * 100)
    result = engine.campaign(target, 0, count=15)
    assert [kind for kind, _ in result.findings] == ["memory"] and result.count == 15
    first = next(number for number in range(15) if "m" in target.case(0, number))
    assert result.findings["memory", ""][0] == first > 0


def test_what_takes_too_long_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oracle, "SECONDS", 0.05)
    assert [kind for kind, _ in engine.campaign(_target("s"), 0, count=1).findings] == ["slow"]


# -- what was found ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["'a'\t.b", "5(" + "a" * 3000 + ")", "1 ** f(" + "a" * 3000 + ")", "()((\t)())", "x.\u202e_y"]
)
def test_messages_about_expressions_are_short_and_printable(text: str) -> None:
    with pytest.raises(ExpressionError) as error:
        parse(text)
    assert str(error.value).isprintable() and len(str(error.value)) < 400


def test_an_override_of_a_thousand_keys_is_refused() -> None:
    with pytest.raises(UserError, match="is no path") as error:
        texts.read_overrides(("tutorial/circle", ".".join("x" * 1000) + "=1", "train.batch=" + "9" * 5000))
    assert all(len(str(problem)) < 1000 for problem in error.value.problems)


@pytest.mark.parametrize("case", [("label", "²"), ("label", "9" * 5000), ("digit", "²")])
def test_digits_that_are_no_numbers_are_no_classes(case: tuple[str, str]) -> None:
    with pytest.raises(UserError, match="there is no class"):
        files.read_input(case)


def test_a_schedule_that_is_a_number_beside_those_of_a_player(tmp_path: Path) -> None:
    own = "players: {G: {schedule: {lr: {use: schedule.linear}}}}"
    with pytest.raises(UserError, match="schedule"):
        texts.read_config(f"extends: gan/circle\nschedule: 3\n{own}", tmp_path)


@pytest.mark.parametrize("data", [b"\x87", b"image,caption\na.png,\xe6"])
def test_captions_that_are_not_utf8_are_named(data: bytes, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not UTF-8 text"):
        files.read_caption(data, tmp_path)


def test_a_header_of_npy_that_numpy_cannot_parse(tmp_path: Path) -> None:
    header = b"{''|u1\xbf\xff \x7ffortran_order': FFalse, 'shape':\xff\xff3, 8, 8, 1), }".ljust(117) + b"\n"
    with pytest.raises(UserError, match=r"real\.npy cannot be read"):
        files.read_array(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header, tmp_path)


@pytest.mark.parametrize("key", ["config", "name"])
@pytest.mark.parametrize("value", [None, 7, "x", []])
def test_a_header_of_another_form(key: str, value: object, tmp_path: Path) -> None:
    source = json.loads(runs.made()["published/config.json"])
    if key == "name" and value == "x":
        return
    with pytest.raises(UserError):
        runs.read_description(json.dumps({**source, key: value}), tmp_path)


@pytest.mark.parametrize(
    "stored", [None, {}, {"kind": "image", "shape": "x"}, {"kind": 1}, {"kind": "image", "shape": [-1]}]
)
def test_what_describes_no_field(stored: object) -> None:
    with pytest.raises(ValueError, match=r"field"):
        Field.from_json(stored)


def test_lines_of_a_log_that_are_no_mappings_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b'{"step": 1}\n[]\n3\n' + b"[" * 100_000 + b'\n\xff\n{"step": 2}\n{"st')
    assert [line["step"] for line in read_lines(path)] == [1, 2]


@pytest.mark.parametrize("change", [{"about": 3}, {"locked": "x"}, {"players": {"G": 3}}, {"train": {"steps": "x"}}])
def test_a_locked_model_of_another_form(change: dict[str, object], tmp_path: Path) -> None:
    """The report of a run takes nothing for granted."""
    tree = yaml.safe_load(runs.made()["run/locked.yaml"])
    place = runs.folder_of(tmp_path, "locked.yaml", yaml.safe_dump(tree))
    runs.report(place)
    (place / "locked.yaml").write_text(yaml.safe_dump({**tree, **change}))
    with pytest.raises(UserError, match=r"locked\.yaml"):
        runs.report(place)


def test_a_name_that_no_file_can_have(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no file 'xxx"):
        texts.read_config("extends: " + "x" * 3000, tmp_path)
    with pytest.raises(UserError, match="there is no model 'xxx"):
        texts.read_overrides(("x" * 3000,))


def test_a_table_of_captions_with_a_long_name(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="names 1 images that are not there") as error:
        files.read_caption(b"image,caption\n" + b"a" * 3000 + b".png,x\n", tmp_path)
    assert len(str(error.value)) < 600


@pytest.mark.parametrize("given", ["resolutions: {a: 4}", "batch: 0", "batch: {'4': 0}", "images: x", "players: 3"])
def test_a_ladder_is_called_with_what_it_asks_for(given: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=rf"model.yaml:2: phases\.{given.split(':')[0]}: .* should be "):
        texts.read_config(f"extends: pggan/fashion_mnist_sample\nphases: {{{given}}}", tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("train: {epochs: .inf}", "train.epochs: there is no setting"),
        ("optimizer: " + "b" * 9000, r"there is no component 'b{90,}…'"),
        ("train: {epochs: 1e308}", "train.epochs: there is no setting"),
        ("train: {epochs: 3, batch: 0}", "train.batch: 0 should be at least 1"),
        ("flow:\n" + "".join(f"  a{i}: G(a{i + 1})\n" for i in range(300)), "'a0' takes more than 100 values"),
        ("parts: {G: {hidden: " + "{a: " * 90 + "1" + "}" * 90 + "}}", "should be a list of whole numbers"),
        ("parts:\n" + "".join(" " * i + "a:\n" for i in range(1, 200)), r"model.yaml:103: is nested too deeply"),
        ("parts: {G: {hidden: [" + "f(," * 1000 + "1]}}", "should be a list of whole numbers"),
        ("phases: {" + "".join(f"p{i}: {{steps: 1}}, " for i in range(60)) + "}", "steps and 50 more, and"),
    ],
)
def test_numbers_and_lengths_that_no_model_has(text: str, message: str, tmp_path: Path) -> None:
    with oracle.listening():
        accepted, finding = oracle.judge(
            lambda given: texts.read_config(given, tmp_path), f"extends: gan/circle\n{text}"
        )
    assert not accepted and finding is None, finding
    with pytest.raises(UserError, match=message):
        texts.read_config(f"extends: gan/circle\n{text}", tmp_path)


def test_long_lists_are_read_in_a_time_that_grows_with_their_length(tmp_path: Path) -> None:
    classes = ", ".join(f"c{i}" for i in range(20_000))
    with oracle.listening():
        _, finding = oracle.judge(lambda given: texts.read_config(given, tmp_path), f"about: {{notes: [{classes}]}}")
    assert finding is None, finding


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("status.json", "[]"),
        ("status.json", '{"reason": "a; step b", "step": 3}'),
        ("status.json", '{"reason": "finished", "step": Infinity}'),
        ("status.json", "[" * 100_000),
        ("checkpoints/index.json", "[]"),
        ("environment.json", "3"),
        ("environment.json", '{"command": 5}'),
        ("samples/summary.json", '{"real": 3}'),
        ("evaluations.jsonl", json.dumps({**runs.RECORD, "verdict": [3]})),
        ("evaluations.jsonl", json.dumps({**runs.RECORD, "values": 3, "protocol": None})),
        ("metrics.jsonl", '{"step": 1, "seconds": Infinity, "epoch": NaN}\n{"step": 1e999}'),
        ("metrics.jsonl", '{"step": 4, "G.a": ' + "9" * 400 + ', "samples_per_second": "x"}'),
    ],
)
def test_small_files_of_another_form_do_no_harm(name: str, content: str, tmp_path: Path) -> None:
    runs.read_file_of_a_run((name, content), tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"locked": {"parameters": {"G": 10**400}, "changes": [3], "fields": {"real": {"shape": 3, "classes": 4}}}},
        {"players": {"G": {"trains": 3, "minimize": {"a": {"of": "1.2.3 * f(x)", "weight": 10**400}}}}},
        {"train": {"steps": 4, "keep": {"best": ["a"], "mode": 3}}},
    ],
)
def test_settings_of_another_form_do_no_harm(change: dict[str, object], tmp_path: Path) -> None:
    tree = yaml.safe_load(runs.made()["run/locked.yaml"])
    runs.report(runs.folder_of(tmp_path, "locked.yaml", yaml.safe_dump({**tree, **change})))
