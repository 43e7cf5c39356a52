"""What holds training back, in words: plain rules over a profile."""

from __future__ import annotations

from typing import Any

DATA = OVERHEAD = 0.20  # of the step
PENALTY = 0.15
DOMINATES = 0.50
SLOW = 0.30  # of the ceiling
TINY = 2e-4  # seconds: work a call, at the ceiling
BATCH = 64


def findings(report: dict[str, Any]) -> list[str]:
    """Sentences, each with its number and what to try; from the report of :func:`ganzoo.train.profile.profile`."""
    rules = (_data, _overhead, _penalties, _dominant, _precision, _batch)
    found = [sentence for rule in rules for sentence in rule(report)]
    return found or ["Nothing stands out: no part, term or overhead is above its threshold."]


def _data(report: dict[str, Any]) -> list[str]:
    share = _share(report, report["time"]["data"])
    if share <= DATA:
        return []
    return [
        f"Data: reading batches takes {share:.0%} of the step. Try `ganzoo data pack`, which decodes once, or smaller "
        "images on disk."
    ]


def _overhead(report: dict[str, Any]) -> list[str]:
    between = sum(report["between"].values())
    share = _share(report, report["time"]["rest"] + between)
    if share > OVERHEAD:
        return [
            f"Overhead: {share:.0%} of the step passes in the loop and between parts. Try a larger train.batch, so that "
            "the same overhead serves more samples."
        ]
    rate, calls = _of_ceiling(report), sum(part["calls"] for part in report["parts"].values() if part["flops"])
    work = report["step"]["flops"] / report["ceiling"]["rate"] / calls if calls else 0.0
    if calls and rate is not None and rate < SLOW and work < TINY:
        return [
            f"Overhead: a call of a network is {work * 1e6:.0f} µs of work at the ceiling, and networks reach {rate:.0%} "
            "of it: starting operations costs more than computing them. Try a larger train.batch, or wider networks."
        ]
    return []


def _penalties(report: dict[str, Any]) -> list[str]:
    found = []
    for term in report["terms"]:
        share = _share(report, term["forward"] + term["backward"])
        if term["penalty"] and share > PENALTY:
            every = 4 * term["every"]
            found.append(
                f"Penalty: {term['player']}.{term['term']} takes {share:.0%} of the step; it differentiates a network "
                f"inside the forward pass, and that once more. `every: {every}` makes it lazy and would save about "
                f"{share * 0.75:.0%}, but changes the algorithm."
            )
    return found


def _dominant(report: dict[str, Any]) -> list[str]:
    name, part = max(report["parts"].items(), key=lambda item: item[1]["forward"] + item[1]["backward"])
    share = _share(report, part["forward"] + part["backward"])
    if share <= DOMINATES:
        return []
    rate = f", at {part['of_ceiling']:.0%} of the ceiling" if part["of_ceiling"] else ""
    forward, backward = (_share(report, part[kind]) for kind in ("forward", "backward"))
    return [
        f"Part: {name} ({part['use']}) takes {share:.0%} of the step, {forward:.0%} forward and {backward:.0%} backward"
        f"{rate}. What makes it narrower or shallower pays most: `ganzoo show {part['use']}` lists its arguments."
    ]


def _precision(report: dict[str, Any]) -> list[str]:
    half = report["ceiling"]["bf16"]
    if report["precision"] != "fp32" or half is None:
        return []
    gain = half / report["ceiling"]["fp32"]
    networks = _share(report, _networks(report))
    if gain < 1.2 or networks < DOMINATES:
        return []
    return [
        f"Precision: fp32, where this device computes large layers {gain:.1f} times as fast in bfloat16, and layers with "
        f"arithmetic take {networks:.0%} of the step. Try train.precision=bf16 and profile again."
    ]


def _batch(report: dict[str, Any]) -> list[str]:
    rate, batch = _of_ceiling(report), report["batch"]
    if rate is None or rate >= SLOW or batch >= BATCH:
        return []
    return [
        f"Batch: with {batch} samples the networks reach {rate:.0%} of the ceiling. Try train.batch={2 * batch}: larger "
        "operations come closer to it."
    ]


def _share(report: dict[str, Any], seconds: float) -> float:
    return seconds / report["step"]["watched"]


def _networks(report: dict[str, Any]) -> float:
    """Seconds in parts that have arithmetic to count."""
    return sum(part["forward"] + part["backward"] for part in report["parts"].values() if part["flops"])


def _of_ceiling(report: dict[str, Any]) -> float | None:
    seconds = _networks(report)
    return report["step"]["flops"] / seconds / report["ceiling"]["rate"] if seconds else None
