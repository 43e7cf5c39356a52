"""Paired image translation: the U-Net, and the discriminator that judges patches."""

import ganzoo


@ganzoo.hookimpl
def register(zoo):
    zoo.generator("unet", "ganzoo_pix2pix.unet:UNet")
    zoo.discriminator("patchgan", "ganzoo_pix2pix.patchgan:PatchGan")
