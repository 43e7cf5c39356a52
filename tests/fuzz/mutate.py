"""Changes to texts and bytes, most of them between tokens, so that much of what comes out is nearly right."""

from __future__ import annotations

import re
from collections.abc import Sequence
from random import Random

TOKEN = re.compile(r"\w+|[^\S\n]+|\n|[^\w\s]")
ODD = (
    *("", "0", "-1", "1e308", "1e309", "-1e-400", "9" * 40, "0x10", "1_000", ".nan", ".inf", "NaN", "True", "None"),
    *("null", "~", "???", "_", "__class__", "__import__('os').system('x')", "lambda: 0", "*x", "**x", "&a", "*a", "<<"),
    *("!!python/object/apply:os.system [x]", "!x", "%YAML 1.1", "---", "...", "${train.batch}", "${oc.env:HOME}"),
    *("${oc.create:{a: 1}}", "${", "}", "{}", "[]", "()", "[", "]", "(", ")", ",", ":", ": ", "- ", "# x", "'", '"'),
    *("|", ">", "@", "`", "\\", "\x00", "\x1b[31m", "\u202e", "\ufeff", "\u0085", "\u2028", "é", "ⅷ", "\t"),
    *("use", "extends", "G", "D", "z", "real", "fake", "label", "stop", "share", "..", "../../etc/passwd", "/dev/zero"),
    *("(" * 60, "f(" * 49 + ")" * 49, "x.y" + ".z" * 60, "{a: " * 50, "1 * 2 * x", "- " * 60),
)
LONG = (
    "a" * 3000,
    "[" * 600,
    "- " * 600,
    "9" * 5000,
    "f(" * 900,
    "x." * 900 + "y",
    "{a: [" * 300,
    "'" + "b" * 9000 + "'",
)


def odd(random: Random) -> str:
    """Something that is seldom written; once in a hundred times a long one."""
    return random.choice(LONG if random.random() < 0.01 else ODD)


def _token(source: str, random: Random) -> tuple[int, int]:
    """Where a token begins and ends; an empty place at the end of the text counts as one."""
    begin = int(random.random() * (len(source) + 1))
    found = TOKEN.match(source, begin)
    while begin > 0 and source[begin - 1].isalnum() and found is not None:
        begin -= 1
    return begin, found.end() if found is not None else begin


def text(source: str, random: Random, pool: Sequence[str], most: int = 4) -> str:
    """A text with one to `most` changes; pieces of others come from `pool`."""
    for _ in range(random.randint(1, most)):
        source = _changed(source, random, pool)
    return source


def _changed(source: str, random: Random, pool: Sequence[str]) -> str:
    begin, end = _token(source, random)
    piece = source[begin:end]
    how = random.randrange(10)
    if how == 0:
        return source[:begin] + source[end:]
    if how == 1:
        return source[:end] + piece + source[end:]
    if how == 2:
        other_begin, other_end = _token(source, random)
        return source[:begin] + source[other_begin:other_end] + source[end:]
    if how == 3:
        return source[:begin] + odd(random) + source[end:]
    if how == 4:
        return source[:begin] + odd(random) + source[begin:]
    if how == 5:
        other = random.choice(pool)
        return source[:begin] + other[_token(other, random)[0] :]
    if how == 6:
        other = random.choice(pool)
        return source[:begin] + other[slice(*_token(other, random))] + source[end:]
    if how == 7:
        left, right = random.choice(
            (("(", ")"), ("[", "]"), ("{", "}"), ("'", "'"), ("f(", ")"), ("-", ""), ("[a, ", "]"))
        )
        return source[:begin] + left + piece + right + source[end:]
    if how == 8:
        at = random.randrange(len(source) + 1)
        return source[:at] + chr(random.choice((random.randrange(128), random.randrange(0x250)))) + source[at + 1 :]
    return source[:begin] + str(random.choice((0, -1, 2, 3.5, 1e9, -0.0, 2**64))) + source[end:]


def lines(source: str, random: Random, pool: Sequence[str], most: int = 4) -> str:
    """A text of lines with one to `most` changes, to whole lines or within one; lines of others come from `pool`."""
    rows = source.split("\n")
    for _ in range(random.randint(1, most)):
        at = random.randrange(len(rows) or 1)
        how = random.randrange(9)
        if how == 0 and len(rows) > 1:
            del rows[at]
        elif how == 1:
            rows.insert(at, rows[at])
        elif how == 2:
            other = random.randrange(len(rows))
            rows[at], rows[other] = rows[other], rows[at]
        elif how == 3:
            rows.insert(at, random.choice(pool))
        elif how == 4:
            rows[at] = " " * random.randrange(8) + rows[at].lstrip()
        elif how == 5 and ":" in rows[at]:
            rows[at] = rows[at].partition(":")[0] + ": " + odd(random)
        elif how == 6 and ":" in rows[at]:
            rows[at] = rows[at].partition(":")[0] + ":" + random.choice(pool).partition(":")[2]
        else:
            rows[at] = text(rows[at], random, pool, 2)
    return "\n".join(rows)


def flipped(source: bytes, random: Random, others: Sequence[bytes] = ()) -> bytes:
    """Bytes with changes: bits, cuts, pieces repeated or left out, numbers of four or eight bytes, others' pieces."""
    data = bytearray(source)
    for _ in range(random.choice((1, 1, 1, 2, 4, 16))):
        at = random.randrange(len(data) + 1)
        near = random.random() < 0.3  # the beginning, where headers are
        at = min(at, random.randrange(64)) if near else at
        how = random.randrange(8)
        if how <= 1 and at < len(data):
            data[at] ^= 1 << random.randrange(8)
        elif how == 2:
            data[at : at + 1] = bytes([random.choice((0, 1, 127, 128, 255, random.randrange(256)))])
        elif how == 3:
            del data[at : at + random.choice((1, 4, 64, len(data)))]
        elif how == 4:
            data[at:at] = data[at : at + random.choice((1, 8, 256))]
        elif how == 5:
            size = random.choice((2, 4, 8))
            number = random.choice((0, 1, -1, 2**31 - 1, 2**31, 2**63 - 1, -(2**63), 10**6)) % 2 ** (8 * size)
            data[at : at + size] = number.to_bytes(size, random.choice(("little", "big")))
        elif how == 6 and others:
            other = random.choice(others)
            begin = random.randrange(len(other) + 1)
            data[at : at + 64] = other[begin : begin + random.choice((1, 16, 512))]
        else:
            data[at:at] = random.randbytes(random.choice((1, 4, 64)))
    return bytes(data)
