"""Super-resolution: SRResNet, SRGAN, SRCNN and bicubic."""

import ganzoo


@ganzoo.hookimpl
def register(zoo):
    zoo.generator("srresnet", "ganzoo_srgan.generator:SRResNet")
    zoo.generator("srcnn", "ganzoo_srgan.srcnn:SRCNN")
    zoo.discriminator("srgan", "ganzoo_srgan.discriminator:Discriminator")
    zoo.op("bicubic", "ganzoo_srgan.resample:Bicubic")
    zoo.op("crop", "ganzoo_srgan.resample:Crop")
    zoo.weights(
        "srgan_pytorch",
        "generator.srresnet",
        keys=[r"conv1\.0\.weight", r"trunk\.0\.rcb\.0\.weight", r"conv3\.weight"],
        renames={
            r"conv1\.(.+)": r"head.\1",
            r"trunk\.(\d+)\.rcb\.(.+)": r"trunk.\1.body.\2",
            r"conv2\.(\d+)\.(.+)": lambda found, part: f"trunk.{len(part.trunk) - 2 + int(found[1])}.{found[2]}",
            r"upsampling\.(\d+)\.upsample_block\.([0-2])\.(.+)": (
                lambda found, part: f"tail.{3 * int(found[1]) + int(found[2])}.{found[3]}"
            ),
            r"conv3\.(.+)": lambda found, part: f"tail.{len(part.tail) - 1}.{found[1]}",
        },
        convert="ganzoo_srgan.published:ranged",
        back="ganzoo_srgan.published:unit",
        names="ganzoo_srgan.published:last",
        source="Lornatang/SRGAN-PyTorch",
    )
    zoo.weights(
        "srgan_pytorch_discriminator",
        "discriminator.srgan",
        keys=[r"features\.0\.weight", r"features\.2\.weight", r"classifier\.0\.weight", r"classifier\.2\.weight"],
        renames={
            r"features\.(0\..+)": r"body.\1",
            r"features\.(\d+)\.(.+)": lambda found, part: f"body.{int(found[1]) + 1}.{found[2]}",
            r"classifier\.0\.(.+)": lambda found, part: f"body.{len(part.body) - 2}.{found[1]}",
            r"classifier\.2\.(.+)": r"head.\1",
        },
        source="Lornatang/SRGAN-PyTorch",
        names="ganzoo_srgan.published:hidden",
    )
