"""Many inputs, made one by one from a seed and a number, in children that are forked one at a time."""

from __future__ import annotations

import gc
import json
import mmap
import os
import pickle
import random
import resource
import signal
import struct
import tempfile
import time
import traceback
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.fuzz import oracle
from tests.fuzz.oracle import Case, Finding, judge, listening, peak, weighed

EACH = 60.0  # seconds of a child
STUCK = 30.0  # processor time without a next input, after which a child is killed: it hangs where no signal is heard
ASLEEP = 600.0  # seconds of the clock, after which it waits for something that does not come
ROOM = 4 << 30  # bytes of address space beyond what the child has at its start
BATCH = 200  # inputs after which the memory of a child is looked at; if it took too much, they are judged one by one
FAST = "/dev/shm" if Path("/dev/shm").is_dir() else None  # a folder in memory
_COUNTS = struct.Struct("qqqq")  # next input, how many were judged, how many accepted, where judging alone ends


@dataclass(frozen=True)
class Target:
    """Something that reads inputs.

    Args:
        name: What it is called on the command line.
        about: What it reads, in a few words.
        make: One input from a generator of random numbers.
        run: Reads it; files may be written to the folder.
        prepare: Imports and seeds that all children share.
    """

    name: str
    about: str
    make: Callable[[random.Random], Case]
    run: Callable[[Any, Path], object]
    prepare: Callable[[], object] = lambda: None

    def case(self, seed: int, number: int) -> Case:
        """The same for the same seed and number, on any machine."""
        return self.make(random.Random((seed << 72) + (zlib.crc32(self.name.encode()) << 40) + number))


@dataclass
class Result:
    """What a campaign saw: inputs judged, those accepted, seconds and processor time of the children, and the first
    number and finding of each kind and place.
    """

    target: str
    seed: int
    first: int
    count: int = 0
    accepted: int = 0
    seconds: float = 0.0
    cpu: float = 0.0
    findings: dict[tuple[str, str], tuple[int, Finding]] = field(default_factory=dict)

    def __str__(self) -> str:
        rate = self.count / self.cpu if self.cpu else 0
        return (
            f"{self.target}: {self.count:,} inputs ({self.accepted:,} accepted) in {self.seconds:.0f} s, "
            f"{rate:,.0f} a second of processor time, seed {self.seed}, from number {self.first}; "
            f"{len(self.findings)} findings"
        )

    def line(self) -> str:
        """The same as JSON, for a ledger."""
        found = [[*key, number] for key, (number, _) in self.findings.items()]
        return json.dumps({**{k: v for k, v in vars(self).items() if k != "findings"}, "findings": found})


def here(target: Target, seed: int, count: int, first: int = 0) -> Result:
    """A few inputs in this process, without forks."""
    result, begin = Result(target.name, seed, first), time.monotonic()
    target.prepare()
    with tempfile.TemporaryDirectory() as folder, listening():
        for number in range(first, first + count):
            accepted, finding = weighed(lambda case: target.run(case, Path(folder)), target.case(seed, number))
            result.count += 1
            result.accepted += accepted
            if finding is not None:
                result.findings.setdefault(finding.key, (number, finding))
    result.seconds = time.monotonic() - begin
    return result


def campaign(
    target: Target,
    seed: int,
    minutes: float | None = None,
    count: int | None = None,
    first: int = 0,
    tell: Callable[[Result, Finding, int], object] = lambda *_: None,
) -> Result:
    """Inputs until the time is over or there were enough; each new finding is told at once."""
    result, begin = Result(target.name, seed, first), time.monotonic()
    target.prepare()
    alone = 0
    while True:
        result.seconds = time.monotonic() - begin
        left = minutes * 60 - result.seconds if minutes is not None else EACH
        most = count - result.count if count is not None else 1 << 60
        if left <= 0 or most <= 0:
            return result
        known = set(result.findings)
        alone = _child(target, result, min(left, EACH), most, alone)
        for key, (number, finding) in result.findings.items():
            if key not in known:
                tell(result, finding, number)


