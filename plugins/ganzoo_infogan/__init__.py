"""What InfoGAN adds to a GAN: the network that guesses the codes from the discriminator's features."""

import ganzoo


@ganzoo.hookimpl
def register(zoo):
    zoo.encoder("infogan", "ganzoo_infogan.guess:CodeHead")
