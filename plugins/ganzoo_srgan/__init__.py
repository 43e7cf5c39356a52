"""Super-resolution: SRResNet, SRGAN, SRCNN, bicubic, and networks whose feature maps compare content."""

import ganzoo


@ganzoo.hookimpl
def register(zoo):
    zoo.generator("srresnet", "ganzoo_srgan.generator:SRResNet")
    zoo.generator("srcnn", "ganzoo_srgan.srcnn:SRCNN")
    zoo.discriminator("srgan", "ganzoo_srgan.discriminator:Discriminator")
    zoo.extractor("vgg19", "ganzoo_srgan.vgg:Vgg19")
    zoo.extractor("efficientnet_maps", "ganzoo_srgan.efficientnet:EfficientNetMaps")
    zoo.op("bicubic", "ganzoo_srgan.resample:Bicubic")
    zoo.op("crop", "ganzoo_srgan.resample:Crop")
