"""The benchmarks run; nothing is said of time."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from benchmarks import data, families, growth, guard, harness, levers, models, peers, profiles, quality, rewrite, step

ROOT = Path(__file__).resolve().parents[1]
SMALL = ("parts.G.width=8", "parts.D.width=8", "train.batch=8")
TINY = {
    "dcgan/fashion_mnist_sample": SMALL,
    "dcgan32": SMALL,
    "mlp_gan": ("parts.G.hidden=[8]", "parts.D.hidden=[8]", "train.batch=8"),
    "mlp_wgan_gp": ("parts.G.hidden=[8]", "parts.D.hidden=[8]", "train.batch=8"),
}
SERIES = ("parts.G.hidden=4", "parts.D.hidden=4", "train.batch=4", "data.count=50")
STYLES = ("parts.M.size=8", "parts.Z.size=8", "parts.M.layers=2")
FAMILIES = {
    "began": (*SMALL, "parts.D.code=8"),
    "biggan": (*SMALL, "parts.G.shared=8"),
    "cogan": SMALL,
    "rgan": SERIES,
    "ctgan": ("parts.G.hidden=[8]", "parts.D.hidden=[8]", "train.batch=20"),
    "stylegan2": (*SMALL, *STYLES),
}


class Products(TorchDispatchMode):
    """Counts convolutions and matrix products, forward and backward, by the shapes of their arguments."""

    def __init__(self) -> None:
        super().__init__()
        self.found: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        if name in ("mm", "addmm", "convolution", "convolution_backward"):
            self.found[f"{name} {[tuple(a.shape) for a in args if isinstance(a, torch.Tensor)]}"] += 1
        return func(*args, **(kwargs or {}))


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(harness, "WARM", 1)
    monkeypatch.setattr(harness.interleave, "__defaults__", (0.0, *harness.interleave.__defaults__[1:]))


def test_every_benchmark_imports() -> None:
    for path in sorted((ROOT / "benchmarks").glob("*.py")):
        if path.stem != "__init__":
            import_module(f"benchmarks.{path.stem}")


@pytest.mark.parametrize("name", step.CASES)
def test_the_hand_written_loop_computes_as_much_as_ganzoo(name: str) -> None:
    trainer, hand = step.pair(name, *TINY[step.CASES[name][0]])
    trainer.advance(), hand.advance()
    with Products() as ours:
        trainer.advance()
    with Products() as theirs:
        hand.advance()
    assert ours.found == theirs.found and ours.found


@pytest.mark.parametrize(
    "name",
    [pytest.param(k, marks=[] if v[0] in ("began", "cogan") else pytest.mark.slow) for k, v in families.CASES.items()],
)
def test_hand_written_loops_of_families_compute_as_much_as_ganzoo(name: str) -> None:
    trainer, hand = families.pair(name, *FAMILIES[families.CASES[name][0]])
    for _ in range(2):  # the first step has all lazy terms, the second none
        with Products() as ours:
            trainer.advance()
        with Products() as theirs:
            hand.advance()
        assert ours.found == theirs.found and ours.found


def _rows(benchmark: Iterator[harness.Row]) -> list[harness.Row]:
    found = list(benchmark)
    assert found and all(0 < row.low <= row.value <= row.high for row in found)
    return found


def test_levers_run_on_networks_that_may_be_rewritten() -> None:
    cases = {"upsampling": ("parts.G.widths=[8, 8]", "parts.D.widths=[8, 8]", "train.batch=4"), "dcgan32": SMALL}
    for model, overrides in cases.items():
        assert levers.contiguous(model, *overrides, code="layers.py").advance()
        assert models.trainer(model, *overrides, code="layers.py").advance()


@pytest.mark.slow
def test_rewrite_data_and_growth_run(monkeypatch: pytest.MonkeyPatch) -> None:
    _rows(rewrite.rows(1, only="conv3x3(up)"))
    assert len(_rows(data.rows(1))) == 3
    monkeypatch.setattr(growth, "AXES", {"batch": ([2, 4], ["train.batch={}", "data.size=16"])})
    monkeypatch.setattr(growth, "peak", lambda overrides: float(overrides[0].split("=")[1]))
    assert [row.value for row in growth.rows(1)][1] == pytest.approx(1.0)


def test_median_spread_and_exponent() -> None:
    assert harness.summary([3.0, 1.0, 2.0]) == (2.0, 1.0, 3.0)
    assert harness.summary([4.0, 1.0, 2.0, 3.0]) == (2.5, 1.0, 4.0)
    assert harness.exponent([1.0, 2.0, 4.0], [3.0, 12.0, 48.0]) == pytest.approx(2.0)
    times = {"a": [2.0, 3.0, 8.0], "b": [1.0, 2.0, 2.0]}
    row = harness.ratio(times, "a", "b", most=1.5)
    assert (row.value, row.low, row.high, row.rounds) == (2.0, 1.5, 4.0, 3)
    assert row.aim == "<= 1.5, missed"
    assert harness.ratio(times, "a", "b", least=2).aim == ">= 2"


def test_cases_take_turns() -> None:
    seen: list[str] = []
    clock = iter(range(1000))
    cases = {name: (lambda name=name: seen.append(name)) for name in "ab"}
    times = harness.interleave(cases, 2, clock=lambda: float(next(clock)))
    assert "".join(seen) == "ab" + "ba" + "ab"
    assert times == {"a": [1.0, 1.0], "b": [1.0, 1.0]}


def test_tables_go_between_the_marks(tmp_path: Path) -> None:
    page, stored = tmp_path / "page.md", tmp_path / "rows.json"
    page.write_text("before\n<!-- step -->\nold\n<!-- end -->\nafter\n")
    row = harness.Row("this", "that", 1.5, 1.0, 2.0, 3)
    harness.write({"step": [row]}, "here", page, stored)
    text = page.read_text()
    assert text.startswith("before\n<!-- step -->\nhere\n") and text.endswith("<!-- end -->\nafter\n")
    assert "| this | that | 1.50 | 1.00 to 2.00 | 3 |  |" in text and "old" not in text
    assert json.loads(stored.read_text())["rows"]["step"][0]["value"] == 1.5
    assert torch.__version__ in harness.circumstances(3)


def test_quality_lists_every_budget_and_seed(monkeypatch, capsys) -> None:
    def trained(budget: float, seed: int, root: Any, folder: Path) -> tuple[float, float, int, None]:
        return 10 * budget + seed, budget + 3, int(100 * budget) + seed, None

    monkeypatch.setattr(quality, "trained", trained)
    monkeypatch.setattr("sys.argv", ["quality", "--budgets", "1", "2", "--seeds", "0", "4"])
    quality.main()
    lines = capsys.readouterr().out.splitlines()
    assert lines[2:] == ["| 1 | 100 to 104 | 4 | 10.0, 14.0 | 12.0 |", "| 2 | 200 to 204 | 5 | 20.0, 24.0 | 22.0 |"]


def _kept(folder: Path, *rows: harness.Row) -> Path:
    guard.save({"step": list(rows)}, "here", folder / "ratios.json")
    return folder / "ratios.json"


@pytest.mark.parametrize(
    ("what", "value", "says"),
    [
        ("cost", 1.12, "step: cost | b: 1.12, was 1.00 (0.90 to 1.06)"),  # 1.06 * 1.05 = 1.113
        ("cost", 1.11, ""),
        ("cost", 0.5, ""),
        ("gain", 1.70, "step: gain | b: 1.70, was 2.00 (1.80 to 2.20)"),  # 1.80 / 1.05 = 1.714
        ("gain", 1.72, ""),
        ("gain", 3.0, ""),
        ("new", 9.0, ""),
    ],
)
def test_worse_is_beyond_the_kept_spread_by_five_percent(tmp_path: Path, what: str, value: float, says: str) -> None:
    before = [harness.Row("cost", "b", 1.0, 0.9, 1.06, 3), harness.Row("gain", "b", 2.0, 1.8, 2.2, 3, least=1.5)]
    kept = guard.read(_kept(tmp_path, *before))
    now = harness.Row(what, "b", value, 0.1, 9.0, 3, gain=what == "gain")
    assert guard.worse({"step": [now], "data": [now]}, kept) == ([says] if says else [])


def test_saving_keeps_other_benchmarks_and_no_seconds(tmp_path: Path) -> None:
    path = _kept(tmp_path, harness.Row("a", "b", 1.0, 0.9, 1.1, 3))
    guard.save({"start": [harness.Row("a", "wall", 1.0, 1.0, 1.0, 3, "s")], "data": []}, "there", path)
    kept = guard.read(path)
    assert list(kept["step"]["ratios"]) == ["a | b"] and kept["start"] == {"where": "there", "ratios": {}}
    found = {"step": [harness.Row("a", "c", 1.0, 1.0, 1.0, 3)]}
    assert guard.unlike(found, kept) == ["step: a | c: not kept", "step: a | b: kept, but not measured"]


def test_comparing_ends_with_1_where_something_is_worse(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(guard, "RATIOS", path := tmp_path / "ratios.json")
    value = iter([1.0, 1.05, 1.06, 1.2])
    benchmarks = {"step": lambda rounds: iter([harness.Row("a", "b", v := next(value), v, v, rounds)])}

    def command(*words: str) -> None:
        monkeypatch.setattr("sys.argv", ["benchmarks", "--rounds", "1", *words])
        harness.main(benchmarks, "All.")

    command("--save")
    command("--compare")
    assert capsys.readouterr().out.endswith("\nworse: nothing\n")
    with pytest.raises(SystemExit, match="1"):
        command("--compare")
    assert capsys.readouterr().out.endswith("\nworse: step: a | b: 1.06, was 1.00 (1.00 to 1.00)\n")
    path.write_text('{"step": []}')
    with pytest.raises(SystemExit, match="2"):
        command("--compare")
    assert "holds no ratios" in capsys.readouterr().err and next(value) == 1.2


def test_torch_fidelity_and_ganzoo_say_the_same_distance() -> None:
    pytest.importorskip("torch_fidelity")
    from benchmarks import fid

    found: fid.Distances = {}
    assert len(_rows(fid.rows(1, 300, found))) == 2
    assert found["ganzoo"] == pytest.approx(found["torch-fidelity"], rel=1e-5) and found["ganzoo"] > 0


def test_profiles_make_a_row_of_shares() -> None:
    operations = {"convolutions": 0.05, "matrix products": 0.0, "norms": 0.01, "elementwise and sums": 0.02}
    found = {
        "model": "a/b",
        "step": {"seconds": 0.1, "flops": 5e9},
        "ceiling": {"rate": 100e9},
        "operations": {**operations, "copies": 0.0, "draws": 0.0, "optimizers": 0.005},
    }
    line = profiles.line(found)
    assert line == "| `a/b` | 100 | 50 | 100 | 50% | 50% | 0% | 10% | 20% | 0% | 0% | 5% | 15% |"
    assert profiles.HEAD.count("|") == line.count("|")


def test_peers_that_are_not_installed_are_named(monkeypatch, capsys) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert list(peers.rows(1)) == []
    assert capsys.readouterr().err.count("is not installed") == len(peers.CASES)
