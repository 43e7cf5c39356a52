"""Two processes from the command line: who writes and speaks, what becomes of a failure, and how a run goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.train.processes import launch, numbers, state

MODEL = """
extends: base/unconditional.yaml
data: {{use: data.random, count: 40, fields: {{real: {{kind: image, shape: [1, 8, 8]}}}}}}
parts:
  Z: {{use: prior.normal, size: 4}}
  G: {{use: generator.mlp, hidden: [16], activation: leaky_relu}}
  D: {{use: discriminator.dcgan, width: 4, norm: {norm}, bias: true}}
  adv: adversarial.hinge
  trap: op.trap
flow:
  fake: trap(G(z))
players:
  D: {{}}
  G: {{ema: 0.9}}
share: []
train: {{precision: fp32, batch: 8, steps: 12, checkpoint_every: 4, log_every: 3, sample_every: 6}}
plugins: {{tensorboard: false}}
"""
TRAP = '''
"""An op that does what the variable TRAP says, such as `kill 7 1`: at its 7th call of process 1."""

import os
import signal

import ganzoo


class Trap:
    def __init__(self):
        self.calls = 0

    def __call__(self, x):
        what, call, rank = os.environ.get("TRAP", "pass 0 0").split()
        what = "pass" if os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") != "0" else what
        self.calls += x.device.type != "meta"
        if self.calls == int(call) and os.environ.get("RANK") == rank:
            if what == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            if what == "stop":
                os.kill(os.getppid(), signal.SIGTERM)
            if what == "raise":
                raise ValueError("the trap is shut")
            if what == "nan":
                return x * float("nan")
        return x


@ganzoo.hookimpl
def register(zoo):
    zoo.op("trap", Trap)
'''
LAST = 2 * 7  # the call of the 7th step's last turn, pictures of the first process apart
RESUME = "torchrun --nproc-per-node 2 -m ganzoo resume"


def prepare(folder: Path, norm: str) -> Path:
    (folder / "model.yaml").write_text(MODEL.format(norm=norm))
    (folder / "trap.py").write_text(TRAP)
    return folder


def errors(text: str) -> list[str]:
    return [line for line in text.splitlines() if "error: " in line or ("Error: " in line and "ganzoo" in line)]


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two processes, with running statistics, that nothing disturbed."""
    folder = prepare(tmp_path_factory.mktemp("processes"), "batch")
    done = launch(folder, 2, "train", "model.yaml", "--out", "straight", "--code", "trap.py")
    assert done.stdout.count("finished: straight") == 1
    assert done.stderr.count("step 12/12") == 1
    assert not errors(done.stderr)
    return folder


def test_the_first_process_writes(straight: Path) -> None:
    run = straight / "straight"
    assert [record["step"] for record in numbers(run) if "epoch" in record] == [3, 6, 9, 12]
    assert [path.name for path in sorted((run / "samples").iterdir())] == [
        f"step_{step:08d}.png" for step in (0, 6, 12)
    ]
    assert {path.name for path in (run / "checkpoints").iterdir()} == {"index.json", "step_00000012.pt"}
    assert "finished; step 12" in (run / "report.html").read_text()
    assert not list(run.rglob(".*.tmp"))


def test_a_killed_process_ends_the_run_which_goes_on_exactly(straight: Path) -> None:
    done = launch(
        straight, 2, "train", "model.yaml", "--out", "killed", "--code", "trap.py", fails=True, TRAP=f"kill {LAST} 1"
    )
    (message,) = errors(done.stderr)
    assert "process 0 of 2 lost process 1 while averaging the gradients of G: " in message
    assert f"go on from killed/checkpoints/step_00000004.pt with: {RESUME} killed" in message
    assert "finished" not in done.stdout
    assert "failed: process 0 of 2 lost process 1" in (straight / "killed" / "report.html").read_text()

    launch(straight, 2, "resume", "killed", "--code", "trap.py", "--quiet")
    expected, found = state(straight / "straight"), state(straight / "killed")
    assert all(expected[key].equal(found[key]) for key in expected)
    assert numbers(straight / "killed") == numbers(straight / "straight")


