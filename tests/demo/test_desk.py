"""What a run offers on the page, and what it answers: read from its flow and fields, without a browser."""

from __future__ import annotations

import pytest
import torch
from PIL import Image, ImageChops

from ganzoo.demo.desk import DRAWN, EACH, Desk, Settings, gif, strip
from ganzoo.errors import UserError
from ganzoo.run.pictures import picture
from tests.demo.images import photo, same


def kinds(desk: Desk) -> dict[str, str]:
    return {control.name: control.kind for control in desk.controls(desk.run.spec.sample)}


def test_controls_are_read_from_the_flow(noise, paired, larger, holes) -> None:
    assert kinds(noise) == {"label": "label", "kind": "choice", "style": "code", "truncation": "number"}
    by_name = {control.name: control for control in noise.controls("fake")}
    assert by_name["label"].choices == ("cat", "dog", "newt")
    assert by_name["kind"].choices == ("0", "1", "2", "3")
    assert (by_name["style"].size, by_name["style"].low, by_name["style"].high) == (2, -1.0, 1.0)
    assert kinds(paired) == {"line": "image"}
    assert kinds(larger) == {"lr": "image"}
    assert kinds(holes) == {"real": "image"}


def test_an_image_is_given_as_the_network_can_best_take_it(paired, larger, holes) -> None:
    line, lr, real = (desk.controls(desk.run.spec.sample)[0] for desk in (paired, larger, holes))
    assert (line.shape, line.keeps_size, line.mask, line.others) == ((1, 8, 8), False, None, ())
    assert (lr.shape, lr.keeps_size, lr.others) == ((3, 4, 4), True, ("real",))
    assert (real.mask, real.keeps_size) == ("mask", False)
    assert paired.before("fake", line) == "line"
    assert larger.before("sr", lr) == "bicubic"
    assert holes.before("filled", real) == "masked"


def test_values_in_the_menu_are_those_that_make_a_picture(noise, larger, holes) -> None:
    assert noise.values == ["fake"]
    assert larger.values == ["sr", "lr", "bicubic"]
    assert holes.values == ["filled", "mask", "masked", "made"]
    assert holes.stages("filled") == ["made", "filled"]


def test_a_seed_gives_what_sample_gives(noise) -> None:
    answer = noise.answer("fake", Settings(seed=3, n=4))
    expected = picture({"fake": noise.run.sample(4, seed=3)}, noise.run.fields)
    assert same(answer.picture, expected)
    assert not same(answer.picture, noise.answer("fake", Settings(seed=4, n=4)).picture)


def test_each_control_changes_the_picture_it_should(noise) -> None:
    plain = noise.answer("fake", Settings(n=4)).picture
    for name, item in {"label": "newt", "kind": "2", "style": [1.0, -1.0], "truncation": 0.2}.items():
        assert not same(plain, noise.answer("fake", Settings(n=4, given={name: item})).picture), name
    assert same(plain, noise.answer("fake", Settings(n=4, given={"label": DRAWN, "truncation": 3.0})).picture)


def test_a_code_that_is_set_is_what_the_network_gets(noise) -> None:
    settings = Settings(n=4, seed=1, given={"label": "dog", "kind": "3", "style": [0.5, -0.5]})
    kind = torch.eye(4)[torch.full((4,), 3)]
    style = torch.tensor([[0.5, -0.5]]).repeat(4, 1)
    expected = noise.run.compute("fake", n=4, seed=1, label="dog", kind=kind, style=style)
    assert same(noise.answer("fake", settings).picture, picture({"fake": expected}, noise.run.fields))


def test_rows_of_classes(noise) -> None:
    rows = noise.answer("fake", Settings(seed=2, given={"label": EACH})).picture
    labels = torch.arange(3).repeat_interleave(8)
    expected = noise.run.compute("fake", n=24, seed=2, label=labels)
    assert same(rows, picture({"fake": expected}, noise.run.fields, across=8))
    with pytest.raises(UserError, match="only one of kind and label can have a row for each"):
        noise.answer("fake", Settings(given={"label": EACH, "kind": EACH}))


