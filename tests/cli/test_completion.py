"""TAB: what bash and zsh are answered by their completion protocols, and real shells."""

from __future__ import annotations

import os
import pty
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ganzoo.cli.app import app

LOCKED = """
extends: acgan/fashion_mnist_sample
locked:
  fields:
    real: {kind: image, shape: [1, 28, 28]}
    label: {kind: label, classes: [bag, ankle boot, sneaker, sandal]}
"""


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Callable[..., str]:
    """What the program prints when a shell asks it, in a folder with two runs."""
    monkeypatch.chdir(tmp_path)
    for name in ("runs/one", "runs/two"):
        Path(name).mkdir(parents=True)
        Path(name, "locked.yaml").write_text(LOCKED)

    def ask(shell: str, **variables: str) -> str:
        for name in ("COMP_WORDS", "COMP_CWORD", "_TYPER_COMPLETE_ARGS"):
            monkeypatch.delenv(name, raising=False)
        for name, value in {"_GANZOO_COMPLETE": f"complete_{shell}", **variables}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["ganzoo"])
        with pytest.raises(SystemExit):
            app(prog_name="ganzoo")
        return capsys.readouterr().out

    return ask


@pytest.fixture
def bash(asked: Callable[..., str]) -> Callable[..., list[str]]:
    """Words as bash has them: torn at every ``=``; the last is what is being typed."""

    def complete(line: str) -> list[str]:
        words = line.replace("=", " = ").split(" ")
        words = [word for word in words[:-1] if word] + ([words[-1]] if words[-1] or not line.endswith("=") else [])
        return asked("bash", COMP_WORDS="\n".join(words), COMP_CWORD=str(len(words) - 1)).split()

    return complete


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("ganzoo trai", ["train"]),
        ("ganzoo train gan/ci", ["gan/circle"]),
        ("ganzoo check dcgan/fashion_mnist_s", ["dcgan/fashion_mnist_sample"]),
        ("ganzoo show generator.dc", ["generator.dcgan"]),
        ("ganzoo list schedule.lin", ["schedule.linear"]),
        ("ganzoo train gan/circle train.ba", ["train.batch=128"]),
        ("ganzoo train gan/circle train.keep.", [f"train.keep.{k}" for k in ("best=", "every=", "last=1", "mode=")]),
        ("ganzoo train gan/circle optimizer.l", ["optimizer.lr=0.001"]),
        ("ganzoo train gan/circle players.G.minimize.", ["players.G.minimize.adversarial="]),
        ("ganzoo train gan/circle parts.adv=adversarial.hin", ["adversarial.hinge"]),
        ("ganzoo train gan/circle train.precision=", ["auto", "fp32", "bf16"]),
        ("ganzoo train gan/circle train.compile=", ["true", "false"]),
        ("ganzoo train gan/circle train.on_collapse=s", ["stop"]),
        ("ganzoo train gan/circle train.device=cu", ["cuda"]),
        ("ganzoo train dcgan/dcgan parts.G.norm=", ["batch", "instance", "layer", "none"]),
        ("ganzoo train gan/circle parts.G=generator.dcgan parts.G.ker", ["parts.G.kernel=4"]),
        ("ganzoo train gan/circle data.root=", []),
        ("ganzoo train gan/no_such_model train.", []),
        ("ganzoo resume ru", ["runs/one", "runs/two"]),
        ("ganzoo evaluate runs/t", ["runs/two"]),
        ("ganzoo compare runs/one runs/", ["runs/one", "runs/two"]),
        ("ganzoo compute runs/one fa", ["fake"]),
        ("ganzoo sample runs/one la", ["label="]),
        ("ganzoo sample runs/one label=s", ["sneaker", "sandal"]),
    ],
)
def test_bash(line: str, offered: list[str], bash: Callable[[str], list[str]]) -> None:
    assert bash(line) == offered


def test_every_schedule_can_take_a_schedules_place(bash: Callable[[str], list[str]]) -> None:
    found = bash("ganzoo train began/fashion_mnist_sample schedule=")
    assert "schedule.linear" in found
    assert all(name.startswith("schedule.") for name in found)


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("ganzoo train gan/circle parts.adv=adversarial.hin", '"parts.adv=adversarial.hinge"'),
        ("ganzoo train gan/circle train.precision=b", '"train.precision=bf16"'),
        ("ganzoo sample runs/one label=sn", '"label=sneaker"'),
        ("ganzoo train gan/circ", '"gan/circle":"GAN on a circle'),
    ],
)
def test_zsh(line: str, offered: str, asked: Callable[..., str]) -> None:
    assert offered in asked("zsh", _TYPER_COMPLETE_ARGS=line)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A program ``ganzoo`` on the path, which fails when it imported anything heavy."""
    program = tmp_path / "ganzoo"
    program.write_text(
        f"#!{sys.executable}\nimport sys\nfrom ganzoo.cli import main\n"
        "try:\n    main()\nfinally:\n"
        "    heavy = {'torch', 'torchvision', 'numpy', 'matplotlib'} & set(sys.modules)\n"
        "    assert not heavy, heavy\n"
    )
    program.chmod(0o755)
    found = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    found.pop("_GANZOO_COMPLETE", None)
    return found


def needs(shell: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(shell) is None, reason=f"there is no {shell}")


@needs("bash")
def test_the_script_works_in_a_real_bash(environment: dict[str, str]) -> None:
    """It is what --install-completion installs; nothing of it imports torch or a component."""
    script = """
        eval "$(_GANZOO_COMPLETE=source_bash ganzoo)"
        complete -p ganzoo
        COMP_WORDS=(ganzoo train gan/circle parts.adv = adversarial.hin) COMP_CWORD=5
        _ganzoo_completion ganzoo
        echo "offered ${COMPREPLY[@]}"
    """
    done = subprocess.run(
        ["bash", "--norc", "-c", script], capture_output=True, text=True, env=environment, timeout=60, check=False
    )
    assert done.stderr == ""
    assert "-F _ganzoo_completion ganzoo" in done.stdout
    assert "offered adversarial.hinge\n" in done.stdout


@needs("fish")
def test_the_script_works_in_a_real_fish(environment: dict[str, str]) -> None:
    script = """
        _GANZOO_COMPLETE=source_fish ganzoo | source
        complete -C "ganzoo train gan/circle parts.adv=adversarial.hin"
    """
    done = subprocess.run(
        ["fish", "--no-config", "-c", script], capture_output=True, text=True, env=environment, timeout=60, check=False
    )
    assert done.stderr == ""
    assert done.stdout.split() == ["parts.adv=adversarial.hinge"]


@needs("zsh")
def test_the_script_works_in_a_real_zsh(environment: dict[str, str]) -> None:
    """Typed into a terminal, since zsh completes nowhere else."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe("zsh", ["zsh", "-f", "-i"], environment)
    try:
        start = "autoload -Uz compinit; compinit -u -D; eval \"$(_GANZOO_COMPLETE=source_zsh ganzoo)\"; echo rea''dy\n"
        os.write(terminal, start.encode())
        assert until(terminal, b"ready")
        os.write(terminal, b"ganzoo train gan/circle parts.adv=adversarial.hin\t")
        assert until(terminal, b"parts.adv=adversarial.hinge")
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(terminal)


def until(terminal: int, expected: bytes) -> bool:
    """Whether a terminal shows this within a minute."""
    seen = b""
    while expected not in seen:
        if not select.select([terminal], [], [], 60)[0]:
            return False
        seen += os.read(terminal, 4096)
    return True
