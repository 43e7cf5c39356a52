"""Many hits, one after the other, and what was lost: nothing, one hopes."""

from __future__ import annotations

import gc
import importlib
import json
import random
import re
import shutil
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ganzoo.store.files import append, read_lines, write_atomic
from tests.faults.jobs import JOBS, Job, images, same_runs
from tests.faults.trace import KINDS, Fault, Outcome, run


@dataclass
class Hit:
    """What was done, to what, and what became of it; `lost` says what is not as it should be."""

    job: str
    kind: str
    at: int
    of: int
    call: str
    path: str
    code: int
    said: str
    lost: str


class Campaign:
    """Hits on jobs.

    Args:
        out: Where folders and ``hits.jsonl`` go.
        seed: Of the choice of hits.
        jobs: The commands that are hit.
    """

    def __init__(self, out: Path, seed: int = 0, jobs: Iterable[Job] = JOBS):
        self.out, self.dice, self.jobs = out.resolve(), random.Random(seed), list(jobs)
        self.calls: dict[str, int] = {}
        self.out.mkdir(parents=True, exist_ok=True)

    def prepare(self) -> None:
        """Each job once without a hit: what it makes, and how many calls it has."""
        for job in self.jobs:
            before, straight = self.place(job, "before"), self.place(job, "straight")
            images(self.out / "work")
            job.before(self.out / "work")
            shutil.move(self.out / "work", before)
            found = run(job.work(self.copied(before)), self.out / "work")
            if found.code:
                raise RuntimeError(f"{job.name}, not hit: {found.said}")
            self.calls[job.name] = len(found.calls)
            shutil.move(self.out / "work", straight)
            print(f"{job.name}: {len(found.calls)} calls", flush=True)

    def place(self, job: Job, what: str) -> Path:
        return self.out / f"{job.name.replace(' ', '-')}-{what}"

    def copied(self, before: Path) -> Path:
        """The folder of a job, anew, always at the same place."""
        shutil.copytree(before, self.out / "work")
        return self.out / "work"

    def plan(self, hits: int) -> Iterator[tuple[Job, str, int]]:
        """Every call of every job in turn while there are hits left, each by another kind; then at random."""
        each = [(job, at) for job in self.jobs for at in range(self.calls[job.name])[: job.upto]]
        self.dice.shuffle(each)
        for number in range(hits):
            job, at = each[number % len(each)]
            yield job, KINDS[number % len(KINDS)], at

    def hit(self, job: Job, kind: str, at: int) -> Hit:
        """Hit a job once, go on, and compare."""
        work = self.copied(self.place(job, "before"))
        found = run(job.work(work), work, Fault(kind, at, work / job.target if job.resumes else None))
        call, path = found.calls[at] if at < len(found.calls) else ("", "")
        lost = self.wrong(job, kind, found, work)
        result = Hit(job.name, kind, at, self.calls[job.name], call, path, found.code, found.said[-2000:], lost)
        if lost:
            kept = self.out / f"lost-{job.name.replace(' ', '-')}-{kind.replace(' ', '-')}-{at}"
            shutil.rmtree(kept, ignore_errors=True)
            shutil.move(work, kept)
        else:
            shutil.rmtree(work)
        return result

    def wrong(self, job: Job, kind: str, found: Outcome, work: Path) -> str:
        """What is not as it should be, right after the hit or after going on; nothing if all is well."""
        if kind.startswith("kill"):
            if found.code != -9:
                return f"it was not killed but ended with {found.code}"
        elif "Traceback" in found.said:
            return "a traceback"
        elif found.code not in (0, 2):
            return f"exit code {found.code}"
        elif found.code == 2 and (messages := len(re.findall(r"^error: ", found.said, re.MULTILINE))) != 1:
            return f"{messages} messages"
        straight = self.place(job, "straight") / job.target
        target = work / job.target
        if found.code == 0:
            if kind == "vanish" and not target.exists():
                return ""  # after its last call
            if not target.exists():
                return "it says that all is well, and nothing is there"
            return same_runs(target, straight, kind == "read-only") if job.resumes else job.same(target, straight)
        if kind == "vanish":
            if not job.start.startswith("train"):
                return ""  # what it needs is gone
            shutil.rmtree(target, ignore_errors=True)
        if target.exists() and not job.resumes and not job.keeps:
            half = job.same(target, straight)
            if half or kind.startswith("kill"):  # a whole one needs nothing more
                return half and f"what is there is not whole: {half}"
        again = job.again(work)
        if again.code and "is finished" not in again.said:
            return f"going on ended with {again.code}: {again.said[-1500:]}"
        return job.same(target, straight)


