"""Run tensor functions as CUDA graphs, which launch hundreds of small kernels in the time of one."""

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
"""Maximum cached graphs (least recently used is dropped), each with its own memory."""

_Graph = tuple[Any, list[Tensor], Any]
"""(graph, input buffers, outputs)"""


class Captured:
    """Runs ``function`` from one CUDA graph per set of argument shapes. The first ``fresh`` arguments may be
    different tensors in each call and are copied into the graph's buffers. The other arguments must be the same
    objects in each call, except that numbers select the graph. Results are valid until the next call.

    If a graph cannot be captured, ``function`` is called directly; ``failed`` holds the reason, which is also warned
    once. ``on_gpu`` False: always call directly.
    """

    def __init__(self, function: Callable[..., Any], fresh: int, *, on_gpu: bool) -> None:
        self._function, self._fresh, self._on_gpu = function, fresh, on_gpu
        self._graphs: OrderedDict[Any, _Graph | None] = OrderedDict()
        self.failed = ""

    @property
    def name(self) -> str:
        """The name of ``function``."""
        return getattr(self._function, "__name__", type(self._function).__name__)

    def __call__(self, *arguments: Any) -> Any:
        if not self._on_gpu:
            return self._function(*arguments)
        fresh, others = arguments[: self._fresh], arguments[self._fresh :]
        key = *(one.shape for one in fresh), *(one for one in others if isinstance(one, bool | int | float))
        made = self._graphs.pop(key) if key in self._graphs else self._capture(fresh, others)
        self._graphs[key] = made
        if len(self._graphs) > MOST:
            self._graphs.popitem(last=False)
        if made is None:
            return self._function(*arguments)
        graph, given, outputs = made
        copy_all(given, list(fresh))
        graph.replay()
        return outputs

    def _capture(self, fresh: Sequence[Tensor], others: Sequence[Any]) -> _Graph | None:
        """Capture with this call's arguments: made-up values could hold indices out of range, for which CUDA aborts
        the process. Returns None if the capture fails."""
        given = [one.clone(memory_format=torch.contiguous_format) for one in fresh]
        try:
            graph, outputs = capture(
                torch, _capture_stream(torch.cuda.Stream), lambda: self._function(*given, *others), warm_ups=1
            )
        except RuntimeError as error:
            why = reason(error)
            if not self.failed:
                what = f"{self.name} runs without a CUDA graph, which is slower: {why}"
                warnings.warn(what, RuntimeWarning, stacklevel=3)
            self.failed = self.failed or why
            return None
        return graph, given, outputs


@cache
def _capture_stream(kind: Any) -> Any:
    """Return the stream of class ``kind`` for captures. There is only one, because libraries allocate a workspace per
    stream (32 MB on some GPUs), and nothing else runs on it, because a graph uses its capture stream's workspace."""
    return kind()
