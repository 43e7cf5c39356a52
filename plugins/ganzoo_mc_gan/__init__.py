"""MC-GAN: an object of which a caption speaks, drawn onto a given background, with its mask."""

from ganzoo_data.credits import SCENES

import ganzoo


@ganzoo.hookimpl
def register(zoo):
    zoo.generator("mc_gan", "ganzoo_mc_gan.generator:Generator")
    zoo.discriminator("mc_gan", "ganzoo_mc_gan.discriminator:Discriminator")
    zoo.loss("background", "ganzoo_mc_gan.background:Background")
    zoo.op("paste", "ganzoo_mc_gan.background:Paste")
    zoo.data(
        "openmoji_on_photos",
        "ganzoo_mc_gan.scenes:OpenMojiOnPhotos",
        fields=["real", "mask", "base", "text"],
        bundled=True,
        **SCENES,
    )