def _child(target: Target, result: Result, seconds: float, most: int, alone: int) -> int:
    """Fork a child that judges inputs for some seconds, and watch it; up to where the next one looks at each alone."""
    shared = mmap.mmap(-1, _COUNTS.size)
    start = result.first + result.count
    gc.collect()  # what a child frees of it would hide what an input takes
    shared[:] = _COUNTS.pack(start, 0, 0, alone)
    with tempfile.TemporaryDirectory(dir=FAST) as folder, tempfile.TemporaryFile() as found:
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                with listening():
                    _judge_all(target, result, seconds, most, shared, Path(folder), found.fileno())
                status = 0
            except BaseException:  # of the fuzzer itself
                traceback.print_exc()
            finally:
                os._exit(status)
        status, cpu = _watch(pid, shared)
        result.cpu += cpu
        number, count, accepted, alone = _COUNTS.unpack(shared[:])
        result.count += count
        result.accepted += accepted
        found.seek(0)
        while True:
            try:
                at, finding = pickle.load(found)
            except (EOFError, pickle.UnpicklingError):
                break
            result.findings.setdefault(finding.key, (at, finding))
        if status:
            name = signal.Signals(-status).name if status < 0 else f"exit {status}"
            place = f"child ended by {name}"
            result.findings.setdefault(("died", place), (number, Finding("died", place, f"input {number}")))
            result.count += number == start + count  # it was begun
    return alone


def _watch(pid: int, shared: mmap.mmap) -> tuple[int, float]:
    """Wait for a child, and tell its status and processor time; it is killed if it does not come to a next input."""
    seen, since, spent = b"", time.monotonic(), 0.0
    while True:
        ended, status, used = os.wait4(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime
        if shared[:] != seen:
            seen, since, spent = shared[:], time.monotonic(), _spent(pid)
        elif _spent(pid) - spent > STUCK or time.monotonic() - since > ASLEEP:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)


def _spent(pid: int) -> float:
    """The processor time of a process, in seconds. Source: proc(5)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _judge_all(
    target: Target, result: Result, seconds: float, most: int, shared: mmap.mmap, folder: Path, found: int
) -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * mmap.PAGESIZE + ROOM,) * 2)
    known, end, ceiling = set(result.findings), time.monotonic() + seconds, peak() + oracle.MEMORY
    number, count, accepted, alone = _COUNTS.unpack(shared[:])

    def run(case: Case) -> object:
        return target.run(case, folder)

    while time.monotonic() < end and count < most:
        size = 1 if number < alone else min(BATCH, most - count)
        before = number, count, accepted
        while number < before[0] + size and time.monotonic() < end:
            case = target.case(result.seed, number)
            took, finding = weighed(run, case, ceiling) if size == 1 else judge(run, case)
            number, count, accepted = number + 1, count + 1, accepted + took
            if finding is not None and finding.key not in known:
                known.add(finding.key)
                os.write(found, pickle.dumps((number - 1, finding)))
            shared[:] = _COUNTS.pack(number, count, accepted, alone)
        if peak() > ceiling:  # and it never falls: a new child goes on
            if size > 1:
                shared[:] = _COUNTS.pack(*before, number)
            return


def minimal(target: Target, case: Case, wanted: tuple[str, str], seconds: float = 20.0) -> Case:
    """A smaller input with the same finding: pieces are left out for as long as it stays. Source: Zeller, ddmin."""
    end = time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as folder, listening():

        def same(smaller: Case) -> bool:
            _, finding = weighed(lambda given: target.run(given, Path(folder)), smaller)
            return finding is not None and finding.key == wanted

        if not same(case):
            return case  # it depends on what came before
        size = max(len(case) // 2, 1)
        while time.monotonic() < end:
            at = 0
            while at < len(case) and time.monotonic() < end:
                smaller = case[:at] + case[at + size :]
                if smaller and same(smaller):
                    case = smaller
                else:
                    at += size
            if size == 1:
                break
            size //= 2
    return case
