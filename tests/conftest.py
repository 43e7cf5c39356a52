"""What holds for every test: workers that share the cores use one thread each; no example has a deadline."""

import os

import torch
from hypothesis import settings

settings.register_profile("ganzoo", deadline=None)  # how long an example takes says nothing here
settings.load_profile("ganzoo")

if "PYTEST_XDIST_WORKER" in os.environ:
    torch.set_num_threads(1)
