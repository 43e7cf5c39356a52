"""Unpaired image translation: the residual generator that keeps the size of an image."""

import ganzoo


@ganzoo.hookimpl
def register(zoo):
    zoo.generator("cyclegan", "ganzoo_cyclegan.generator:Generator")
    zoo.weights(
        "pytorch_cyclegan",
        "generator.cyclegan",
        keys=[r"model\.1\.weight", r"model\.\d+\.conv_block\.1\.weight"],
        renames={r"model\.(\d+)\.conv_block\.(.+)": r"net.\1.main.\2", r"model\.(\d+\..+)": r"net.\1"},
        convert="ganzoo_cyclegan.published:convert",
        back="ganzoo_cyclegan.published:convert",
        source="junyanz/pytorch-CycleGAN-and-pix2pix",
    )
