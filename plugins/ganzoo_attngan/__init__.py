"""AttnGAN: captions word by word, and how images match them."""

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
