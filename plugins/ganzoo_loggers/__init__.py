"""Loggers beside TensorBoard: Weights & Biases, MLflow, trackio. None is imported before a model asks for it."""
