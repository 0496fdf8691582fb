"""Read pickles that hold nothing but plain values, without running anything of them.

A pickle is a program that may call any function, so foreign ones must never be loaded. This reader knows the opcodes
of containers, numbers, texts and bytes, and takes the calls with which NumPy writes arrays, numbers and dtypes, which
it carries out itself. Anything else is refused.
"""

from __future__ import annotations

import pickletools
import re
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST_BYTES = 1 << 20
_MODULES = ("numpy.core.multiarray", "numpy._core.multiarray")
_ALLOWED = {
    **dict.fromkeys([(module, "_reconstruct") for module in _MODULES], "array"),
    **dict.fromkeys([(module, "scalar") for module in _MODULES], "scalar"),
    ("numpy.core.numeric", "_frombuffer"): "buffer",
    ("numpy._core.numeric", "_frombuffer"): "buffer",
    ("numpy", "ndarray"): "ndarray",
    ("numpy", "dtype"): "dtype",
    ("_codecs", "encode"): "encode",
}
"""What a pickle may name, and how it is called here."""
_KIND = re.compile(r"[iu][1248]|f[248]|b1")
_CONSTANTS: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_LIST": list,
    "EMPTY_DICT": dict,
    "EMPTY_TUPLE": tuple,
    "EMPTY_SET": set,
}
_VALUES = re.compile(
    r"(BININT[12]?|INT|LONG[14]?|(BIN)?FLOAT|UNICODE|(SHORT_)?BINUNICODE8?|(SHORT_)?BINBYTES8?|BYTEARRAY8|(SHORT_)?(BIN)?STRING)"
)
"""Opcodes that push their argument."""
_MARK = object()


class Array:
    """An array of a pickle. ``values`` is None until the pickle has said what is in it."""

    def __init__(self) -> None:
        self.values: NDArray[Any] | None = None


class _Name:
    def __init__(self, name: str) -> None:
        self.name = name


class _Dtype:
    def __init__(self, kind: str) -> None:
        self.kind, self.order = kind, "<"

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(self.order + self.kind)


def read_plain(data: bytes) -> Any:
    """The value of a pickle: dicts, lists, tuples, texts, bytes, numbers, and ``Array``. Raises ValueError for one
    that is damaged, longer than ``MOST_BYTES``, or holds anything else."""
    if len(data) > MOST_BYTES:
        raise ValueError("too long")
    try:
        return _Machine().run(data)
    except (IndexError, KeyError, TypeError, AttributeError, OverflowError, UnicodeError, RecursionError) as error:
        raise ValueError(f"damaged: {type(error).__name__}") from None


class _Machine:
    """The stack and the memo of a pickle."""

    def __init__(self) -> None:
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def run(self, data: bytes) -> Any:
        for opcode, argument, _ in pickletools.genops(data):
            if opcode.name == "STOP":
                (value,) = self._stack
                if value is _MARK:
                    break
                return value
            self._step(opcode.name, argument)
        raise ValueError("no end")

    def _step(self, name: str, argument: Any) -> None:
        if _VALUES.fullmatch(name):
            self._stack.append(argument)
        elif name in _CONSTANTS:
            self._stack.append(_CONSTANTS[name]())
        elif name in ("PROTO", "FRAME"):
            pass
        elif name in ("BINPUT", "LONG_BINPUT", "PUT"):
            self._memo[int(argument)] = self._stack[-1]
        elif name == "MEMOIZE":
            self._memo[len(self._memo)] = self._stack[-1]
        elif name in ("BINGET", "LONG_BINGET", "GET"):
            self._stack.append(self._memo[int(argument)])
        elif name in _STEPS:
            _STEPS[name](self, argument)
        else:
            raise ValueError(f"opcode {name}")

    def marked(self) -> list[Any]:
        """Take what lies above the last mark off the stack."""
        values: list[Any] = []
        while (value := self._stack.pop()) is not _MARK:
            values.append(value)
        return values[::-1]

    def pop(self, count: int = 1) -> list[Any]:
        """Take values off the stack."""
        if len(self._stack) < count:
            raise ValueError("an empty stack")
        values = self._stack[-count:]
        del self._stack[-count:]
        return values

    def push(self, value: Any) -> None:
        self._stack.append(value)

    def extend(self, values: list[Any]) -> None:
        """Append to the list on the stack."""
        if not isinstance(self._stack[-1], list):
            raise ValueError("no list")
        self._stack[-1].extend(values)

    def update(self, values: list[Any]) -> None:
        """Set items of the dict on the stack."""
        if type(self._stack[-1]) is not dict or len(values) % 2:
            raise ValueError("no dict")
        keys = values[::2]
        if not all(isinstance(key, str | int) for key in keys):
            raise ValueError("a key that is no text")
        self._stack[-1].update(zip(keys, values[1::2], strict=True))

    def name(self, module: str, name: str) -> None:
        """Push one of the names that NumPy's pickles use."""
        if (module, name) not in _ALLOWED:
            raise ValueError(f"it names {module}.{name}"[:100])
        self.push(_Name(_ALLOWED[module, name]))

    def call(self, _: Any) -> None:
        """What NumPy's constructors would return."""
        function, arguments = self.pop(2)
        if not isinstance(function, _Name) or not isinstance(arguments, tuple):
            raise ValueError("a call")
        self.push(_CALLS[function.name](*arguments))

    def build(self, _: Any) -> None:
        """Give an array or a dtype its content."""
        target, state = self._stack[-2], self._stack.pop()
        if isinstance(target, _Dtype):
            _set_dtype(target, *state)
        elif isinstance(target, Array):
            _set_array(target, *state)
        else:
            raise ValueError("a state")


