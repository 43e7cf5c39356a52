"""Pages of runs: one file each that fetches nothing, says what happened, and runs no script but its own."""

from __future__ import annotations

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from ganzoo.cli.app import app
from ganzoo.errors import UserError
from ganzoo.report import curves, facts, frames, one, page, several
from ganzoo.report.curves import Line, Panel
from ganzoo.run.callbacks import Pictures
from ganzoo.run.pictures import picture
from ganzoo.store.folder import RunFolder
from ganzoo.store.lock import writing

EVIL = "</script><script>alert(1)</script><img src=http://evil.example/x onerror=alert(1)>'\""
CONFIG: dict[str, Any] = {
    "about": {"title": "A small test", "paper": "arXiv:1703.10593"},
    "data": {"use": "data.pairs"},
    "parts": {"G": {"use": "generator.unet"}, "D": {"use": "discriminator.patch"}},
    "flow": {"fake_b": "G(real_a)", "back": "G(fake_b)", "sure": "D(real_b)"},
    "players": {
        "D": {"minimize": {"adversarial": {"of": "adv.d(D(real_b), D(fake_b))"}}},
        "G": {"trains": ["G", "E"], "minimize": {"adversarial": {"of": "adv.g(D(fake_b))"},
                                                 "l1": {"of": "50 * l1(fake_b, real_b)", "weight": 2, "every": 2}}},
    },
    "log": {"k": "bal.k"},
    "train": {"steps": 400, "seed": 3, "keep": {"best": None, "mode": None}},
    "locked": {
        "model": "pix2pix/small",
        "fields": {"real_a": {"kind": "image", "shape": [3, 8, 8]}, "real_b": {"kind": "image", "shape": [3, 8, 8]}},
        "parameters": {"G": 12345, "D": 678},
        "better": {"fid": "lower"},
    },
}  # fmt: skip


def run(
    path: Path, config: dict[str, Any] = CONFIG, status: str | None = "finished", warn: str = "the gradient"
) -> Path:
    """A run folder as a training of a translator leaves it."""
    folder = RunFolder(path)
    path.mkdir(parents=True)
    folder.write_yaml("config.yaml", config)
    folder.write_yaml("locked.yaml", config)
    folder.write_json("environment.json", {"ganzoo": "0.1.0", "command": ["ganzoo", "train", "pix2pix/small", "a b"]})
    for step in range(10, 401, 10):
        values = {"D.adversarial": 1 / step, "G.adversarial": step / 100, "G.l1": 3.0, "G.gradient": 0.1, "k": 0.5}
        folder.log(
            {"step": step, **values, "D.lr": 0.1, "epoch": step / 100, "seconds": step, "samples_per_second": 50}
        )
    folder.log({"step": 200, "warning": warn})
    for step, value in ((200, 9.5), (300, 7.25), (400, 8.0)):
        folder.log({"step": step, "evaluation": {"fid[cnn]": value}})
    protocol = {"n_fake": 500, "n_real": 400, "real": "data.pairs", "split": "held_out", "seed": 0}
    stored = {"step": 400, "values": {"fid[cnn]": 8.0}, "protocol": protocol, "verdict": "2 classes are missing"}
    folder.evaluations.write_text(json.dumps(stored) + "\n")
    if status:
        folder.write_json("status.json", {"reason": status, "step": 400})
    for step in (0, 200, 400):
        columns = {"real_a": torch.full((6, 3, 8, 8), -1.0), "fake_b": torch.full((6, 3, 8, 8), step / 400)}
        Pictures(folder).on_samples(step, picture(columns, {}))
    return path


