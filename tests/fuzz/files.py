"""Images, captions, arrays, shards: files of data."""

from __future__ import annotations

import io
import json
import os
import shutil
import tarfile
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from ganzoo_data.folder import ImageFolder
from ganzoo_data.packed import Packed
from ganzoo_data.shards import Shards
from ganzoo_text.captions import Captions
from PIL import Image

from ganzoo.data.columns import Column
from ganzoo.data.fields import Field
from ganzoo.run import inputs
from tests.fuzz import mutate
from tests.fuzz.engine import Target

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM")
MODES = ("RGB", "L", "RGBA", "P", "1", "I;16")
FIELD = Field("image", (3, 8, 8), (-1.0, 1.0))


@cache
def images() -> list[bytes]:
    """A small picture in every format and mode that a format can hold."""
    pixels = np.random.default_rng(0).integers(0, 256, (9, 7, 4), np.uint8)
    found = []
    for mode in MODES:
        plain = Image.fromarray(pixels)
        grey = Image.fromarray(pixels[..., 0].astype(np.uint16) * 257)
        picture = grey if mode == "I;16" else plain.convert(mode)
        for kind in FORMATS:
            made = io.BytesIO()
            exif = Image.Exif()
            exif[0x0112] = 6
            try:
                picture.save(made, kind, **({"exif": exif} if kind in ("JPEG", "PNG", "WEBP", "TIFF") else {}))
            except (OSError, ValueError):
                continue  # the format has no such mode
            found.append(made.getvalue())
    return found


def an_image(random: Random) -> bytes:
    return mutate.flipped(random.choice(images()), random, images())


def read_image(data: bytes, folder: Path) -> None:
    """As an input of a command, and as a folder of data."""
    root = _empty(folder / "images")
    (root / "a.png").write_bytes(data)
    found = ImageFolder(root, size=8).load()["real"]
    assert found.shape == (1, 8, 8, found.shape[-1]) and found.dtype == np.uint8
    assert inputs.image(root / "a.png", FIELD, resize=True).shape == (1, 3, 8, 8)


CSV = b'image,caption\na.png,a cat\nb.png,"a dog, ""big"""\nsub/c.png,\xc3\xa9t\xc3\xa9\n'
TXT = b"a cat\n\na second caption\r\n  \xe6\x97\xa5\xe6\x9c\xac\n"


def a_caption(random: Random) -> bytes:
    if random.random() < 0.5:
        source = mutate.lines(CSV.decode(), random, ["a.png,x", '"', "caption,image", "b.png,,,", "\x00"])
        return source.encode("utf-8", "surrogatepass")
    return mutate.flipped(random.choice((CSV, TXT)), random, (CSV, TXT, b"\xff\xfe", b'"' * 70, b"a" * 200_000))


def read_caption(data: bytes, folder: Path) -> None:
    """As a table, as the file beside an image, and as an input of a command."""
    root = folder / "captions"
    if not root.is_dir():
        (root / "sub").mkdir(parents=True)
        for name in ("a.png", "b.png", "sub/c.png"):
            (root / name).write_bytes(images()[0])
        (folder / "beside").mkdir()
        (folder / "beside" / "a.png").write_bytes(images()[0])
    (folder / "beside" / "a.txt").write_bytes(data)
    (root / "captions.csv").write_bytes(data)
    refused = []
    for read in (
        lambda: Captions(root, size=8).captions,
        lambda: Captions(folder / "beside", size=8).captions,
        lambda: inputs.parse("text", str(folder / "beside" / "a.txt"), Field("text", (4,))),
    ):
        refused += _refused(read)
    if refused:
        raise refused[0]


@cache
def arrays() -> list[bytes]:
    found = []
    for array in (np.zeros((3, 8, 8, 1), np.uint8), np.arange(4.0), np.float32(1), np.zeros((2, 3), ">i2")):
        made = io.BytesIO()
        np.save(made, array)
        found.append(made.getvalue())
    hostile = io.BytesIO()
    np.save(hostile, np.array([{}, print], object), allow_pickle=True)
    return [*found, hostile.getvalue()]


def an_array(random: Random) -> bytes:
    data = mutate.flipped(random.choice(arrays()), random, arrays())
    if random.random() < 0.5:  # the header as text
        header = "{'descr': %s, 'fortran_order': %s, 'shape': %s, }"
        descr = random.choice(("'|u1'", "'<f4'", "'|O'", "'<U9'", "[('a', '<f8')]", "'<M8[s]'", "'<c16'", "'<f2'", "7"))
        shape = random.choice(("()", "(3,)", "(3, 8, 8, 1)", "(99999999999,)", "(-1,)", "(2**40,)", "(0, 9)", "[3]"))
        text = (header % (descr, random.choice(("False", "True", "0")), shape)).encode().ljust(117) + b"\n"
        data = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + random.randbytes(random.choice((0, 192)))
    return data


