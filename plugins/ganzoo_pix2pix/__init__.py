"""Paired image translation: the U-Net, and the discriminator that judges patches."""

import ganzoo


@ganzoo.hookimpl
def register(zoo):
    zoo.generator("unet", "ganzoo_pix2pix.unet:UNet")
    zoo.discriminator("patchgan", "ganzoo_pix2pix.patchgan:PatchGan")
    zoo.weights(
        "pytorch_pix2pix",
        "generator.unet",
        keys=[r"model\.model\.0\.weight", r"model\.model\.1\.model\.1\.weight", r"model\.model\.3\.weight"],
        renames={r"model((?:\.model\.\d+)+)\.(\w+)": unet},
        convert="ganzoo_pix2pix.published:skips",
        back="ganzoo_pix2pix.published:skips",
        names="ganzoo_pix2pix.published:nested",
        source="junyanz/pytorch-CycleGAN-and-pix2pix",
    )
    zoo.weights(
        "pytorch_cyclegan_patches",
        "discriminator.patchgan",
        keys=[r"model\.0\.weight", r"model\.2\.weight", r"model\.5\.weight"],
        renames={r"model\.(\d+)\.(.+)": patches},
        convert="ganzoo_pix2pix.published:condition",
        back="ganzoo_pix2pix.published:condition_last",
        source="junyanz/pytorch-CycleGAN-and-pix2pix",
    )
    zoo.weights(
        "pytorch_cyclegan_pixels",
        "discriminator.patchgan",
        keys=[r"net\.0\.weight", r"net\.2\.weight", r"net\.5\.weight"],
        renames={r"net\.(\d+)\.(.+)": patches},
        convert="ganzoo_pix2pix.published:condition",
        back="ganzoo_pix2pix.published:condition_last",
        source="junyanz/pytorch-CycleGAN-and-pix2pix",
    )


def unet(found, part):
    """Levels are nested in the file: each name tells by its length at which level it stands."""
    level = found[1].count("model") - 1
    at = int(found[1].rpartition(".")[2])
    last = part.downs - 1
    if level in (0, last):
        down, up = (0, 3) if level == 0 else (1, 3)
        own = 1
    else:
        down, up, own = 1, 5, 1
    if at < up:
        return f"encoder.{level}.{at}.{found[2]}" if at - down in (0, 1) else None
    return f"decoder.{last - level}.{own + at - up}.{found[2]}"


def patches(found, part):
    """The last convolution is the head."""
    return f"head.{found[2]}" if int(found[1]) == len(part.body) else f"body.{found[1]}.{found[2]}"
