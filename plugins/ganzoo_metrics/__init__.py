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

    zoo.metric("tstr", "ganzoo_metrics.tstr:Tstr")
    zoo.metric("intra_fid", "ganzoo_metrics.intra_fid:IntraFid")
    zoo.metric("class_coverage", "ganzoo_metrics.class_coverage:ClassCoverage")
    zoo.metric("memorisation", "ganzoo_metrics.memorisation:Memorisation")
    zoo.metric("density_coverage", "ganzoo_metrics.density_coverage:DensityCoverage")
    zoo.metric("diversity", "ganzoo_metrics.diversity:Diversity")
    zoo.metric("psnr", "ganzoo_metrics.paired:Psnr")
    zoo.metric("ssim", "ganzoo_metrics.paired:Ssim")
    zoo.metric("mae", "ganzoo_metrics.paired:Mae")
    zoo.metric("perceptual", "ganzoo_metrics.paired:Perceptual")
    zoo.metric("r_precision", "ganzoo_metrics.retrieval:RPrecision")