def read_array(data: bytes, folder: Path) -> None:
    """As an input, and as a packed set's field."""
    root = folder / "packed"
    (root / "train").mkdir(parents=True, exist_ok=True)
    path = root / "train" / "real.npy"
    path.write_bytes(data)
    field = Field("image", (1, 8, 8), (-1.0, 1.0)).to_json()
    index = {"layout": "memmap", "version": 1, "splits": {"train": {"count": 3, "fields": {"real": field}}}}
    (root / "index.json").write_text(json.dumps(index))
    refused = _refused(lambda: inputs.parse("x", str(path), None)) + _refused(lambda: Packed(root).load())
    if refused:
        raise refused[0]


@cache
def tars() -> list[bytes]:
    found = []
    for names in (("a.png", "a.cls", "b.png", "b.cls"), ("x/1.png", "x/1.npy", "x/2.png", "x/2.npy")):
        made = io.BytesIO()
        with tarfile.open(fileobj=made, mode="w", format=tarfile.USTAR_FORMAT) as tar:
            for name in names:
                content = {"png": images()[0], "cls": b"1", "npy": arrays()[1]}[name[-3:]]
                member = tarfile.TarInfo(name)
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
        found.append(made.getvalue()[:-8192])
    return found


def a_tar(random: Random) -> bytes:
    """Members renamed, linked, repeated, resized, with content that is wrong; or bytes changed."""
    if random.random() < 0.5:
        return mutate.flipped(random.choice(tars()), random, tars())
    made = io.BytesIO()
    form = random.choice((tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT))
    with tarfile.open(fileobj=made, mode="w", format=form) as tar:
        for _ in range(random.randint(1, 4)):
            key = random.choice(("a", "b", "../../x", "/etc/x", "a.b", "", "é", "a" * 300, "\x1b[2J"))
            ext = random.choice(("png", "cls", "npy", "txt", "left.png", "__class__.png", "json", "real.npy", "jpg"))
            content = random.choice((images()[0], b"1", b"-1", b"9" * 30, arrays()[1], arrays()[-1], b"", b"\xff"))
            content = mutate.flipped(content, random) if random.random() < 0.3 else content
            member = tarfile.TarInfo(f"{key}.{ext}")
            member.size = len(content)
            if random.random() < 0.2:
                member.type = random.choice((tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE))
                member.linkname, member.size = "/etc/passwd", 0
            try:
                tar.addfile(member, io.BytesIO(content))
            except ValueError:
                continue  # the format has no room for the name
    data = made.getvalue()[:-8192]
    return mutate.flipped(data, random) if random.random() < 0.3 else data


def read_tar(data: bytes, folder: Path) -> None:
    """A folder with one shard: indexed, and every row read."""
    os.environ["GANZOO_CACHE"] = str(folder / "cache")
    root = _empty(folder / "shards")
    (root / "a-000.tar").write_bytes(data)
    for rows in Shards(root, size=8).load().values():
        assert len(rows[np.arange(len(rows))]) == len(rows)
    assert sorted(path.name for path in root.iterdir()) == ["a-000.tar"]
    shutil.rmtree(folder / "cache", ignore_errors=True)


WORDS: dict[str, tuple[Field, tuple[str, ...]]] = {
    "label": (Field("label", classes=("sneaker", "ankle boot", "été")), ("3", "sneaker", "Ankle Boot,sneaker", "été")),
    "digit": (Field("label", classes=tuple("0123456789")), ("3", "0,1,9")),
    "names": (
        Field("vector", (2,), names=("Smiling", "Eyeglasses")),
        ("Smiling,Eyeglasses=0.5", "smiling=1;Smiling=0"),
    ),
    "cells": (
        Field("vector", (3,), frequencies=(1.0, 1.0, 1.0), columns=(Column("species", 0, ("Adelie", "Gentoo", "4")),)),
        ("species=Adelie", "Species=gentoo;species=4"),
    ),
    "text": (Field("text", (4,)), ("a smiling cat; a dog",)),
}
PIECES = (
    "²",
    "٣",
    "9" * 5000,
    "nan",
    "inf",
    "1e400",
    "-1",
    "=",
    ",",
    ";",
    "==",
    "Smiling",
    "species",
    "\x1b[2J",
    "0x1",
    "1_0",
)


def an_input(random: Random) -> tuple[str, ...]:
    """The kind of a field, and what is given for it on a command line."""
    kind = random.choice(list(WORDS))
    return kind, mutate.text(random.choice(WORDS[kind][1]), random, PIECES)


def read_input(case: tuple[str, ...], folder: Path | None = None) -> None:
    """Read, and made into what is computed with."""
    field = WORDS[case[0]][0]
    for item in inputs.parse("x", case[1], field) if field.kind == "vector" else ():
        assert field.vector(item).shape in ((1, *field.shape), (1, 3))
    if field.kind != "vector":
        inputs.parse("x", case[1], field)


def _refused(read: Any) -> list[Exception]:
    from ganzoo.errors import UserError

    try:
        read()
    except UserError as error:
        return [error]
    return []


def _empty(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def prepare() -> None:
    images(), arrays(), tars()
    Image.init()


TARGETS = (
    Target("images", "image files", an_image, read_image, prepare),
    Target("captions", "captions beside images and in tables", a_caption, read_caption, prepare),
    Target("npy", "arrays, as inputs and as packed data", an_array, read_array, prepare),
    Target("inputs", "what a command line gives for a field", an_input, read_input),
    Target("shards", "tar files of samples", a_tar, read_tar, prepare),
)
