"""Optimizers and learning-rate schedules: torch's own by name, and functions of the step."""

import ganzoo

OPTIMIZERS = {
    "adam": "Adam",
    "adamw": "AdamW",
    "adamax": "Adamax",
    "nadam": "NAdam",
    "radam": "RAdam",
    "adagrad": "Adagrad",
    "rmsprop": "RMSprop",
    "sgd": "SGD",
}
SCHEDULES = {
    "cosine": "CosineAnnealingLR",
    "one_cycle": "OneCycleLR",
    "step": "StepLR",
    "multi_step": "MultiStepLR",
    "polynomial": "PolynomialLR",
}


@ganzoo.hookimpl
def register(zoo):
    for name, attribute in OPTIMIZERS.items():
        zoo.optimizer(name, f"torch.optim:{attribute}")
    for name, attribute in SCHEDULES.items():
        zoo.schedule(name, f"torch.optim.lr_scheduler:{attribute}")
    zoo.schedule("linear", "ganzoo_optim.schedules:Linear")
    zoo.schedule("cosine_between", "ganzoo_optim.schedules:CosineBetween")
    zoo.schedule("exponential", "ganzoo_optim.schedules:Exponential")
    zoo.schedule("plateau", "ganzoo_optim.schedules:Plateau")
