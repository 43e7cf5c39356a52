"""ESRGAN: residual-in-residual dense blocks, weights between two trainings, and Real-ESRGAN's degradations."""

import ganzoo


@ganzoo.hookimpl
def register(zoo):
    zoo.generator("rrdb", "ganzoo_esrgan.generator:RRDBNet")
    zoo.discriminator("esrgan", "ganzoo_esrgan.discriminator:Discriminator")
    zoo.regularizer("anchor", "ganzoo_esrgan.anchor:Anchor")
    zoo.op("degrade", "ganzoo_esrgan.degrade:Degrade")
    zoo.op("jpeg", "ganzoo_esrgan.jpeg:Jpeg")
    zoo.prior("factor", "ganzoo_esrgan.anchor:Factor")
    later = {
        "basicsr_rrdb": ("XPixelGroup/BasicSR", "body", "rdb", "conv_body", "conv_up", "conv_hr"),
        "esrgan": ("xinntao/ESRGAN", "RRDB_trunk", "RDB", "trunk_conv", "upconv", "HRconv"),
    }
    for name, (source, body, block, after, up, hr) in later.items():
        zoo.weights(
            name,
            "generator.rrdb",
            keys=[
                r"conv_first\.weight",
                rf"{body}\.0\.{block}1\.conv1\.weight",
                rf"{hr}\.weight",
                r"conv_last\.weight",
            ],
            renames={
                r"conv_first\.(\w+)": r"head.\1",
                rf"{body}\.(\d+)\.{block}([123])\.conv([1-5])\.(\w+)": dense,
                rf"{after}\.(\w+)": r"after.\1",
                rf"{up}([12])\.(\w+)": doubling,
                rf"{hr}\.(\w+)": from_end(3),
                r"conv_last\.(\w+)": from_end(1),
            },
            convert="ganzoo_esrgan.published:generator",
            back="ganzoo_esrgan.published:plain_of_four",
            names="ganzoo_esrgan.published:last",
            source=source,
        )
    zoo.weights(
        "esrgan_first",
        "generator.rrdb",
        keys=[r"model\.0\.weight", r"model\.1\.sub\.0\.RDB1\.conv1\.0\.weight"],
        renames={
            r"model\.0\.(\w+)": r"head.\1",
            r"model\.1\.sub\.(\d+)\.RDB([123])\.conv([1-5])\.0\.(\w+)": dense,
            r"model\.1\.sub\.\d+\.(\w+)": r"after.\1",
            r"model\.(\d+)\.(\w+)": lambda found, part: f"tail.{int(found[1]) - 2}.{found[2]}",
        },
        convert="ganzoo_esrgan.published:generator",
        back="ganzoo_esrgan.published:plain",
        names="ganzoo_esrgan.published:after",
        source="xinntao/ESRGAN",
    )
    zoo.weights(
        "basicsr_discriminator",
        "discriminator.esrgan",
        keys=[r"conv0_0\.weight", r"bn0_1\.weight", r"linear1\.weight", r"linear2\.weight"],
        renames={
            r"conv([0-9])_([01])\.(\w+)": lambda found, part: f"body.{3 * pair(found)}.{found[3]}",
            r"bn([0-9])_([01])\.(\w+)": lambda found, part: f"body.{3 * pair(found) + 1}.{found[3]}",
            r"linear1\.(\w+)": lambda found, part: f"body.{len(part.body) - 2}.{found[1]}",
            r"linear2\.(\w+)": r"head.\1",
        },
        names="ganzoo_esrgan.published:hidden",
        source="XPixelGroup/BasicSR",
    )


def dense(found, part):
    """The fifth convolution of a dense block is the one that shrinks."""
    layer = "shrink" if found[3] == "5" else f"grow.{int(found[3]) - 1}"
    return f"blocks.{found[1]}.body.{int(found[2]) - 1}.{layer}.{found[4]}"


def doubling(found, part):
    """A doubling is three layers, of which the second has weights."""
    return f"tail.{3 * int(found[1]) - 2}.{found[2]}"


def from_end(place):
    """The layer of the tail that has this place from its end."""
    return lambda found, part: f"tail.{len(part.tail) - place}.{found[1]}"


def pair(found):
    """The number of a convolution, of which there are two a pair."""
    return 2 * int(found[1]) + int(found[2])
