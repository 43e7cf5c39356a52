"""Metrics: points, what logits say, and the distance of features."""

import ganzoo


@ganzoo.hookimpl
def register(zoo):
    zoo.metric("modes", "ganzoo_metrics.points:Modes")
    zoo.metric("circle", "ganzoo_metrics.points:CircleFit")
    zoo.metric("fid", "ganzoo_metrics.fid:Fid")
    zoo.metric("accuracy", "ganzoo_metrics.logits:Accuracy")
    zoo.metric("class_accuracy", "ganzoo_metrics.logits:ClassAccuracy")
