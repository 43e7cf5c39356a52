"""The gallery: of every model family a picture where there is one, a line, and a link."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import groupby
from pathlib import Path

from ganzoo.config.spec import Spec
from ganzoo.pages.docstring import linked, markdown
from ganzoo.reproduction.zoo import first_of

_TOP = """---
search:
  exclude: true
---

# Gallery

Every paper that comes with ganzoo. A picture shows what the paper's model made of bundled data. Where there is no
picture, the model's equations stand in its place. Each leads to the card that explains the model, or to its entry in
[the zoo](zoo.md), where numbers are.
"""
_MOST = 6  # equations in the place of a picture


def page(found: Iterable[Spec], links: Mapping[str, str], docs: Path) -> str:
    """The gallery as Markdown, to lie in `docs`, below which ``images/FAMILY.png`` are looked for.

    Args:
        found: Every model.
        links: Where a family has its place; families without one are no papers and are left out.
        docs: The folder of the documents.
    """
    cards = []
    for family, members in groupby(sorted(found, key=lambda spec: spec.name), lambda spec: spec.name.split("/")[0]):
        if family in links:
            several = list(members)
            first = first_of(family, several)
            cards.append(_card(family, first, several, links[family], docs))
    return "\n".join([_TOP, '<div class="grid cards gallery" markdown>', "", *cards, "</div>", ""])


def _card(family: str, first: Spec, members: list[Spec], link: str, docs: Path) -> str:
    if (docs / "images" / f"{family}.png").exists():
        shown = f"[![samples of {family}](images/{family}.png){{ loading=lazy }}]({link})"
    else:
        lines = first.lines()
        more = ["…"] if len(lines) > _MOST else []
        shown = "\n    ".join(["```text", *lines[:_MOST], *more, "```"])
    title = markdown(first.about.title or next((spec.about.title for spec in members if spec.about.title), family))
    paper = f" {linked(first.about.paper)}" if first.about.paper else ""
    bundled = sorted((spec for spec in members if spec.about.scaled), key=lambda spec: len(spec.parts))
    runs = f"\n\n    `ganzoo train {bundled[0].name}`" if bundled else ""
    return f"-   **[{family}]({link})** {title}.{paper}\n\n    {shown}{runs}\n"
