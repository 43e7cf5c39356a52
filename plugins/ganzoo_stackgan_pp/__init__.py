"""StackGAN++: several sizes drawn by one generator, each judged with its caption and without."""

import ganzoo


@ganzoo.hookimpl
def register(zoo):
    zoo.encoder("conditioning_glu", "ganzoo_stackgan_pp.conditioning:Conditioning")
    zoo.generator("stackgan_pp", "ganzoo_stackgan_pp.branches:Root")
    zoo.generator("stackgan_pp_refine", "ganzoo_stackgan_pp.branches:Branch")
    zoo.discriminator("stackgan_pp", "ganzoo_stackgan_pp.discriminator:Discriminator")
    zoo.loss("colour_consistency", "ganzoo_stackgan_pp.colour:ColourConsistency")
    source = "hanzhanggit/StackGAN-v2"
    zoo.weights(
        "stackgan_v2_conditioning",
        "encoder.conditioning_glu",
        keys=[r"ca_net\.fc\.weight", r"h_net1\.fc\.0\.weight"],
        renames={r"ca_net\.fc\.(\w+)": r"linear.0.\1", r".+": None},
        source=source,
    )
    zoo.weights(
        "stackgan_v2",
        "generator.stackgan_pp",
        keys=[r"h_net1\.fc\.0\.weight", r"h_net1\.upsample1\.1\.weight", r"img_net1\.img\.0\.weight"],
        renames={
            r"h_net1\.fc\.(\d)\.(\w+)": r"stem.\1.\2",
            r"h_net1\.upsample(\d)\.(\d)\.(\w+)": lambda found, part: f"grow.{int(found[1]) - 1}.{found[2]}.{found[3]}",
            r"img_net1\.img\.0\.(\w+)": r"image.0.\1",
            r"(?:ca_net|h_net[2-9]|img_net[2-9])\..+": None,
        },
        source=source,
    )
    for number in (2, 3):  # whose widths differ, so that one of them fits
        zoo.weights(
            f"stackgan_v2_branch{number}",
            "generator.stackgan_pp_refine",
            keys=[rf"h_net{number}\.jointConv\.0\.weight", rf"img_net{number}\.img\.0\.weight"],
            renames={
                rf"h_net{number}\.jointConv\.(\d)\.(\w+)": r"joint.\1.\2",
                rf"h_net{number}\.residual\.(\d)\.block\.(\d)\.(\w+)": r"blocks.\1.body.\2.\3",
                rf"h_net{number}\.upsample\.(\d)\.(\w+)": r"grow.0.\1.\2",
                rf"img_net{number}\.img\.0\.(\w+)": r"image.0.\1",
                r"(?:ca_net|h_net\d|img_net\d)\..+": None,
            },
            source=source,
        )
    zoo.weights(
        "stackgan_v2_discriminator",
        "discriminator.stackgan_pp",
        keys=[r"img_code_s16\.0\.weight", r"jointConv\.0\.weight", r"logits\.0\.weight", r"uncond_logits\.0\.weight"],
        renames={
            r"img_code_s(16|32|32_1|64|64_1|64_2)\.(\d+)\.(\w+)": lambda found, part: (
                f"see.{BEFORE[found[1]] + int(found[2])}.{found[3]}"
            ),
            r"jointConv\.(\d)\.(\w+)": r"joint.\1.\2",
            r"logits\.0\.(\w+)": r"head.\1",
            r"uncond_logits\.0\.(\w+)": r"alone.\1",
        },
        convert="ganzoo_stackgan_pp.published:image_first",
        back="ganzoo_stackgan_pp.published:caption_first",
        names="ganzoo_stackgan_pp.published:seen",
        source=source,
    )


BEFORE = {"16": 0, "32": 11, "32_1": 14, "64": 14, "64_1": 17, "64_2": 20}  # layers before each of theirs
