"""Regularizers in their three shapes: penalties (terms), constraints (``after:``), layers (``with:``)."""

import ganzoo


@ganzoo.hookimpl
def register(zoo):
    zoo.regularizer("gradient_penalty", "ganzoo_regularizers.gradients:GradientPenalty")
    zoo.regularizer("r1", "ganzoo_regularizers.gradients:R1")
    zoo.regularizer("r2", "ganzoo_regularizers.gradients:R2")
    zoo.regularizer("dragan", "ganzoo_regularizers.gradients:Dragan")
    zoo.regularizer("orthogonal", "ganzoo_regularizers.weights:Orthogonal")
    zoo.regularizer("clip_weights", "ganzoo_regularizers.weights:ClipWeights")
    zoo.regularizer("spectral_norm", "ganzoo_regularizers.weights:SpectralNorm")
    zoo.regularizer("minibatch_discrimination", "ganzoo_regularizers.minibatch:MinibatchDiscrimination")
    zoo.regularizer("activation_moments", "ganzoo_regularizers.moments:ActivationMoments")
    zoo.regularizer("minibatch_deviation", "ganzoo_regularizers.layers:MinibatchDeviation")
    zoo.regularizer("equalized_rate", "ganzoo_regularizers.layers:EqualizedLearningRate")
    zoo.regularizer("virtual_batch_norm", "ganzoo_regularizers.virtual:VirtualBatchNorm")
    zoo.regularizer("historical_averaging", "ganzoo_regularizers.weights:HistoricalAveraging")
    zoo.regularizer("path_length", "ganzoo_regularizers.paths:PathLength")
