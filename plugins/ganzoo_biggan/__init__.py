"""BigGAN's generator. Its discriminator is ``discriminator.resnet`` with attention."""

import ganzoo


@ganzoo.hookimpl
def register(zoo):
    zoo.generator("biggan", "ganzoo_biggan.generator:Generator")
    zoo.weights(
        "biggan_pytorch",
        "generator.biggan",
        keys=[r"shared\.weight", r"linear\.weight", r"blocks\.0\.0\.bn1\.gain\.weight", r"output_layer\.2\.weight"],
        renames={
            r".+\.sv\d": None,
            r"shared\.(.+)": r"embedding.\1",
            r"linear\.(.+)": r"stem.0.\1",
            r"blocks\.(\d)\.0\.bn([12])\.(.+)": (
                lambda found, part: f"blocks.{found[1]}.main.runs.{2 * int(found[2]) - 2}.{found[3]}"
            ),
            r"blocks\.(\d)\.0\.conv1\.(.+)": r"blocks.\1.main.runs.1.2.\2",
            r"blocks\.(\d)\.0\.conv2\.(.+)": r"blocks.\1.main.runs.3.1.\2",
            r"blocks\.(\d)\.0\.conv_sc\.(.+)": r"blocks.\1.shortcut.1.\2",
            r"blocks\.(\d)\.1\.(.+)": r"attention.\1.\2",
            r"output_layer\.(.+)": r"head.\1",
        },
        convert="ganzoo_biggan.published:convert",
        source="ajbrock/BigGAN-PyTorch",
    )
