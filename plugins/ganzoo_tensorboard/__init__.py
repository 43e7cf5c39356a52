"""TensorBoard: numbers, pictures, equations and settings of a run, in ``RUN/tensorboard``.

``plugins.tensorboard=false`` leaves it out; ``plugins.tensorboard.histograms=true`` adds the spread of gradients.
Registers no component: it only follows runs.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ganzoo_loggers.follow import Follow

if TYPE_CHECKING:
    import numpy as np

    from ganzoo.run.events import RunInfo


def _hand_on(failed: threading.ExceptHookArgs) -> None:
    """No traceback of the thread that writes: whoever logs next is given its error, such as of a full disk."""
    if type(failed.thread).__name__ != "_AsyncWriterThread":
        threading.__excepthook__(failed)


class TensorBoard:
    """The event file of one run; see :class:`ganzoo_loggers.follow.Sink`."""

    def __init__(self, run: RunInfo, step: int, options: dict[str, Any]):
        from torch.utils.tensorboard import SummaryWriter

        if threading.excepthook is threading.__excepthook__:
            threading.excepthook = _hand_on
        folder = str(run.folder / "tensorboard")
        self.writer = SummaryWriter(folder, purge_step=step + 1 if step else None)
        self.settings = run.settings()

    def numbers(self, values: Mapping[str, float], step: int) -> None:
        for name, value in values.items():
            self.writer.add_scalar(name, value, step)

    def picture(self, picture: Any, step: int) -> None:
        import numpy

        self.writer.add_image("samples", numpy.asarray(picture), step, dataformats="HWC")

    def text(self, name: str, text: str, step: int) -> None:
        self.writer.add_text(name, f"```\n{text}\n```" if name == "equations" else text, step)

    def histogram(self, name: str, values: np.ndarray, step: int) -> None:
        self.writer.add_histogram(name, values, step)

    def close(self, reason: str, last: Mapping[str, float]) -> None:
        """Write the settings beside what came out, by which TensorBoard compares runs under HPARAMS."""
        from torch.utils.tensorboard.summary import hparams

        for piece in hparams(self.settings, dict.fromkeys(last, 0.0)):
            self.writer._get_file_writer().add_summary(piece)
        self.writer.close()


plugin = Follow("tensorboard", TensorBoard, unasked=True)
