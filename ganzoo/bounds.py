"""Numbers with bounds, as annotations: a model file is checked against them before anything is built.

Any bound of :mod:`annotated_types` may be used: ``Annotated[int, Ge(2)]``.
"""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Gt, Le

PositiveInt = Annotated[int, Ge(1)]
NonNegativeInt = Annotated[int, Ge(0)]
PositiveFloat = Annotated[float, Gt(0)]
NonNegativeFloat = Annotated[float, Ge(0)]
Fraction = Annotated[float, Ge(0), Le(1)]
