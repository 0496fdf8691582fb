"""Checks that all engines share: the ONNX file before parsing, and input tensors before a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rtswap.core.errors import EngineError, ModelError, reason
from rtswap.core.files import read_regular
from rtswap.core.types import Tensor
from rtswap.engines.onnx_fields import why_refused

_MAX_BYTES = 2**31 - 1
"""Maximum size of a protobuf message, and so of an ONNX file."""
_FIRST_FIELD = b"\x08"
"""Every ONNX file starts with its ``ir_version``. Other formats are rejected, even if an engine could read them."""


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """Name, type and shape of a network's input or output."""

    name: str
    dtype: np.dtype[np.generic]
    shape: tuple[int | None, ...]
    """None = any length above 0."""

    def __str__(self) -> str:
        return f"{self.dtype} ({', '.join('any' if length is None else str(length) for length in self.shape)})"


class ModelBytes(bytes):
    """Bytes of an ONNX file that ``read_model_file`` has checked: it does not check them again."""


def read_model_file(model: Path | str | bytes) -> ModelBytes:
    """Return the bytes of a self-contained ONNX file. Raises ModelError.

    A file that stores weights in other files is rejected: their paths can point anywhere on the disk.
    """
    if isinstance(model, ModelBytes):
        return model
    name = "the model" if isinstance(model, bytes) else f"the model {model}"
    content = model if isinstance(model, bytes) else _read(Path(model), name)
    if not content:
        raise ModelError(f"{name} is empty", expected="an ONNX file", got="0 bytes")
    if not content.startswith(_FIRST_FIELD):
        raise ModelError(f"{name} is not an ONNX file", expected="an ONNX file", got="another format")
    if reason := why_refused(content):
        raise ModelError(
            f"{name} is not a complete, self-contained ONNX file",
            expected="a whole file with its weights and operators inside",
            got=reason,
        )
    return ModelBytes(content)


def cannot_run(model: Path | str | bytes, library: str, error: BaseException) -> ModelError:
    """Return the error for a file that ``library`` cannot run."""
    what = "the model" if isinstance(model, bytes) else f"the model {model}"
    return ModelError(f"{library} cannot run {what}", expected="a supported ONNX file", got=one_line(error))


def _read(path: Path, name: str) -> bytes:
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise ModelError(f"{name} is not a file", expected="an ONNX file")
        if size > _MAX_BYTES:
            raise ModelError(
                f"{name} is too large", expected="an ONNX file under 2 GiB", got=f"{size / 2**30:.1f} GiB"
            )
        return read_regular(path)
    except FileNotFoundError as error:
        raise ModelError(f"{name} does not exist", expected="an ONNX file") from error
    except OSError as error:
        raise ModelError(f"{name} cannot be read", got=reason(error)) from error


def check_inputs(specs: tuple[TensorSpec, ...], inputs: Mapping[str, Tensor]) -> list[Tensor]:
    """Return the inputs in the order of ``specs``, C-contiguous. Raises EngineError if one is missing or has the
    wrong type or shape."""
    if len(inputs) != len(specs):
        expected, got = ", ".join(spec.name for spec in specs), ", ".join(inputs) or "nothing"
        raise EngineError("wrong inputs for the network", expected=expected, got=got)
    return [_check(spec, inputs) for spec in specs]


def _check(spec: TensorSpec, inputs: Mapping[str, Tensor]) -> Tensor:
    value = inputs.get(spec.name)
    if value is None:
        raise EngineError(f"the network's input {spec.name} is missing", expected=str(spec), got=", ".join(inputs))
    fits = len(value.shape) == len(spec.shape) and all(
        have > 0 and (want is None or want == have) for want, have in zip(spec.shape, value.shape, strict=True)
    )
    if not fits or value.dtype != spec.dtype:
        got = f"{value.dtype} {value.shape}"
        raise EngineError(f"the network's input {spec.name} has the wrong type or shape", expected=str(spec), got=got)
    return value if value.flags.c_contiguous else np.ascontiguousarray(value)


def check_threads(threads: int) -> None:
    """Raises EngineError unless ``threads`` is at least 1."""
    if threads < 1:
        raise EngineError("an engine needs at least one thread", expected="1 or more", got=str(threads))


def one_line(error: BaseException) -> str:
    """Return a library's error message without line breaks and source positions, at most 200 characters."""
    lines = [line.strip() for line in str(error).splitlines()]
    kept = [line for line in lines if line and not line.startswith("Exception from ")]
    return " ".join(kept or lines)[:200] or type(error).__name__
