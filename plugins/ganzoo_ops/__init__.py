"""Ops: what an expression cannot say by itself. Those without arguments need no entry under ``parts:``."""

import ganzoo


@ganzoo.hookimpl
def register(zoo):
    zoo.op("stop", "ganzoo_ops.tensors:Stop")
    zoo.op("join", "ganzoo_ops.tensors:Join")
    zoo.op("sigmoid", "ganzoo_ops.tensors:Sigmoid")
    zoo.op("accuracy", "ganzoo_ops.tensors:Accuracy")
    zoo.op("one_hot", "ganzoo_ops.tensors:OneHot")
    zoo.op("maps", "ganzoo_ops.codes:Maps")
    zoo.op("vary", "ganzoo_ops.codes:Vary")
    zoo.op("choose", "ganzoo_ops.codes:Choose")
    zoo.op("stack", "ganzoo_ops.codes:Stack")
    zoo.op("history", "ganzoo_ops.history:History")
    zoo.op("mismatch", "ganzoo_ops.batch:Mismatch")
    zoo.op("shrink", "ganzoo_ops.batch:Shrink")
    zoo.op("mix", "ganzoo_ops.batch:Mix")
    zoo.op("perturb", "ganzoo_ops.batch:Perturb")
    zoo.op("soft_mean", "ganzoo_ops.tensors:SoftMean")
    zoo.op("half", "ganzoo_ops.batch:Half")
