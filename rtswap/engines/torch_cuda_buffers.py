"""Memory for one set of input shapes: pinned on the host, fixed on the GPU, used again by every run."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from rtswap.types import Tensor

Shapes = tuple[tuple[int, ...], ...]
S = TypeVar("S")


class Slots(Generic[S]):
    """The slots of the shapes seen last; the one unused longest goes when there are too many."""

    def __init__(self, make: Callable[[Shapes], S], most: int = 32) -> None:
        self._make, self._most = make, most
        self._slots: OrderedDict[Shapes, S] = OrderedDict()

    def __getitem__(self, shapes: Shapes) -> S:
        slot = self._slots.pop(shapes, None)
        if slot is None:
            slot = self._make(shapes)
        self._slots[shapes] = slot
        if len(self._slots) > self._most:
            self._slots.popitem(last=False)
        return slot

    def clear(self) -> None:
        """Forget all: what a failure may have broken is made anew."""
        self._slots.clear()


class Staging:
    """Pairs of host and device tensors. Pinned memory lets the copies run beside other work."""

    def __init__(self, torch: Any, device: Mapping[str, Any]) -> None:
        self.device = device
        self._host = {
            name: torch.empty(one.shape, dtype=one.dtype, pin_memory=one.is_cuda) for name, one in device.items()
        }
        self._arrays = {name: one.numpy() for name, one in self._host.items()}

    def upload(self, names: Sequence[str], values: Sequence[Tensor]) -> None:
        """Copy in, on the current stream, without waiting."""
        for name, value in zip(names, values, strict=True):
            self._arrays[name][...] = value
            self.device[name].copy_(self._host[name], non_blocking=True)

    def download(self) -> dict[str, Tensor]:
        """Start copying out on the current stream; the arrays are right once it has been synchronised."""
        for name, one in self.device.items():
            self._host[name].copy_(one, non_blocking=True)
        return dict(self._arrays)
