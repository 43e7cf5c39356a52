"""The page: controls and pictures of runs in a browser, by Gradio. What they are is read from the runs."""

from __future__ import annotations

import base64
import functools
import html
import io
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from PIL import Image, ImageChops, ImageOps

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # read when gradio is imported
import gradio as gr

from ganzoo.demo.desk import DRAWN, EACH, Desk, Settings, gif, strip
from ganzoo.demo.offer import TRUNCATION, Control
from ganzoo.errors import GanzooError, UserError

SAMPLE = "what each of them samples"
EDITOR = 320  # pixels of the longer side of an image that is drawn on
PICTURE = 560  # and of a picture of small images, at least half of it
LARGE = 1024  # and at most
MOST = 64
UNREADABLE = "this is no image that can be read: give a PNG, JPEG, WebP, BMP, TIFF or GIF file"


def _guarded(box: Any) -> None:
    """A component of images that says so when a file is none."""
    read = box.preprocess

    def preprocess(payload: Any) -> Any:
        try:
            return read(payload)
        except (OSError, ValueError, Image.DecompressionBombError) as error:
            raise gr.Error(UNREADABLE, print_exception=False) from error

    box.preprocess = preprocess


@dataclass
class Setting:
    """Components of one control, what they start with, and how their values become what a desk takes."""

    components: list[Any]
    starts: list[Any]
    read: Callable[[Settings, list[Any]], None]
    triggers: list[Any] = field(default_factory=list)


@dataclass
class Shown:
    """A desk, and the value of it that is looked at."""

    desk: Desk
    value: str

    def fill(self, settings: Settings) -> list[Any]:
        """What is shown: words, a picture of all, the image before and after, the image alone.

        A problem is said in the words, and there is no picture.
        """
        try:
            answer = self.desk.answer(self.value, settings)
        except GanzooError as error:
            return [f"**error:** {html.escape(str(error))}", None, None, None]
        pair = (answer.before, answer.after) if answer.before is not None else None
        words = " | ".join(answer.columns) if len(answer.columns) > 1 else ""
        return [words, _larger(answer.picture, PICTURE), pair, answer.after]

    def film(self, settings: Settings, to: int) -> str:
        """A walk to another seed, as a strip and as an animation."""
        try:
            frames = self.desk.walk(self.value, settings, to)
        except GanzooError as error:
            return f"<p><b>error:</b> {html.escape(str(error))}</p>"
        line = io.BytesIO()
        strip(frames).save(line, "PNG")
        sources = (("png", line.getvalue()), ("gif", gif(frames)))
        return "".join(
            f'<p><img alt="walk" src="data:image/{kind};base64,{base64.b64encode(data).decode()}"></p>'
            for kind, data in sources
        )


def page(desks: Sequence[Desk]) -> gr.Blocks:
    """The page of one or several runs, side by side under the same settings.

    Raises:
        UserError: a run has nothing to show.
    """
    for desk in desks:
        if not desk.values:
            raise UserError(f"{desk.title} has no value that makes a picture")
    names = list(dict.fromkeys(value for desk in desks for value in desk.values))
    samples = {desk.run.spec.sample for desk in desks}
    choices = [SAMPLE, *names] if len(samples) > 1 else names
    with gr.Blocks(analytics_enabled=False, title="ganzoo demo", delete_cache=(3600, 3600)) as blocks:
        gr.Markdown("## " + html.escape(" | ".join(desk.title for desk in desks)))
        chosen = gr.Dropdown(choices, value=choices[0], label="value", visible=len(choices) > 1, elem_id="value")

        @gr.render(inputs=[chosen])
        def bench(name: str) -> None:
            shown = [
                Shown(desk, value)
                for desk in desks
                if (value := desk.run.spec.sample if name == SAMPLE else name) in desk.values
            ]
            _bench(shown)

        for desk in desks:
            with gr.Accordion(f"equations of {desk.title}", open=len(desks) == 1):
                gr.Markdown(_code("\n".join(desk.run.spec.lines())))
                with gr.Accordion("everything that `ganzoo explain` says", open=False) as more:
                    text = gr.Markdown("…")
                more.expand(lambda desk=desk: _code(desk.equations), None, text, api_visibility="private")
    return blocks


def _code(text: str) -> str:
    return f"```text\n{text}\n```"


