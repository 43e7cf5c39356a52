"""Everything that needs a GPU, in one call of a given length.

python -m benchmarks.gpu --minutes 8 --out DIR [--device cpu --tiny]

Every section runs in a process of its own, for its share of the time, and writes each row when it is there; one that
fails, hangs or is killed costs the others nothing. DIR/results.json and DIR/report.md grow with every section,
DIR/sections has the rows of each and what it said, DIR/pictures has what was trained.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import date
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.gpu import report

SECTIONS = {  # share of the time, what it is called, where it is
    "equality": (1.2, "The CPU and the device, one step", "exact:equality"),
    "resume": (0.6, "Gone on with from a checkpoint", "exact:exact_resume"),
    "waiting": (0.7, "Steps that do not wait", "steps:no_waiting"),
    "group": (0.4, "One process with and without its group", "exact:one_process"),
    "graphs": (0.5, "With and without graphs", "exact:captured"),
    "ratio": (1.9, "Against a hand-written loop", "steps:ratio"),
    "throughput": (1.6, "Papers' own settings", "steps:throughput"),
    "quality": (1.6, "A few minutes of training", "quality:quality"),
}
START = 12.0  # seconds that are kept for each process to start and to end
SLACK = 2.5  # times as many, and it is ended
Section = Callable[[str, float, argparse.Namespace], str | None]  # runs it; what went wrong


def measure(name: str) -> Callable[[Any], Iterator[dict[str, Any]]]:
    """A section's function."""
    module, _, function = SECTIONS[name][2].partition(":")
    return getattr(import_module(f"benchmarks.gpu.{module}"), function)


def here(name: str, seconds: float, given: argparse.Namespace) -> str | None:
    """A section in this process; its rows are written one by one."""
    import torch

    from benchmarks.gpu.setting import Setting, explained

    on = Setting(torch.device(given.device), given.out, seconds, given.tiny)
    rows: list[dict[str, Any]] = []
    function = measure(name)
    found = {"about": about(given), "says": " ".join((function.__doc__ or "").split()), "rows": rows}
    store(given.out / "sections" / f"{name}.json", found)
    try:
        for row in function(on):
            rows.append(row)
            store(given.out / "sections" / f"{name}.json", found)
            print(f"{name}: {json.dumps(row)}", flush=True)
    except Exception as error:
        return explained(error)
    return None


def apart(name: str, seconds: float, given: argparse.Namespace) -> str | None:
    """A section in a process of its own, which is ended when its time is over."""
    words = [sys.executable, "-m", "benchmarks.gpu", "--section", name, "--seconds", str(seconds)]
    words += ["--minutes", str(given.minutes)]
    words += ["--out", str(given.out), "--device", given.device, *(["--tiny"] if given.tiny else [])]
    environment = {**os.environ, "CUBLAS_WORKSPACE_CONFIG": ":4096:8"}  # for deterministic matrix products
    log = given.out / "sections" / f"{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    limit = min(seconds + SLACK * START, max(given.began + 60 * given.minutes + START - time.monotonic(), 1.0))
    with log.open("wb") as says:
        started = subprocess.Popen(words, env=environment, stderr=says, start_new_session=True)
        try:
            code = started.wait(limit)
        except subprocess.TimeoutExpired:
            code = None
        finally:  # compilers that it has started, too
            with suppress(ProcessLookupError):
                os.killpg(started.pid, signal.SIGKILL)
            started.wait()
    if code is None:
        return f"it was ended after {limit:.0f} s"
    last = (log.read_text(errors="replace").strip().splitlines() or ["no message"])[-1]
    return f"exit code {code}: {last}" if code else None


