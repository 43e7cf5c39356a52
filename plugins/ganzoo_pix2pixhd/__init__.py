"""pix2pixHD: a global generator, a local enhancer around it, patches whose features are matched, instances."""

import ganzoo


@ganzoo.hookimpl
def register(zoo):
    zoo.generator("pix2pixhd", "ganzoo_pix2pixhd.generators:GlobalGenerator")
    zoo.generator("pix2pixhd_local", "ganzoo_pix2pixhd.generators:LocalEnhancer")
    zoo.encoder("pix2pixhd", "ganzoo_pix2pixhd.instances:InstanceEncoder")
    zoo.discriminator("pix2pixhd", "ganzoo_pix2pixhd.discriminator:Discriminator")
    zoo.op("instance_edges", "ganzoo_pix2pixhd.instances:InstanceEdges")
    zoo.op("halve", "ganzoo_pix2pixhd.instances:Halve")
    source = "NVIDIA/pix2pixHD"
    untracked = "ganzoo_pix2pixhd.published:untracked"
    coarse = {
        r"model\.(\d+)\.conv_block\.(\d+)\.(\w+)": r"body.\1.body.\2.\3",
        r"model\.(\d+)\.(\w+)": flat,
    }
    zoo.weights(
        "pix2pixhd",
        "generator.pix2pixhd",
        keys=[r"model\.1\.weight", r"model\.\d+\.conv_block\.1\.weight"],
        renames=coarse,
        convert=untracked,
        back=untracked,
        names="ganzoo_pix2pixhd.published:final",
        source=source,
    )
    zoo.weights(
        "pix2pixhd_inside_local",
        "generator.pix2pixhd",
        keys=[r"model\.1\.weight", r"model1_1\.1\.weight"],
        renames={r"model1_[12]\..+": None, **coarse},
        convert="ganzoo_pix2pixhd.published:headless",
        source=source,
    )
    zoo.weights(
        "pix2pixhd_local",
        "generator.pix2pixhd_local",
        keys=[r"model1_1\.1\.weight", r"model1_2\.0\.conv_block\.1\.weight"],
        renames={
            r"model1_1\.(\d+)\.(\w+)": r"down.\1.\2",
            r"model1_2\.(\d+)\.conv_block\.(\d+)\.(\w+)": r"up.\1.body.\2.\3",
            r"model1_2\.(\d+)\.(\w+)": r"up.\1.\2",
            r"model\..+": None,
        },
        convert=untracked,
        back=untracked,
        source=source,
    )
    zoo.weights(
        "pix2pixhd_encoder",
        "encoder.pix2pixhd",
        keys=[r"model\.1\.weight", r"model\.4\.weight"],
        renames={r"model\.(\d+)\.(.+)": r"net.\1.\2"},
        convert=untracked,
        back=untracked,
        source=source,
    )
    zoo.weights(
        "pix2pixhd_discriminator",
        "discriminator.pix2pixhd",
        keys=[r"layer0\.0\.weight", r"layer[3-9]\.0\.weight"],
        renames={r"layer(\d)\.0\.(\w+)": layer, r"layer(\d)\.1\.(\w+)": r"layers.\1.1.\2"},
        convert=untracked,
        back=untracked,
        source=source,
    )
    zoo.weights(
        "pix2pixhd_scales",
        "discriminator.pix2pixhd",
        keys=[r"scale0_layer0\.0\.weight", r"scale\d_layer[3-9]\.0\.weight"],
        convert="ganzoo_pix2pixhd.published:one_scale",
        source=source,
    )


def flat(found, part):
    """Padding, the last convolution and its activation are a network of their own here."""
    place = int(found[1]) - len(part.body)
    return f"body.{found[1]}.{found[2]}" if place < 0 else f"tail.{place}.{found[2]}"


def layer(found, part):
    """The last layer is the head."""
    last = int(found[1]) == len(part.layers)
    return f"head.{found[2]}" if last else f"layers.{found[1]}.0.{found[2]}"