class Page(HTMLParser):
    """What a browser would see of a page."""

    def __init__(self, text: str):
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.said = ""
        self.inside: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self.inside and self.inside.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if not {"script", "style"} & set(self.inside):
            self.said += data + "\n"

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def safe(text: str) -> Page:
    """A page that holds one script, its own, whose hash the policy has, and loads nothing."""
    seen = Page(text)
    assert len(seen.all("script")) == 1 and not seen.all("link") and not seen.all("iframe")
    for tag, attributes in seen.tags:
        assert not [name for name in attributes if name.startswith("on")], (tag, attributes)
        assert (attributes.get("src") or "data:").startswith("data:"), (tag, attributes)
    (policy,) = [m["content"] for m in seen.all("meta") if m.get("http-equiv") == "Content-Security-Policy"]
    assert policy is not None and "default-src 'none'" in policy and "'sha256-" in policy
    assert len(text.encode()) < page.LIMIT
    return seen


def test_a_page_says_what_happened(tmp_path: Path) -> None:
    path = one.write(facts.read(run(tmp_path / "run")))
    seen = safe(path.read_text())
    for piece in (
        "A small test",
        "data.pairs: real_a (image 3x8x8), real_b (image 3x8x8)",
        "Finished after 400 steps, 6 min 40 s of training. fid[cnn] is 8 at step 400, 7.25 at its best (step 300). "
        "2 classes are missing. 1 warning, the last at step 200: the gradient.",
        "best, step 300; 500 samples against 400 of data.pairs (held_out), seed 0",
        "step 200: the gradient",
        "fake_b = G(real_a)",
        "G (trains G, E)",
        "l1(fake_b, real_b)   (every 2)",
        "12,345",
        "ganzoo train pix2pix/small 'a b'",
        f"ganzoo train {tmp_path}/run/locked.yaml --out NEW_FOLDER",
        "finished; step 400",
    ):
        assert piece in seen.said, piece
    assert "D.lr" not in seen.said
    row = re.search(r"<tr><td><td>l1<td>100<td class=code>l1\(fake_b", path.read_text())
    assert row is not None, "the weight stands beside its term"
    assert [a["href"] for a in seen.all("a")] == ["https://arxiv.org/abs/1703.10593"]


@pytest.mark.parametrize(
    ("stated", "shown"),
    [
        ("100 * l1(a, b)", ("100", "l1(a, b)")),
        ("1e-3 * op.x(f(a), g(b))", ("0.001", "op.x(f(a), g(b))")),
        ("2 * l1(a) + l2(b)", ("1", "2 * l1(a) + l2(b)")),
        ("l1(a) * 2", ("1", "l1(a) * 2")),
    ],
)
def test_a_terms_factor_is_its_weight(stated: str, shown: tuple[str, str]) -> None:
    config = {"players": {"G": {"minimize": {"a": stated}}}}
    ((_, _, _, *found),) = facts.Facts(RunFolder("."), "m", config, "", None).equations
    assert tuple(found) == shown


def test_what_a_yaml_holds_is_text(tmp_path: Path) -> None:
    """Everything that comes from a YAML, a log or a name, put where it can hurt."""
    text = json.dumps(CONFIG).replace("A small test", "EVIL").replace("arXiv:1703.10593", "EVIL")
    for name in ("generator.unet", "G(real_a)", "adv.g(D(fake_b))", "pix2pix/small", "data.pairs"):
        text = text.replace(json.dumps(name), '"EVIL"')
    config = json.loads(text.replace("EVIL", json.dumps(EVIL)[1:-1]))
    config["parts"][EVIL] = {"use": EVIL}
    config["players"]["D"]["minimize"][EVIL] = {"of": EVIL, "weight": EVIL, EVIL: EVIL}
    config["flow"][EVIL] = EVIL
    path = run(tmp_path / "run", config, status=EVIL, warn=EVIL)
    folder = RunFolder(path)
    folder.log({"step": 400, f"D.{EVIL}": 1.0})
    folder.log({"step": 400, "evaluation": {EVIL: 2.0}})
    folder.write_json("environment.json", {EVIL: {EVIL: EVIL}, "command": [EVIL]})
    folder.write_json("samples/summary.json", {EVIL: {EVIL: {EVIL: 1.0}}})
    seen = safe(one.write(facts.read(path)).read_text())
    assert "alert(1)" in seen.said and not [a for a in seen.all("img") if "evil" in str(a.get("src"))]
    other = run(tmp_path / "b")
    safe(several.beside([facts.read(path), facts.read(other)], tmp_path / "two.html").read_text())
    safe(several.index(tmp_path).read_text())


