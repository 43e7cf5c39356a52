"""Screenshots of the page for the documents: ``python -m tests.demo.screenshots RUN... --out docs/images``.

Each run becomes ``demo_<paper>.png``; what is clicked is read from its controls.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import ImageStat

import ganzoo
from ganzoo.cli.demo import titles
from ganzoo.demo.desk import Desk
from tests.demo.browser import Visitor, browser, visiting


def play(visitor: Visitor, desk: Desk) -> None:
    """Move what there is to move: a caption, an image, a code, a walk."""
    value = desk.run.spec.sample
    kinds = {control.kind: control for control in reversed(desk.controls(value))}
    if "text" in kinds and desk.captions():
        before = visitor.source("picture-0")
        visitor.page.locator("#captions label").nth(1).click()
        visitor.changed("picture-0", before)
    if "image" in kinds and kinds["image"].keeps_size:
        found = [image for row in range(0, 100, 4) if (image := desk.example(kinds["image"], row)) is not None]
        with TemporaryDirectory() as folder:
            varied = max(found, key=lambda image: sum(ImageStat.Stat(image).var))
            varied.save(Path(folder) / "example.png")
            before = visitor.source("after-0")
            visitor.upload("image", Path(folder) / "example.png")
            visitor.changed("after-0", before)
    elif "image" in kinds:
        visitor.draw("image", [(0.35, 0.4), (0.65, 0.45), (0.6, 0.65)])
        visitor.click("make", "after-0")
    if "code" in kinds:
        before = visitor.source("picture-0")
        visitor.slide(f"{kinds['code'].name} 1", kinds["code"].high)
        visitor.changed("picture-0", before)
    if desk.draws(value):
        visitor.page.click("#walk")
        visitor.page.wait_for_selector("#walk-0 img >> nth=1")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="+", help="run folders; joined by + they are shown side by side")
    parser.add_argument("--out", type=Path, required=True, help="the folder to write")
    given = parser.parse_args()
    with browser() as chromium:
        for names in given.runs:
            runs = [ganzoo.open(name) for name in names.split("+")]
            desks = [Desk(run, title) for run, title in zip(runs, titles(runs), strict=True)]
            with visiting(chromium, desks) as visitor:
                play(visitor, desks[0])
                file = given.out / f"demo_{runs[0].name.split('/')[0]}.png"
                visitor.shoot(file)
                print(file, f"{file.stat().st_size:,} bytes", flush=True)


if __name__ == "__main__":
    main()
