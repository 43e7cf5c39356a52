"""The measurements for a GPU run on the CPU, find what differs, and survive a section that fails."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.functional import dropout, dropout2d
from torch.utils._python_dispatch import TorchDispatchMode

from benchmarks.gpu import __main__ as gpu
from benchmarks.gpu import exact, quality, steps
from benchmarks.gpu.carried import Carried
from benchmarks.gpu.setting import LeftOut, Setting, checked

CPU = torch.device("cpu")


@pytest.fixture
def on(tmp_path: Path) -> Setting:
    return Setting(CPU, tmp_path, 1000.0, tiny=True)


def _drawn(device: str) -> list[torch.Tensor]:
    torch.manual_seed(3)
    seeded = torch.Generator().manual_seed(5)
    x = torch.ones(4, 6, 2, 2).to(memory_format=torch.channels_last)
    return [
        torch.randn(3, generator=seeded, device=device),
        torch.rand(3, device=device),
        torch.randint(9, (3,), device=device),
        torch.rand_like(x),
        torch.empty(3).normal_(),
        dropout(x, 0.5),
        dropout2d(x, 0.5),
    ]


def test_draws_that_are_carried_are_those_of_the_cpu() -> None:
    plain = _drawn("cpu")
    with Carried(CPU):
        carried = _drawn("cpu")
    assert all(torch.equal(a, b) for a, b in zip(plain, carried, strict=True))


def test_a_draw_for_another_device_takes_from_the_generator_of_the_cpu() -> None:
    torch.manual_seed(0)
    first, second = torch.rand(2), torch.rand(2)
    torch.manual_seed(0)
    with Carried(torch.device("meta")):
        assert torch.rand(2, device="meta").is_meta
        assert not torch.rand(2).is_meta  # the second
    torch.manual_seed(0)
    assert torch.equal(torch.rand(2), first) and torch.equal(torch.rand(2), second)


def test_dropout_of_one_kernel_is_that_of_the_cpu() -> None:
    x = torch.ones(4, 6, 2, 2)
    torch.manual_seed(1)
    wanted = dropout(x, 0.25)
    torch.manual_seed(1)
    found, kept = Carried(CPU)._dropped(x, 0.25)
    assert torch.equal(found, wanted) and torch.equal(kept, wanted > 0)


def test_one_step_is_equal_with_the_same_seed_and_far_off_with_another(on: Setting) -> None:
    name = "dcgan/fashion_mnist_sample"
    same = [exact.one_step(checked(name, on), CPU) for _ in range(2)]
    other = exact.one_step(checked(name, on, train__seed=1), CPU)
    assert not list(exact.differing(*same))
    for kind in ("losses", "parameters"):
        assert exact.worst(kind, same[0][kind], same[1][kind]) == 0
        assert exact.worst(kind, same[0][kind], other[kind]) > exact.TOLERANCE


def test_a_process_in_a_group_of_one_sends_its_messages_and_computes_the_same(on: Setting, monkeypatch: Any) -> None:
    monkeypatch.setattr(exact, "GROUPED", ["gan/fashion_mnist_sample"])
    (row,) = exact.one_process(on)
    assert row["ok"] and row["backend"] == "gloo" and row["messages"] >= 6  # three steps of two players


def test_differing_names_the_place() -> None:
    a = {"x": [torch.zeros(2), 1], "y": 2.0}
    assert list(exact.differing(a, {"x": [torch.tensor([0.0, 1e-9]), 1], "y": 2.0})) == ["state.x[0]"]
    assert list(exact.differing(a, {"x": [torch.zeros(2)], "y": 2.0})) == ["state.x"]


def test_a_row_says_why_there_is_no_number(on: Setting) -> None:
    def refused() -> dict[str, Any]:
        raise LeftOut("no such thing here")

    assert on.attempt("a", refused) == {"what": "a", "left_out": "no such thing here"}
    assert (
        "ZeroDivisionError: integer division or modulo by zero (test_gpu_benchmark.py:"
        in on.attempt("b", lambda: 1 // 0)["error"]
    )
    on.longest = 10_000.0
    assert "s were left" in on.attempt("c", lambda: {"value": 1})["left_out"]


def test_a_section_that_fails_costs_the_others_nothing(tmp_path: Path, monkeypatch: Any) -> None:
    def broken(on: Setting) -> Iterator[dict[str, Any]]:
        """A section."""
        yield {"what": "one", "value": 2.0, "low": 2.0, "high": 2.0, "ganzoo_ms": 2.0, "hand_ms": 1.0, "rounds": 1}
        raise RuntimeError("the card fell off")

    monkeypatch.setattr(steps, "ratio", broken)
    monkeypatch.setattr(exact, "EQUAL", ["gan/fashion_mnist_sample"])
    monkeypatch.setattr(steps, "MODELS", {"DCGAN": steps.MODELS["DCGAN, 64x64, batch 128"]})
    words = ["--minutes", "5", "--out", str(tmp_path), "--device", "cpu", "--tiny"]
    given = gpu.options([*words, "--only", "ratio", "equality", "throughput"])
    gpu.run(given, section=gpu.here)
    results = json.loads((tmp_path / "results.json").read_text())
    assert list(results["sections"]) == ["ratio", "equality", "throughput"]
    assert "the card fell off" in results["sections"]["ratio"]["error"]
    assert len(results["sections"]["ratio"]["rows"]) == 1
    equal, through = (results["sections"][name]["rows"][0] for name in ("equality", "throughput"))
    assert equal["ok"] and equal["losses"] <= exact.TOLERANCE
    assert through["steps"] == 2 and through["images_per_second"] > 0 and through["published"] == ""
    text = (tmp_path / "report.md").read_text()
    assert torch.__version__ in text and "Tiny networks" in text
    assert "This section failed: RuntimeError: the card fell off" in text and "| one | 2.00 | 2.00 | 2.00 |" in text
    assert not list(tmp_path.rglob("*.tmp"))


def test_a_section_that_hangs_is_ended_and_one_that_crashes_is_named(tmp_path: Path, monkeypatch: Any) -> None:
    given = gpu.options(["--out", str(tmp_path), "--device", "cpu", "--tiny"])
    monkeypatch.setattr(gpu, "START", 0.1)
    monkeypatch.setattr(gpu, "SLACK", 1.0)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    assert gpu.apart("ratio", 5.0, given) == "exit code 1: no message"
    sleeper = tmp_path / "sleeper"
    sleeper.write_text("#!/bin/sh\nexec sleep 60\n")
    sleeper.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(sleeper))
    assert gpu.apart("ratio", 0.1, given) == "it was ended after 0 s"


def test_a_section_that_hangs_takes_what_it_has_started_with_it(tmp_path: Path, monkeypatch: Any) -> None:
    given = gpu.options(["--out", str(tmp_path / "out"), "--device", "cpu", "--tiny"])
    monkeypatch.setattr(gpu, "START", 0.0)
    parent = tmp_path / "parent"
    parent.write_text(f"#!/bin/sh\nsleep 60 &\necho $! > {tmp_path / 'child'}\necho well >&2\nexec sleep 60\n")
    parent.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(parent))
    assert gpu.apart("ratio", 2.0, given) == "it was ended after 2 s"
    assert (tmp_path / "out" / "sections" / "ratio.log").read_text() == "well\n"
    stat = Path("/proc", (tmp_path / "child").read_text().strip(), "stat")
    assert not stat.exists() or stat.read_text().split()[2] == "Z"


def test_an_item_begins_when_the_memory_of_those_before_it_is_given_back(on: Setting) -> None:
    class Circle:
        def __init__(self) -> None:
            self.own = self

    gone: list[Any] = []

    def first() -> dict[str, Any]:
        gone.append(weakref.ref(Circle()))
        return {}

    gc.disable()
    try:
        on.attempt("a", first)
        assert on.attempt("b", lambda: {"gone": gone[0]() is None}) == {"what": "b", "gone": True}
    finally:
        gc.enable()


NOT_DETERMINISTIC = {  # on GPUs, of what these models could use; see torch.use_deterministic_algorithms
    *("reflection_pad1d_backward", "reflection_pad2d_backward", "grid_sampler_2d_backward", "nll_loss2d_forward"),
    *("_adaptive_avg_pool2d_backward", "adaptive_max_pool2d_backward", "upsample_bilinear2d_backward"),
    *("_upsample_bilinear2d_aa_backward", "upsample_bicubic2d_backward", "_upsample_bicubic2d_aa_backward"),
    *("put", "put_", "histc", "median"),
}


class Used(TorchDispatchMode):
    """Notes the names of operations."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.add(func.overloadpacket.__name__)
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("name", sorted({*exact.RESUMED, *exact.GROUPED}))
def test_what_must_be_equal_to_the_bit_has_deterministic_algorithms_on_a_gpu(name: str, on: Setting) -> None:
    with Used() as used:
        exact.one_step(checked(name, on), CPU, 2)
    assert "mm" in used.names or "convolution" in used.names or "addmm" in used.names
    assert not used.names & NOT_DETERMINISTIC


