"""``python -m tests.fuzz TARGET --minutes M`` or ``--examples N``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.fuzz import engine
from tests.fuzz.oracle import Finding
from tests.fuzz.targets import TARGETS


def main() -> int:
    reader = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Fuzz what ganzoo reads.")
    reader.add_argument("target", choices=[*TARGETS, "all"], metavar="TARGET", help=f"{', '.join(TARGETS)}, or all")
    reader.add_argument("--minutes", type=float, help="how long, for each target")
    reader.add_argument("--examples", type=int, help="how many inputs, for each target")
    reader.add_argument("--seed", type=int, default=0, help="of all inputs (default: 0)")
    reader.add_argument("--first", type=int, default=0, help="the number of the first input (default: 0)")
    reader.add_argument("--guided", action="store_true", help="let the coverage choose the inputs (needs atheris)")
    reader.add_argument("--ledger", type=Path, help="append a line of JSON for each target to this file")
    args = reader.parse_args()
    if args.minutes is None and args.examples is None:
        reader.error("give --minutes or --examples")
    found = 0
    for name in TARGETS if args.target == "all" else [args.target]:
        target = TARGETS[name]
        if args.guided:
            from tests.fuzz import guided

            result = guided.campaign(target, args.seed, args.minutes, args.examples)
        else:
            result = engine.campaign(target, args.seed, args.minutes, args.examples, args.first, _tell(target))
        print(result, flush=True)
        if args.ledger is not None:
            with args.ledger.open("a") as file:
                file.write(result.line() + "\n")
        found += len(result.findings)
    return 1 if found else 0


def _tell(target: engine.Target):
    def tell(result: engine.Result, finding: Finding, number: int) -> None:
        print(f"\n{target.name} {number} (seed {result.seed}): {finding.kind} at {finding.place}")
        print("\n".join(f"  {line[:300]}" for line in finding.detail.splitlines()[-24:]))
        if finding.kind not in ("died", "memory"):  # those would end this process too
            smallest = repr(engine.minimal(target, target.case(result.seed, number), finding.key))
            print(f"  input: {smallest[:2000]}", flush=True)

    return tell


if __name__ == "__main__":
    sys.exit(main())