def _encode(text: str, encoding: str) -> bytes:
    if encoding != "latin1":
        raise ValueError("an encoding")
    return text.encode("latin1")


def _dtype(kind: str, *_: Any) -> _Dtype:
    if not isinstance(kind, str) or not _KIND.fullmatch(kind):
        raise ValueError("a dtype")
    return _Dtype(kind)


def _scalar(dtype: _Dtype, data: bytes) -> Any:
    if not isinstance(dtype, _Dtype):
        raise ValueError("a dtype")
    (value,) = np.frombuffer(data, dtype.dtype)
    return value.item()


def _buffer(data: bytes, dtype: _Dtype, shape: tuple[int, ...], order: str) -> Array:
    """As arrays are written in protocol 5."""
    made = Array()
    _set_array(made, 1, shape, dtype, order == "F", data)
    return made


def _refused(*_: Any) -> Any:
    raise ValueError("a call")


def _set_dtype(target: _Dtype, _: Any, order: str, *rest: Any) -> None:
    if order not in ("<", ">", "|", "=") or any(part is not None for part in rest[:3]):
        raise ValueError("a dtype")
    target.order = order


def _set_array(target: Array, _: Any, shape: tuple[int, ...], dtype: _Dtype, fortran: bool, data: bytes) -> None:
    if (
        not isinstance(dtype, _Dtype)
        or not isinstance(data, bytes | bytearray)
        or not isinstance(shape, tuple)
        or len(shape) > 8
    ):
        raise ValueError("an array")
    flat = np.frombuffer(data, dtype.dtype)
    if any(type(length) is not int or not 0 <= length <= MOST_BYTES for length in shape):
        raise ValueError("a shape")
    target.values = flat.reshape(shape, order="F" if fortran else "C")


_CALLS: dict[str, Callable[..., Any]] = {
    "array": lambda *_: Array(),
    "buffer": _buffer,
    "scalar": _scalar,
    "dtype": _dtype,
    "encode": _encode,
    "ndarray": _refused,
}
_STEPS: dict[str, Callable[[_Machine, Any], None]] = {
    "MARK": lambda machine, _: machine.push(_MARK),
    "TUPLE": lambda machine, _: machine.push(tuple(machine.marked())),
    "TUPLE1": lambda machine, _: machine.push(tuple(machine.pop(1))),
    "TUPLE2": lambda machine, _: machine.push(tuple(machine.pop(2))),
    "TUPLE3": lambda machine, _: machine.push(tuple(machine.pop(3))),
    "LIST": lambda machine, _: machine.push(machine.marked()),
    "APPEND": lambda machine, _: machine.extend(machine.pop()),
    "APPENDS": lambda machine, _: machine.extend(machine.marked()),
    "SETITEM": lambda machine, _: machine.update(machine.pop(2)),
    "SETITEMS": lambda machine, _: machine.update(machine.marked()),
    "GLOBAL": lambda machine, argument: machine.name(*str(argument).split(" ", 1)),
    "STACK_GLOBAL": lambda machine, _: machine.name(*machine.pop(2)),
    "REDUCE": _Machine.call,
    "BUILD": _Machine.build,
}
