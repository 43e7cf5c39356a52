"""Augmentations that gradients pass through."""

import ganzoo


@ganzoo.hookimpl
def register(zoo):
    zoo.augment("flip", "ganzoo_augment.flip:Flip")
    zoo.augment("jitter", "ganzoo_augment.jitter:Jitter")
    zoo.augment("diffaugment", "ganzoo_augment.diffaugment:DiffAugment")
    zoo.augment("ada", "ganzoo_augment.ada:Ada")