def test_samples_go_through_time_and_fit(tmp_path: Path) -> None:
    folder = RunFolder(run(tmp_path / "run"))
    seen = Page(frames.slider(folder))
    assert [a["data-step"] for a in seen.all("figure")] == ["400", "200", "0"], (
        "without a script the newest comes first"
    )
    assert [a["max"] for a in seen.all("input")] == ["2"]
    noise = torch.rand(4, 3, 64, 64) * 2 - 1
    for step in range(1, 40):
        Pictures(folder).on_samples(step * 1000, picture({"fake": noise.roll(step, 0)}, {}))
    found = frames.chosen(frames.pictures(folder), room=200_000)
    assert found[-1][0] == 39000 and found[0][0] == 0, "from the first to the last"
    assert 3 < len(found) < frames.MOST and sum(len(data) for _, _, data in found) <= 200_000
    assert len(frames.chosen(frames.pictures(folder))) == frames.MOST
    assert len(frames.chosen(frames.pictures(folder), room=1)) == 1, "the newest for sure"
    assert len(one.write(facts.read(folder.path)).read_bytes()) < page.LIMIT
    large = {name: torch.rand(8, 3, 160, 160) * 2 - 1 for name in ("real_a", "fake_b")}
    Pictures(folder).on_samples(41000, picture(large, {}))
    text = one.write(facts.read(folder.path)).read_text()
    assert text.count("class=pair>") == 8 and len(text.encode()) < page.LIMIT, "noise is as large as pictures get"
    (folder.samples / "step_00050000.png").write_bytes(b"cut short")
    assert frames.chosen(frames.pictures(folder))[-1][0] >= 38000, "what cannot be read is left out"


def test_before_and_after_are_cut_from_the_picture(tmp_path: Path) -> None:
    import base64
    import io

    path = run(tmp_path / "run")
    seen = Page(frames.pairs(RunFolder(path), CONFIG))
    images = [Image.open(io.BytesIO(base64.b64decode(str(a["src"]).split(",")[1]))) for a in seen.all("img")]
    assert len(images) == 12 and [a["alt"] for a in seen.all("img")[:2]] == ["real_a", "fake_b"]
    assert {image.size for image in images} == {(32, 32)}
    assert [image.convert("RGB").getcolors() for image in images[:2]] == [
        [(1024, (0, 0, 0))],
        [(1024, (255, 255, 255))],
    ]
    assert frames.translated(["real_b", "sure", "real_a", "back"], CONFIG) == [("real_b", "sure"), ("real_a", "back")]
    assert frames.translated(["fake_b", "z"], CONFIG) == []
    shutil.rmtree(path / "samples")
    assert frames.pairs(RunFolder(path), CONFIG) == "" and "<h2>Samples" not in "".join(one.body(facts.read(path)))


