"""The tensors of sharded parts in a checkpoint: a folder beside its file, in which every process writes pieces.

``step_00000100.pt`` holds all else, and these tensors without their values; it is written last, so that a folder
without a file is what a killed process left. Pieces are safetensors, written and read by torch.distributed.checkpoint,
by whose headers any number of processes finds what it needs.
"""

from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganzoo.store.files import cannot_write

if TYPE_CHECKING:
    from torch import Tensor

    Tensors = Mapping[tuple[Any, ...], Tensor]

ENDS = ".shards"


def folder_of(path: Path) -> Path:
    """Where the pieces of a checkpoint lie: ``step_1.pt`` and ``step_1.shards``, ``step_1.pt.old`` likewise."""
    return path.with_name(path.name.replace(".pt", ENDS, 1))


def write(path: Path, tensors: Tensors) -> dict[str, int]:
    """Write the pieces of a checkpoint, each process its own, all or none; the size of each file, on the first process.

    Where this run has written those of the step already they stay, for no step has changed them.

    Raises:
        NoSpace: the disk is full.
        UserError: they cannot be written.
        Lost: another process is gone.
    """
    from torch.distributed.checkpoint import HuggingFaceStorageWriter, save
    from torch.distributed.checkpoint.api import CheckpointException

    from ganzoo.parallel import distributed

    folder, first = folder_of(path), distributed.rank() == 0
    temporary = folder.with_name(f".{folder.name}.tmp")
    if first:
        shutil.rmtree(temporary, ignore_errors=True)
    if distributed.gather(folder.is_dir())[0]:
        return _sizes(folder)
    writer = HuggingFaceStorageWriter(str(temporary), save_distributed=True)
    try:
        with distributed.during("writing a checkpoint"):
            save(_named(tensors), storage_writer=writer, process_group=distributed.host())
    except CheckpointException as error:
        shutil.rmtree(temporary, ignore_errors=True)
        failed = next((cause for cause, _ in error.failures.values() if isinstance(cause, OSError)), None)
        if failed is None:
            raise
        raise cannot_write(folder, failed) from error
    if not first:
        return {}
    os.replace(temporary, folder)
    return _sizes(folder)


def _sizes(folder: Path) -> dict[str, int]:
    return {file.name: file.stat().st_size for file in sorted(folder.iterdir())} if folder.is_dir() else {}


def check(path: Path, sizes: Mapping[str, int], wanted: int) -> None:
    """Whether all files are there that hold the pieces of a checkpoint, and as many bytes as are `wanted`.

    Raises:
        ValueError: they are not.
    """
    for name, size in sizes.items():
        file = folder_of(path) / Path(name).name
        if not file.is_file() or file.stat().st_size != size:
            raise ValueError(f"{file} {'has another size' if file.is_file() else 'is not there'}")
    if wanted > sum(sizes.values()):
        raise ValueError(f"the files in {folder_of(path)} are too small for what it says they hold")


def read(path: Path, into: Tensors) -> None:
    """Fill tensors of a checkpoint, or the pieces of them that this process holds, each process by itself.

    Raises:
        ValueError: they cannot be read.
    """
    from torch.distributed.checkpoint import HuggingFaceStorageReader, load
    from torch.distributed.checkpoint.api import CheckpointException

    if not into:
        return
    folder = folder_of(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that each process reads by itself is meant
        try:
            load(_named(into), storage_reader=HuggingFaceStorageReader(str(folder)), no_dist=True)
        except (Exception, CheckpointException) as error:  # many kinds, for what torch and safetensors do not read
            raise ValueError(f"the pieces in {folder} cannot be read") from error


def _named(tensors: Tensors) -> dict[str, Any]:
    return {"/".join(map(str, path)): tensor for path, tensor in tensors.items()}


def remove(path: Path) -> None:
    """Delete the pieces of a checkpoint that is gone."""
    shutil.rmtree(folder_of(path), ignore_errors=True)


def rename(path: Path, to: Path) -> None:
    """Give a checkpoint another name, with its pieces."""
    remove(to)
    path.rename(to)
    if folder_of(path).is_dir():
        folder_of(path).rename(folder_of(to))


def sweep(checkpoints: Path) -> None:
    """Delete what was left of the pieces of a checkpoint that was not written, or deleted, to the end."""
    for left in checkpoints.glob(f".*{ENDS}.tmp"):
        shutil.rmtree(left, ignore_errors=True)
    for folder in (*checkpoints.glob(f"*{ENDS}"), *checkpoints.glob(f"*{ENDS}.old")):
        path = folder.with_name(folder.name.replace(ENDS, ".pt", 1))
        aside = path.with_name(f"{path.name}.old")
        if aside.is_file() and not path.is_file() and not folder_of(aside).exists():
            folder.rename(folder_of(aside))  # as a process that was killed was about to
        elif not path.is_file():
            shutil.rmtree(folder, ignore_errors=True)
