"""The extractors of the papers, as torch-fidelity has them."""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
from einops import rearrange
from torch import Tensor, nn

from ganzoo_extractors.base import ColourExtractor, Extracted, Features, Grey, Range
from ganzoo_extractors.weights import Published, digest, fix, unpickled

INCEPTION = Published(
    "inception",
    "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth",
    "6726825d",
)
TORCHVISION = Published(
    "inception_v3", "https://download.pytorch.org/models/inception_v3_google-0cc3c7bd.pth", "0cc3c7bd"
)
VGG16 = Published("vgg16", "https://download.pytorch.org/models/vgg16-397923af.pth", "397923af")
VGG19 = Published("vgg19", "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth", "dcbb9e9d")
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class _Engine(ColourExtractor):
    """One of torch-fidelity's: 8-bit images, resized as TensorFlow 1.x did."""

    side: int

    def __init__(self, in_range: Range, grey: Grey, quantise: bool):
        super().__init__(in_range, grey)
        self.protocol["resized"] = f"to {self.side}x{self.side}, bilinear as TensorFlow 1.x"
        self.quantise = quantise
        if not quantise:
            self.protocol["quantised"] = "no"

    def hold(
        self,
        make: Callable[[], nn.Module],
        published: Published,
        path: str | None,
        check: Callable[[dict[str, Tensor]], dict[str, Tensor]] = dict,
    ) -> nn.Module:
        network, self.sha256 = held(make, published.find(path), check)
        return network

    def pixels(self, x: Tensor) -> Tensor:
        """From 0 to 255, rounded or not, then resized; gradients pass as if nothing had been rounded."""
        from torch_fidelity.interpolate_compat_tensorflow import interpolate_bilinear_2d_like_tensorflow1x as resize

        x = 255 * self.colour(x).clamp(0, 1)
        if self.quantise:
            x = x + (x.round() - x).detach()
        return resize(x, (self.side, self.side), align_corners=False)


class Inception(_Engine):
    """The Inception network of FID, KID and the Inception Score: ``B 3 H W -> features B 2048, logits B 1008``.

    Images become 8-bit, and are resized to 299x299 as TensorFlow 1.x did it; the logits are without their bias, as the
    Inception Score has them. The weights (91 MB) lie where torch-fidelity keeps them;
    ``python -m ganzoo_extractors.published inception`` fetches them. Always in evaluation mode; gradients reach the
    images; the weights are constants.

    Paper: arXiv:1512.00567; arXiv:1706.08500 section 3. Source: torch-fidelity.

    Args:
        in_range: The values of black and white in the images.
        weights: Their file, if it is not at ``$TORCH_HOME/hub/checkpoints/weights-inception-2015-12-05-6726825d.pth``.
        grey: What becomes of grey images: refused, or their channel repeated three times, which every record says.
        quantise: Whether images become 8-bit; false for path lengths, whose steps are smaller than that.

    Raises:
        ValueError: `in_range` is not known, the weights are absent or do not fit, or (when
            called) images that are not coloured.
    """

    side = 299

    def __init__(self, in_range: Range, weights: str | None = None, grey: Grey = "refuse", quantise: bool = True):
        super().__init__(in_range, grey, quantise)
        self.network = self.hold(_inception, INCEPTION, weights, of_2015)
        self.train(False)

    def forward(self, x: Tensor) -> Extracted:
        *layers, last = self.network.children()
        x = (self.pixels(x) - 128) / 128
        for layer in layers:
            x = layer(x)
        features = x.flatten(1)
        return Extracted(features, features @ cast(Tensor, last.weight).T)


class InceptionV3(ColourExtractor):
    """torchvision's Inception, for what was measured or trained on it: ``B 3 H W -> features B 2048, logits B 1000``.

    Its FID is no FID of other papers, which is that of `Inception`: it pools otherwise, and its weights are others.
    Images are resized to 299x299, bilinear with antialiasing, and lie in [-1, 1]. The weights (104 MB) are where
    ``torch.hub`` keeps them; ``python -m ganzoo_extractors.published inception_v3`` fetches them. Always in evaluation
    mode; gradients reach the images; the weights are constants.

    Paper: arXiv:1512.00567. Source: torchvision.

    Args:
        in_range: The values of black and white in the images.
        weights: Their file, if it is not at ``$TORCH_HOME/hub/checkpoints/inception_v3_google-0cc3c7bd.pth``.
        grey: What becomes of grey images: refused, or their channel repeated three times, which every record says.

    Raises:
        ValueError: `in_range` is not known, the weights are absent or do not fit, or (when
            called) images that are not coloured.
    """

    side = 299

    def __init__(self, in_range: Range, weights: str | None = None, grey: Grey = "refuse"):
        super().__init__(in_range, grey)
        from torchvision.models import inception_v3  # type: ignore[import-untyped]

        self.protocol["resized"] = f"to {self.side}x{self.side}, bilinear, antialiased"
        make = partial(inception_v3, weights=None, aux_logits=False, init_weights=False)
        self.network, self.sha256 = held(make, TORCHVISION.find(weights), without_head)
        self.classifier, self.network.fc = cast(nn.Linear, self.network.fc), nn.Identity()
        self.train(False)

    def forward(self, x: Tensor) -> Extracted:
        small = nn.functional.interpolate(self.colour(x), (self.side, self.side), mode="bilinear", antialias=True)
        features = self.network(2 * small - 1)
        return Extracted(features, self.classifier(features))


