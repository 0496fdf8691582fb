"""Functions of tensors from CUDA graphs: hundreds of small kernels are launched in the time of one."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from rtswap.core.errors import reason
from rtswap.gpu.capture import capture
from rtswap.gpu.resample import Tensor
from rtswap.gpu.torch_import import copy_all, load_torch

torch = load_torch()

MOST = 8
"""Graphs that are kept, each with memory of its own: the one unused longest goes."""

_Graph = tuple[Any, list[Tensor], Any]
"""The graph, the memory that it reads, what it writes."""


class Captured:
    """``function``, run from one CUDA graph per shape of its arguments. The first ``fresh`` of them may be other
    tensors with each call, and are copied; the rest must stay what they were, and tell graphs apart where they are
    numbers. What it gives lives until the next call.

    Where a graph cannot be captured, ``function`` is called as it is; ``failed`` says why, and a warning once.
    ``on_gpu`` False: always so.
    """

    def __init__(self, function: Callable[..., Any], fresh: int, *, on_gpu: bool) -> None:
        self._function, self._fresh, self._on_gpu = function, fresh, on_gpu
        self._graphs: OrderedDict[Any, _Graph | None] = OrderedDict()
        self.failed = ""

    @property
    def name(self) -> str:
        """The function's."""
        return getattr(self._function, "__name__", type(self._function).__name__)

    def __call__(self, *arguments: Any) -> Any:
        if not self._on_gpu:
            return self._function(*arguments)
        fresh, others = arguments[: self._fresh], arguments[self._fresh :]
        key = *(one.shape for one in fresh), *(one for one in others if isinstance(one, bool | int | float))
        made = self._graphs.pop(key) if key in self._graphs else self._captured(fresh, others)
        self._graphs[key] = made
        if len(self._graphs) > MOST:
            self._graphs.popitem(last=False)
        if made is None:
            return self._function(*arguments)
        graph, given, outputs = made
        copy_all(given, list(fresh))
        graph.replay()
        return outputs

    def _captured(self, fresh: Sequence[Tensor], others: Sequence[Any]) -> _Graph | None:
        """With the arguments of this call: of made-up ones an index might lie anywhere, which a card ends the whole
        process for."""
        given = [one.clone(memory_format=torch.contiguous_format) for one in fresh]
        try:
            graph, outputs = capture(
                torch, _aside(torch.cuda.Stream), lambda: self._function(*given, *others), warm_ups=1
            )
        except RuntimeError as error:
            why = reason(error)
            if not self.failed:
                warnings.warn(f"{self.name} runs without a CUDA graph, slower: {why}", RuntimeWarning, stacklevel=3)
            self.failed = self.failed or why
            return None
        return graph, given, outputs


@cache
def _aside(kind: Any) -> Any:
    """The stream on which graphs are captured, of class ``kind``: one, since libraries keep a workspace for every
    stream (32 MB on some cards), and one that nothing else runs on, since a graph uses that of its capture."""
    return kind()
