"""A short campaign of faults, and that the campaign itself sees what is lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults import trace

pytestmark = pytest.mark.skipif(
    not trace.AVAILABLE, reason="system calls are only hit on Linux on x86-64, where ptrace is allowed"
)
ROOT = Path(__file__).parents[2]


def hits(out: Path, *words: str, timeout: int = 600) -> tuple[int, str, list[dict]]:
    """A campaign in a process of its own, which has no threads when it forks."""
    command = [sys.executable, "-m", "tests.faults", "--out", str(out), *words]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=timeout)
    lines = (out / "hits.jsonl").read_text().splitlines() if (out / "hits.jsonl").exists() else []
    return done.returncode, done.stdout + done.stderr, [json.loads(line) for line in lines]


def test_a_few_hits_lose_nothing(tmp_path: Path) -> None:
    code, said, found = hits(tmp_path, "--hits", "4", "--jobs", "train")
    assert code == 0, said
    assert [hit["kind"] for hit in found] == list(trace.KINDS[:4])


@pytest.mark.slow
def test_every_call_hit_loses_nothing(tmp_path: Path) -> None:
    code, said, found = hits(tmp_path, "--hits", "500", "--seed", "1", timeout=7200)
    assert code == 0 and len(found) == 500, said


WORK = """
import os, shutil, sys
from pathlib import Path
from tests.faults import trace
root = Path(sys.argv[1])
def work():
    descriptor = os.open(root / "a", os.O_CREAT | os.O_WRONLY)
    os.write(descriptor, b"12345678")
    os.rename(root / "a", root / "b")
for kind, at in [("", 0), *zip(trace.KINDS, (1, 2, 1, 1, 1, 2, 1, 2))]:
    root.mkdir()
    found = trace.run(work, root, trace.Fault(kind, at, root) if kind else None)
    there = {p.name: p.read_text() for p in root.iterdir()} if root.exists() else None
    said = found.said.strip().split("\\n")[-1].split(":")[0]
    print(kind, found.code, *(name for name, _ in found.calls), there, said, sep="|")
    shutil.rmtree(root, ignore_errors=True)
"""
DONE = """
|0|open|write|rename|{'b': '12345678'}|
kill before|-9|open|write|{'a': ''}|
kill after|-9|open|write|rename|{'b': '12345678'}|
kill within|-9|open|write|{'a': '1234'}|
full|1|open|write|{'a': ''}|OSError
full within|0|open|write|rename|{'b': '1234'}|
read-only|1|open|write|rename|{'a': '12345678'}|OSError
broken|1|open|write|{'a': ''}|OSError
vanish|1|open|write|rename|None|FileNotFoundError
"""


def test_what_each_kind_of_fault_does(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WORK, str(tmp_path / "root")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == DONE.strip()
