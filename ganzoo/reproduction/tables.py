"""What papers report beside what was found here: rows of tables, rankings, and the page that holds them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import mean, median
from typing import Any

from ganzoo.errors import Problem, UserError
from ganzoo.evaluation.records import deviation
from ganzoo.reproduction.claims import Claim, groups
from ganzoo.store.files import write_atomic

Found = Mapping[str, Mapping[int, Mapping[str, Any]]]  # lines of the ledger by claim and seed
HEAD = ["claim", "ours is measured by", "paper", "ours, last", "ours, best", "seeds", "verdict"]
BEGIN, END = "<!-- reproduce: {} -->\n", "<!-- end -->"


def table(claims: Sequence[Claim], found: Found, changed: Iterable[str] = ()) -> list[list[str]]:
    """A row for each claim and metric: what the paper reports, ours at the last step and at the best, the verdict.

    Args:
        claims: Claims of one group.
        found: What was measured.
        changed: Claims whose model has other settings by now.
    """
    ranks = ranking(claims, found)
    rows = [HEAD]
    for claim in claims:
        lines = list(found.get(claim.name, {}).values())
        good = [line for line in lines if "failed" not in line]
        for metric in claim.metrics:
            primary = metric == claim.said.metric
            last, best = ([line[when]["values"].get(metric) for line in good] for when in ("last", "best"))
            row = [f"`{claim.name}`", f"`{metric}`", _reported(claim) if primary else ""]
            if not lines:
                needs = claim.said.needs
                rows.append([*row, "not run here", "", "", f"needs {needs}" if needs != "cpu" else ""])
                continue
            failed = f", {len(lines) - len(good)} diverged" if len(good) < len(lines) else ""
            steps = {line["last"]["step"] for line in good}
            after = f", step {steps.pop()}" if len(steps) == 1 else ""
            verdict = _verdict(claim, metric, last, len(lines), ranks)
            if claim.name in changed:
                verdict += "; settings have changed since"
            of = len(claim.said.seeds)
            count = f"{len(lines)} of {of}" if len(lines) < of else f"{len(lines)}"
            rows.append([*row, _spread(last), _spread(best), f"{count}{after}{failed}", verdict])
    return rows


def _reported(claim: Claim) -> str:
    said = claim.said.reported
    if said.value is None:
        return "no figure"
    return f"{said.value:g}" + (f" ± {said.spread:g}" if said.spread is not None else "") + f" ({said.metric})"


def _spread(values: Sequence[float | None]) -> str:
    """Mean and standard deviation over seeds."""
    known = [value for value in values if value is not None]
    if not known:
        return "-"
    width = f" ± {_digits(deviation(known), mean(known))}" if len(known) > 1 else ""
    return _digits(mean(known), mean(known)) + width


def _digits(value: float, of: float) -> str:
    return f"{value:.1f}" if abs(of) >= 5 else f"{value:.4f}"


def _verdict(claim: Claim, metric: str, last: Sequence[float | None], seeds: int, ranks: Mapping[str, Any]) -> str:
    if claim.said.bounds:
        low, high = claim.said.bounds.get(metric, (None, None))
        if low is None and high is None:
            return ""
        held = sum(v is not None and (low is None or v >= low) and (high is None or v <= high) for v in last)
        wanted = " and ".join(f"{sign} {n:g}" for sign, n in ((">=", low), ("<=", high)) if n is not None)
        return f"{wanted} in {held} of {seeds}" + ("" if held == seeds else ": does not hold")
    if claim.name not in ranks:
        return "not ranked"
    ours, theirs, count = ranks[claim.name]
    return f"rank {ours:g} of {count}, in the paper {theirs:g}"


def ranking(claims: Iterable[Claim], found: Found) -> dict[str, tuple[float, float, int]]:
    """Our rank, the paper's, and how many are ranked, by claim: those without bounds, reported, and found here."""
    pairs = {}
    for claim in claims:
        lines = found.get(claim.name, {}).values()
        values = [line["last"]["values"].get(claim.said.metric) for line in lines if "failed" not in line]
        known = [v for v in values if v is not None]
        if not claim.said.bounds and claim.said.reported.value is not None and known:
            sign = 1 if claim.said.better == "lower" else -1
            pairs[claim.name] = (sign * mean(known), sign * claim.said.reported.value)
    ours, theirs = (ranks([pair[i] for pair in pairs.values()]) for i in (0, 1))
    return {name: (ours[i], theirs[i], len(pairs)) for i, name in enumerate(pairs)}


def ranks(values: Sequence[float]) -> list[float]:
    """From 1 for the smallest; equal values share the mean of their places."""
    return [sum(v < own for v in values) + (sum(v == own for v in values) + 1) / 2 for own in values]


def spearman(pairs: Sequence[tuple[float, float]]) -> float | None:
    """The correlation of ranks; None where there are fewer than three or all are equal."""
    if len(pairs) < 3:
        return None
    a, b = (ranks([pair[i] for pair in pairs]) for i in (0, 1))
    centre = (len(pairs) + 1) / 2
    x, y = [v - centre for v in a], [v - centre for v in b]
    scale = (sum(v * v for v in x) * sum(v * v for v in y)) ** 0.5
    return sum(p * q for p, q in zip(x, y, strict=True)) / scale if scale else None


