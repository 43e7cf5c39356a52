"""What the site is made of."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ganzoo import api
from ganzoo.errors import UserError
from ganzoo.pages import gallery, site
from ganzoo.reproduction import zoo

ROOT = Path(__file__).parents[2]


def test_a_pattern_stands_for_pages_that_nothing_else_names() -> None:
    nav = [{"Start": "README.md"}, {"How to": ["docs/b.md", "docs/*.md"]}, {"Parts": ["c/*/*.md"]}]
    pages = ["README.md", "c/loss/a.md", "c/loss/index.md", "c/op/index.md", "docs/a.md", "docs/b.md", "docs/x/y.md"]
    assert site.navigation(nav, pages) == [
        {"Start": "README.md"},
        {"How to": ["docs/b.md", "docs/a.md"]},
        {"Parts": [{"loss": ["c/loss/index.md", "c/loss/a.md"]}, {"op": ["c/op/index.md"]}]},
    ]


def test_documents_keep_their_places_and_notebooks_become_pages(tmp_path: Path) -> None:
    site.collect(ROOT, tmp_path)
    assert (tmp_path / "README.md").read_text() == (ROOT / "README.md").read_text()
    python = (tmp_path / "docs" / "python.md").read_text(encoding="utf-8")
    pages = re.findall(r"\((notebooks/\w+\.md)\)", python)
    assert len(pages) >= 3 and ".ipynb" not in python
    for page in pages:
        assert "```python\n" in (tmp_path / "docs" / page).read_text(encoding="utf-8")
    assert (tmp_path / "configs" / "comparison" / "comparison.yaml").exists(), "what a page links is there"


def test_the_gallery_has_a_picture_or_equations_and_a_link_for_every_paper(tmp_path: Path) -> None:
    registry = api.registry(None)
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "cyclegan.png").touch()
    found = [zoo.spec(name, registry) for name in ("cyclegan/openmoji", "cyclegan/cyclegan", "wgan_gp/ring")]
    page = gallery.page(found, {"cyclegan": "cards/cyclegan.md", "wgan_gp": "zoo.md#wgan_gp"}, tmp_path)
    assert "[![samples of cyclegan](images/cyclegan.png){ loading=lazy }](cards/cyclegan.md)" in page
    assert "`ganzoo train cyclegan/openmoji`" in page
    assert "**[wgan_gp](zoo.md#wgan_gp)**" in page and "fake = G(z)" in page


def test_another_folder_is_not_overwritten(tmp_path: Path) -> None:
    pytest.importorskip("material")
    (tmp_path / "thesis.txt").write_text("a year of work")
    with pytest.raises(UserError, match="holds something else than a site"):
        site.build(ROOT, tmp_path, api.registry(None))
    with pytest.raises(UserError, match="is not there"):
        site.build(tmp_path, tmp_path / "site", api.registry(None))
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_link_that_leads_nowhere_is_an_error(tmp_path: Path) -> None:
    pytest.importorskip("material")
    pages = tmp_path / "pages"
    (pages / "docs").mkdir(parents=True)
    (pages / "README.md").write_text("# Start\n\n[there](docs/a.md) and [nowhere](docs/b.md#c)\n")
    (pages / "docs" / "a.md").write_text("# A\n\n[no such place](../README.md#middle)\n")
    config = tmp_path / "mkdocs.yml"
    config.write_text(
        "site_name: t\nnav: [README.md, docs/*.md]\n"
        "validation: {links: {not_found: warn, anchors: warn}}\ntheme: {name: material, font: false}\n"
    )
    with pytest.raises(UserError) as error:
        site.run(config, pages, tmp_path / "site")
    said = "\n".join(map(str, error.value.problems))
    assert "docs/b.md" in said and "middle" in said
    (pages / "docs" / "a.md").write_text("# A\n")
    (pages / "README.md").write_text("# Start\n\n[there](docs/a.md#a)\n")
    assert site.run(config, pages, tmp_path / "site") == 2
    assert (tmp_path / "site" / "docs" / "a" / "index.html").exists()
