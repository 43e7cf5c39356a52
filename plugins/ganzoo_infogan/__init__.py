"""What InfoGAN adds to a GAN: the network that guesses codes from D's features, and what the codes are measured by."""

import ganzoo


@ganzoo.hookimpl
def register(zoo):
    zoo.encoder("infogan", "ganzoo_infogan.guess:CodeHead")
    zoo.metric("information", "ganzoo_infogan.measures:Information")
    zoo.metric("majority_match", "ganzoo_infogan.measures:MajorityMatch")
