"""Metrics: points, what logits say, and the distance of features."""

import ganzoo


@ganzoo.hookimpl
def register(zoo):
    zoo.metric("modes", "ganzoo_metrics.points:Modes")
    zoo.metric("circle", "ganzoo_metrics.points:CircleFit")
    zoo.metric("frechet", "ganzoo_metrics.frechet:Frechet")
    zoo.metric("accuracy", "ganzoo_metrics.logits:Accuracy")
    zoo.metric("class_accuracy", "ganzoo_metrics.logits:ClassAccuracy")
