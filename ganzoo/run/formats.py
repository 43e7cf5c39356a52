"""Files that other programs read: ONNX, torch.export's, safetensors; written, made smaller, and loaded again."""

from __future__ import annotations

import importlib
import io
import logging
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganzoo.errors import Problem, UserError
from ganzoo.store.files import atomic

OPSET = 20
LARGEST = 2_000_000_000  # bytes of one ONNX file
SMALL = 1024  # numbers; smaller tensors stay as they are


def needs(format: str) -> None:
    """Raises UserError where what writes a format is not installed."""
    for module in ("onnx", "onnxruntime", "onnxscript") if format == "onnx" else ():
        try:
            importlib.import_module(module)
        except ImportError:
            hint = 'pip install "ganzoo[export]"'
            raise UserError(Problem(f"ONNX files need {module}, which is not installed", hint=hint)) from None


def write_safetensors(path: Path, tensors: Mapping[str, Tensor], described: Mapping[str, str]) -> None:
    """Tensors by name with words about them, read back before they are kept.

    Raises:
        UserError: it cannot be written, or does not read back equal.
    """
    from safetensors.torch import load, save

    content = save({name: t.contiguous().clone() for name, t in tensors.items()}, dict(described))
    with atomic(path, len(content)) as file:
        file.write(content)
        file.flush()
        back = load(Path(str(file.name)).read_bytes())
        if back.keys() != tensors.keys() or not all(torch.equal(back[n], t.cpu()) for n, t in tensors.items()):
            raise UserError(f"{path} was not kept: it does not read back equal (a tensor may hold NaN)")


def onnx_bytes(
    program: Any,
    names: Iterable[str],
    inputs: Mapping[str, Any],
    outputs: Mapping[str, Any],
    described: Mapping[str, str],
    precision: str,
) -> bytes:
    """A graph as an ONNX file.

    Args:
        program: What torch.export made.
        names: Those of all its inputs, in order.
        inputs: Shapes, types and meanings of those that it uses.
        outputs: The same of outputs.
        described: What the file says of itself.
        precision: ``fp32``, ``fp16`` or ``int8``.

    Raises:
        UserError: an operation has no counterpart, or it would be too large.
    """
    with _quietly():
        try:
            made = torch.onnx.export(
                program,
                (),
                dynamo=True,
                opset_version=OPSET,
                input_names=list(names),
                output_names=list(outputs),
                verbose=False,
            )
        except Exception as error:  # of many kinds
            cause: BaseException = error
            while cause.__cause__ is not None:
                cause = cause.__cause__
            first = str(cause).strip().splitlines() or [type(cause).__name__]
            hint = "--format torch writes what ONNX cannot"
            raise UserError(Problem(f"it cannot be written as ONNX: {first[0][:300]}", hint=hint)) from None
        assert made is not None
        model = made.model_proto
        if model.ByteSize() > LARGEST:
            raise UserError("it is larger than an ONNX file can be, 2 GB; --format torch has no such limit")
        model = smaller(model, precision)
    kept = [port for port in model.graph.input if port.name in inputs]
    del model.graph.input[:]
    model.graph.input.extend(kept)
    for ports, known in ((model.graph.input, inputs), (model.graph.output, outputs)):
        for port in ports:
            port.doc_string = known[port.name].means
            for dim, size in zip(port.type.tensor_type.shape.dim, known[port.name].shape, strict=True):
                dim.Clear()
                if isinstance(size, int):
                    dim.dim_value = size
                else:
                    dim.dim_param = size
    del model.graph.value_info[:]
    for node in model.graph.node:  # where in Python they come from
        node.doc_string = ""
        del node.metadata_props[:]
    del model.metadata_props[:]
    for key, text in described.items():
        model.metadata_props.add(key=key, value=text)
    model.producer_name = "ganzoo"
    return model.SerializeToString()


def loaded(path: Path, format: str) -> Callable[[Mapping[str, Tensor]], list[Tensor]]:
    """A file as a function from inputs by name to its outputs."""
    if format == "torch":
        module = torch.export.load(io.BytesIO(path.read_bytes())).module()

        def run(given: Mapping[str, Tensor]) -> list[Tensor]:
            with torch.no_grad():
                return list(module(**given))

        return run
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    known = {port.name for port in session.get_inputs()}

    def compute(given: Mapping[str, Tensor]) -> list[Tensor]:
        return [
            torch.from_numpy(np.array(a))
            for a in session.run(None, {k: v.numpy() for k, v in given.items() if k in known})
        ]

    return compute


def smaller(model: Any, precision: str) -> Any:
    """An ONNX model, which is changed, in 16 or 8 bits."""
    return _halved(model) if precision == "fp16" else _quantised(model) if precision == "int8" else model


def _halved(model: Any) -> Any:
    """Weights and arithmetic in 16 bits; inputs and outputs stay as they are."""
    from onnxruntime.transformers.float16 import convert_float_to_float16

    return convert_float_to_float16(model, keep_io_types=True)


def _quantised(model: Any) -> Any:
    """Weights of layers as 8-bit numbers with a scale for each output channel; the arithmetic stays as it was.

    w = s q, q in -127 … 127, s = max |w| / 127 of the channel.
    """
    from onnx import helper, numpy_helper

    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    users: dict[str, list[tuple[Any, int]]] = {}
    for node in model.graph.node:
        for place, name in enumerate(node.input):
            if name in weights:
                users.setdefault(name, []).append((node, place))
    for name, layers in users.items():
        array = numpy_helper.to_array(weights[name])
        axes = {_channel(node, place, array.ndim) for node, place in layers}
        axis = axes.pop()
        if array.dtype != np.float32 or array.size < SMALL or axes or axis is None:
            continue
        scale = np.abs(array).max(tuple(a for a in range(array.ndim) if a != axis), keepdims=True) / 127
        scale[scale == 0] = 1
        whole = np.rint(array / scale).astype(np.int8)
        model.graph.initializer.remove(weights[name])
        model.graph.initializer.append(numpy_helper.from_array(whole, f"{name}_q"))
        model.graph.initializer.append(numpy_helper.from_array(scale.ravel(), f"{name}_scale"))
        inputs = [f"{name}_q", f"{name}_scale"]
        model.graph.node.insert(0, helper.make_node("DequantizeLinear", inputs, [name], axis=axis))
    return model


def _channel(node: Any, place: int, axes: int) -> int | None:
    """The axis of a weight along which outputs lie; None of what is no weight of a layer."""
    if node.op_type == "Gemm" and place == 1:
        return 0 if any(a.name == "transB" and a.i for a in node.attribute) else 1
    known = {("Conv", 1): 0, ("ConvTranspose", 1): 1, ("MatMul", 1): axes - 1, ("Gather", 0): 0}
    return known.get((node.op_type, place)) if axes > 1 else None


@contextmanager
def _quietly() -> Iterator[None]:
    """Exporters talk much of what does not matter here."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
