"""AttnGAN: captions word by word, and how images match them."""

from ganzoo_stackgan_pp import BEFORE

import ganzoo


@ganzoo.hookimpl
def register(zoo):
    zoo.data("word_captions", "ganzoo_attngan.words:WordCaptions", fields=["real", "text", "words"])
    zoo.data("openmoji_words", "ganzoo_attngan.words:OpenMojiWords", fields=["real", "text", "words"], bundled=True)
    zoo.generator("attngan_refine", "ganzoo_attngan.attention:Branch")
    zoo.encoder("damsm", "ganzoo_attngan.damsm:Matching")
    for number in (2, 3):  # of one width, so that `match` says which is meant
        zoo.weights(
            f"attngan_branch{number}",
            "generator.attngan_refine",
            keys=[rf"h_net{number}\.att\.conv_context\.weight", rf"img_net{number}\.img\.0\.weight"],
            renames={
                rf"h_net{number}\.att\.conv_context\.weight": "words.weight",
                rf"h_net{number}\.residual\.(\d)\.block\.(\d)\.(\w+)": r"blocks.\1.body.\2.\3",
                rf"h_net{number}\.upsample\.(\d)\.(\w+)": r"grow.\1.\2",
                rf"img_net{number}\.img\.0\.(\w+)": r"image.0.\1",
                r"(?:ca_net|h_net\d|img_net\d)\..+": None,
            },
            convert="ganzoo_attngan.published:as_matrix",
            back="ganzoo_attngan.published:as_kernel",
            source="taoxugit/AttnGAN",
        )
    zoo.weights(
        "attngan_discriminator",
        "discriminator.stackgan_pp",
        keys=[r"img_code_s16\.0\.weight", r"UNCOND_DNET\.outlogits\.0\.weight", r"COND_DNET\.jointConv\.0\.weight"],
        renames={
            r"img_code_s(16|32|32_1|64|64_1|64_2)\.(\d+)\.(\w+)": lambda found, part: (
                f"see.{BEFORE[found[1]] + int(found[2])}.{found[3]}"
            ),
            r"COND_DNET\.jointConv\.(\d)\.(\w+)": r"joint.\1.\2",
            r"COND_DNET\.outlogits\.0\.(\w+)": r"head.\1",
            r"UNCOND_DNET\.outlogits\.0\.(\w+)": r"alone.\1",
        },
        names="ganzoo_stackgan_pp.published:seen",
        source="taoxugit/AttnGAN",
    )
