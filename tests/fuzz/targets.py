"""Every target by name."""

from __future__ import annotations

from tests.fuzz import texts
from tests.fuzz.engine import Target

TARGETS: dict[str, Target] = {target.name: target for target in texts.TARGETS}
