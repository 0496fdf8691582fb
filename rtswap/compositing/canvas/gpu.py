"""The canvas on a GPU: upload a frame once, process it there, download it once, and synchronise once.

``Compositor`` belongs to a stream of frames and reuses its memory; ``TorchCanvas`` is one frame. On a device of type
``cpu`` torch does the same on the host, for tests without a GPU.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rtswap.compositing.canvas import plain_torch
from rtswap.compositing.canvas.covers import cover_of
from rtswap.compositing.canvas.face_table import Table, crop_table, paste_table, side_for
from rtswap.core.protocols import Stamp
from rtswap.core.types import Box, Image, Mask, Matrix, StampedImage, View
from rtswap.gpu.resample import Tensor, uploaded
from rtswap.gpu.slots import Lanes, Slot, Slots, Waits
from rtswap.gpu.torch_import import load_torch

torch = load_torch()


class Kernels(Protocol):
    """Pixel operations: ``PlainKernels``, or ``triton_launch.TritonKernels``."""

    def crop(self, frame: Tensor, table: Table, on_device: Tensor, side: int) -> Tensor: ...

    def paste(self, frame: Tensor, crops: Tensor, masks: Tensor, table: Table, on_device: Tensor) -> None: ...


class PlainKernels:
    """Pixel operations in plain torch."""

    def crop(self, frame: Tensor, table: Table, on_device: Tensor, side: int) -> Tensor:
        """Crops (N, side, side, 3)."""
        return plain_torch.crop_faces(frame, table, on_device, side)

    def paste(self, frame: Tensor, crops: Tensor, masks: Tensor, table: Table, on_device: Tensor) -> None:
        """Paste every face in order, in place."""
        plain_torch.paste_faces(frame, crops, masks, table, on_device)


class Compositor:
    """Creates canvases. One per stream, used by one thread.

    ``frames``: number of frames in flight. With two, the next frame uploads and the last one downloads while one is
    processed.
    """

    def __init__(
        self,
        device: str = "cuda",
        *,
        waits: Waits | None = None,
        kernels: Kernels | None = None,
        frames: int = 2,
    ) -> None:
        self.device = torch.device(device)
        self.kernels = kernels or kernels_for(self.device)
        self.waits = waits or Waits()
        self._lanes, self._frames = Lanes(self.device), frames
        self._shape: tuple[int, ...] = ()
        self._slots: Slots | None = None

    def begin(self, picture: Image) -> TorchCanvas:
        """Start a canvas of a frame. On return the upload is in progress, and ``picture`` may be overwritten. Raises
        RuntimeError if ``frames`` frames are already in flight."""
        if self._slots is None or picture.shape != self._shape:
            self._shape = picture.shape
            self._slots = Slots(self._frames, self._shape, self._lanes, self.waits)
        slot = self._slots.take()
        return TorchCanvas(self, self._slots, slot, slot.send_up(picture))


class TorchCanvas:
    """One frame. Implements ``protocols.Canvas`` for parts that work on the host (each ``crop`` is then one more
    synchronisation), and ``protocols.GpuCanvas``, the same for all faces at once, for parts on the GPU."""

    def __init__(self, owner: Compositor, slots: Slots, slot: Slot, frame: Tensor) -> None:
        self._owner, self._slots, self._slot, self._frame = owner, slots, slot, frame
        self._host_pastes: list[tuple[Image, Mask, View]] = []
        self._beside: list[tuple[Tensor, Callable[[NDArray[Any]], None]]] = []
        self._taken: Image | None = None

    @property
    def frame(self) -> Tensor:
        """(H, W, 3) BGR uint8 on the device, in its current state; networks may read it in the compute stream."""
        self._flush()
        return self._frame

    @property
    def size(self) -> tuple[int, int]:
        """(width, height)"""
        return self._frame.shape[1], self._frame.shape[0]

    def crops(self, views: Sequence[View]) -> Tensor:
        """Crops (N, S, S, 3) uint8 on the GPU, by one kernel for all faces: each view in the upper left corner, its
        last pixels repeated. S is one of ``face_table.SIDES``."""
        self._flush()
        table = crop_table(views)
        on_device = uploaded(table, self._owner.device)
        return self._owner.kernels.crop(self._frame, table, on_device, side_for(views))

    def paste_all(self, crops: Tensor, masks: Tensor, views: Sequence[View]) -> None:
        """Blend crops (N, S, S, 3) under masks (N, S, S), both uint8 on the GPU, into the frame at their views: one
        kernel for all faces, later ones over earlier ones. Pixels with mask 0 do not change."""
        self._flush()
        if views:
            table = paste_table(views, self.size)
            on_device = uploaded(table, self._owner.device)
            self._owner.kernels.paste(self._frame, crops, masks, table, on_device)

    def crop(self, matrix: Matrix, size: tuple[int, int]) -> Image:
        """A crop (height, width, 3) on the host. Synchronises with the GPU."""
        seen = self.crops([View(matrix, size)])[0, : size[1], : size[0]].contiguous()
        (copy,), event = self._slot.lanes.down([seen])
        self._owner.waits.on(event)
        return np.asarray(copy.numpy(), np.uint8)

    def paste(self, crop: Image, mask: Mask, matrix: Matrix) -> None:
        """Implements ``protocols.Canvas``. Crops from the host are collected and uploaded together."""
        self._host_pastes.append((crop, mask, View(matrix, (mask.shape[1], mask.shape[0]))))

    def cover(self, box: Box, style: str) -> None:
        """Implements ``protocols.Canvas``."""
        self._flush()
        cover = cover_of(box, style, self.size)
        if cover is not None:
            plain_torch.cover(self._frame, cover, style)

    def on_download(self, tensor: Tensor, then: Callable[[NDArray[Any]], None]) -> None:
        """Implements ``protocols.OnDownload``. Not allowed after ``finish``."""
        self._beside.append((tensor, then))

    def finish(self) -> None:
        """Start the download. The frame cannot be changed afterwards. Does not synchronise."""
        if not self._finished:
            self._flush()
            self._slot.send_down(self._frame, [tensor for tensor, _ in self._beside])

    def image(self) -> Image:
        """The finished frame in its own memory; the only synchronisation of the frame. Calls the ``on_download``
        callbacks first."""
        if self._taken is None:
            self.finish()
            self._taken, *beside = self._slots.receive(self._slot)
            for (_, then), values in zip(self._beside, beside, strict=True):
                then(values)
        return self._taken

    def deliver(self, stamp: Stamp) -> StampedImage:
        """Implements ``protocols.GpuCanvas``. Raises RuntimeError if the download has already started."""
        if self._finished:
            raise RuntimeError("the frame was downloaded before it was stamped")
        receipt_for = stamp.apply_on_gpu(self.frame)
        return receipt_for(self.image())

    @property
    def _finished(self) -> bool:
        return self._slot.leaves or self._taken is not None

    def _flush(self) -> None:
        """Paste the collected crops from the host."""
        if not self._host_pastes:
            return
        pastes, self._host_pastes = self._host_pastes, []
        views = [view for *_, view in pastes]
        side = max(max(view.size) for view in views)
        crops = np.zeros((len(pastes), side, side, 3), np.uint8)
        masks = np.zeros((len(pastes), side, side), np.uint8)
        for index, (crop, mask, view) in enumerate(pastes):
            width, height = view.size
            crops[index, :height, :width], masks[index, :height, :width] = crop, mask
        device = self._owner.device
        self.paste_all(uploaded(crops, device), uploaded(masks, device), views)


def kernels_for(device: Any) -> Kernels:
    """Triton's kernels on a GPU, otherwise plain torch. Raises EngineError if Triton is missing on a GPU."""
    if device.type != "cuda":
        return PlainKernels()
    from rtswap.compositing.canvas.triton_launch import TritonKernels

    kernels: Kernels = TritonKernels()
    return kernels