def test_curves_keep_their_peaks_and_mark_warnings() -> None:
    points = [(float(i), 0.0) for i in range(10_000)]
    points[4321] = (4321.0, 7.0)
    kept = curves.thinned(points, 100)
    assert len(kept) <= 205 and (4321.0, 7.0) in kept and kept[0] == points[0] and kept[-1] == points[-1]
    drawn = curves.figures([Panel("D", [Line("a", [(0, 1.0), (50, float("nan")), (100, 3.0)])])], 100, [(50, "<bad>")])
    seen = Page(drawn)
    (line,) = seen.all("polyline")
    assert line["points"] == "0,96296 100000,3704", "a 27th of room above and below; what is no number is left out"
    assert any(a.get("d") == "M50000 0V100000" for a in seen.all("path")) and "<bad>" in seen.said
    assert "<polyline" not in curves.figures([Panel("D", [Line("a", [(0, float("inf"))])])], 100)
    logs = Page(curves.figures([Panel("g", [Line("a", [(0, 0.01), (1, 100.0)])], log=True)], 1))
    assert {"0.01", "1", "100"} <= set(logs.said.split("\n"))
    assert curves.steps(0, 2000, 5) == [0, 500, 1000, 1500, 2000]
    assert curves.steps(0.11, 0.34, 4) == [0.15, 0.2, 0.25, 0.3] or len(curves.steps(0.11, 0.34, 4)) >= 2
    assert curves.means([(1, 1.0), (2, 3.0), (3, 9.0), (4, 5.0)], {1: 0, 2: 0, 3: 1, 4: 2}) == [
        (1.5, 2),
        (3, 9),
        (4, 5),
    ]