def lines_of(rows: Sequence[Sequence[str]]) -> list[str]:
    """A Markdown table whose columns are aligned."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    texts = ["| " + " | ".join(f"{c:<{w}}" for c, w in zip(row, widths, strict=True)) + " |" for row in rows]
    return [texts[0], "| " + " | ".join("-" * w for w in widths) + " |", *texts[1:]]


def section(claims: Sequence[Claim], found: Found, changed: Iterable[str] = ()) -> str:
    """The table of a group, its correlation of ranks, and the protocols of all its numbers."""
    text = [*lines_of(table(claims, found, changed)), ""]
    pairs = [(ours, theirs) for ours, theirs, _ in ranking(claims, found).values()]
    rho = spearman(pairs)
    if rho is not None:
        text.append(f"* Spearman's rank correlation with the paper: {rho:.2f}, over {len(pairs)} rows.")
    text += [f"* `{claim.name}`: {claim.said.title}. {_where(claim)}." for claim in claims]
    papers: dict[str, list[str]] = {}
    for claim in claims:
        papers.setdefault(claim.said.reported.protocol, []).append(_short(claim))
    text += [f"* Protocol of the paper ({_names(n, claims)}): {protocol}." for protocol, n in papers.items()]
    ours: dict[str, list[str]] = {}
    for claim in claims:
        for line in list(found.get(claim.name, {}).values())[:1]:
            for protocol in line.get("protocol", {}).values():
                ours.setdefault(describe(protocol), []).append(_short(claim))
    text += [f"* Our protocol ({_names(n, claims)}): {protocol}." for protocol, n in ours.items()]
    text += [f"* What differs ({_short(claim)}): {claim.said.differs}." for claim in claims if claim.said.differs]
    spent = [line["seconds"] for claim in claims for line in found.get(claim.name, {}).values() if line["seconds"]]
    machines = {_machine(line) for claim in claims for line in found.get(claim.name, {}).values()}
    if spent:
        seconds = f"{median(spent):.0f} ({min(spent):.0f} to {max(spent):.0f})"
        text.append(
            f"* CPU seconds of a training with its evaluations: {seconds}; on {' and on '.join(sorted(machines))}."
        )
    return "\n".join(text) + "\n"


def _where(claim: Claim) -> str:
    stated = ", ".join(f"`{key}={_override(value)}`" for key, value in claim.said.overrides.items())
    model = f"`{claim.said.model}`" + (f" with {stated}" if stated else "")
    return f"{claim.said.paper}, {claim.said.where}; {model}; {claim.said.budget}"


def _override(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _short(claim: Claim) -> str:
    return claim.name.split("/", 1)[1]


def _names(names: Sequence[str], claims: Sequence[Claim]) -> str:
    unique = list(dict.fromkeys(names))
    return "all" if len(unique) == len(claims) else ", ".join(unique)


def describe(protocol: Mapping[str, Any]) -> str:
    """A protocol on one line: every entry but versions and code, hashes shortened."""
    held = {key: value for key, value in protocol.items() if key not in ("versions", "code")}
    return "; ".join(f"{key.replace('_', ' ')} {_plain(value)}" for key, value in held.items())


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_plain(item)}".strip() for key, item in value.items())
    text = str(value)
    return text[:12] if re.fullmatch(r"[0-9a-f]{32,}", text) else f"`{text}`" if "(" in text else text


def _machine(line: Mapping[str, Any]) -> str:
    held = line["machine"]
    device = held["processor"] if held["device"] == "cpu" else held["device"]
    threads = "one thread" if held["threads"] == 1 else f"{held['threads']} threads"
    return f"{device}, {threads}, torch {held['torch']}"


def rewritten(text: str, claims: Iterable[Claim], found: Found, changed: Iterable[str] = ()) -> str:
    """A page whose tables stand between ``<!-- reproduce: GROUP -->`` and ``<!-- end -->``, made anew.

    Raises:
        UserError: it lacks a group, has one that does not exist, or does not close one.
    """
    grouped = groups(claims)
    there = re.findall(r"^<!-- reproduce: (.+) -->$", text, re.MULTILINE)
    problems = [f"the page has no line `{BEGIN.format(name).strip()}`" for name in grouped if name not in there]
    problems += [f"there are no claims '{name}', which the page has" for name in there if name not in grouped]
    if problems:
        raise UserError([Problem(problem) for problem in problems])
    for name, held in grouped.items():
        before, rest = text.split(BEGIN.format(name), 1)
        inside, closed, after = rest.partition(END)
        if not closed or "<!-- reproduce: " in inside:
            raise UserError(f"the page has no `{END}` after `{BEGIN.format(name).strip()}`")
        text = f"{before}{BEGIN.format(name)}{section(held, found, changed)}{END}{after}"
    return text


def write_page(page: Path, claims: Iterable[Claim], found: Found, changed: Iterable[str] = ()) -> None:
    """Make the tables of a page anew.

    Raises:
        UserError: as :func:`rewritten`.
    """
    write_atomic(page, rewritten(page.read_text(encoding="utf-8"), claims, found, changed))