def run(given: argparse.Namespace, section: Section = apart) -> dict[str, Any]:
    """All sections in turn; what one leaves of its time is shared by those that follow."""
    began = given.began
    chosen = {name: SECTIONS[name] for name in given.only}
    results: dict[str, Any] = {"about": {}, "seconds": 0.0, "sections": {}}
    shares = [share for share, _, _ in chosen.values()]
    for index, (name, (share, title, _)) in enumerate(chosen.items()):
        waiting = len(shares) - index
        left = 60 * given.minutes - (time.monotonic() - began) - START * (waiting if section is apart else 1)
        file, started = given.out / "sections" / f"{name}.json", time.monotonic()
        file.unlink(missing_ok=True)
        error = section(name, max(left, 1.0) * share / sum(shares[index:]), given)
        found = json.loads(file.read_text()) if file.exists() else {"about": {}, "says": "", "rows": []}
        results["about"] = found["about"] or results["about"]
        results["sections"][name] = {
            "title": title,
            "about": found["says"],
            "seconds": time.monotonic() - started,
            "error": error,
            "rows": found["rows"],
        }
        results["seconds"] = time.monotonic() - began
        results["about"] = results["about"] or about(given)
        store(given.out / "results.json", results)
        (given.out / "report.md").write_text(report.markdown(results), encoding="utf-8")
    return results


def store(path: Path, content: Any) -> None:
    """JSON, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    temporary.replace(path)


def about(given: argparse.Namespace) -> dict[str, Any]:
    """The card, and the versions of everything beneath ganzoo."""
    import torch

    cuda = torch.device(given.device).type == "cuda"
    from benchmarks.harness import _processor

    return {
        "date": str(date.today()),
        "card": torch.cuda.get_device_name() if cuda else f"{_processor()}, {os.cpu_count()} cores",
        "driver": _driver() if cuda else "none",
        "torch": torch.__version__,
        "cuda": torch.version.cuda or "none",
        "cudnn": torch.backends.cudnn.version() if cuda else "none",
        "python": platform.python_version(),
        "tiny": given.tiny,
        "command": f"python -m benchmarks.gpu --minutes {given.minutes:g} --device {given.device}"
        + " --tiny" * given.tiny,
    }


def _driver() -> str:
    """The version of NVIDIA's driver."""
    words = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        return subprocess.run(words, capture_output=True, text=True, timeout=20).stdout.split()[0]
    except (OSError, subprocess.SubprocessError, IndexError):
        return "unknown"


def options(words: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=8.0, help="for everything")
    parser.add_argument("--out", type=Path, required=True, help="a folder for results, report and pictures")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tiny", action="store_true", help="the smallest networks and numbers of steps")
    parser.add_argument("--only", nargs="+", choices=list(SECTIONS), default=list(SECTIONS), metavar="SECTION")
    parser.add_argument("--section", choices=list(SECTIONS), help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, default=60.0, help=argparse.SUPPRESS)
    parser.set_defaults(began=time.monotonic())  # before torch is imported, which takes seconds
    return parser.parse_args(words)


def refusal(given: argparse.Namespace) -> str | None:
    """Why nothing can be measured."""
    import torch

    if (given.out / "results.json").exists():
        return f"{given.out} has results already: name another folder by --out"
    if torch.device(given.device).type == "cuda" and not torch.cuda.is_available():
        return "there is no GPU here that torch can use; --device cpu --tiny shows that everything runs"
    return None


def failed(section: dict[str, Any]) -> bool:
    """Whether a section, or one of its rows, failed or found what should not be."""
    return bool(section["error"]) or any("error" in row or row.get("ok") is False for row in section["rows"])


def main() -> None:
    given = options()
    if given.section is None:
        if (reason := refusal(given)) is not None:
            print(reason, file=sys.stderr)
            sys.exit(2)
        sections = run(given)["sections"]
        bad = [name for name, section in sections.items() if failed(section)]
        print(f"written to {given.out}: {', '.join(sections)}; failed: {', '.join(bad) or 'none'}")
        sys.exit(1 if bad else 0)
    if (error := here(given.section, given.seconds, given)) is not None:
        sys.exit(error)


if __name__ == "__main__":
    main()