class Vgg16(_Engine):
    """The network of improved precision and recall: ``B 3 H W -> features B 4096``.

    VGG-16 trained on ImageNet, the second fully connected layer behind its ReLU. Images become 8-bit, and are resized
    to 224x224 as TensorFlow 1.x did it. The weights (528 MB) lie where torch-fidelity keeps them;
    ``python -m ganzoo_extractors.published vgg16`` fetches them. Always in evaluation mode; gradients reach the images;
    the weights are constants.

    Paper: arXiv:1409.1556; arXiv:1904.06991 section 3.1. Source: torch-fidelity.

    Args:
        in_range: The values of black and white in the images.
        weights: Their file, if it is not at ``$TORCH_HOME/hub/checkpoints/vgg16-397923af.pth``.
        grey: What becomes of grey images: refused, or their channel repeated three times, which every record says.
        quantise: Whether images become 8-bit; false for path lengths, whose steps are smaller than that.

    Raises:
        ValueError: `in_range` is not known, the weights are absent or do not fit, or (when
            called) images that are not coloured.
    """

    side = 224

    def __init__(self, in_range: Range, weights: str | None = None, grey: Grey = "refuse", quantise: bool = True):
        super().__init__(in_range, grey, quantise)
        from torchvision.models import vgg16

        self.network = self.hold(vgg16, VGG16, weights)
        self.train(False)

    def forward(self, x: Tensor) -> Features:
        mean, std = (  # filled on the device: copied there, they would wait for it and could not be captured
            rearrange(torch.stack([torch.full((), c, device=x.device) for c in v]), "c -> c 1 1") for v in (MEAN, STD)
        )
        *layers, classifier = self.network.children()
        x = (self.pixels(x) - 255 * mean) / (255 * std)
        for layer in layers:
            x = layer(x)
        return Features(nn.Sequential(*list(classifier.children())[:5])(x.flatten(1)))


def held(
    make: Callable[[], nn.Module], file: Path, check: Callable[[dict[str, Tensor]], dict[str, Tensor]]
) -> tuple[nn.Module, str]:
    """A network with a file's weights, which is given no others first, and their sha256. Source: ganzoo's own.

    Raises:
        ValueError: the weights do not fit.
    """
    with torch.device("meta"):
        network = make()
    if not torch.empty(0).is_meta:
        network.to_empty(device="cpu")
    fix(network, lambda: check(unpickled(file)))
    return network, digest(file)


def without_head(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """torchvision's weights without those of the auxiliary classifier, which only its training uses.

    Source: torchvision.
    """
    return {name: tensor for name, tensor in tensors.items() if not name.startswith("AuxLogits.")}


def of_2015(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights as they are, unless they are torchvision's, of a network that pools otherwise. Source: ganzoo's own.

    Raises:
        ValueError: they are torchvision's.
    """
    if any(name.startswith("AuxLogits.") for name in tensors):
        how = "`python -m ganzoo_extractors.published inception` fetches it, and extractor.inception_v3 takes these"
        raise ValueError(f"these are torchvision's weights; FID and KID are defined on the network of 2015; {how}")
    return tensors


def _inception() -> nn.Module:
    """The engine's network without weights: its constructor always reads a file, and is given an empty one."""
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    class Bare(FeatureExtractorInceptionV3):
        def load_state_dict(self, state_dict: dict[str, Tensor], *args: Any, **kwargs: Any) -> Any:
            return super().load_state_dict(state_dict, *args, **kwargs) if state_dict else None

    torch.save({}, empty := io.BytesIO())
    empty.seek(0)
    return Bare("inception", ["2048"], feature_extractor_weights_path=empty)


def main() -> None:
    """Fetch the published weights of one extractor. Source: ganzoo's own."""
    known = {published.extractor: published for published in (INCEPTION, TORCHVISION, VGG16, VGG19)}
    parser = argparse.ArgumentParser(prog="python -m ganzoo_extractors.published", description=main.__doc__)
    parser.add_argument("extractor", choices=known)
    published = known[parser.parse_args().extractor]
    try:
        print(published.fetch())
    except (OSError, RuntimeError) as error:
        parser.exit(2, f"{published.url} cannot be fetched: {error}\n")


if __name__ == "__main__":
    main()
