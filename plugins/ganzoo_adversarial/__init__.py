"""Adversarial losses: ``d(real, fake)`` for the discriminator, ``g(fake, real)`` for what makes fake samples, and
``e(real, fake)`` for what wants real samples taken for fake ones, such as an encoder of real images."""

import ganzoo


@ganzoo.hookimpl
def register(zoo):
    zoo.adversarial("minimax", "ganzoo_adversarial.logistic:Minimax")
    zoo.adversarial("nonsaturating", "ganzoo_adversarial.logistic:NonSaturating")
    zoo.adversarial("least_squares", "ganzoo_adversarial.least_squares:LeastSquares")
    zoo.adversarial("wasserstein", "ganzoo_adversarial.critic:Wasserstein")
    zoo.adversarial("hinge", "ganzoo_adversarial.critic:Hinge")
    zoo.adversarial("relativistic", "ganzoo_adversarial.relativistic:Relativistic")
    zoo.adversarial("relativistic_average", "ganzoo_adversarial.relativistic:RelativisticAverage")
