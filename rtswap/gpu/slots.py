"""Frames on their way up, being worked on and on their way down: two at a time, so that the three overlap."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtswap.gpu.resample import Device, Tensor
from rtswap.gpu.torch_import import load_torch

torch = load_torch()


class Waits:
    """The only place where the host waits for the device, and how often it did."""

    def __init__(self) -> None:
        self.count = 0

    def on(self, event: Any) -> None:
        """Return when the device has come as far as the event. ``None``: it works at once (no GPU)."""
        self.count += 1
        if event is not None:
            event.synchronize()


class Lanes:
    """Streams for the way up and down beside the one that computes. Without a GPU there are none."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self.on_gpu = device.type == "cuda"
        self._up: Any = torch.cuda.Stream(device) if self.on_gpu else None
        self._down: Any = torch.cuda.Stream(device) if self.on_gpu else None

    def up_after_computing(self) -> None:
        """Let the next upload wait, on the device, for what is computed now: its memory may still be read."""
        if self.on_gpu:
            self._up.wait_stream(torch.cuda.current_stream(self.device))

    def up(self, target: Tensor, pinned: Tensor) -> Any:
        """Copy to the device. What is computed from now on comes after it. Returns the event of its end."""
        if not self.on_gpu:
            target.copy_(pinned)
            return None
        with torch.cuda.stream(self._up):
            target.copy_(pinned, non_blocking=True)
            event = torch.cuda.Event()
            event.record(self._up)
        torch.cuda.current_stream(self.device).wait_event(event)
        return event

    def down(self, sources: Sequence[Tensor]) -> tuple[list[Tensor], Any]:
        """Copy to the host once everything asked for so far is computed: the copies, and the event of their end.
        Their memory is pinned and the caller's own; torch gives it to others when nobody holds it any more."""
        copies = [torch.empty(one.shape, dtype=one.dtype, pin_memory=self.on_gpu) for one in sources]
        if not self.on_gpu:
            for copy, source in zip(copies, sources, strict=True):
                copy.copy_(source)
            return copies, None
        computed = torch.cuda.Event()
        computed.record(torch.cuda.current_stream(self.device))
        self._down.wait_event(computed)
        with torch.cuda.stream(self._down):
            for copy, source in zip(copies, sources, strict=True):
                copy.copy_(source, non_blocking=True)
            event = torch.cuda.Event()
            event.record(self._down)
        return copies, event


class Slot:
    """The memory of one frame on its way up, pinned on the host, and on the device. Freed by ``Slots`` alone."""

    def __init__(self, shape: tuple[int, ...], lanes: Lanes) -> None:
        self.lanes = lanes
        self.pinned = torch.empty(shape, dtype=torch.uint8, pin_memory=lanes.on_gpu)
        self.raw = torch.empty(shape, dtype=torch.uint8, device=lanes.device)
        lanes.up_after_computing()
        self._going: Sequence[Tensor] = ()
        self.uploaded: Any = None
        self.downloaded: Any = None
        self.downloads: list[Tensor] = []
        self.leaves = False
        """Whether its picture is on the way down."""
        self.turn = 0
        """When it was begun; 0: free."""

    def send_up(self, picture: NDArray[np.uint8]) -> Tensor:
        """Start the upload; the bytes on the device."""
        np.copyto(self.pinned.numpy(), picture)
        self.uploaded = self.lanes.up(self.raw, self.pinned)
        return self.raw

    def send_down(self, picture: Tensor, beside: Sequence[Tensor]) -> None:
        """Start the download. What goes is held until the slot's next: its memory must not be given away."""
        self._going = (picture, *beside)
        self.downloads, self.downloaded = self.lanes.down(self._going)
        self.leaves = True


class Slots:
    """A few slots of one shape, used in turn."""

    def __init__(self, count: int, shape: tuple[int, ...], lanes: Lanes, waits: Waits) -> None:
        self._waits = waits
        self._slots = [Slot(shape, lanes) for _ in range(count)]
        self._turn = 0

    def take(self) -> Slot:
        """A free slot. One that was begun but never asked for its picture (the frame was dropped) is used again;
        where all pictures are on the way down, raises RuntimeError: take one first."""
        self._turn += 1
        for slot in self._slots:
            if not slot.turn:
                break
        else:
            dropped = [slot for slot in self._slots if not slot.leaves]
            if not dropped:
                raise RuntimeError(f"{len(self._slots)} frames are under way: take a picture before the next begins")
            slot = min(dropped, key=lambda one: one.turn)
            self._waits.on(slot.uploaded)
            slot.lanes.up_after_computing()
        slot.turn, slot.leaves = self._turn, False
        return slot

    def receive(self, slot: Slot) -> list[NDArray[Any]]:
        """Wait for the slot's picture and what comes beside it, and free the slot."""
        self._waits.on(slot.downloaded)
        downloads, slot.downloads, slot.turn = slot.downloads, [], 0
        return [copy.numpy() for copy in downloads]