def _bench(shown: list[Shown]) -> None:
    """Controls on the left, what each run makes of them on the right."""
    controls = {c.name: (s.desk, c) for s in reversed(shown) for c in s.desk.controls(s.value)}
    has_image = any(control.kind == "image" for _, control in controls.values())
    classes = next((c.name for _, c in controls.values() if c.kind in ("label", "choice")), None)
    walks = [one for one in shown if one.desk.draws(one.value)]
    with gr.Row():
        with gr.Column(scale=1, min_width=340):
            seed = gr.Number(0, label="seed", precision=0, minimum=0, interactive=True, elem_id="seed")
            n = gr.Slider(1, MOST, value=16, step=1, label="samples", interactive=True, visible=not has_image)
            settings = [_setting(desk, control, control.name == classes) for desk, control in controls.values()]
            make = gr.Button("Make", variant="primary", elem_id="make")
            if walks:
                to = gr.Number(1, label="walk to seed", precision=0, minimum=0, interactive=True, elem_id="to")
                walk = gr.Button("Walk", elem_id="walk")
        inputs = [seed, n, *(c for setting in settings for c in setting.components)]

        def read(given: Sequence[Any]) -> Settings:
            found = Settings(int(given[0] or 0), int(given[1] or 1))
            rest = list(given[2:])
            for setting in settings:
                mine, rest = rest[: len(setting.components)], rest[len(setting.components) :]
                setting.read(found, mine)
            return found

        first = read([0, 16, *(start for setting in settings for start in setting.starts)])
        with gr.Column(scale=3), gr.Row():
            outputs = []
            for index, one in enumerate(shown):
                with gr.Column(min_width=280):
                    outputs.append(_results(one, first, index, has_image, len(shown) > 1))
    films = [gr.HTML(elem_id=f"walk-{index}") for index, _ in enumerate(walks)]

    def made(*given: Any) -> list[Any]:
        now = read(given)
        return [item for one, places in zip(shown, outputs, strict=True) for item in one.fill(now)[: len(places)]]

    def walked(other: float, *given: Any) -> list[str]:
        return [one.film(read(given), int(other or 0)) for one in walks]

    once: dict[str, Any] = {"api_visibility": "private", "concurrency_limit": 1, "concurrency_id": "compute"}
    triggers = [make.click, seed.submit, n.release, *(t for setting in settings for t in setting.triggers)]
    gr.on(triggers, made, inputs, [place for places in outputs for place in places], **once)
    if walks:
        gr.on([walk.click, to.submit], walked, [to, *inputs], films, **once)


def _results(one: Shown, first: Settings, index: int, has_image: bool, several: bool) -> list[Any]:
    """Where a run's answer is shown."""
    words, picture, pair, after = one.fill(first)
    if several:
        gr.Markdown(f"**{html.escape(one.desk.title)}**")
    buttons = ["download", "fullscreen"]
    note = gr.Markdown(words, elem_id=f"note-{index}")
    if not has_image:
        return [note, gr.Image(picture, label=one.value, format="png", buttons=buttons, elem_id=f"picture-{index}")]
    slider = gr.ImageSlider(
        pair, label=f"before | {one.value}", format="png", interactive=False, elem_id=f"slider-{index}"
    )
    with gr.Row():
        whole = gr.Image(picture, label="on the way", format="png", buttons=buttons, elem_id=f"picture-{index}")
        alone = gr.Image(
            after, label=f"{one.value}, full size", format="png", buttons=buttons, elem_id=f"after-{index}"
        )
    return [note, whole, slider, alone]


def _setting(desk: Desk, control: Control, in_rows: bool) -> Setting:
    """The components of one control."""
    name = control.name

    def give(settings: Settings, values: list[Any]) -> None:
        settings.given[name] = values[0]

    if control.kind in ("label", "choice"):
        start = EACH if in_rows else DRAWN
        box = gr.Dropdown(
            [EACH, DRAWN, *control.choices], value=start, label=name, interactive=True, elem_id=f"set-{name}"
        )
        return Setting([box], [start], give, [box.input])
    if control.kind == "number":
        most = f" ({TRUNCATION:g}: none)" if control.high == TRUNCATION else ""
        line = gr.Slider(
            control.low, control.high, value=control.start, step=0.05, label=f"{name}{most}", interactive=True
        )
        return Setting([line], [control.start], give, [line.release])
    if control.kind == "code":
        return _code_sliders(control)
    return _caption(desk, control, give) if control.kind == "text" else _image(desk, control)


def _code_sliders(control: Control) -> Setting:
    """A slider for every number of a code, and whether they hold; moving one says that they do."""
    held = gr.Checkbox(
        False, label=f"set {control.name}, for all samples", interactive=True, elem_id=f"hold-{control.name}"
    )
    lines = [
        gr.Slider(control.low, control.high, value=0.0, step=0.05, label=f"{control.name} {i + 1}", interactive=True)
        for i in range(control.size)
    ]
    for line in lines:
        line.release(lambda: True, None, held, api_visibility="private")

    def give(settings: Settings, values: list[Any]) -> None:
        settings.given[control.name] = values[1:] if values[0] else None

    return Setting([held, *lines], [False, *([0.0] * control.size)], give, [held.change, *(s.release for s in lines)])


