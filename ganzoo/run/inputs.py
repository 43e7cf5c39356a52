"""Inputs from the command line: class names, image files and folders, arrays; and outputs into files."""

from __future__ import annotations

import csv
import io
import unicodedata
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError

from ganzoo.contract import Pieces, first
from ganzoo.data.arrays import to_field, to_uint8
from ganzoo.data.fields import Field
from ganzoo.data.pixels import COMMON, MODES, flatten, is_image
from ganzoo.errors import UserError
from ganzoo.run.pictures import image_range, picture
from ganzoo.store.files import atomic, check_archive

OPAQUE = (".jpg", ".jpeg", ".bmp")
ROWS = 2**22  # numbers of an image that are made into bytes at once


def parse(name: str, text: str, field: Field | None, resize: bool = False, named: bool = False) -> Any:
    """One input of a command line: a tensor, words (a class, a caption) or a list of them, or (file stem, image)s.

    Raises:
        UserError: it cannot be read as what the field is.
    """
    path = Path(text)
    if path.suffix in (".npy", ".pt") and path.is_file():
        return _array(path)
    if field is None and (not named or path.suffix in (".npy", ".pt")):
        raise UserError(f"{name}={text}: {'there is no such' if named else 'give a'} .npy or .pt file")
    if field is None:
        return _several(text.split(";"))
    if field.kind == "label":
        return _labels(text, field)
    if field.kind == "text":
        return _captions(name, text)
    if field.kind == "vector":
        if field.by_name and path.suffix not in (".npy", ".pt"):
            return _several(text.split(";"))
        raise UserError(f"{name}={text}: there is no such .npy or .pt file")
    files = sorted(p for p in path.iterdir() if is_image(p.name) and p.is_file()) if path.is_dir() else [path]
    if not files:
        raise UserError(f"{name}={text}: the folder itself holds no images ({', '.join(COMMON)}, …)")
    return [(file.stem, image(file, field, resize)) for file in files]


def _labels(text: str, field: Field) -> str | list[str]:
    """A class, or several with commas between them, as they are written: a number may be the name of another class."""
    labels = [label.strip() for label in text.split(",")]
    if len(labels) == 1 or unicodedata.normalize("NFC", text) in field.classes:
        labels = [text]
    for label in labels:
        field.label(label)
    return _several(labels)


def _several(pieces: list[str]) -> str | list[str]:
    """One alone is meant for all rows."""
    return pieces if len(pieces) > 1 else pieces[0]


def _captions(name: str, text: str) -> str | list[str]:
    """Captions with semicolons between them, or the lines of a .txt file."""
    pieces = text.split(";")
    if text.endswith(".txt"):
        try:
            pieces = Path(text).read_text(encoding="utf-8").splitlines()
        except (OSError, ValueError) as error:
            raise UserError(f"{name}={text} cannot be read: {error}") from None
    captions = [piece.strip() for piece in pieces if piece.strip()]
    if not captions:
        raise UserError(f"{name}={text}: there is no caption in it")
    return _several(captions)


