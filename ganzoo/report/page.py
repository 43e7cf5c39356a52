"""A page in one file: style and script inside, nothing fetched, and no script runs but its own."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from ganzoo.errors import Problem, UserError
from ganzoo.store.files import write_atomic

MARK = "<meta name=generator content=ganzoo>"
LIMIT = 3_000_000  # bytes of a page
RELOAD = 15  # seconds between two looks at a run that is still training


def text(value: Any) -> str:
    """Anything as text that means nothing to HTML, in an attribute too."""
    return html.escape(str(value), quote=True)


@cache
def own(name: str) -> str:
    """A file that lies beside this one."""
    return files("ganzoo.report").joinpath(name).read_text(encoding="utf-8").strip()


def document(title: str, body: Iterable[str], live: bool = False) -> str:
    """A whole page. Its policy allows pictures that lie in it and its own script, by hash.

    Args:
        title: Of the page.
        body: HTML.
        live: Whether the page loads itself anew now and then.
    """
    script = own("page.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    again = f"<noscript><meta http-equiv=refresh content={RELOAD}></noscript>" if live else ""
    return (
        f"<!doctype html><html lang=en><head><meta charset=utf-8>{MARK}"
        f'<meta http-equiv=Content-Security-Policy content="{policy}">'
        f"<meta name=viewport content='width=device-width'>{again}<title>{text(title)}</title>"
        f"<style>{own('page.css')}{own('charts.css')}</style></head><body{f' data-live={RELOAD}' if live else ''}>"
        f"{''.join(body)}<script>{script}</script></body></html>\n"
    )


def save(path: Path, page: str) -> None:
    """Write a page, unless something else lies there.

    Raises:
        UserError: the file is no such page, or cannot be written.
    """
    if path.is_file() and MARK not in path.read_text(encoding="utf-8", errors="replace")[:500]:
        raise UserError(Problem(f"{path} is there and is no page of ganzoo", hint="give another file with --out"))
    write_atomic(path, page)


def section(title: str, *body: str) -> str:
    """A heading with what stands under it; nothing, if nothing does."""
    inside = "".join(body)
    return f"<section><h2>{text(title)}</h2>{inside}</section>" if inside else ""


def table(head: Sequence[str], rows: Iterable[Sequence[str]], kind: str = "") -> str:
    """A table of cells that are HTML already."""
    top = f"<thead><tr>{''.join(f'<th>{words(name)}' for name in head)}</thead>" if head else ""
    lines = "".join(f"<tr>{''.join(c if c.startswith('<td') else f'<td>{c}' for c in row)}" for row in rows)
    return f"<div class=wide><table class='{kind}'>{top}<tbody>{lines}</tbody></table></div>"


def number(value: float | None) -> str:
    """A table's cell that is sorted by its number."""
    return f"<td data-value={value!r}>{value:.4g}" if value is not None else "<td>"


def words(name: str) -> str:
    """A path or a metric that may break after its slashes, brackets and dots."""
    return re.sub(r"([.\[/])", r"\1<wbr>", text(name))
