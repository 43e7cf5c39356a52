"""Metrics: points, what logits say, and the distance of features."""

import ganzoo


@ganzoo.hookimpl
def register(zoo):
    zoo.metric("modes", "ganzoo_metrics.points:Modes")
    zoo.metric("circle", "ganzoo_metrics.points:CircleFit")
    zoo.metric("accuracy", "ganzoo_metrics.logits:Accuracy")
    zoo.metric("class_accuracy", "ganzoo_metrics.logits:ClassAccuracy")
    zoo.metric("fid", "ganzoo_metrics.fid:Fid")
    zoo.metric("kid", "ganzoo_metrics.kid:Kid")
    zoo.metric("inception_score", "ganzoo_metrics.inception_score:InceptionScore")
    zoo.metric("precision_recall", "ganzoo_metrics.precision_recall:PrecisionRecall")
    zoo.metric("path_length", "ganzoo_metrics.path_length:PathLength")
