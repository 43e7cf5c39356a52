"""Contrastive unpaired translation: a generator that shows its maps, vectors of patches of them, and their loss."""

import ganzoo


@ganzoo.hookimpl
def register(zoo):
    zoo.generator("cut", "ganzoo_cut.generator:Generator")
    zoo.discriminator("cut", "ganzoo_cut.discriminator:Discriminator")
    zoo.encoder("cut_patches", "ganzoo_cut.patches:Patches")
    zoo.loss("patch_nce", "ganzoo_cut.patches:PatchNCE")
