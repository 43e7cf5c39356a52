"""Cases timed in turn, their ratios round by round, and the table of them."""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from statistics import median

from benchmarks import guard
from ganzoo.errors import UserError

Clock = Callable[[], float]
LEAST = 0.1  # seconds that one timing lasts at least; faster cases are repeated within it
WARM = 2  # rounds that do not count

HEAD = "| what | against | value | spread | rounds | aim |\n| --- | --- | --- | --- | --- | --- |"


@dataclass
class Row:
    """One line of the table: the median over rounds, with the smallest and the largest of them.

    Without a unit it says how many times as long `what` takes as `against`. `gain` says that more is better, as of what
    is left out, or of somebody else's program.
    """

    what: str
    against: str
    value: float
    low: float
    high: float
    rounds: int
    unit: str = ""
    most: float | None = None
    least: float | None = None
    gain: bool = False

    @property
    def more(self) -> bool:
        """Whether more is better."""
        return self.gain or self.least is not None

    @property
    def aim(self) -> str:
        """What was aimed at, and whether it was missed."""
        if self.most is None and self.least is None:
            return ""
        limit, sign = (self.most, "<=") if self.most is not None else (self.least, ">=")
        missed = (self.most is not None and self.value > self.most) or (
            self.least is not None and self.value < self.least
        )
        return f"{sign} {limit:g}{self.unit and ' ' + self.unit}" + (", missed" if missed else "")

    def markdown(self) -> str:
        value = f"{_digits(self.value)} {self.unit}".strip()
        spread = f"{_digits(self.low)} to {_digits(self.high)}" if self.rounds > 1 else ""
        return f"| {self.what} | {self.against} | {value} | {spread} | {self.rounds} | {self.aim} |"


Benchmark = Callable[[int], Iterator[Row]]


def _digits(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def summary(values: Iterable[float]) -> tuple[float, float, float]:
    """Median, smallest, largest."""
    found = sorted(values)
    return median(found), found[0], found[-1]


def interleave(
    cases: Mapping[str, Callable[[], object]], rounds: int, least: float = LEAST, clock: Clock = time.process_time
) -> dict[str, list[float]]:
    """Seconds of one call of each case, round by round; every other round runs them in reverse order."""
    names = list(cases)
    for _ in range(WARM):
        once = {name: _seconds(cases[name], 1, clock) for name in names}
    repeats = {name: max(math.ceil(least / max(once[name], 1e-9)), 1) for name in names}
    times: dict[str, list[float]] = {name: [] for name in names}
    for index in range(rounds):
        for name in names if index % 2 else reversed(names):
            times[name].append(_seconds(cases[name], repeats[name], clock))
    return times


def _seconds(case: Callable[[], object], repeats: int, clock: Clock) -> float:
    start = clock()
    for _ in range(repeats):
        case()
    return (clock() - start) / repeats


def ratio(
    times: Mapping[str, list[float]],
    what: str,
    against: str,
    title: str = "",
    most: float | None = None,
    least: float | None = None,
    gain: bool = False,
) -> Row:
    """How many times as long `what` takes as `against`, within each round."""
    pairs = zip(times[what], times[against], strict=True)
    rounds = len(times[what])
    value, low, high = summary(a / b for a, b in pairs)
    return Row(
        f"{title}: {what}" if title else what, against, value, low, high, rounds, most=most, least=least, gain=gain
    )


def exponent(sizes: list[float], costs: list[float]) -> float:
    """The slope of a straight line through log(cost) over log(size), by least squares."""
    x, y = [math.log(s) for s in sizes], [math.log(c) for c in costs]
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    return sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True)) / sum((a - mean_x) ** 2 for a in x)


def circumstances(rounds: int) -> str:
    """Where and when it was measured, and how busy the machine was."""
    import torch

    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    python = platform.python_version()
    command = " ".join(
        ["python", *(Path(word).name if Path(word).is_absolute() else word for word in sys.orig_argv[1:])]
    )
    return (
        f"{date.today()}, torch {torch.__version__}, Python {python}, {_processor()}, {os.cpu_count()} cores{load}, "
        f"one thread, {rounds} rounds; `{command}`"
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def run(benchmarks: Mapping[str, Benchmark], rounds: int) -> dict[str, list[Row]]:
    """All of them, one after the other; each row is shown when it is there."""
    found: dict[str, list[Row]] = {}
    for name, benchmark in benchmarks.items():
        print(f"\n{name}\n\n{HEAD}", flush=True)
        found[name] = []
        for row in benchmark(rounds):
            found[name].append(row)
            print(row.markdown(), flush=True)
    return found


def write(found: Mapping[str, list[Row]], where: str, page: Path | None, data: Path | None) -> None:
    """The tables into a page, each between its lines ``<!-- step -->`` and ``<!-- end -->``, and into JSON."""
    if page is not None:
        put(page, {k: "\n".join([where, "", HEAD, *(row.markdown() for row in rows)]) for k, rows in found.items()})
    if data is not None:
        rows = {name: [asdict(row) for row in rows] for name, rows in found.items()}
        data.write_text(json.dumps({"where": where, "rows": rows}, indent=1) + "\n", encoding="utf-8")


def put(page: Path, tables: Mapping[str, str]) -> None:
    """Tables into a page, each in place of the one between its two marks."""
    text = page.read_text(encoding="utf-8")
    for name, table in tables.items():
        before, rest = text.split(f"<!-- {name} -->\n", 1)
        _, after = rest.split("<!-- end -->", 1)
        text = f"{before}<!-- {name} -->\n{table}\n<!-- end -->{after}"
    page.write_text(text, encoding="utf-8")


def main(benchmarks: Mapping[str, Benchmark], about: str | None) -> None:
    """The command line of one benchmark, or of all."""
    parser = argparse.ArgumentParser(description=(about or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--page", type=Path, help="a Markdown page whose tables are to be replaced")
    parser.add_argument("--json", type=Path, help="a file for the rows")
    if len(benchmarks) > 1:
        parser.add_argument("--only", nargs="+", choices=list(benchmarks), default=list(benchmarks))
    parser.add_argument("--save", action="store_true", help=f"keep the ratios in {guard.RATIOS.name}")
    parser.add_argument("--compare", action="store_true", help="name what is worse than kept; exit code 1 then")
    args = parser.parse_args()
    try:
        kept = guard.read()
    except UserError as error:
        parser.error(str(error))
    chosen = {name: benchmarks[name] for name in getattr(args, "only", benchmarks)}
    one_thread()
    where = circumstances(args.rounds)
    print(where)
    found = run(chosen, args.rounds)
    write(found, where, args.page, args.json)
    worse = guard.worse(found, kept) if args.compare else []
    if args.compare:
        print("\n".join(["", *guard.unlike(found, kept), *(f"worse: {line}" for line in worse or ["nothing"])]))
    if args.save:
        guard.save(found, where)
    if worse:
        raise SystemExit(1)


def one_thread() -> None:
    """One thread in this process and in those it starts."""
    import torch

    os.environ["OMP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)
