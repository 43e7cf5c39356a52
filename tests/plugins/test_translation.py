"""Paired and unpaired translation: the papers' networks, the pool, data of two images, what is trained and computed."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ganzoo_augment.jitter import Jitter
from ganzoo_cyclegan.generator import Generator
from ganzoo_data.openmoji import OpenMoji
from ganzoo_data.openmoji_unpaired import OpenMojiUnpaired
from ganzoo_data.paired import PairedFolders, SideBySide
from ganzoo_data.unpaired_folders import UnpairedFolders
from ganzoo_ops.history import History
from ganzoo_pix2pix.patchgan import PatchGan
from ganzoo_pix2pix.unet import UNet
from PIL import Image
from torch import nn

from ganzoo import api
from ganzoo.cli.app import app
from ganzoo.errors import UserError
from ganzoo.parallel import draw
from ganzoo.train.feed import Feed
from tests.plugins.images import CPU, all_rows, coloured, elsewhere, fill, grey, save
from tests.zoo import full, small, trainer

__all__ = ["elsewhere"]
pytestmark = pytest.mark.usefixtures("elsewhere")


def count(part: nn.Module) -> int:
    return sum(p.numel() for p in part.parameters())


def on_meta(factory: Any, **args: Any) -> nn.Module:
    with torch.device("meta"):
        return factory(**args)


# -- networks ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("side", "args", "expected"),
    [
        (256, {}, 54_413_955),
        (256, {"norm": "instance"}, 54_409_603),
        (128, {}, 41_828_995),
        (64, {}, 29_244_035),
        (32, {}, 16_659_075),
        (32, {"width": 32}, 4_168_003),
    ],
)
def test_u_nets_have_the_papers_counts(side: int, args: dict[str, Any], expected: int) -> None:
    net = on_meta(UNet, in_channels=3, in_size=(side, side), out_channels=3, **args)
    assert count(net) == expected
    assert net(torch.empty(2, 3, side, side, device="meta")).shape == (2, 3, side, side)


@pytest.mark.parametrize(
    ("layers", "field", "parameters", "side"),
    [(0, 1, 9_024, 64), (1, 16, 139_585, 30), (2, 34, 666_433, 14), (3, 70, 2_768_705, 6), (4, 142, 6_964_033, 2)],
)
def test_patches_are_of_the_papers_size(layers: int, field: int, parameters: int, side: int) -> None:
    assert count(on_meta(PatchGan, in_channels=3, cond_channels=3, in_size=(64, 64), layers=layers)) == parameters
    torch.manual_seed(0)
    net = PatchGan(1, (160, 160), width=2, layers=layers, norm="none", init_scale=0.5)
    assert net(torch.zeros(1, 1, 64, 64)).logit.shape == (1, 1, side, side)
    x = torch.randn(1, 1, 160, 160, requires_grad=True)
    logit = net(x).logit
    logit[0, 0, logit.shape[2] // 2, logit.shape[3] // 2].backward()
    assert x.grad is not None
    rows = x.grad[0, 0].any(1).nonzero()
    assert int(rows.max() - rows.min()) + 1 == field


@pytest.mark.parametrize(("layers", "expected"), [(1, 136_385), (2, 662_977), (3, 2_764_737)])
def test_unconditional_patches_with_instance_norm(layers: int, expected: int) -> None:
    assert count(on_meta(PatchGan, in_channels=3, in_size=(64, 64), layers=layers, norm="instance")) == expected


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ({"blocks": 9}, 11_378_179),
        ({"blocks": 6}, 7_837_699),
        ({"blocks": 9, "norm": "batch"}, 11_383_427),
        ({"blocks": 3, "width": 32}, 1_079_555),
    ],
)
def test_residual_generators_have_the_papers_counts(args: dict[str, Any], expected: int) -> None:
    assert count(on_meta(Generator, in_channels=3, in_size=(64, 64), out_channels=3, **args)) == expected


def test_weights_start_as_in_the_papers() -> None:
    net = UNet(3, (64, 64), 3, width=32)
    weights = torch.cat([m.weight.flatten() for m in net.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)])
    assert abs(weights.std().item() - 0.02) < 1e-4
    gains = torch.cat([m.weight for m in net.modules() if isinstance(m, nn.BatchNorm2d)])
    assert abs(gains.mean().item() - 1) < 0.005 and 0.015 < gains.std().item() < 0.025


def test_the_u_nets_norms_and_dropout_stand_where_the_paper_has_them() -> None:
    net = UNet(3, (256, 256), 3, width=2)
    normed = [any(isinstance(m, nn.BatchNorm2d) for m in level) for level in net.encoder]
    assert normed == [False, *[True] * 6, False]
    dropped = [any(isinstance(m, nn.Dropout) for m in level) for level in net.decoder]
    assert dropped == [True] * 3 + [False] * 5
    assert [level[1].out_channels for level in net.decoder] == [16, 16, 16, 16, 8, 4, 2, 3]  # type: ignore[index]


@pytest.mark.parametrize(("factory", "size"), [(UNet, (24, 40)), (Generator, (24, 44))])
def test_translators_take_other_sizes_later(factory: Any, size: tuple[int, int]) -> None:
    net = factory(1, size, 3, width=4)
    taller = size[0] * 2, size[1]
    assert net(torch.zeros(1, 1, *taller)).shape == (1, 3, *taller)


@pytest.mark.parametrize(
    ("make", "size", "message"),
    [
        (lambda: UNet(1, (64, 64), 3, width=4), (64, 80), "64x64 or 64x128 would do"),
        (lambda: Generator(1, (64, 64), 3, width=4), (62, 64), "60x64 or 64x64 would do"),
        (lambda: Generator(1, (64, 64), 3, width=4), (4, 9), "8x8 or 8x12 would do"),
    ],
)
def test_sizes_that_do_not_fit_are_refused_with_those_that_do(make: Any, size: tuple[int, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()(torch.zeros(1, 1, *size))


def test_a_discriminator_is_called_with_a_condition_always_or_never() -> None:
    x = torch.zeros(1, 3, 64, 64)
    with pytest.raises(ValueError, match="always be called alike"):
        PatchGan(3, (64, 64), width=4)(x, x)
    with pytest.raises(ValueError, match="24x24"):
        PatchGan(3, (16, 64))


# -- jitter ------------------------------------------------------------------------------------------------------------


def test_jitter_moves_two_images_alike_by_one_draw_and_rests_in_evaluation() -> None:
    jitter = Jitter()
    torch.manual_seed(0)
    x = torch.rand(16, 1, 32, 48)
    move = jitter.draw(16)
    moved, inverse = jitter(x, move), jitter(torch.cat([x, 1 - x], 1), move)
    assert torch.equal(moved, inverse[:, :1])
    assert torch.allclose(moved, 1 - inverse[:, 1:], atol=1e-5)
    assert not any(torch.equal(a, b) for a, b in zip(moved, x, strict=True))
    assert not torch.equal(moved, jitter(x))
    assert jitter.eval()(x, move) is x


def test_jitter_without_enlargement_only_mirrors_or_shifts() -> None:
    torch.manual_seed(0)
    x = torch.rand(64, 3, 8, 8)
    moved = Jitter(enlarge=1)(x)
    same, mirrored = ((moved == other).flatten(1).all(1) for other in (x, x.flip(3)))
    assert bool((same ^ mirrored).all()) and 16 < int(mirrored.sum()) < 48
    shifted = Jitter(enlarge=1, border=2, mirror=0)(x)
    found = {
        (down, right)
        for down in range(-2, 3)
        for right in range(-2, 3)
        for a, b in zip(shifted, x.roll((down, right), (2, 3)), strict=True)
        if torch.equal(a[:, 2:-2, 2:-2], b[:, 2:-2, 2:-2])
    }
    assert len(found) > 15


# -- history -----------------------------------------------------------------------------------------------------------


def numbered(start: int, count: int) -> torch.Tensor:
    return torch.arange(start, start + count).float().view(-1, 1, 1, 1).expand(-1, 1, 2, 2)


def drawing(step: int, share: tuple[int, int] = (0, 1)) -> Any:
    return draw.using(draw.Draws((0, step), CPU, share))


def test_the_pool_fills_then_exchanges_half() -> None:
    pool = History((1, 2, 2), 50)
    given = []
    for step in range(100):
        with drawing(step):
            given.append(pool(numbered(10 * step, 10))[:, 0, 0, 0])
    new = torch.arange(1000).view(100, 10)
    assert torch.equal(torch.stack(given[:5]), new[:5].float())  # while it is not full
    later = torch.stack(given[5:])
    old = later != new[5:]
    assert 0.45 < float(old.float().mean()) < 0.55
    assert bool((later[old] < new[5:][old]).all())
    assert int(pool.count) == 50


def test_nothing_is_lost_or_doubled_in_the_pool() -> None:
    pool = History((1, 2, 2), 4)
    given: list[float] = []
    for step in range(200):
        with drawing(step):
            given += pool(numbered(3 * step, 3))[:, 0, 0, 0].tolist()
    first, later = given[:4], given[4:]
    held = pool.stored[:, 0, 0, 0].tolist()
    assert first == [0, 1, 2, 3]  # given at once, and stored as well
    assert sorted([*later, *held]) == list(range(600))


def test_the_pool_is_stored_and_restored_and_rests_in_evaluation() -> None:
    pool, twin = History((1, 2, 2), 4), History((1, 2, 2), 4)
    for step in range(5):
        with drawing(step):
            pool(numbered(3 * step, 3))
    twin.load_state_dict(pool.state_dict())
    with drawing(5):
        first = pool(numbered(15, 3))
    with drawing(5):
        assert torch.equal(first, twin(numbered(15, 3)))
    before = pool.stored.clone()
    x = numbered(90, 3).clone().requires_grad_()
    assert torch.equal(pool.eval()(x), x)
    assert not pool(x).requires_grad
    assert torch.equal(pool.stored, before)


# -- data --------------------------------------------------------------------------------------------------------------


def mean(rows: torch.Tensor) -> list[int]:
    """Of each image, the mean in 255ths."""
    return ((rows.mean((1, 2, 3)) + 1) * 127.5).round().int().tolist()


def test_pairs_are_matched_by_name_and_set_aside_together(tmp_path: Path) -> None:
    for i in range(40):
        save(tmp_path / "A" / "x" / f"{i:02}.png", grey(i))
        save(tmp_path / "B" / "x" / f"{i:02}.bmp", coloured(100 + i, 100 + i, 100 + i))
    data = PairedFolders(str(tmp_path), holdout=0.3)
    test = data.held_out()
    assert test is not None
    assert {name: f.shape for name, f in data.fields.items()} == {"real_a": (1, 4, 4), "real_b": (3, 4, 4)}
    seen = []
    for part in (data, test):
        rows = all_rows(part)
        seen += mean(rows["real_a"])
        assert [100 + v for v in mean(rows["real_a"])] == mean(rows["real_b"])
    assert sorted(seen) == list(range(40))
    assert 5 < len(test) < 20


def test_pairs_in_folders_of_their_splits(tmp_path: Path) -> None:
    for split, value in (("train", 10), ("test", 20)):
        save(tmp_path / "A" / split / "1.png", grey(value))
        save(tmp_path / "B" / split / "1.png", grey(value + 1))
    data = PairedFolders(str(tmp_path), a="A/{split}", b="B/{split}")
    test = data.held_out()
    assert test is not None
    assert [mean(rows) for rows in all_rows(test).values()] == [[20], [21]]
    with pytest.raises(ValueError, match="leave one out"):
        PairedFolders(str(tmp_path), a="A/{split}", holdout=0.1)


def test_images_without_a_partner_are_named(tmp_path: Path) -> None:
    save(tmp_path / "A" / "1.png", grey(1))
    save(tmp_path / "A" / "2.png", grey(1))
    save(tmp_path / "B" / "1.png", grey(1))
    with pytest.raises(UserError, match=r"1 images of .* have no partner of the same name: A/2"):
        len(PairedFolders(str(tmp_path)))
    save(tmp_path / "B" / "2.png", grey(1))
    save(tmp_path / "B" / "2.jpg", grey(1))
    with pytest.raises(UserError, match=r"two images of one name, 2\.jpg and 2\.png"):
        len(PairedFolders(str(tmp_path)))


@pytest.mark.parametrize("size", [None, 4, (2, 4)])
@pytest.mark.parametrize("a", ["left", "right"])
def test_files_are_cut_into_halves(tmp_path: Path, size: Any, a: Any) -> None:
    for i in range(3):
        save(tmp_path / "train" / f"{i}.png", np.concatenate([grey(i, 8, 8), grey(200 + i, 8, 8)], 1))
    data = SideBySide(str(tmp_path), a=a, size=size)
    rows = all_rows(data)
    assert data.held_out() is None
    left, right = ("real_a", "real_b") if a == "left" else ("real_b", "real_a")
    assert mean(rows[left]) == [0, 1, 2] and mean(rows[right]) == [200, 201, 202]
    assert tuple(rows[left].shape[2:]) == {None: (8, 8), 4: (4, 4), (2, 4): (2, 4)}[size]


def test_a_file_of_odd_width_has_no_halves(tmp_path: Path) -> None:
    save(tmp_path / "train" / "1.png", grey(1, 4, 7))
    with pytest.raises(UserError, match="7 wide"):
        _ = SideBySide(str(tmp_path)).fields


def test_a_folder_that_the_root_lacks_is_named_with_what_it_has(tmp_path: Path) -> None:
    save(tmp_path / "1.png", grey(1, 4, 8))
    with pytest.raises(UserError, match=r"no folder .*train; .* has no folders: write data\.folder=FOLDER"):
        _ = SideBySide(str(tmp_path)).fields
    assert len(SideBySide(str(tmp_path), folder=".")) == 1
    save(tmp_path / "trainA" / "1.png", grey(1))
    with pytest.raises(UserError, match=r"no folder .*trainB; .* has trainA: write data\.b=FOLDER"):
        _ = UnpairedFolders(str(tmp_path)).fields


@pytest.mark.parametrize("split", ["", "/train"])
def test_two_folders_of_pairs_are_not_cut_into_halves(tmp_path: Path, split: str) -> None:
    for name in "AB":
        save(tmp_path / f"{name}{split}" / "1.png", grey(1, 8, 8))
    within = "/{split}" if split else ""
    fix = f"write data.use=data.paired_folders data.a=A{within} data.b=B{within}"
    for folder in ("{split}", "."):
        with pytest.raises(UserError, match=re.escape(fix) + "$"):
            _ = SideBySide(str(tmp_path), folder=folder).fields
    with pytest.raises(UserError, match=re.escape(f"write data.a=A{within} data.b=B{within}") + "$"):
        _ = UnpairedFolders(str(tmp_path)).fields
    assert len(PairedFolders(str(tmp_path), a=f"A{within}", b=f"B{within}")) == 1
    (tmp_path / "all").mkdir()
    (tmp_path / "A").rename(tmp_path / "all" / "A")
    (tmp_path / "B").rename(tmp_path / "all" / "B")
    with pytest.raises(UserError, match=re.escape(f"data.a=all/A{within} data.b=all/B{within}") + "$"):
        _ = SideBySide(str(tmp_path), folder="all").fields
    save(tmp_path / "all" / "C" / "1.png", grey(1, 8, 8))
    assert len(SideBySide(str(tmp_path), folder="all")) == 3


def test_unpaired_folders_have_orders_of_their_own(tmp_path: Path) -> None:
    for i in range(20):
        save(tmp_path / "trainA" / f"{i}.png", grey(i))
    for i in range(7):
        save(tmp_path / "trainB" / f"{i}.png", grey(100 + i))
        save(tmp_path / "testA" / f"{i}.png", grey(50 + i))
        save(tmp_path / "testB" / f"{i}.png", grey(150 + i))
    data = UnpairedFolders(str(tmp_path))
    feed = Feed(data, 0, CPU)
    partners: dict[int, set[int]] = {}
    for _ in range(30):
        (batch,) = feed.take(20)
        first, second = mean(batch["real_a"]), mean(batch["real_b"])
        assert sorted(first) == list(range(20))  # an epoch
        assert {second.count(v) for v in range(100, 107)} <= {2, 3}
        for a, b in zip(first, second, strict=True):
            partners.setdefault(a, set()).add(b)
    assert all(len(found) > 4 for found in partners.values())
    test = data.held_out()
    assert test is not None
    rows = all_rows(test)
    assert [v + 100 for v in mean(rows["real_a"])] == mean(rows["real_b"])


def test_unpaired_rows_do_not_depend_on_how_a_batch_is_cut(tmp_path: Path) -> None:
    fill(tmp_path, {"A": 5, "B": 8})
    data = UnpairedFolders(str(tmp_path), a="A", b="B")
    index = torch.tensor([3, 7, 9, 17, 200])
    whole = data.batch(index, CPU)
    parts = [data.batch(index[i : i + 1], CPU) for i in range(5)]
    assert all(torch.equal(whole[name], torch.cat([p[name] for p in parts])) for name in whole)
    with pytest.raises(UserError, match="cannot be packed"):
        list(data.chunks())


def test_the_unpaired_drawings_share_none_in_training_and_all_in_the_test() -> None:
    data, both = OpenMojiUnpaired(), OpenMoji(("real", "line")).arrays
    number = {name: {row.tobytes(): i for i, row in enumerate(rows)} for name, rows in both.items()}
    times = Counter(row.tobytes() for row in both["line"])
    unlike = {i for i, row in enumerate(both["line"]) if times[row.tobytes()] == 1}
    colours = {number["real"][row.tobytes()] for row in data.arrays["real_a"]} & unlike
    lines = {number["line"][row.tobytes()] for row in data.arrays["real_b"]} & unlike
    assert len(data) == 958 and min(len(colours), len(lines)) > 850
    assert not colours & lines
    test, expected = data.held_out(), OpenMoji(("real", "line"), "test")
    assert test is not None
    assert np.array_equal(test.arrays["real_a"], expected.arrays["real"])
    assert np.array_equal(test.arrays["real_b"], expected.arrays["line"])


# -- models ------------------------------------------------------------------------------------------------------------


def test_pix2pix_has_the_papers_weights_and_keeps_its_noise_when_sampling() -> None:
    spec = full("pix2pix/pix2pix").spec
    assert spec.config["players"]["G"]["minimize"]["l1"] == {"of": "100 * l1(fake, b)"}
    assert (spec.parts["G"].eval_bn, spec.parts["G"].eval_dropout) == ("batch", True)


def test_both_turns_see_one_jitter(tmp_path: Path) -> None:
    """The fake that D judges was made from the very image that stands beside it."""
    model = small("pix2pix/pix2pix", **{"parts.G.downs": 3})
    tr = trainer(model)
    seen: list[tuple[str, torch.Tensor]] = []
    tr.parts["G"].register_forward_pre_hook(lambda module, inputs: seen.append(("G", inputs[0].clone())))
    tr.parts["D"].register_forward_pre_hook(lambda module, inputs: seen.append(("D", inputs[1].clone())))
    tr.advance()
    conditions = [x for _, x in seen]
    assert [name for name, _ in seen].count("G") == 1 and len(seen) >= 4
    assert all(torch.equal(x, conditions[0]) for x in conditions)


def test_a_loss_is_swapped_with_one_override() -> None:
    for name in ("pix2pix/openmoji", "cyclegan/openmoji"):
        for loss in ("hinge", "relativistic_average", "wasserstein"):
            assert api.Model(name, {"parts.adv": f"adversarial.{loss}"}).check() == []


@pytest.fixture(scope="module")
def cyclegan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cyclegan") / "run"
    small("cyclegan/openmoji", steps=2).train(folder, quiet=True)
    return folder


def test_photos_of_any_size_are_translated(cyclegan: Path, tmp_path: Path) -> None:
    from typer.testing import CliRunner

    save(tmp_path / "photos" / "a.png", coloured(200, 10, 30, 40, 64))
    save(tmp_path / "photos" / "b.jpg", coloured(0, 10, 30, 32, 32))
    arguments = ["compute", str(cyclegan), "fake_b", f"real_a={tmp_path / 'photos'}", "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    sizes = {}
    for path in (tmp_path / "out").iterdir():
        with Image.open(path) as image:
            sizes[path.name] = (image.size, image.mode)
    assert sizes == {"a.png": ((64, 40), "L"), "b.png": ((32, 32), "L")}
    save(tmp_path / "photos" / "c.png", coloured(0, 10, 30, 30, 41))
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code != 0
    said = " ".join((result.output + str(result.exception)).split())
    assert "28x40 or 32x44 would do" in said