def test_the_state_of_a_run_is_told_as_it_is(tmp_path: Path) -> None:
    assert facts.read(run(tmp_path / "old", status=None)).status == "finished; step 400", "from before it was written"
    longer = {**CONFIG, "train": {**CONFIG["train"], "steps": 900}}
    path = run(tmp_path / "killed", longer, status=None)
    assert facts.read(path).status == "killed; step 400"
    with writing(path):
        alive = facts.read(path)
        assert alive.status == "running; step 400" and alive.running
        text = one.write(alive).read_text()
        assert "data-live=" in text and "http-equiv=refresh" in text
    assert "data-live=" not in one.write(facts.read(path)).read_text().split("<script>")[0]
    failed = facts.read(run(tmp_path / "bad", status="diverged: term D.adversarial was NaN"))
    assert failed.verdict.startswith("Diverged: term D.adversarial was NaN, at step 400") and failed.failed
    with pytest.raises(UserError, match="is no run folder"):
        facts.read(tmp_path)


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run(Path("runs/a"))
    run(Path("runs/deep/b"), status="interrupted")

    def say(*words: str) -> str:
        done = CliRunner().invoke(app, ["report", *words], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.output.strip()

    assert say("runs/a") == "runs/a/report.html"
    assert say("runs/a", "runs/deep/b") == "report.html"
    seen = safe(Path("report.html").read_text())
    assert "2 runs" in seen.said and len(seen.all("table")[0]) and seen.said.count("fid[cnn]") >= 2
    assert len([a for a in seen.all("div") if a.get("class") == "frames"]) == 2
    assert say("runs") == "runs/report.html"
    listed = Path("runs/report.html").read_text()
    seen = safe(listed)
    assert [a["href"] for a in seen.all("a")] == ["a/report.html"], "b has no page yet"
    assert len(seen.all("img")) == 2 and "interrupted" in seen.said
    assert listed.count("<td data-value=8.0>8") == 2, "sorted by the number, not by its text"
    assert say("runs/a", "--watch", "--out", "w.html") == "w.html", "of a run that has ended it returns"
    Path("mine.html").write_text("<h1>thesis</h1>")
    for words, message in (
        (["nothing"], "there is no nothing"),
        (["runs/a", "runs/deep"], "runs/deep is no run"),
        (["runs", "--watch"], "follows runs"),
        (["runs/a", "--out", "mine.html"], "mine.html is there and is no page of ganzoo"),
    ):
        with pytest.raises(UserError, match=message):
            CliRunner().invoke(app, ["report", *words], catch_exceptions=False)
    Path("empty").mkdir()
    with pytest.raises(UserError, match="there are no runs in empty"):
        CliRunner().invoke(app, ["report", "empty"], catch_exceptions=False)
    (Path("runs") / "c").mkdir()
    for name in ("config.yaml", "locked.yaml"):
        (Path("runs") / "c" / name).write_text("a: [1")
    say("runs")
    assert "Not readable" in Path("runs/report.html").read_text()


def test_a_run_that_is_watched_is_written_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ganzoo.cli import report

    path = run(tmp_path / "run", {**CONFIG, "train": {**CONFIG["train"], "steps": 900}}, status=None)
    seen = []

    def wait(seconds: float) -> None:
        seen.append((path / "report.html").read_text())
        if len(seen) == 1:
            RunFolder(path).log({"step": 500, "D.adversarial": 1.0})
        else:
            RunFolder(path).write_json("status.json", {"reason": "stopped early", "step": 500})

    monkeypatch.setattr(report.time, "sleep", wait)
    with writing(path):
        report.report([path], watch=True)
    assert ["running; step 400" in seen[0], "running; step 500" in seen[1]] == [True, True]
    assert "stopped early; step 500" in (path / "report.html").read_text()


@pytest.mark.slow
def test_in_a_browser(tmp_path: Path) -> None:
    """A slider and a play button, lines switched off and zoomed, before and after, columns sorted; no errors."""
    playwright = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("there is no Chromium")
    path = one.write(facts.read(run(tmp_path / "runs" / "a")))
    run(tmp_path / "runs" / "b", {**CONFIG, "train": {**CONFIG["train"], "seed": 1}})
    listing = several.index(tmp_path / "runs")
    with playwright.sync_playwright() as browsers:
        browser = browsers.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        tab = browser.new_page()
        wrong: list[str] = []
        tab.on("pageerror", lambda error: wrong.append(str(error)))
        tab.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
        tab.goto(f"file://{path}")
        shown = tab.locator(".frames figure.on")
        assert shown.get_attribute("data-step") == "400"
        tab.locator(".player input").fill("0")
        assert shown.get_attribute("data-step") == "0"
        tab.get_by_role("button", name="play").click()
        tab.locator(".frames figure.on[data-step='400']").wait_for()
        chart = tab.locator("figure.chart", has_text="G.l1").first
        whole = chart.locator(".plot").get_attribute("viewBox")
        assert chart.locator("polyline.s0").first.is_visible()
        chart.locator("input.k0").uncheck()
        assert not chart.locator("polyline.s0").first.is_visible()
        box = chart.locator("svg").first.bounding_box()
        start, wide = (
            box["x"] + box["width"] * curves.LEFT / curves.WIDTH,
            box["width"] * (1 - curves.LEFT / curves.WIDTH),
        )
        tab.mouse.move(start + wide * 0.25, box["y"] + 40)
        tab.mouse.down()
        tab.mouse.move(start + wide * 0.5, box["y"] + 60)
        tab.mouse.up()
        left, _, width, _ = map(float, str(chart.locator(".plot").get_attribute("viewBox")).split())
        assert left == pytest.approx(25_000, rel=0.05) and width == pytest.approx(25_000, rel=0.05)
        chart.get_by_role("button", name="whole run").click()
        chart.locator("input.k0").check()
        assert chart.locator(".plot").get_attribute("viewBox") == whole
        pair = tab.locator(".pair").first
        pair.locator("input").fill("20")
        assert "--cut: 20%" in str(pair.locator("img").nth(1).get_attribute("style"))
        tab.goto(f"file://{listing}")
        names = tab.locator("tbody td:nth-child(4)")
        assert names.all_inner_texts() == ["3", "1"]
        tab.locator("th", has_text="seed").click()
        assert names.all_inner_texts() == ["1", "3"]
        tab.locator("th", has_text="seed").click()
        assert names.all_inner_texts() == ["3", "1"]
        plain = browser.new_context(java_script_enabled=False).new_page()
        plain.goto(f"file://{path}")
        assert plain.locator(".frames figure").count() == 3
        assert all(figure.is_visible() for figure in plain.locator(".frames figure").all())
        plain.locator("figure.chart input.k0").first.uncheck()
        assert not plain.locator("figure.chart polyline.s0").first.is_visible(), "lines are switched without scripts"
        browser.close()
        assert wrong == []