def _array(path: Path) -> torch.Tensor:
    try:
        if path.suffix == ".npy":
            return torch.from_numpy(np.load(path, allow_pickle=False))
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                check_archive(archive, path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except UserError:
        raise
    except Exception as error:  # numpy and torch raise many kinds for files that are not theirs
        raise UserError(f"{path} cannot be read: {error}") from None


def image(path: Path, field: Field, resize: bool = False) -> torch.Tensor:
    """An image file, upright, as the field has them: channels and range, ``1 C H W``; its size only with `resize`.

    Raises:
        UserError: it is no image, or the field has channels that no image file has.
    """
    channels = field.shape[0]
    if channels not in MODES:
        raise UserError(f"an image file has no {channels} channels; give a .npy array of N {channels} H W")
    try:
        with Image.open(path) as opened:
            final = flatten(ImageOps.exif_transpose(opened), channels)
    except (OSError, ValueError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise UserError(f"{path} cannot be read as an image: {error}") from None
    if resize:
        final = final.resize((field.shape[2], field.shape[1]), Image.Resampling.LANCZOS)
    return rows(final, field)


def has_rows(item: Any) -> bool:
    """Whether an input says for each sample what it is, and not the same for all."""
    return isinstance(item, list | tuple) or getattr(item, "ndim", 0) > 0


def from_numpy(item: Any) -> Any:
    """An array of numbers as a tensor, another or a scalar as Python's own; whatever is not NumPy's as it is."""
    if isinstance(item, np.ndarray | np.generic):
        return torch.as_tensor(item) if item.ndim and item.dtype.kind in "biuf" else item.tolist()
    return item


def rows(image: Image.Image, field: Field) -> torch.Tensor:
    """An image that has the field's channels already, in its range, ``1 C H W``."""
    pixels = np.array(image, dtype=np.uint8).reshape(1, image.height, image.width, field.shape[0])
    return to_field(torch.from_numpy(pixels), field)


def write(
    value: Any,
    out: Path,
    fields: Mapping[str, Field],
    names: list[str],
    across: int | None = None,
) -> list[Path]:
    """A computed value into a file or folder: a picture, an array (.npy, .pt, .csv), or a folder of images.

    One image into an image file is written pixel by pixel; several become one picture. Rows of a table are written into
    a .csv file as cells, below the names of their columns.

    Args:
        value: The value, ``n …``.
        out: Decides the format by its suffix; no suffix means a folder.
        fields: The data's fields; images are in the range of those that they are like.
        names: File stems for a folder.
        across: Images in a row of a picture; near square if not given.

    Raises:
        UserError: the value cannot be written so.
    """
    tensor = first(value)
    if not isinstance(tensor, torch.Tensor):
        raise UserError("the value is no tensor; ask for one of its fields")
    if out.suffix in (".npy", ".pt", ".csv"):
        with atomic(out) as file:
            if out.suffix == ".npy":
                np.save(file, tensor.numpy())
            elif out.suffix == ".pt":
                torch.save(tensor, file)
            elif (table := table_of(tensor, fields)) is not None:
                file.write(as_csv(table.cells(tensor)).encode())
            else:
                np.savetxt(file, tensor.reshape(len(tensor) if tensor.ndim else 1, -1).numpy(), delimiter=",")
        return [out]
    if out.suffix:
        if out.suffix.lower() not in COMMON:
            raise UserError(f"{out}: write an image ({', '.join(COMMON)}), .npy, .pt, .csv, or into a folder")
        alone = as_images(tensor) and len(tensor) == 1
        like = image_range(fields, shape=tensor.shape[1:])
        shown = plain(tensor, like)[0] if alone else picture({"value": tensor}, fields, across=across)
        if shown is None:
            raise UserError(f"a value of shape {tuple(tensor.shape)} is no picture; write .npy or .csv")
        if shown.mode == "RGBA" and out.suffix.lower() in OPAQUE:
            shown = flatten(shown, 3)
        return [save(shown, out)]
    if not as_images(tensor):
        return write(value, out / "values.npy", fields, names)
    if len(names) != len(tensor):  # several images for each row, as in a traversal
        names = [f"{i:05d}" for i, _ in enumerate(tensor)]
    pixels = plain(tensor, image_range(fields, shape=tensor.shape[1:]))
    made = [save(shown, out / f"{name}.png") for name, shown in zip(names, pixels, strict=True)]
    if gone := sum(not path.exists() for path in made):
        raise UserError(f"{gone} of {len(made)} files in {out} are gone again: somebody deleted them meanwhile")
    return made


def as_images(tensor: torch.Tensor) -> bool:
    """Whether each row is what an image file holds, ``C H W`` of as many channels."""
    return tensor.ndim == 4 and tensor.shape[1] in MODES


def save(shown: Image.Image, out: Path) -> Path:
    """A picture into an image file.

    Raises:
        UserError: it cannot be written.
    """
    with atomic(out) as file:
        shown.save(file, format=Image.registered_extensions()[out.suffix.lower()])
    return out


def table_of(value: Any, fields: Mapping[str, Field]) -> Field | None:
    """The field whose columns a value's rows of numbers ``n d`` have, as the table's rows do; None if there is none."""
    shape = getattr(first(value), "shape", ())[1:]
    return next((field for field in fields.values() if field.is_table and field.shape == tuple(shape)), None)


def as_csv(cells: Mapping[str, np.ndarray]) -> str:
    """Columns as comma-separated values, with a line of their names."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(cells)
    writer.writerows(zip(*(column.tolist() for column in cells.values()), strict=True))
    return text.getvalue()


def plain(images: torch.Tensor, range: tuple[float, float]) -> list[Image.Image]:
    """Images ``n C H W`` as they are, pixel by pixel."""
    if images[:1].numel() > ROWS:
        return [_large(image, range) for image in images]
    return [_shown(pixels) for pixels in to_uint8(images, range).numpy()]


def _shown(pixels: np.ndarray) -> Image.Image:
    return Image.fromarray(pixels.squeeze(-1) if pixels.shape[-1] == 1 else pixels)


def _large(image: torch.Tensor, range: tuple[float, float]) -> Image.Image:
    """An image ``C H W``, some rows after the other, so that it is not held again as numbers or as bytes."""
    channels, height, width = image.shape
    rows = max(1, ROWS // (width * channels))
    bands = enumerate(image[None].split(rows, 2))
    shown = assembled(Pieces(height, width, ((i * rows, 0, band) for i, band in bands)), range)
    assert shown is not None
    return shown


def assembled(pieces: Pieces, range: tuple[float, float]) -> Image.Image | None:
    """One image made in pieces, which are held as bytes only; None where it has channels that no picture has."""
    made: Image.Image | None = None
    for top, left, piece in pieces.made:
        if made is None:
            if len(piece) != 1 or piece.shape[1] not in MODES:
                return None
            made = Image.new(MODES[piece.shape[1]], (pieces.width, pieces.height))
        made.paste(_shown(to_uint8(piece, range)[0].cpu().numpy()), (left, top))
    return made
