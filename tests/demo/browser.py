"""A visitor of the page: a headless browser that clicks, draws, uploads, and looks at what comes back."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from ganzoo.demo import page as pages
from ganzoo.demo.desk import Desk

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
PATIENCE = 120_000  # milliseconds; a busy machine computes slowly


class Visitor:
    """A browser on the page of some runs."""

    def __init__(self, page: Page, url: str):
        self.page, self.url = page, url
        self.asked: list[str] = []
        page.set_default_timeout(PATIENCE)
        page.on("request", lambda request: self.asked.append(request.url))
        page.goto(url, wait_until="domcontentloaded")
        page.wait_for_selector("#picture-0 img", state="visible")

    def source(self, name: str) -> str:
        return self.page.locator(f"#{name} img").last.get_attribute("src") or ""

    def image(self, name: str) -> Image.Image:
        """The picture that a component shows."""
        self.page.wait_for_selector(f"#{name} img", state="visible")
        return Image.open(io.BytesIO(self.page.request.get(self.source(name)).body())).convert("RGB")

    def click(self, name: str, changes: str = "picture-0") -> Image.Image:
        """Click a button and wait until a picture is another."""
        before = self.source(changes)
        self.page.click(f"#{name}")
        return self.changed(changes, before)

    def changed(self, name: str, before: str) -> Image.Image:
        """A picture once it is another than `before`."""
        script = (
            "([n, b]) => { const i = [...document.querySelectorAll('#' + n + ' img')].pop(); return i && i.src != b }"
        )
        self.page.wait_for_function(script, arg=[name, before])
        return self.image(name)

    def set_number(self, name: str, number: int) -> None:
        box = self.page.locator(f"#{name} input").first
        box.fill(str(number))
        box.blur()

    def choose(self, name: str, option: str) -> None:
        """An option of a menu."""
        self.page.click(f"#{name} input")
        self.page.get_by_role("option", name=option, exact=True).click()

    def slide(self, label: str, number: float) -> None:
        box = self.page.get_by_label(f"number input for {label}")
        box.fill(str(number))
        box.press("Enter")
        box.blur()

    def upload(self, name: str, file: Path) -> None:
        self.page.locator(f"#{name} input[type=file]").first.set_input_files(file)

    def hand(self, name: str, file: Path) -> None:
        """A file by a button that asks for one."""
        with self.page.expect_file_chooser() as chooser:
            self.page.click(f"#{name}")
        chooser.value.set_files(file)

    def draw(self, name: str, points: Sequence[tuple[float, float]]) -> None:
        """A stroke through points, as shares of the width and height of what is drawn on."""
        canvas = self.page.locator(f"#{name} canvas").first
        canvas.wait_for(state="visible")  # it is made some time after the page
        canvas.scroll_into_view_if_needed()
        box = canvas.bounding_box()
        assert box is not None
        places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
        self.page.mouse.move(*places[0])
        self.page.mouse.down()
        for place in places[1:]:
            self.page.mouse.move(*place, steps=2)
        self.page.mouse.up()

    def text(self, name: str) -> str:
        return self.page.locator(f"#{name}").inner_text()

    def shoot(self, file: Path, width: int = 1100) -> None:
        """A screenshot of the page, in few colours so that it is small."""
        self.page.mouse.move(0, 0)
        self.page.wait_for_timeout(800)
        shot = Image.open(io.BytesIO(self.page.screenshot(full_page=True))).convert("RGB")
        shot.quantize(128, dither=Image.Dither.NONE).save(file, optimize=True)


@contextmanager
def served(desks: Sequence[Desk]) -> Iterator[str]:
    """The address of the page of some runs, while it is served."""
    blocks = pages.page(desks)
    try:
        _, url, shared = blocks.launch(**pages.arguments(), prevent_thread_lock=True, quiet=True)
        assert shared is None
        yield url
    finally:
        blocks.close()


@contextmanager
def browser() -> Iterator[Any]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            yield chromium
        finally:
            chromium.close()


@contextmanager
def visiting(chromium: Any, desks: Sequence[Desk], width: int = 1100) -> Iterator[Visitor]:
    with served(desks) as url:
        page = chromium.new_page(viewport={"width": width, "height": 800})
        try:
            yield Visitor(page, url)
        finally:
            page.close()


def is_blank(image: Image.Image) -> bool:
    """Whether an image is of one colour."""
    return all(low == high for low, high in image.convert("RGB").getextrema())
