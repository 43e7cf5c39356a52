"""Inputs that coverage chooses: atheris, Google's libFuzzer for Python, the extra ``fuzz``."""

from __future__ import annotations

import mmap
import os
import random
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.fuzz import engine
from tests.fuzz.oracle import Finding

MODULES = ("ganzoo.config", "ganzoo.store", "ganzoo.data", "ganzoo_data", "ganzoo_text")
SEEDS = 300
_COUNTS = struct.Struct("qq")


def campaign(target: engine.Target, seed: int, minutes: float | None, count: int | None) -> engine.Result:
    """A campaign of libFuzzer in a process of its own, which ends at its first finding and prints it.

    Raises:
        SystemExit: atheris is not installed, or the target's inputs are neither texts nor bytes.
    """
    if isinstance(target.case(seed, 0), tuple):
        raise SystemExit(f"{target.name} has inputs of several texts, which atheris cannot make")
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as place:
        corpus, counts = Path(place, "corpus"), Path(place, "counts")
        corpus.mkdir()
        counts.write_bytes(bytes(_COUNTS.size))
        for number in range(SEEDS):
            case = target.case(seed, number)
            (corpus / str(number)).write_bytes(case.encode("utf-8", "surrogatepass") if isinstance(case, str) else case)
        options = [
            f"-seed={seed + 1}",
            "-max_len=100000",
            "-rss_limit_mb=0",
            "-timeout=30",
            f"-artifact_prefix={place}/",
        ]
        options += [f"-max_total_time={int(minutes * 60)}"] if minutes is not None else []
        options += [f"-runs={count}"] if count is not None else []
        command = [sys.executable, "-m", "tests.fuzz.guided", target.name, str(counts), *options, str(corpus)]
        code = subprocess.run(command, env={**os.environ, "PYTHONHASHSEED": "0"}).returncode
        judged, accepted = _COUNTS.unpack(counts.read_bytes())
        result = engine.Result(f"{target.name} (guided)", seed, 0, judged, accepted, time.monotonic() - begin)
        if code:
            crashed = [path.read_bytes() for path in Path(place).glob("crash-*")]
            finding = Finding("guided", f"exit {code}", repr(crashed[0])[:2000] if crashed else "see above")
            result.findings[finding.key] = (judged, finding)
    return result


def child(name: str, counts: Path, options: list[str]) -> None:
    """Judge what libFuzzer gives until it is done; it ends the process."""
    try:
        import atheris
    except ImportError:
        raise SystemExit('--guided needs atheris: pip install "ganzoo[fuzz]"') from None
    with atheris.instrument_imports(include=list(MODULES)):
        from tests.fuzz.oracle import judge, listening
        from tests.fuzz.targets import TARGETS
    target = TARGETS[name]
    target.prepare()
    text = isinstance(target.make(random.Random(0)), str)
    judged = accepted = 0
    with counts.open("r+b") as file, tempfile.TemporaryDirectory() as folder, listening():
        shared = mmap.mmap(file.fileno(), _COUNTS.size)

        def one(data: bytes) -> None:
            nonlocal judged, accepted
            case: Any = data.decode("utf-8", "replace") if text else data
            took, finding = judge(lambda given: target.run(given, Path(folder)), case)
            judged, accepted = judged + 1, accepted + took
            shared[:] = _COUNTS.pack(judged, accepted)
            if finding is not None:
                print(f"{finding.kind} at {finding.place}\n{finding.detail}\ninput: {case!r}"[:6000], flush=True)
                raise AssertionError(finding.kind)

        atheris.Setup([sys.argv[0], *options], one)
        atheris.Fuzz()


if __name__ == "__main__":
    child(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