@pytest.mark.slow
@pytest.mark.parametrize(("calls", "known"), [(LAST, "step_00000004.pt"), (4, "the beginning")])
def test_torchrun_starts_again_after_a_killed_process(calls: int, known: str, straight: Path) -> None:
    out = ("--out", "again") if calls == LAST else ()  # a name of its own is found, too
    folder = straight / (out[1] if out else "runs/model-001")
    again = {"torchrun": ("--max-restarts=1",), "TRAP": f"kill {calls} 1"}
    done = launch(straight, 2, "train", "model.yaml", *out, "--code", "trap.py", **again)
    (message,) = errors(done.stderr)
    assert f"torchrun may start again, 1 of 1, from {'again/checkpoints/' * bool(out)}{known}" in message
    assert done.stdout.count("finished: ") == 1
    expected, found = state(straight / "straight"), state(folder)
    assert all(expected[key].equal(found[key]) for key in expected)
    assert numbers(folder) == numbers(straight / "straight")
    assert "finished; step 12" in (folder / "report.html").read_text()


@pytest.mark.slow
def test_a_run_of_others_is_not_taken_by_starting_again(straight: Path) -> None:
    before = numbers(straight / "straight")
    given = ("train", "model.yaml", "train.steps=20", "--out", "straight", "--code", "trap.py")
    done = launch(straight, 2, *given, fails=True, torchrun=("--max-restarts=1",))
    assert len([line for line in errors(done.stderr) if "already holds a run" in line]) == 2
    assert numbers(straight / "straight") == before


def test_a_run_of_one_process_goes_on_with_two_and_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from ganzoo import api
    from ganzoo.run.start import resume

    model, code = prepare(tmp_path, "none") / "model.yaml", tmp_path / "trap.py"
    registry = api.registry(code)
    api.Model(model, [], registry).run(tmp_path / "straight", quiet=True)
    api.Model(model, ["train.steps=4"], registry).run(tmp_path / "changed", quiet=True)
    done = launch(tmp_path, 2, "resume", "changed", "--steps", "8", "--code", "trap.py")
    assert done.stderr.count("processes was 1, is 2") == 1
    resume(tmp_path / "changed", registry, 12)
    assert "processes was 2, is 1" in capsys.readouterr().err
    one, two = state(tmp_path / "straight"), state(tmp_path / "changed")
    assert max((one[key] - two[key]).abs().max().item() for key in one) < 1e-5


@pytest.mark.parametrize(
    ("trap", "message"),
    [
        (f"raise {LAST} 1", "process 1 of 2: while computing fake = trap(G(z))"),
        (f"nan {LAST} 1", "training diverged: term 'adversarial' of player G was not finite at step 6"),
    ],
)
def test_what_fails_on_one_process_is_said_once(trap: str, message: str, straight: Path) -> None:
    out = trap.split()[0]
    done = launch(straight, 2, "train", "model.yaml", "--out", out, "--code", "trap.py", fails=True, TRAP=trap)
    (found,) = errors(done.stderr)
    assert message in found
    assert (straight / out / "checkpoints" / "step_00000004.pt").exists()


def test_a_wrong_model_is_said_once(straight: Path) -> None:
    done = launch(straight, 2, "train", "model.yaml", "train.bach=9", "--code", "trap.py", fails=True)
    (found,) = errors(done.stderr)
    assert "'bach'" in found and "process" not in found


def test_a_polite_kill_of_torchrun_saves_the_run(straight: Path) -> None:
    done = launch(
        straight,
        2,
        *("train", "model.yaml", "train.steps=1000000", "train.log_every=1000000", "--out", "stopped"),
        *("--code", "trap.py", "--quiet", "train.checkpoint_every=1000000"),
        fails=True,
        TRAP=f"stop {LAST} 1",
    )
    assert f"interrupted and saved; go on with: {RESUME} stopped" in done.stdout
    assert not errors(done.stderr)
    assert len(list((straight / "stopped" / "checkpoints").glob("step_*.pt"))) == 1