def warm(jobs: Iterable[Job], out: Path) -> None:
    """Do once what takes long and writes nothing, so that no process that is forked has to.

    These are the imports, the making of the command line, and what the dry run of a model compiles for the meta device:
    so small a model is tried out on the CPU.
    """
    import typer.main

    from ganzoo.cli import app
    from ganzoo.model import dry
    from ganzoo.registry import plugins

    plugins.installed()
    made = typer.main.get_command(app.app)
    typer.main.get_command = lambda _: made
    dry.check = partial(dry.check, device="cpu")  # type: ignore[assignment]
    names = out / "modules.json"
    for job in jobs:
        root = out / "warm"
        images(root)
        job.before(root)

        def work(job: Job = job, root: Path = root) -> None:
            try:
                job.work(root)()
            finally:
                names.write_text(json.dumps(sorted(sys.modules)))

        run(work, root)
        shutil.rmtree(root)
        for name in json.loads(names.read_text()):
            try:
                importlib.import_module(name)
            except Exception:  # of what only exists where it runs
                continue
    names.unlink()


def table(hits: Iterable[dict[str, Any]]) -> str:
    """Hits by job and kind, as Markdown."""
    hits = list(hits)
    jobs = list(dict.fromkeys(hit["job"] for hit in hits))
    counts = Counter((hit["job"], hit["kind"]) for hit in hits)
    rows = [["hit", *KINDS, "all", "lost"]]
    for job in [*jobs, "all"]:
        of = [hit for hit in hits if job in (hit["job"], "all")]
        each = [sum(n for (j, k), n in counts.items() if k == kind and job in (j, "all")) for kind in KINDS]
        rows.append([job, *map(str, each), str(len(of)), str(sum(bool(hit["lost"]) for hit in of))])
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "| --- " * len(rows[0]) + "|", *lines[1:]])


def campaign(out: Path, hits: int, seed: int = 0, jobs: Iterable[Job] = JOBS) -> list[dict[str, Any]]:
    """So many hits; all that is known of each, which also lies in ``hits.jsonl``.

    In a folder that holds a part of them it goes on, and hits again where something was lost.
    """
    chosen, begun, log = list(jobs), time.monotonic(), out / "hits.jsonl"
    found = [hit for hit in read_lines(log) if not hit["lost"]]
    before = {(hit["job"], hit["kind"], hit["at"]) for hit in found}
    for old in out.iterdir() if out.exists() else ():
        if old.is_dir() and not old.name.startswith("lost-"):
            shutil.rmtree(old)
    made = Campaign(out, seed, chosen)
    warm(chosen, made.out)
    gc.freeze()
    made.prepare()
    write_atomic(log, "".join(json.dumps(hit) + "\n" for hit in found))
    for job, kind, at in made.plan(hits):
        if (job.name, kind, at) in before:
            continue
        hit = made.hit(job, kind, at)
        found.append(asdict(hit))
        append(log, json.dumps(found[-1]) + "\n")
        if hit.lost:
            print(f"LOST: {hit.job}, {hit.kind} {hit.call} {hit.path} ({hit.at}): {hit.lost}", flush=True)
        if len(found) % 50 == 0:
            print(f"{len(found)} of {hits} hits, {time.monotonic() - begun:.0f} s", flush=True)
    return found
