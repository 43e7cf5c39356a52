"""Files of weights in every format, guesses that are refused, and files that are bad."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

import ganzoo
from ganzoo.errors import UserError
from ganzoo.model.revert import revert
from ganzoo.registry import plugins
from ganzoo.store import weights
from tests.plugins.test_weights import resnet, scrambled, taken


@pytest.fixture
def small() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))


def test_a_state_dict_of_our_own_in_every_format(tmp_path, small) -> None:
    state = {k: v for k, v in scrambled(small).state_dict().items() if not k.endswith("tracked")}
    torch.save({"params": {k: 2 * v for k, v in state.items()}, "params_ema": state}, tmp_path / "a.ckpt")
    save_file(state, tmp_path / "a.safetensors")
    np.savez(tmp_path / "a.npz", **{k: v.numpy() for k, v in state.items()})
    for name in ("a.ckpt", "a.safetensors", "a.npz"):
        part = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
        taken(tmp_path / name, part, "generator.mlp")
        assert torch.equal(part[0].weight, state["0.weight"])
    part = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    taken(tmp_path / "a.ckpt", part, "generator.mlp", "params")
    assert torch.equal(part[0].weight, 2 * state["0.weight"])
    with pytest.raises(UserError, match="no tensors under 'nothing'"):
        weights.chosen(tmp_path / "a.ckpt", "nothing")


def test_two_networks_of_which_both_fit_are_not_guessed(tmp_path, small) -> None:
    torch.save({"G_A": small.state_dict(), "G_B": small.state_dict()}, tmp_path / "both.pth")
    with pytest.raises(UserError, match="FILE:KEY with one of G_A, G_B"):
        taken(tmp_path / "both.pth", small, "generator.mlp")


def test_order_and_shape(tmp_path, small) -> None:
    other = {f"net.{i}.{key.rpartition('.')[2]}": value for i, (key, value) in enumerate(small.state_dict().items())}
    torch.save(other, tmp_path / "other.pth")
    with pytest.raises(
        UserError, match=r"not known for generator.mlp: 7 tensors, such as net.0.weight 2x3.*match: shapes"
    ):
        taken(tmp_path / "other.pth", small, "generator.mlp")
    part = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    found = taken(tmp_path / "other.pth", part, "generator.mlp", match="shapes")
    assert found.lines[0] == "0.weight <- net.0.weight 2x3"
    assert torch.equal(part[0].weight, small[0].weight)
    torch.save(dict(reversed(other.items())), tmp_path / "other.pth")
    with pytest.raises(UserError, match="order and shape do not match"):
        taken(tmp_path / "other.pth", part, "generator.mlp", match="shapes")


def test_another_networks_layout_is_named(tmp_path) -> None:
    torch.save(resnet(False, False).state_dict(), tmp_path / "G.pth")
    ours = ganzoo.make("generator.unet", in_channels=3, in_size=(16, 16), out_channels=3, width=2, downs=2)
    with pytest.raises(
        UserError, match=r"layout pytorch_cyclegan, which is for generator.cyclegan, not for generator.unet"
    ):
        taken(tmp_path / "G.pth", ours, "generator.unet")
    with pytest.raises(UserError, match="no layout 'nowhere'"):
        taken(tmp_path / "G.pth", ours, "generator.unet", match="nowhere")


class Evil:
    ran = False

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return exec, ("from tests.plugins.test_weights import Evil; Evil.ran = True",)


def test_bad_files_give_one_message_and_run_nothing(tmp_path, small) -> None:
    path = tmp_path / "bad.pth"
    torch.save({"x": Evil()}, path)
    with pytest.raises(UserError, match=r"values \(.*exec\); nothing of it was run"):
        weights.read(path)
    (tmp_path / "ffhq.pkl").write_bytes(pickle.dumps({"G_ema": Evil()}))
    with pytest.raises(UserError, match=r"ffhq\.pkl holds more than .*torch.save\(network.state_dict\(\), FILE\)"):
        weights.read(tmp_path / "ffhq.pkl")
    torch.save(small, path)
    with pytest.raises(UserError, match="state_dict"):
        weights.read(path)
    assert not Evil.ran
    torch.save(small.state_dict(), path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=r"bad\.pth (is|cannot)"):
        weights.read(path)
    for content in (b"", b"hello there", b"no weights", b"\x80\x02"):
        path.write_bytes(content)
        with pytest.raises(UserError, match=r"bad\.pth (is|cannot)"):
            weights.read(path)
    huge = tmp_path / "bad.safetensors"
    huge.write_bytes((10**10).to_bytes(8, "little") + b"{}")
    with pytest.raises(UserError, match="header would have 10000000000 bytes"):
        weights.read(huge)
    np.savez(tmp_path / "bad.npz", x=np.array([{}], dtype=object))
    with pytest.raises(UserError, match="nothing of it was run"):
        weights.read(tmp_path / "bad.npz")
    state = small.state_dict()
    state["0.bias"] = state["0.bias"] * float("nan")
    torch.save(state, path)
    with pytest.raises(UserError, match=r"NaN or infinity: 0.bias"):
        taken(path, small, "generator.mlp")


def test_a_file_with_more_layers_than_the_part_is_not_half_loaded(tmp_path) -> None:
    wide = {"in_channels": 3, "in_size": (16, 16), "out_channels": 3, "scale": 4, "out_size": (64, 64), "width": 4}
    large, small = (ganzoo.make("generator.srresnet", **wide, blocks=blocks) for blocks in (2, 1))
    layout = next(known for known in plugins.installed().layouts if known.name == "srgan_pytorch")
    torch.save(revert(large, layout), tmp_path / "g.pth")
    before = {name: value.clone() for name, value in small.state_dict().items()}
    with pytest.raises(UserError, match=r"layout srgan_pytorch, but (\d+ tensors more than the part|does not fit)"):
        taken(tmp_path / "g.pth", small, "generator.srresnet")
    assert all(torch.equal(value, before[name]) for name, value in small.state_dict().items())
