"""What holds training back, in words: plain rules over a profile."""

from __future__ import annotations

from typing import Any

DATA = OVERHEAD = 0.20  # of the step
PENALTY = 0.15
DOMINATES = 0.50
SLOW = 0.30  # of the ceiling
TINY = 2e-4  # seconds: work a call, at the ceiling


def findings(report: dict[str, Any]) -> list[str]:
    """Sentences, each with its number and what to try; from the report of :func:`ganzoo.train.profile.profile`."""
    rules = (_data, _overhead, _penalties, _dominant, _precision, _rate)
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
    share = _share(report, report["time"]["rest"] + sum(report["between"].values()))
    if share <= OVERHEAD:
        return []
    return [
        f"Overhead: {share:.0%} of the step passes in the loop and between parts. Try a larger train.batch: the same "
        "overhead then serves more samples."
    ]


def _rate(report: dict[str, Any]) -> list[str]:
    networks = [part for part in report["parts"].values() if part["flops"]]
    seconds, calls = _networks(report), sum(part["calls"] for part in networks)
    if not seconds or not calls:
        return []
    work = report["step"]["flops"] / report["ceiling"]["rate"]  # seconds, at the ceiling
    if work / seconds >= SLOW:
        return []
    why = "their layers are small for this device, or what is no arithmetic takes the time (norms, activations, copies)"
    if work / calls < TINY:
        why = f"a call is {work / calls * 1e6:.0f} µs of work there, so starting operations costs more than computing"
    return [
        f"Rate: networks reach {work / seconds:.0%} of the ceiling with a batch of {report['batch']}: {why}. Try "
        f"train.batch={2 * report['batch']}, and look at the samples a second."
    ]


def _penalties(report: dict[str, Any]) -> list[str]:
    found = []
    for term in report["terms"]:
        share = _share(report, term["forward"] + term["backward"])
        if term["penalty"] and share > PENALTY:
            every = 4 * term["every"]
            found.append(
                f"Penalty: {term['player']}.{term['term']} takes {share:.0%} of the step: a penalty on gradients goes "
                f"backward twice. `every: {every}` makes it lazy and would save about {share * 0.75:.0%}, but changes "
                "the algorithm."
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
        f"Precision: fp32, where this device computes large layers {gain:.1f} times as fast in bfloat16, and networks "
        f"take {networks:.0%} of the step. Try train.precision=bf16 and profile again."
    ]


def _share(report: dict[str, Any], seconds: float) -> float:
    return seconds / report["step"]["watched"]


def _networks(report: dict[str, Any]) -> float:
    """Seconds in parts that have arithmetic to count."""
    return sum(part["forward"] + part["backward"] for part in report["parts"].values() if part["flops"])
