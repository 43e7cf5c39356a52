"""The documents of a checkout as a site, with pages made from what is registered, built by Material for MkDocs."""

from __future__ import annotations

import importlib.util
import json
import logging
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from itertools import groupby
from pathlib import Path
from typing import Any

from ganzoo.config.spec import Spec
from ganzoo.errors import Problem, UserError
from ganzoo.pages import component, gallery, settings
from ganzoo.pages.uses import Use, specs, uses
from ganzoo.registry import Registry

_CONFIG = Path("docs", "site", "mkdocs.yml")
_LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)\s#]+)")


def build(root: Path, out: Path, registry: Registry) -> int:
    """Build the site of a checkout; the number of its pages. A link that leads nowhere is an error.

    Raises:
        UserError: MkDocs is missing, there are no documents, `out` holds something else, or MkDocs complains.
    """
    if importlib.util.find_spec("mkdocs") is None or importlib.util.find_spec("material") is None:
        raise UserError(Problem("MkDocs and its theme Material are not installed", hint='pip install "ganzoo[docs]"'))
    if not (root / _CONFIG).exists():
        raise UserError(Problem(f"{root / _CONFIG} is not there", hint="run this in a checkout of ganzoo"))
    if out.exists() and any(out.iterdir()) and not (out / "search" / "search_index.json").exists():
        raise UserError(Problem(f"{out} holds something else than a site", hint="name another folder with --out"))
    with tempfile.TemporaryDirectory() as made:
        pages = Path(made)
        collect(root, pages)
        generate(pages, registry, specs(registry))
        return run(root / _CONFIG, pages, out.resolve())


def collect(root: Path, pages: Path) -> None:
    """Copy the documents of a checkout, in the same places, so that their links lead to the same files.

    Notebooks become pages, and what else is linked is copied beside them.
    """
    shutil.copytree(root / "docs", pages / "docs", ignore=shutil.ignore_patterns("mkdocs.yml"))
    for file in root.glob("*.md"):
        shutil.copy(file, pages)
    for file in pages.rglob("*.ipynb"):
        file.with_suffix(".md").write_text(notebook(json.loads(file.read_text(encoding="utf-8"))), encoding="utf-8")
    for file in pages.rglob("*.md"):
        text = file.read_text(encoding="utf-8")
        for link in set(_LINK.findall(text)):
            target = (root / file.relative_to(pages)).parent / link
            copy = file.parent / link
            if target.is_file() and root.resolve() in target.resolve().parents and not copy.exists():
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(target, copy)
        file.write_text(re.sub(r"(\]\((?!https?:)[^)\s]+)\.ipynb", r"\1.md", text), encoding="utf-8")


def generate(pages: Path, registry: Registry, found: Mapping[str, Spec]) -> None:
    """Write the pages that are made: components, the gallery, and the keys of a model file.

    Args:
        pages: The folder that :func:`collect` filled.
        registry: The components.
        found: The models in which uses are looked for, and which the gallery shows.
    """
    docs = pages / "docs"
    links = _links(docs, found)
    _write(docs / "gallery.md", gallery.page(found.values(), links, docs))
    explained = docs / "configs.md"
    _write(docs / "settings.md", settings.page(explained.read_text(encoding="utf-8") if explained.exists() else ""))
    components(docs / "components", registry, found, {family: f"../../{link}" for family, link in links.items()})


def components(folder: Path, registry: Registry, found: Mapping[str, Spec], links: Mapping[str, str]) -> None:
    """Write a page for every component, one for every kind, and one for all."""
    used = uses(found.values())
    _write(folder / "index.md", component.whole(registry))
    for kind, group in groupby(registry, lambda entry: entry.kind):
        entries = list(group)
        _write(
            folder / kind / "index.md", component.index(kind, entries, {e.id: component.summary(e) for e in entries})
        )
        for name, same in groupby(entries, lambda entry: entry.name):  # several, if plugins claim one name
            texts = [component.page(entry, registry, used.get(entry.id, Use()), links) for entry in same]
            _write(folder / kind / f"{name}.md", component.SEARCH + "\n\n".join(texts))


def notebook(content: Mapping[str, Any]) -> str:
    """A notebook as Markdown: its texts, its code, and what of its outputs is text."""
    found = []
    for cell in content["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] != "code":
            found.append(source)
            continue
        found.append(f"```python\n{source}\n```")
        for output in cell.get("outputs", ()):
            text = "".join(output.get("text", ()) or output.get("data", {}).get("text/plain", ()))
            found += [f"```text\n{text.rstrip()}\n```"] if text.strip() else []
    return "\n\n".join(found) + "\n"


def _links(docs: Path, found: Mapping[str, Spec]) -> dict[str, str]:
    """Where each family of models has its place, relative to the documents: its card, or its entry in the zoo."""
    zoo = docs / "zoo.md"
    headings = (
        set(re.findall(r"^## (\S+)$", zoo.read_text(encoding="utf-8"), flags=re.MULTILINE)) if zoo.exists() else ()
    )
    links = {}
    for family in dict.fromkeys(name.split("/")[0] for name in found):
        if (docs / "cards" / f"{family}.md").exists():
            links[family] = f"cards/{family}.md"
        elif family in headings:
            links[family] = f"zoo.md#{family}"
    return links


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def navigation(listed: Any, pages: list[str]) -> Any:
    """A navigation in which a pattern stands for the pages that match it and that nothing else names.

    ``folder/*/*.md`` makes a section of each folder.
    """
    named = set(_named(listed))

    def filled(item: Any) -> Any:
        if isinstance(item, dict):
            return {key: filled(value) for key, value in item.items()}
        if not isinstance(item, list):
            return item
        full: list[Any] = []
        for value in item:
            if not isinstance(value, str) or "*" not in value:
                full.append(filled(value))
                continue
            found = [p for p in pages if fnmatchcase(p, value) and p.count("/") == value.count("/") and p not in named]
            if "/*/" in value:
                folders = groupby(found, lambda page: page.split("/")[-2])
                full += [{name: sorted(inside, key=lambda p: not p.endswith("/index.md"))} for name, inside in folders]
            else:
                full += found
        return full

    return filled(listed)


def _named(item: Any) -> Iterator[str]:
    """The pages that a navigation names."""
    if isinstance(item, str):
        yield item
    for value in item if isinstance(item, list) else item.values() if isinstance(item, dict) else ():
        yield from _named(value)


def run(config_file: Path, pages: Path, out: Path) -> int:
    """Let MkDocs make the site; how many pages it has.

    Raises:
        UserError: it complains of anything, a link that leads nowhere among them.
    """
    from mkdocs.commands.build import build as build_site
    from mkdocs.config import load_config
    from mkdocs.exceptions import MkDocsException

    said: list[str] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(record.getMessage())

    handler = Kept(logging.WARNING)
    logger = logging.getLogger("mkdocs")
    logger.addHandler(handler)
    logger.propagate = False
    try:
        config = load_config(str(config_file), docs_dir=str(pages), site_dir=str(out), strict=True)
        files = sorted(file.relative_to(pages).as_posix() for file in pages.rglob("*.md"))
        config.nav = navigation(config.nav, files)
        config.plugins.on_startup(command="build", dirty=False)
        build_site(config)
    except (MkDocsException, SystemExit) as error:
        raise UserError([Problem(text) for text in said] or [Problem(str(error))]) from error
    finally:
        logger.removeHandler(handler)
    return len(files)
