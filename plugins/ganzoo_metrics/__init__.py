"""Metrics that need no feature network: points, and what D says."""

import ganzoo


@ganzoo.hookimpl
def register(zoo):
    zoo.metric("modes", "ganzoo_metrics.points:Modes")
    zoo.metric("circle", "ganzoo_metrics.points:CircleFit")
    zoo.metric("accuracy", "ganzoo_metrics.logits:Accuracy")
