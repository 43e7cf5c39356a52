"""The process in which libFuzzer runs: ganzoo is imported here first, and instrumented on the way."""

from __future__ import annotations

import mmap
import random
import struct
import sys
import tempfile
from pathlib import Path
from typing import Any

MODULES = ("ganzoo.config", "ganzoo.store", "ganzoo.data", "ganzoo_data", "ganzoo_text")
COUNTS = struct.Struct("qq")


def child(name: str, counts: Path, options: list[str]) -> None:
    """Judge what libFuzzer gives until it is done; it ends the process."""
    try:
        import atheris
    except ImportError:
        raise SystemExit('--guided needs atheris: pip install "ganzoo[fuzz]"') from None
    with atheris.instrument_imports(include=list(MODULES)):
        from tests.fuzz.oracle import listening, weighed
        from tests.fuzz.targets import TARGETS
    target = TARGETS[name]
    target.prepare()
    text = isinstance(target.make(random.Random(0)), str)
    judged = accepted = 0
    with counts.open("r+b") as file, tempfile.TemporaryDirectory() as folder, listening():
        shared = mmap.mmap(file.fileno(), COUNTS.size)

        def one(data: bytes) -> None:
            nonlocal judged, accepted
            case: Any = data.decode("utf-8", "replace") if text else data
            took, finding = weighed(lambda given: target.run(given, Path(folder)), case)
            judged, accepted = judged + 1, accepted + took
            shared[:] = COUNTS.pack(judged, accepted)
            if finding is not None:
                print(f"{finding.kind} at {finding.place}\n{finding.detail}\ninput: {case!r}"[:6000], flush=True)
                raise AssertionError(finding.kind)

        atheris.Setup([sys.argv[0], *options], one)
        atheris.Fuzz()


if __name__ == "__main__":
    child(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
