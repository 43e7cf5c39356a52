"""Inputs that coverage chooses: atheris, Google's libFuzzer for Python, the extra ``fuzz``."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.fuzz import engine
from tests.fuzz.child import COUNTS
from tests.fuzz.oracle import Finding

SEEDS = 300


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
        counts.write_bytes(bytes(COUNTS.size))
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
        command = [sys.executable, "-m", "tests.fuzz.child", target.name, str(counts), *options, str(corpus)]
        code = subprocess.run(command, env={**os.environ, "PYTHONHASHSEED": "0"}).returncode
        judged, accepted = COUNTS.unpack(counts.read_bytes())
        result = engine.Result(f"{target.name} (guided)", seed, 0, judged, accepted, time.monotonic() - begin)
        if code:
            crashed = [path.read_bytes() for path in Path(place).glob("crash-*")]
            finding = Finding("guided", f"exit {code}", repr(crashed[0])[:2000] if crashed else "see above")
            result.findings[finding.key] = (judged, finding)
    return result
