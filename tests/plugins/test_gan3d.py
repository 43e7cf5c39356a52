"""3D-GAN: counts over one to three dimensions, solids and files of voxels, and measures that tell them from rubble."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from ganzoo_adversarial.logistic import NonSaturating
from ganzoo_dcgan.discriminator import Discriminator as Flat
from ganzoo_dcgan.generator import Generator as FlatGenerator
from ganzoo_gan3d.folder import VoxelFolder, binvox
from ganzoo_gan3d.measures import SolidShapes, overlaps, whole
from ganzoo_gan3d.networks import Discriminator, Generator
from ganzoo_gan3d.solids import KINDS, Solids
from torch import nn

from ganzoo.data.reference import Reference
from ganzoo.errors import UserError
from ganzoo.model import explain
from ganzoo.run.pictures import picture
from tests.zoo import full


@pytest.mark.parametrize("shape", [(2, 30), (3, 20, 33), (1, 16, 12, 9), (1, 4)])
def test_one_body_for_series_images_and_voxels(shape: tuple[int, ...]) -> None:
    made = Generator(5, shape, width=2)(torch.randn(3, 5))
    assert made.shape == (3, *shape)
    assert made.abs().max() <= 1
    assert Discriminator(shape, width=2)(made).logit.shape == (3,)


def test_in_two_dimensions_it_is_dcgan() -> None:
    flat, ours = FlatGenerator(10, 3, (32, 32), width=8), Generator(10, (3, 32, 32), width=8)
    weights = [p.detach() for p in flat.parameters()]
    assert [w.shape for w in weights] == [p.shape for p in ours.parameters()]
    z, x = torch.randn(4, 10), torch.randn(4, 3, 32, 32)
    nn.utils.vector_to_parameters(nn.utils.parameters_to_vector(weights), ours.parameters())
    torch.testing.assert_close(ours(z), flat(z))
    judge, other = Flat(3, (32, 32), width=8), Discriminator((3, 32, 32), width=8)
    nn.utils.vector_to_parameters(nn.utils.parameters_to_vector(judge.parameters()), other.parameters())
    torch.testing.assert_close(other(x).logit, judge(x).logit)


@pytest.mark.parametrize("sides", [1, 2, 3])
def test_weights_start_as_dcgans_in_any_number_of_dimensions(sides: int) -> None:
    torch.manual_seed(0)
    shape = (2, *[16] * sides)
    for network in (Generator(32, shape, width=16), Discriminator(shape, width=16)):
        weights = [value.flatten() for name, value in network.named_parameters() if value.ndim > 1]
        torch.testing.assert_close(torch.cat(weights).std(), torch.tensor(0.02), rtol=0.03, atol=0)


def test_the_papers_layers() -> None:
    parts = full("gan3d/gan3d").blueprint.parts
    convolutions = [m for m in parts["G"].modules() if isinstance(m, nn.ConvTranspose3d)]
    assert [m.out_channels for m in convolutions] == [512, 256, 128, 64, 1]
    assert explain.count(parts["G"]) == 64 * (200 * 512 + 512 * 256 + 256 * 128 + 128 * 64 + 64) + 2 * 960
    assert [m.out_channels for m in parts["D"].modules() if isinstance(m, nn.Conv3d)] == [64, 128, 256, 512]
    with pytest.raises(ValueError, match="1x16x16x16"):
        Generator(5, (7,))


def test_d_waits_while_it_is_right_too_often() -> None:
    sure, unsure = torch.tensor([5.0, 5, 5, 5, -5]), torch.tensor([5.0, 5, 5, -5, -5])
    loss = NonSaturating(waits_above=0.8)
    assert loss.d(sure.abs(), -sure.abs()) == 0
    assert loss.d(sure.abs(), -unsure).item() == pytest.approx(NonSaturating().d(sure.abs(), -unsure).item())  # 0.8
    assert loss.d(sure.abs(), -sure) == 0  # 0.9
    assert loss.g(sure, sure) > 0


def test_solids_are_whole_and_of_their_kind() -> None:
    data = Solids(count=200)
    real, label = data.arrays["real"], data.arrays["label"]
    assert real.shape == (200, 1, 16, 16, 16)
    assert set(np.unique(real)) == {0, 1}
    assert all(whole(solid[0] > 0) for solid in real)
    sections = [[len(np.unique(solid[0].sum(axes)[1:-1])) for axes in ((1, 2), (0, 2), (0, 1))] for solid in real]
    kinds = np.array([min(counts) for counts in sections])
    for kind, same in zip(
        KINDS, (False, True, True, False), strict=True
    ):  # along an axis, boxes and cylinders are even
        assert (kinds[label == KINDS.index(kind)] <= 2).all() == same, kind
    other = data.held_out()
    assert other is not None and len(other) == 50 and other.held_out() is None
    assert not any((solid == real).all((1, 2, 3, 4)).any() for solid in other.arrays["real"])


def test_measures_tell_solids_from_rubble() -> None:
    data = Solids(count=400)
    measure = SolidShapes(Reference(data, "data.solids"))
    held = data.held_out()
    assert held is not None
    real = torch.from_numpy(held.arrays["real"])
    values = measure(real).values
    assert values["whole"] == 1 and values["classes"] == 4
    assert values["overlap"] > 0.75 and values["total_variation"] < 0.1
    assert measure(torch.from_numpy(data.arrays["real"])).values["overlap"] == 1
    noise = (torch.rand(100, 1, 16, 16, 16, generator=torch.Generator().manual_seed(0)) < 0.3).float()
    values = measure(noise).values
    assert values["whole"] == 0 and values["overlap"] < 0.3
    found = measure(real[::4].repeat(4, 1, 1, 1, 1))  # balls only
    assert found.verdict == "collapsed: (nearly) no box, cylinder, cone is found"
    assert torch.isnan(torch.tensor(list(measure(real * torch.nan).values.values()))).all()


def test_a_shell_a_pair_and_nothing_are_not_whole() -> None:
    ball = np.zeros((5, 5, 5), bool)
    ball[1:4, 1:4, 1:4] = True
    shell, pair = ball.copy(), ball.copy()
    shell[2, 2, 2] = False
    pair[0, 0, 0] = True
    assert [whole(solid) for solid in (ball, shell, pair, ~ball & ball)] == [True, False, False, False]
    a, b = torch.from_numpy(ball).float()[None], torch.from_numpy(shell).float()[None]
    best, which = overlaps(a, torch.cat([b, a]))
    assert (best.item(), which.item()) == (1.0, 1)
    assert overlaps(a, b)[0].item() == pytest.approx(26 / 27)


def test_voxels_from_files(tmp_path: Path) -> None:
    cube = np.zeros((8, 8, 8))
    cube[1, 2, 5] = 3
    np.save(tmp_path / "a.npy", cube)
    (tmp_path / "deep").mkdir()
    runs = bytes([0, 255, 0, 255, 1, 2])
    (tmp_path / "deep" / "b.binvox").write_bytes(b"#binvox 1\ndim 8 8 8\ntranslate 0 0 0\nscale 1\ndata\n" + runs)
    whole_size = VoxelFolder(tmp_path, 8).load()["real"]
    np.testing.assert_array_equal(whole_size[0, 0], cube > 0)
    assert np.argwhere(whole_size[1, 0]).tolist() == [[7, 7, 6], [7, 7, 7]]
    smaller = VoxelFolder(tmp_path, 4).load()["real"]
    assert [np.argwhere(solid[0]).tolist() for solid in smaller] == [[[0, 1, 2]], [[3, 3, 3]]]
    with pytest.raises(UserError, match=r"a.npy is 8x8x8; `size: 3`"):
        VoxelFolder(tmp_path, 3).load()
    with pytest.raises(UserError, match="no voxels under"):
        VoxelFolder(tmp_path / "none", 8).load()
    (tmp_path / "c.binvox").write_bytes(b"#binvox 1\ndim 8 8 8\ndata\n" + runs[:4])
    with pytest.raises(UserError, match=r"c.binvox cannot be read: its runs give 510 voxels, not 512"):
        VoxelFolder(tmp_path, 8).load()
    with pytest.raises(ValueError, match="no binvox file"):
        binvox(b"other")


def test_pictures_of_voxels_show_what_is_in_front() -> None:
    fields = Solids().fields
    near, far = torch.zeros(2, 1, 1, 16, 16, 16)
    near[:, :, 0, 4:12, 4:12] = 1
    far[:, :, 10:15, 4:12, 4:12] = 1
    seen = [np.asarray(picture({"x": x}, fields)).astype(int) for x in (near, far, near + far, 0 * near)]
    assert (seen[3] == 255).all()
    front, back = seen[0] < 255, seen[1] < 255
    assert (front & back).sum() > 50 and (seen[0] != seen[1])[front & back].any()
    np.testing.assert_array_equal(seen[2][front], seen[0][front])
    np.testing.assert_array_equal(seen[2][~front], seen[1][~front])
    beside = picture({"near": near, "far": far}, fields)
    assert beside is not None and beside.width > 2 * 96
