"""The content network of SRGAN."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import torch
from einops import rearrange
from torch import Tensor, nn

from ganzoo_extractors.base import Features
from ganzoo_extractors.content import ContentNetwork
from ganzoo_extractors.published import MEAN, STD, VGG19
from ganzoo_extractors.weights import digest, fix, unpickled

PLAN = (2, 2, 4, 4, 4)  # convolutions before each max pooling
WIDTHS = (64, 128, 256, 512, 512)


def _layers() -> Iterator[nn.Module]:
    """The layers of torchvision's ``vgg19().features``."""
    channels = 3
    for count, width in zip(PLAN, WIDTHS, strict=True):
        for _ in range(count):
            yield nn.Conv2d(channels, width, 3, padding=1)
            yield nn.ReLU(inplace=True)
            channels = width
        yield nn.MaxPool2d(2)


class Vgg19(ContentNetwork):
    """Feature maps of VGG-19 trained on ImageNet: ``B 3 H W -> features B n``.

    ``phi_ij``: the maps of the j-th convolution before the i-th max pooling, behind its ReLU; the paper's VGG54 is
    ``5_4``, VGG22 is ``2_2``. Images keep their size and are normalised as ImageNet was. The weights are torchvision's
    (548 MB): `weights` names their file, or else they are where ``torch.hub`` keeps them, and are fetched if they are
    not there when training begins. Always in evaluation mode; gradients reach the images; the weights are constants.

    Paper: arXiv:1409.1556; arXiv:1609.04802 eq. 5.

    Args:
        in_range: The values of black and white in the images.
        weights: The file of torchvision's weights, or one of ``vgg19().features`` alone.
        layer: ``i_j``, from ``1_1`` to ``5_4``.
        activated: Whether the maps are taken behind the ReLU, as in the paper, or before it (arXiv:1809.00219).

    Raises:
        ValueError: `in_range` is not known, there is no such layer, the weights are absent or do not fit, or (when
            called) images that are not coloured or too small.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        in_range: tuple[float, float] | None,
        weights: str | None = None,
        layer: str = "5_4",
        activated: bool = True,
    ):
        match = re.fullmatch("([1-5])_([1-4])", layer)
        if match is None or int(match[2]) > PLAN[int(match[1]) - 1]:
            known = ", ".join(f"{i}_{j}" for i, count in enumerate(PLAN, 1) for j in range(1, count + 1))
            raise ValueError(f"layer is {layer!r}, but should be one of {known}")
        block, number = int(match[1]), int(match[2])
        super().__init__(in_range, 2 ** (block - 1))
        self.protocol["maps"] = f"{layer}, {'behind' if activated else 'before'} the ReLU"
        convolutions = sum(PLAN[: block - 1]) + number
        depth = 2 * convolutions + block - 1 - (not activated)
        with torch.random.fork_rng(devices=[]):
            self.network = nn.Sequential(*_layers())[:depth]
        on_meta = any(tensor.is_meta for tensor in self.network.parameters())
        path = _file(weights, fetch=not on_meta)
        if path is not None:
            self.sha256 = digest(path)
        fix(self.network, lambda: _of_features(unpickled(path), self.network) if path is not None else {})
        self.register_buffer("mean", rearrange(torch.tensor(MEAN), "c -> c 1 1"), persistent=False)
        self.register_buffer("std", rearrange(torch.tensor(STD), "c -> c 1 1"), persistent=False)
        self.train(False)

    def forward(self, x: Tensor) -> Features:
        return Features(self.network((self.unit(x) - self.mean) / self.std).flatten(1))


def _file(weights: str | None, fetch: bool) -> Path | None:
    """The file of weights; None where it is not there yet and need not be."""
    if weights is None and not VGG19.path.is_file():
        if not fetch:
            return None
        try:
            VGG19.fetch()
        except (OSError, RuntimeError) as error:
            how = "write `weights: FILE`, or take extractor.efficientnet_maps, whose weights ship in a package"
            raise ValueError(f"{VGG19.url} cannot be fetched ({error}); {how}") from error
    return VGG19.find(weights)


def _of_features(state: dict[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    """The tensors that this much of the network needs, whatever else the file holds."""
    if not isinstance(state, dict):
        raise ValueError("these weights are no tensors by name")
    plain = {name.removeprefix("features."): tensor for name, tensor in state.items()}
    return {name: plain[name] for name in network.state_dict() if name in plain}
