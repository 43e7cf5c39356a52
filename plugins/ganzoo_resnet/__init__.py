"""Residual networks as WGAN-GP and SNGAN use them."""

import ganzoo


@ganzoo.hookimpl
def register(zoo):
    zoo.generator("resnet", "ganzoo_resnet.generator:Generator")
    zoo.discriminator("resnet", "ganzoo_resnet.discriminator:Discriminator")
    source = "kwotsin/mimicry"
    zoo.weights(
        "mimicry",
        "generator.resnet",
        keys=[r"l1\.weight", r"block2\.c1\.weight", r"block2\.c_sc\.weight", r"b\d\.weight"],
        renames={
            r"l1\.(.+)": r"stem.0.\1",
            r"block(\d)\.(b1|c1|b2|c2)\.(.+)": lambda found, part: (
                f"blocks.{int(found[1]) - 2}.main.{UP[found[2]]}.{found[3]}"
            ),
            r"block(\d)\.c_sc\.(.+)": lambda found, part: f"blocks.{int(found[1]) - 2}.shortcut.1.{found[2]}",
            r"b\d\.(.+)": r"head.0.\1",
            r"c\d\.(.+)": r"head.2.\1",
        },
        convert="ganzoo_resnet.published:bilinear",
        back="ganzoo_resnet.published:bilinear",
        names="ganzoo_resnet.published:mimicry",
        source=source,
    )
    zoo.weights(
        "mimicry_discriminator",
        "discriminator.resnet",
        keys=[r"block1\.c1\.weight(_orig)?", r"block2\.c2\.weight(_orig)?", r"l\d\.weight(_orig)?", r"l\d\.bias"],
        renames={
            r".+\.sn_sigma": None,
            r"block(\d)\.(c1|c2|c_sc)\.(.+)": mimicry_block,
            r"l\d\.(.+)": r"head.\1",
        },
        convert="ganzoo_resnet.published:rectified",
        back="ganzoo_resnet.published:rectified",
        names="ganzoo_resnet.published:mimicry_discriminator",
        source=source,
    )
    zoo.weights(
        "biggan_pytorch_discriminator",
        "discriminator.resnet",
        keys=[r"blocks\.0\.0\.conv1\.weight", r"blocks\.1\.0\.conv2\.weight", r"linear\.weight", r"embed\.weight"],
        renames={
            r".+\.sv\d": None,
            r"blocks\.(\d)\.0\.(conv1|conv2|conv_sc)\.(.+)": biggan_block,
            r"blocks\.(\d)\.1\.(.+)": lambda found, part: f"body.{int(found[1]) + 1}.{found[2]}",
            r"linear\.(.+)": r"head.\1",
            r"embed\.(.+)": r"projection.vectors.\1",
        },
        convert="ganzoo_resnet.published:vectors",
        source="ajbrock/BigGAN-PyTorch",
    )


UP = {"b1": 0, "c1": 3, "b2": 4, "c2": 6}
FIRST = {"c1": "main.0", "c2": "main.2", "c_sc": "shortcut.1"}
LATER = {"c1": "main.2", "c2": "main.5", "c_sc": "shortcut.0"}
NAMED = {"conv1": "c1", "conv2": "c2", "conv_sc": "c_sc"}


def mimicry_block(found, part):
    """Blocks count from 1."""
    index = int(found[1]) - 1
    return f"body.{index}.{(LATER if index else FIRST)[found[2]]}.{found[3]}"


def biggan_block(found, part):
    """Attention is a layer of its own here, so that the blocks behind it come one later."""
    index = int(found[1])
    attention = [place for place, layer in enumerate(part.body) if hasattr(layer, "theta")]
    later = sum(index >= place for place in attention)
    return f"body.{index + later}.{(LATER if index else FIRST)[NAMED[found[2]]]}.{found[3]}"