def test_a_walk_goes_from_the_sample_of_one_seed_to_that_of_another(noise) -> None:
    given = {"label": "cat", "kind": "1"}
    frames = noise.walk("fake", Settings(seed=1, given=given), to=2, frames=9)
    kind = torch.eye(4)[[1, 1]]
    for frame, seed in ((frames[0], 1), (frames[-1], 2)):
        end = noise.run.compute("fake", n=2, seed=seed, label="cat", kind=kind)
        assert same(frame, noise._plain(end)[0])
    assert len({frame.tobytes() for frame in frames}) == 9
    assert strip(frames).size == (8 * 64 + 7 * 2, 64)
    assert gif(frames)[:6] == b"GIF89a"


def test_a_walk_keeps_the_class_of_its_start(noise) -> None:
    free = noise.walk("fake", Settings(seed=5), to=6, frames=3)
    assert same(free[0], noise._plain(noise.run.sample(1, seed=5))[0])


def test_an_upload_is_translated_and_held_against_the_result(paired) -> None:
    upload = photo(30, 20, "RGBA")
    answer = paired.answer("fake", Settings(given={"line": upload}))
    assert answer.columns == ("line", "fake")
    assert answer.before.size == answer.after.size == (8, 8)
    assert answer.after.mode == "RGB"
    assert not same(answer.after, paired.answer("fake", Settings(given={"line": photo(8, 8).rotate(180)})).after)


def test_an_upload_is_translated_to_each_class(labelled) -> None:
    upload = photo(8, 8)
    answer = labelled.answer("fake", Settings(given={"line": upload, "label": EACH}))
    one = labelled.answer("fake", Settings(given={"line": upload, "label": "cat"}))
    assert same(answer.after, one.after)
    assert answer.picture.width * answer.picture.height > 2.5 * one.picture.width * one.picture.height


def test_without_an_upload_held_out_images_are_used(paired) -> None:
    several = paired.answer("fake", Settings(n=6))
    assert several.columns == ("line", "fake")
    example = paired.example(paired.controls("fake")[0])
    assert same(paired.answer("fake", Settings(given={"line": example})).after, several.after)


def test_an_enlarger_keeps_the_size_of_an_upload(larger) -> None:
    answer = larger.answer("sr", Settings(given={"lr": photo(20, 12)}))
    assert answer.before.size == answer.after.size == (80, 48)
    assert answer.columns == ("bicubic", "sr")
    assert larger.example(larger.controls("sr")[0]).size == (4, 4)
    with pytest.raises(UserError, match=r"the image is 2000x1000, but at most 262,144 pixels"):
        larger.answer("sr", Settings(given={"lr": photo(2000, 1000)}))


def test_what_is_painted_is_the_hole_and_nothing_else_changes(holes) -> None:
    upload, mask = photo(16, 16), Image.new("L", (16, 16), 0)
    mask.paste(255, (4, 4, 9, 9))
    after = holes.answer("filled", Settings(given={"real": upload}, masks={"real": mask})).after
    changed = ImageChops.difference(after, upload).getbbox()
    assert changed is not None and changed[0] >= 4 and changed[1] >= 4 and changed[2] <= 9 and changed[3] <= 9


def test_bad_uploads_and_names_get_a_message(paired, noise) -> None:
    with pytest.raises(UserError, match="1x9, which is no picture"):
        paired.answer("fake", Settings(given={"line": Image.new("RGB", (1, 9))}))
    with pytest.raises(UserError, match="its pixels are floats"):
        paired.answer("fake", Settings(given={"line": Image.new("F", (8, 8))}))
    with pytest.raises(UserError, match="there is no class 'horse'"):
        noise.answer("fake", Settings(given={"label": "horse"}))
    with pytest.raises(UserError, match="has no value 'nothing'"):
        noise.answer("nothing", Settings())
    with pytest.raises(UserError, match="not made of noise alone"):
        paired.walk("fake", Settings(), to=1)


def test_equations_are_those_of_explain(noise) -> None:
    assert "fake = G(join(z, C(label), kind, style))" in noise.equations
    assert "minimises a: adv.g(D(fake))" in noise.equations
