"""Equations as docstrings write them, ``d = E[max(0, 1 - real)]``, as TeX."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import NamedTuple

_TOKEN = re.compile(
    r"""(?P<code>`[^`\n]+`)
    | (?P<number>\d+(?:\.\d+)?(?:e-?\d+)?)
    | (?P<word>log10|[A-Za-z]{2,}(?:-[a-z][a-z]+)*(?:'s?)?|[A-Za-z](?:'s)?)
    | (?P<sub>_(?:\{[^{}]*\}|\w+(?:,\w+)?))
    | (?P<sup>\^(?:-?\d+|\{[^{}]*\}))
    | (?P<op>\|\||<-|->|<=|>=|!=|[-+*/^=()\[\]{}|<>~,;:!.'])
    | (?P<space>\s+)""",
    re.VERBOSE,
)
_FUNCTIONS = {"log10", "exp", "log", "max", "min", "cos", "sin"}
_OPERATORS = {
    *("softplus", "sigmoid", "softmax", "relu", "lrelu", "bn", "norm", "sign", "std", "clip", "tr", "mean", "Var"),
    *("argmax", "KL", "down", "up", "tanh"),
}
_GREEK = {"mu", "sigma", "epsilon", "gamma", "eta", "pi", "Phi", "psi", "lambda", "theta", "beta", "alpha"}
_KNOWN = _FUNCTIONS | _OPERATORS | _GREEK | {"E", "sum", "sqrt", "grad"}
_PROSE = {
    *("of", "over", "for", "at", "with", "where", "and", "or", "then", "to", "as", "from", "by", "on", "the", "is"),
    *(
        "each",
        "so",
        "but",
        "given",
        "minus",
        "in",
        "all",
        "one",
        "no",
        "not",
        "are",
        "both",
        "has",
        "its",
        "same",
        "here",
    ),
}
_OP = {
    **{"*": r"\cdot", "||": r"\|", "<-": r"\leftarrow", "->": r"\to", "<=": r"\le", ">=": r"\ge", "!=": r"\ne"},
    **{"~": r"\sim", "{": r"\{", "}": r"\}"},
}
_CLOSED = {"(": ")", "[": "]", "{": "}"}
_MOST_WORDS = 4  # an equation with more English than this is prose


class Token(NamedTuple):
    """A piece of an equation: what it is, its text, and whether white space stands before it."""

    kind: str
    text: str
    spaced: bool


def tex(text: str) -> str | None:
    """An equation as the body of a TeX display, one row for each that a comma and two spaces, or a line, divides.

    None is returned where the text is no equation that this reads, or more prose than equation.
    """
    rows = [row for row in re.split(r",(?:  +|\n)\s*|\n(?=\w+\s+=)", text.strip()) if row]
    if not re.search(r" = |E\[|<-|\|\||sum_", text) or "``" in text:
        return None
    made = [_row(row.rstrip(".")) for row in rows]
    said = [stretch for row in rows for stretch in _prose(_tokens(row) or [])]
    if None in made or sum(end - start for start, end in said) > _MOST_WORDS:
        return None
    if any(start == 0 for start, _ in _prose(_tokens(rows[0]) or [])):
        return None
    if len(made) == 1:
        return made[0].replace("&", "", 1) if made[0] else None
    return "\\begin{aligned}\n" + " \\\\\n".join(row or "" for row in made) + "\n\\end{aligned}"


def split(paragraph: str) -> tuple[str | None, str]:
    """The TeX of what a paragraph begins with, and the prose after it; None where it begins with no equation.

    An equation ends with its sentence, or with a comma after which only prose comes.
    """
    sentence = re.match(r"(?s).*?(?:\.(?=\s+[A-Z])|$)", paragraph)
    first = sentence[0] if sentence else paragraph
    ends = [len(first), *(match.start() for match in re.finditer(r"[,;:]\s|\s(?=with |at )", first))][::-1]
    for end in sorted(ends, reverse=True):
        rest = paragraph[end:].lstrip(" \n.,;:")
        found = None if rest.startswith("and ") else tex(first[:end].rstrip(" ,;"))
        if found:
            return found, rest
    return None, paragraph


def _tokens(text: str) -> list[Token] | None:
    found, at, spaced = [], 0, False
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            return None
        kind = match.lastgroup or ""
        if kind != "space":
            found.append(Token(kind, match[0], spaced))
        spaced, at = kind == "space", match.end()
    return found


def _prose(tokens: list[Token]) -> list[tuple[int, int]]:
    """Where English stands: runs of words of which one is a common one, or two follow each other."""
    found, start = [], 0
    while start < len(tokens):
        end = start
        while end < len(tokens) and _is_word(tokens, end):
            end += 1
        run = [token.text for token in tokens[start:end]]
        while run and len(run[0]) == 1:
            start, run = start + 1, run[1:]
        stop = end
        while run and len(run[-1]) == 1:
            stop, run = stop - 1, run[:-1]
        long = [word for word in run if len(word) > 1]
        if run and (len(long) > 1 or set(run) & _PROSE or "-" in run[0] or "'" in run[0]):
            found.append((start, stop))
        start = max(end, start) + 1
    return found


def _is_word(tokens: list[Token], at: int) -> bool:
    token = tokens[at]
    following = tokens[at + 1] if at + 1 < len(tokens) else None
    attached = following is not None and not following.spaced and (following.kind == "sub" or following.text in "([")
    if token.kind != "word" or attached:
        return False
    if token.text in _KNOWN:  # the mean of something, unless it is a mean in a sentence
        return (
            following is not None
            and following.kind == "word"
            and following.text not in _KNOWN
            and following.text[1:] != ""
        )
    return True


def _row(text: str) -> str | None:
    tokens = _tokens(text)
    if tokens is None or not _balanced(tokens):
        return None
    prose = dict(_prose(tokens))
    made: list[str] = []
    at, aligned = 0, False
    while at < len(tokens):
        if at in prose:
            words = " ".join(token.text for token in tokens[at : prose[at]])
            made.append(rf"\text{{ {words} }}")
            at = prose[at]
            continue
        token = tokens[at]
        if made and token.spaced and _juxtaposed(tokens[at - 1], token):
            made.append(r"\,")
        if token.text == "=" and not aligned:
            made.append("&=")
            aligned = True
        elif token.text == "sqrt" and at + 1 < len(tokens) and tokens[at + 1].text == "(":
            close = _close(tokens, at + 1)
            inner = _joined(tokens[at + 2 : close])
            made.append(rf"\sqrt{{{inner}}}")
            at = close
        elif token.text == "^" and at + 1 < len(tokens) and tokens[at + 1].text == "(":
            close = _close(tokens, at + 1)
            made.append(f"^{{{_joined(tokens[at + 2 : close])}}}")
            at = close
        elif token.text == "1" and at + 1 < len(tokens) and tokens[at + 1].text == "[" and not tokens[at + 1].spaced:
            made.append(r"\mathbf{1}")
        else:
            made.append(_one(token, tokens[at + 1] if at + 1 < len(tokens) else None))
        at += 1
    whole = re.sub(r"(?<![\d.])(\d)\s?/\s?(\d)(?![\d.])", r"\\tfrac{\1}{\2}", _spaced(made))
    return whole if aligned else "&" + whole


def _joined(tokens: list[Token]) -> str:
    return _spaced([_one(token, following) for token, following in pairwise([*tokens, None])])  # type: ignore[arg-type]


def _spaced(pieces: list[str]) -> str:
    """Pieces of TeX with a space where a command would run into a letter."""
    text = ""
    for piece in pieces:
        text += (" " if re.search(r"\\[A-Za-z]+$", text) and piece[:1].isalpha() else "") + piece
    return text


def _one(token: Token, following: Token | None) -> str:
    text = token.text
    if token.kind == "code":
        name = text.strip("`").replace("_", r"\_")
        return rf"\mathtt{{{name}}}"
    if token.kind == "sub":
        inner = text[1:].strip("{}").replace("!=", r"\ne ")
        return (
            rf"_{{\mathrm{{{inner}}}}}" if re.fullmatch(r"[A-Za-z]{2,}", inner) and len(inner) > 2 else f"_{{{inner}}}"
        )
    if token.kind == "sup":
        inner = text[1:].strip("{}")
        return f"^{{{inner}}}"
    if token.kind == "word":
        called = following is not None and following.text == "("
        if text == "E" and following is not None and not called:
            return r"\mathbb{E}"
        if text in ("N", "U") and called and following is not None and not following.spaced:
            return rf"\mathcal{{{text}}}"
        if text == "sum":
            return r"\sum"
        if text == "grad":
            return r"\nabla "
        if text == "log10":
            return r"\log_{10}"
        if text in _GREEK or text in _FUNCTIONS:
            return "\\" + text + " "
        if text == "argmax":
            return r"\operatorname*{arg\,max}"
        if text in _OPERATORS:
            return rf"\operatorname{{{text}}}"
        return text if len(text) == 1 else rf"\mathrm{{{text}}}"
    if token.kind == "op":
        if text == "<" and following is not None and not following.spaced:
            return r"\langle "
        if text == ">" and not token.spaced:
            return r"\rangle "
        return _OP.get(text, text)
    return text


def _juxtaposed(before: Token, token: Token) -> bool:
    """Whether two operands follow each other, which multiplies or applies."""
    ends = before.kind in ("word", "number", "sub", "sup", "code") or before.text in (")", "]", "|")
    begins = token.kind in ("word", "number", "code") or token.text in ("(", "[")
    return ends and begins


def _balanced(tokens: list[Token]) -> bool:
    waiting: list[str] = []
    for token in tokens:
        if token.text in _CLOSED and token.kind == "op":
            waiting.append(_CLOSED[token.text])
        elif token.text in _CLOSED.values() and token.kind == "op" and (not waiting or waiting.pop() != token.text):
            return False
    return not waiting


def _close(tokens: list[Token], at: int) -> int:
    """Where the bracket that opens at a place is closed."""
    depth = 0
    for index in range(at, len(tokens)):
        depth += (tokens[index].text == "(") - (tokens[index].text == ")")
        if depth == 0:
            return index
    return len(tokens)
