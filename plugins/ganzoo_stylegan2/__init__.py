"""StyleGAN2: a mapping to styles, convolutions that are modulated by them, and a residual discriminator."""

import ganzoo


@ganzoo.hookimpl
def register(zoo):
    zoo.encoder("stylegan2", "ganzoo_stylegan2.mapping:Mapping")
    zoo.generator("stylegan2", "ganzoo_stylegan2.generator:Generator")
    zoo.discriminator("stylegan2", "ganzoo_stylegan2.discriminator:Discriminator")
    source = "rosinality/stylegan2-pytorch"
    zoo.weights(
        "rosinality_mapping",
        "encoder.stylegan2",
        keys=[r"style\.1\.weight", r"conv1\.conv\.modulation\.weight"],
        renames={
            r"style\.(\d+)\.(\w+)": lambda found, part: f"layers.{int(found[1]) - 1}.{found[2]}",
            r"\.\./latent_avg": "mean",
            r".+": None,
        },
        convert="ganzoo_stylegan2.published:styles",
        source=source,
    )
    zoo.weights(
        "rosinality",
        "generator.stylegan2",
        keys=[r"input\.input", r"conv1\.conv\.modulation\.weight", r"to_rgb1\.conv\.weight"],
        renames={
            r".+\.kernel|style\..+|noises\..+|\.\./.+": None,
            r"input\.input": "constant",
            r"conv1\.(.+)": lambda found, part: f"layers.0.{inside(found[1])}",
            r"convs\.(\d+)\.(.+)": lambda found, part: f"layers.{int(found[1]) + 1}.{inside(found[2])}",
            r"to_rgb1\.(.+)": lambda found, part: f"images.0.{inside(found[1])}",
            r"to_rgbs\.(\d+)\.(.+)": lambda found, part: f"images.{int(found[1]) + 1}.{inside(found[2])}",
        },
        convert="ganzoo_stylegan2.published:flattened",
        back="ganzoo_stylegan2.published:shaped",
        names="ganzoo_stylegan2.published:layers",
        source=source,
    )
    zoo.weights(
        "rosinality_discriminator",
        "discriminator.stylegan2",
        keys=[r"convs\.0\.0\.weight", r"convs\.1\.conv1\.0\.weight", r"final_linear\.0\.weight"],
        renames={
            r".+\.kernel|\.\./.+": None,
            r"convs\.0\.[01]\.(\w+)": r"first.\1",
            r"convs\.(\d+)\.conv1\.[01]\.(\w+)": block("first"),
            r"convs\.(\d+)\.conv2\.[12]\.(\w+)": block("second"),
            r"convs\.(\d+)\.skip\.1\.(\w+)": block("shortcut"),
            r"final_conv\.[01]\.(\w+)": r"conv.\1",
            r"final_linear\.0\.(\w+)": r"full.\1",
            r"final_linear\.1\.(\w+)": r"head.\1",
        },
        convert="ganzoo_stylegan2.published:grouped",
        back="ganzoo_stylegan2.published:grouped",
        names="ganzoo_stylegan2.published:judges",
        source=source,
    )
    source = "NVlabs/stylegan2-ada-pytorch"
    zoo.weights(
        "stylegan2_ada_mapping",
        "encoder.stylegan2",
        keys=[r"mapping\.fc0\.weight", r"mapping\.w_avg"],
        renames={
            r"mapping\.fc(\d+)\.(\w+)": r"layers.\1.\2",
            r"mapping\.embed\.(\w+)": r"embedding.\1",
            r"mapping\.w_avg": "mean",
            r".+": None,
        },
        convert="ganzoo_stylegan2.published:styles",
        back="ganzoo_stylegan2.published:styles",
        source=source,
    )
    zoo.weights(
        "stylegan2_ada",
        "generator.stylegan2",
        keys=[r"synthesis\.b4\.const", r"synthesis\.b4\.conv1\.noise_strength", r"synthesis\.b4\.torgb\.weight"],
        renames={
            r".+\.resample_filter|.+\.noise_const|mapping\..+": None,
            r"synthesis\.b4\.const": "constant",
            r"synthesis\.b(\d+)\.conv([01])\.(.+)": lambda found, part: (
                f"layers.{2 * level(found[1]) + int(found[2]) - 1}.{named(found[3])}"
            ),
            r"synthesis\.b(\d+)\.torgb\.(.+)": lambda found, part: f"images.{level(found[1])}.{named(found[2])}",
        },
        convert="ganzoo_stylegan2.published:constant",
        back="ganzoo_stylegan2.published:first",
        names="ganzoo_stylegan2.published:blocks",
        source=source,
    )
    zoo.weights(
        "stylegan2_ada_discriminator",
        "discriminator.stylegan2",
        keys=[r"b\d+\.fromrgb\.weight", r"b4\.conv\.weight", r"b4\.fc\.weight", r"b4\.out\.weight"],
        renames={
            r".+\.resample_filter": None,
            r"b\d+\.fromrgb\.(\w+)": r"first.\1",
            r"b(\d+)\.conv0\.(\w+)": halving("first"),
            r"b(\d+)\.conv1\.(\w+)": halving("second"),
            r"b(\d+)\.skip\.(\w+)": halving("shortcut"),
            r"b4\.conv\.(\w+)": r"conv.\1",
            r"b4\.fc\.(\w+)": r"full.\1",
            r"b4\.out\.(\w+)": r"head.\1",
        },
        convert="ganzoo_stylegan2.published:residual",
        back="ganzoo_stylegan2.published:residual",
        names="ganzoo_stylegan2.published:halvings",
        source=source,
    )


ROSINALITY = {"conv.modulation.": "conv.affine.", "noise.weight": "strength", "activate.bias": "bias"}
NVIDIA = {"affine.": "conv.affine.", "weight": "conv.weight", "noise_strength": "strength"}


def renamed(tensor, names):
    """The own name of a tensor of a layer: its beginning is another."""
    start = next((start for start in names if tensor.startswith(start)), "")
    return names.get(start, "") + tensor.removeprefix(start)


def inside(tensor):
    return renamed(tensor, ROSINALITY)


def named(tensor):
    return renamed(tensor, NVIDIA)


def level(side):
    """The number of a size: 4 is the first."""
    return int(side).bit_length() - 3


def block(layer):
    """A layer of a block, of which the first is the one that reads colours."""
    return lambda found, part: f"blocks.{int(found[1]) - 1}.{layer}.{found[2]}"


def halving(layer):
    """A layer of the block that sees this size; the largest size is the first block's."""
    return lambda found, part: f"blocks.{len(part.blocks) - level(found[1])}.{layer}.{found[2]}"
