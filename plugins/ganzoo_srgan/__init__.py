"""Super-resolution: SRResNet, SRGAN, SRCNN and bicubic."""

import ganzoo


@ganzoo.hookimpl
def register(zoo):
    zoo.generator("srresnet", "ganzoo_srgan.generator:SRResNet")
    zoo.generator("srcnn", "ganzoo_srgan.srcnn:SRCNN")
    zoo.discriminator("srgan", "ganzoo_srgan.discriminator:Discriminator")
    zoo.op("bicubic", "ganzoo_srgan.resample:Bicubic")
    zoo.op("crop", "ganzoo_srgan.resample:Crop")
