"""Images from captions: GAN-CLS, and the two stages of StackGAN."""

import ganzoo


@ganzoo.hookimpl
def register(zoo):
    zoo.generator("gan_cls", "ganzoo_stackgan.gan_cls:Generator")
    zoo.discriminator("gan_cls", "ganzoo_stackgan.gan_cls:Discriminator")
    zoo.encoder("conditioning", "ganzoo_stackgan.conditioning:Conditioning")
    zoo.generator("stackgan", "ganzoo_stackgan.stage_one:StageOne")
    zoo.generator("stackgan_refine", "ganzoo_stackgan.stage_two:StageTwo")
    zoo.discriminator("stackgan", "ganzoo_stackgan.discriminator:Discriminator")
    source = "hanzhanggit/StackGAN-Pytorch"
    zoo.weights(
        "stackgan_pytorch_conditioning",
        "encoder.conditioning",
        keys=[r"ca_net\.fc\.weight", r"ca_net\.fc\.bias"],
        renames={r"ca_net\.fc\.(.+)": r"linear.0.\1", r".+": None},
        convert="ganzoo_stackgan.published:rectified",
        back="ganzoo_stackgan.published:rectified",
        source=source,
    )
    grown = {
        r"upsample([1-9])\.([0-3])\.(.+)": lambda found, part: (
            f"grow.{4 * int(found[1]) - 4 + int(found[2])}.{found[3]}"
        ),
        r"img\.0\.(.+)": lambda found, part: f"grow.{len(part.grow) - 2}.{found[1]}",
        r"ca_net\..+|STAGE1_G\..+": None,
    }
    zoo.weights(
        "stackgan_pytorch",
        "generator.stackgan",
        keys=[r"fc\.0\.weight", r"upsample1\.1\.weight", r"img\.0\.weight"],
        renames={r"fc\.(.+)": r"stem.\1", **grown},
        source=source,
        names="ganzoo_stackgan.published:image",
    )
    zoo.weights(
        "stackgan_pytorch_refine",
        "generator.stackgan_refine",
        keys=[r"encoder\.0\.weight", r"hr_joint\.0\.weight", r"upsample1\.1\.weight"],
        renames={
            r"encoder\.(.+)": r"shrink.\1",
            r"hr_joint\.(.+)": r"joint.\1",
            r"residual\.(\d+)\.block\.(.+)": r"blocks.\1.body.\2",
            **grown,
        },
        source=source,
        names="ganzoo_stackgan.published:image",
    )
    zoo.weights(
        "stackgan_pytorch_discriminator",
        "discriminator.stackgan",
        keys=[r"encode_img\.0\.weight", r"get_cond_logits\.outlogits\.3\.weight"],
        renames={
            r"encode_img\.(.+)": r"see.\1",
            r"get_cond_logits\.outlogits\.3\.(.+)": r"head.\1",
            r"get_cond_logits\.outlogits\.(.+)": r"joint.\1",
            r"get_uncond_logits\..+": None,
        },
        source=source,
    )