@pytest.mark.slow
def test_what_is_only_run_at_full_size_on_a_gpu_can_be_built(tmp_path: Path) -> None:
    """The settings of trainings and of papers' models, which the tiny run leaves out."""
    on = Setting(CPU, tmp_path, 1000.0)
    for file, more in quality.TRAININGS.values():
        checked(file, on, **more, **({"data": quality._greys()} if file == "pix2pix/openmoji" else {}))
    for file, more in steps.MODELS.values():
        weights = {"parts__vgg__weights": str(steps._made_up_vgg(on))} if file == "srgan/srgan" else {}
        checked(file, on, **more, **weights)


def test_what_cannot_be_measured_is_one_message(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    given = gpu.options(["--out", str(tmp_path)])
    assert "there is no GPU here" in str(gpu.refusal(given))
    given.device = "cpu"
    assert gpu.refusal(given) is None
    (tmp_path / "results.json").touch()
    assert "has results already" in str(gpu.refusal(given))


@pytest.mark.slow
def test_everything_runs_on_the_cpu(tmp_path: Path) -> None:
    words = ["-m", "benchmarks.gpu", "--minutes", "20", "--out", str(tmp_path), "--device", "cpu", "--tiny"]
    subprocess.run([sys.executable, *words], check=True, timeout=1300, cwd=Path(__file__).resolve().parents[1])
    sections = json.loads((tmp_path / "results.json").read_text())["sections"]
    assert list(sections) == list(gpu.SECTIONS) and not any(section["error"] for section in sections.values())
    rows = {name: section["rows"] for name, section in sections.items()}
    assert [row["what"] for row in rows["equality"]] == list(exact.EQUAL) and len(exact.EQUAL) == 20
    assert not [row for found in rows.values() for row in found if "error" in row]
    for name in ("equality", "resume", "group"):
        assert all(row["ok"] for row in rows[name]), name
    assert all((tmp_path / row["picture"]).exists() for row in rows["quality"]) and len(rows["quality"]) == 3
