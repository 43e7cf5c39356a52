"""A docstring taken apart: summary, equations, prose, arguments, errors, where it comes from."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ganzoo.pages import formula

_SECTIONS = ("Args", "Raises", "Returns", "Note", "Example", "Keyword args")
_FROM = ("Paper", "Source", "Licence")


@dataclass
class Doc:
    """What a docstring says. `body` holds paragraphs of Markdown and equations, these as ``("tex", …)``, in order."""

    summary: str = ""
    body: list[tuple[str, str]] = field(default_factory=list)
    arguments: dict[str, str] = field(default_factory=dict)
    raises: list[str] = field(default_factory=list)
    origin: dict[str, str] = field(default_factory=dict)

    @property
    def formulas(self) -> list[str]:
        return [text for kind, text in self.body if kind == "tex"]


def read(factory: Callable[..., Any]) -> Doc:
    """The parts of a factory's docstring. Of one that torch wrote, which is long, the summary and the arguments."""
    doc = Doc()
    text = inspect.getdoc(factory) or ""
    foreign = (getattr(factory, "__module__", "") or "").split(".")[0] == "torch"
    paragraphs = re.split(r"\n\s*\n", text)
    section = ""
    for number, paragraph in enumerate(paragraphs):
        head, _, inside = paragraph.partition("\n")
        if head.rstrip(":") in _SECTIONS and head.endswith(":"):
            section, paragraph = head.rstrip(":"), inside
        elif not paragraph.startswith(" "):
            section = ""
        if section == "Args":
            doc.arguments |= _arguments(paragraph)
        elif section == "Raises":
            doc.raises += [f"`{name}`: {said}" for name, said in _arguments(paragraph).items()]
        elif not section and (number == 0 or not foreign):
            _paragraph(paragraph, doc, number == 0)
    return doc


def _paragraph(text: str, doc: Doc, first: bool) -> None:
    if text.startswith("    ") or text.startswith((".. ", "#. ")):
        doc.body.append(("text", text))
        return
    text = _taken(text, doc.origin)
    if not text:
        return
    if first:
        doc.summary = markdown(" ".join(text.split()))
        tail = re.match(r"(?s).*?:\s(.*)\.?$", text)
        found = formula.split(tail[1])[0] if tail else None
        if found:
            doc.body.append(("tex", found))
        return
    found, rest = formula.split(text)
    if found:
        doc.body.append(("tex", found))
    if rest:
        doc.body.append(("text", markdown(rest)))


def _taken(text: str, origin: dict[str, str]) -> str:
    """The paragraph without ``Paper: …``, ``Source: …`` and ``Licence: …``, which go to `origin`."""
    pieces = re.split(rf"(?:^|(?<=[.)`:])\s+|\n)({'|'.join(_FROM)}): ", text)
    for name, said in zip(pieces[1::2], pieces[2::2], strict=True):
        origin[name] = linked(markdown(" ".join(said.split())))
    return pieces[0].strip()


def _arguments(text: str) -> dict[str, str]:
    """``name: what it is`` by name, from lines of one indentation and deeper ones that go on."""
    found: dict[str, str] = {}
    name = ""
    for line in textwrap.dedent(text).splitlines():
        match = re.match(r"(\w+)(?: \([^)]*\))?:\s*(.*)", line)
        if match:
            name, said = match.groups()
            found[name] = said
        elif name:
            found[name] += f" {line.strip()}"
    return {name: markdown(said.strip()) for name, said in found.items()}


def markdown(text: str) -> str:
    """Docstring text as Markdown: code in single backticks, and nothing else that Markdown would take for a mark."""
    text = re.sub(r":\w+:`~?([^`<]*?)(?:\s*<[^>`]*>)?`", r"`\1`", text)
    text = re.sub(r"`([^`\n]+)`_+", r"\1", text)
    pieces = re.split(r"(``.+?``|`[^`]+`)", text, flags=re.DOTALL)
    for at, piece in enumerate(pieces):
        if at % 2:
            code = " ".join(piece.strip("`").split())
            pieces[at] = f"`{code}`"
        else:
            pieces[at] = re.sub(r"([*_<>|\[\]\\])", _escaped, piece)
    return "".join(pieces)


def _escaped(match: re.Match[str]) -> str:
    return {"<": "&lt;", ">": "&gt;", "|": "&#124;"}.get(match[1], "\\" + match[1])


def linked(text: str) -> str:
    """Papers of arXiv, and addresses, as links."""
    text = re.sub(r"arXiv:(\d{4}\.\d{4,5})", r"[arXiv:\1](https://arxiv.org/abs/\1)", text)
    return re.sub(r"(?<![(\w])(https?://[^\s,;)]+[^\s,;).])", r"<\1>", text)