def _caption(desk: Desk, control: Control, give: Callable[[Settings, list[Any]], None]) -> Setting:
    """A box for a caption, with those of the data that was held out to choose from."""
    captions = desk.captions()
    start = captions[0] if captions else ""
    box = gr.Textbox(start, label=control.name, lines=2, interactive=True, elem_id=f"set-{control.name}")
    if captions:
        examples = gr.Radio(captions, label="captions that were held out", interactive=True, elem_id="captions")
        examples.input(lambda text: text, examples, box, api_visibility="private")
    return Setting([box], [start], give, [box.submit, box.change])


def _chooser(name: str, start: Image.Image | None) -> gr.Image:
    """A box that takes an image as it is, at its own size."""
    return gr.Image(
        start,
        type="pil",
        image_mode=None,
        sources=["upload", "clipboard"],
        label=name,
        interactive=True,
        elem_id="image",
    )


def _editor(control: Control, start: Image.Image | None) -> gr.ImageEditor:
    """A canvas to draw on, or to paint a mask on."""
    said = f"{control.name}: paint what is missing" if control.mask else f"{control.name}: draw, or upload"
    brush = gr.Brush(EDITOR // 16, default_color="#ffffff") if control.mask else gr.Brush(8, default_color="#000000")
    _, height, width = control.shape
    canvas = _larger(start or Image.new("RGB", (width, height), "white"))
    return gr.ImageEditor(
        canvas,
        type="pil",
        sources=[],
        label=said,
        layers=False,
        transforms=(),
        canvas_size=canvas.size,
        brush=brush,
        format="png",
        interactive=True,
        elem_id="image",
    )


def _image(desk: Desk, control: Control) -> Setting:
    """An image to upload or to draw on; of what is made larger, only to upload."""
    name, ways = control.name, (control.name, *control.others)
    start = desk.example(control)
    row = gr.State(0)
    box = _chooser(name, start) if control.keeps_size else _editor(control, start)
    _guarded(box)
    way = gr.Radio(ways, value=name, label="the image is", interactive=True, visible=len(ways) > 1, elem_id="way")
    with gr.Row():
        more = gr.Button("Another that was held out", size="sm", elem_id="more", interactive=desk.held is not None)
        if not control.keeps_size:  # the editor's own upload is silent about files that are no images
            upload = gr.UploadButton("Upload", size="sm", elem_id="upload")
            upload.upload(uploaded, upload, box, api_visibility="private")
            blank = gr.Button("Empty", size="sm", elem_id="blank")
            white = Image.new("RGB", box.canvas_size, "white")
            blank.click(lambda: white, None, box, api_visibility="private")

    def another(now: int, way: str) -> tuple[int, Any]:
        image = desk.example(desk.way(control, way), now + 1)
        return now + 1, image if control.keeps_size or image is None else _larger(image)

    more.click(another, [row, way], [row, box], api_visibility="private")

    def give(settings: Settings, values: list[Any]) -> None:
        drawn, way = values
        settings.ways[name] = way
        if isinstance(drawn, dict):
            if control.mask is not None:
                settings.masks[way] = painted(drawn["layers"])
                drawn = drawn["background"]
            else:
                drawn = drawn["composite"]
        settings.given[way] = drawn

    return Setting([box, way], [start, name], give, [box.upload] if control.keeps_size else [])


def uploaded(path: str) -> Image.Image:
    """An uploaded file as an image to draw on, of at most :data:`LARGE` pixels a side."""
    try:
        with Image.open(path) as opened:
            image = ImageOps.exif_transpose(opened)
            image.thumbnail((LARGE, LARGE))
            return _larger(image if image.mode in ("L", "RGB", "RGBA") else image.convert("RGBA"))
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise gr.Error(UNREADABLE, print_exception=False) from error


def painted(layers: Sequence[Image.Image]) -> Image.Image | None:
    """Where something was painted, white on black; None where nothing was."""
    masks = [layer.convert("RGBA").getchannel("A") for layer in layers or ()]
    found = functools.reduce(ImageChops.lighter, masks) if masks else None
    return found if found is not None and found.getbbox() is not None else None


def _larger(image: Image.Image, side: int = EDITOR) -> Image.Image:
    """A small image with its pixels enlarged, so that it can be seen and drawn on."""
    scale = max(1, side // max(image.size))
    return image.resize((image.width * scale, image.height * scale), Image.Resampling.NEAREST)


def serve(desks: Sequence[Desk], port: int | None = None, share: bool = False, browser: bool = False) -> None:
    """Show the page to this machine's browsers until it is interrupted; to others only if it is to be shared."""
    page(desks).launch(**arguments(port, share), inbrowser=browser)


def arguments(port: int | None = None, share: bool = False) -> dict[str, Any]:
    """How Gradio is started: for this machine alone, nothing fetched, nothing sent."""
    return {
        "server_name": "127.0.0.1",
        "server_port": port,
        "share": share,
        "ssr_mode": False,
        "pwa": False,
        "mcp_server": False,
        "enable_monitoring": False,
        "footer_links": [],
        "show_error": True,
        "max_file_size": "32mb",
    }
