"""Arrays that the running program holds, as data. A config names them by a hash of their content."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ganzoo.data.arrays import Arrays
from ganzoo.data.fields import Field
from ganzoo.errors import UserError
from ganzoo_given.reading import fields_of


@dataclass
class Held:
    """Rows by field, and what each field is."""

    rows: dict[str, np.ndarray]
    fields: dict[str, Field]


HELD: dict[str, Held] = {}  # by the hash of their content


class Given(Arrays):
    """Data that ``ganzoo.load(…, data=…)`` was given. Source: ganzoo's own.

    Args:
        content: The hash of its content, under which this process holds it.

    Raises:
        UserError: this process holds no such data: it has to be given again.
    """

    def __init__(self, content: str):
        if content not in HELD:
            others = f"what was given here has the hash {', '.join(HELD)}: is it other data? " if HELD else ""
            how = "give it again with data=…, as in ganzoo.resume(run, data=…)"
            raise UserError(f"the data of hash {content} was in the memory of another process; {others}{how}")
        self.content = content
        self._held = HELD[content]

    @staticmethod
    def hold(data: Any) -> dict[str, Any]:
        """Keep data for models of this process; the arguments that name it in a config.

        Images become uint8 ``N H W C`` where they were so, and float32 ``N C H W`` otherwise; labels int64 ``N``;
        anything else float32 ``N n``. The arrays are copied.

        Args:
            data: An array or tensor of images (``N C H W``, ``N H W C``, ``N H W``) or vectors (``N n``); images and
                labels as a pair; a mapping of field names to arrays; a data set with a length whose items are one of
                these; or a Hugging Face data set.

        Raises:
            UserError: it is none of these, or holds what no model can be trained on.
        """
        rows, fields = fields_of(data)
        digest = hashlib.blake2b(digest_size=8)
        for name, values in sorted(rows.items()):
            digest.update(f"{name} {values.shape} {values.dtype} {fields[name]}".encode())
            digest.update(np.ascontiguousarray(values).data)
        content = digest.hexdigest()
        HELD[content] = Held(rows, fields)
        return {"content": content}

    @property
    def fields(self) -> Mapping[str, Field]:
        return self._held.fields

    def load(self) -> dict[str, np.ndarray]:
        return self._held.rows
