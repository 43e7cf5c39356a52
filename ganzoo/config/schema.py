"""The settings a model file may hold beside components and expressions, with their defaults."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from ganzoo.bounds import PositiveInt

TOP = (
    "about",
    "extends",
    "requires",
    "data",
    "parts",
    "flow",
    "players",
    "phases",
    "share",
    "update",
    "show",
    "sample",
    "log",
    "evaluate",
    "stop",
    "optimizer",
    "schedule",
    "train",
    "plugins",
    "locked",
)

LOGGED = ("step", "epoch", "seconds", "samples_per_second", "diversity", "evaluation", "warning")  # by the run itself


@dataclass
class Keep:
    """Which checkpoints stay: the newest `last`, one every `every` steps, the best by what is logged or evaluated."""

    last: int = 1
    every: int | None = None
    best: str | None = None
    mode: Literal["min", "max"] | None = None


@dataclass
class Train:
    steps: int = 10_000
    batch: int = 64
    seed: int = 0
    budget: str | float | None = None
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    compile: bool = False
    graphs: bool | Literal["auto"] = False
    rewrite: bool = True
    accumulate: int = 1
    sync_batch_norm: bool = False
    device: str = "auto"
    timeout: str | float = "10m"
    log_every: int = 50
    sample_every: int = 500
    checkpoint_every: int = 500
    on_collapse: Literal["warn", "stop"] = "warn"
    keep: Keep = field(default_factory=Keep)


@dataclass
class Ema:
    """An exponential moving average of a player's parts, updated after each of its steps."""

    decay: float
    start: int = 0


@dataclass
class Show:
    """What sample pictures hold: one column a value (or a grid of one value), perhaps with a score below each.

    A grid has `across` images in a row, and is near square without; `rows` names a label that is then the same along
    each row.
    """

    values: Any = None
    score: Any = None
    n: int = 64
    across: int | None = None
    rows: str | None = None


@dataclass
class Evaluate:
    """Metrics computed on `n` samples every `every` steps: ``name: metric(fake, real)``.

    The samples' noise comes from `seed`, whatever the run's own is. They are measured against a `split` of the data,
    or of the data component `against`.
    """

    every: int = 1000
    n: int = 1000
    seed: int = 0
    split: Literal["train", "held_out"] = "train"
    against: Any = None
    values: Any = None


@dataclass
class Stop:
    """What ends a run before its last step: a number, logged or evaluated, beyond a bound or without improvement.

    `patience` is how many values in a row, none better than the best before them, it takes.
    """

    watch: str
    above: float | None = None
    below: float | None = None
    patience: PositiveInt | None = None
    mode: Literal["min", "max"] | None = None


@dataclass
class TermSettings:
    of: Any = None
    weight: Any = 1.0
    every: int = 1


@dataclass
class PlayerSettings:
    trains: list[str] | None = None
    minimize: Any = None
    optimizer: Any = None
    schedule: Any = None
    repeat: int = 1
    every: int = 1
    batch: int | None = None
    after: Any = None
    ema: Any = None
    clip: float | None = None


@dataclass
class PhaseSettings:
    steps: int
    players: Any = None


@dataclass
class About:
    """What a model file says of itself. `small` are the overrides under which tests can step it in seconds."""

    title: str = ""
    paper: str = ""
    code: str = ""
    reproduces: str = ""
    expected: str = ""
    budget: str = ""
    scaled: str = ""
    differs: str = ""
    parameters: dict[str, int] = field(default_factory=dict)
    small: dict[str, Any] = field(default_factory=dict)
