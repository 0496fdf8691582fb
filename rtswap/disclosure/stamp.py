"""The stamp that marks every picture, and the last step before the outputs, which accepts only stamped pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING
from weakref import WeakSet

from rtswap.core.types import DeviceTensor, Frame, Image, MarkedImage, StampedImage
from rtswap.disclosure.badge import Badge, Patch, render
from rtswap.disclosure.watermark import LEAST_PIXELS, LEAST_SIDE, Watermark, least_scale

if TYPE_CHECKING:
    from rtswap.disclosure.gpu import GpuMarks

NO_BADGE_NOTICE = (
    "--no-badge: nothing in the picture says that the face is synthetic. You must tell everybody who sees it; the "
    "law requires this in many countries (in the EU, article 50 of the AI Act). Pictures with a side below "
    f"{LEAST_SIDE} pixels, or fewer than {LEAST_PIXELS:,} in all, are too small for the invisible mark and still get "
    "the badge."
)
"""Printed once when the badge is turned off."""


class Stamp:
    """Implements ``protocols.Stamp``: the badge and the invisible mark of one stream.

    ``badge`` None draws nothing, ``watermark`` None embeds nothing. Both are in every frame, swapped or not: a label
    that comes and goes says nothing. In frames too small for the watermark the badge is always drawn: every picture
    of a session that marks carries at least one of the two that can be found.
    """

    def __init__(self, badge: Badge | None, watermark: Watermark | None = None) -> None:
        self.badge, self.watermark = badge, watermark
        self._patch: tuple[tuple[int, ...], Patch] | None = None
        self._on_gpu: tuple[object, GpuMarks] | None = None
        self._receipts: WeakSet[StampedImage] = WeakSet()

    def use(self, badge: Badge | None) -> None:
        """Draw another badge, from the next picture on. Call it between two pictures."""
        self.badge, self._patch, self._on_gpu = badge, None, None

    def apply(self, image: Image) -> StampedImage:
        """Embed the mark into ``image`` itself (the caller owns it) and draw the badge over it. A failure gives no
        receipt."""
        if self.watermark is not None and image.size:
            self.watermark.embed(image)
        badge = self._badge_for(image.shape)
        if badge is not None and image.size:
            if self._patch is None or self._patch[0] != image.shape:
                self._patch = image.shape, render(badge, image.shape[1], image.shape[0])
            self._patch[1].blend_into(image)
        return self._receipt_for(image)

    def apply_on_gpu(self, frame: DeviceTensor) -> Callable[[Image], StampedImage]:
        """As ``protocols.Stamp``: the same marks, to the bit."""
        place = tuple(frame.shape), frame.device
        if self._on_gpu is None or self._on_gpu[0] != place:
            from rtswap.disclosure.gpu import GpuMarks

            badge = self._badge_for(frame.shape)
            payload = self.watermark.payload if self.watermark is not None else None
            self._on_gpu = place, GpuMarks(badge, payload, (frame.shape[1], frame.shape[0]), frame.device)
        self._on_gpu[1].write(frame)
        return self._receipt_for

    def redeem(self, receipt: StampedImage) -> Image:
        """Return the picture of a receipt, once. Raises ValueError for a receipt that is not from this stamp."""
        if receipt not in self._receipts:
            raise ValueError("a picture without a receipt from this session's stamp cannot leave")
        self._receipts.remove(receipt)
        return receipt.image

    def least_scale(self, shape: Sequence[int]) -> float:
        """As ``MarkedImage.least_scale``, of a picture of this shape."""
        alone = self.watermark is not None and self._badge_for(shape) is None
        return least_scale(shape[1], shape[0]) if alone else 0.0

    def _badge_for(self, shape: Sequence[int]) -> Badge | None:
        if self.badge is None and self.watermark is not None and least_scale(shape[1], shape[0]) > 1:
            return Badge()
        return self.badge

    def _receipt_for(self, image: Image) -> StampedImage:
        receipt = StampedImage(image)
        self._receipts.add(receipt)
        return receipt


class Disclosure:
    """Lets pictures leave. One per session; its ``stamp`` is given to the renderer.

    ``badge`` and ``watermark`` as for ``Stamp``; without a badge tell the user once what that means
    (``NO_BADGE_NOTICE``). ``reason``: why pictures leave without a mark; ValueError if both are None and there is no
    reason.
    """

    def __init__(self, badge: Badge | None, watermark: Watermark | None = None, *, reason: str = "") -> None:
        if badge is None and watermark is None and not reason:
            raise ValueError("pictures without a mark need a reason")
        self._reason = reason
        self.stamp = Stamp(badge, watermark)

    def without_badge(self) -> Disclosure:
        """The same for a picture whose parts carry their own badges."""
        return Disclosure(None, self.stamp.watermark, reason=self._reason or "its parts carry badges")

    def release(
        self,
        receipt: StampedImage,
        *,
        frame: Frame,
        swapped: int,
        stages: dict[str, float],
        covered: int = 0,
        reasons: frozenset[str] = frozenset(),
    ) -> MarkedImage:
        """Release the picture of a receipt. ``frame`` gives index and times; the others are fields of
        ``MarkedImage``. Raises ValueError for a receipt that is not from this session's stamp, or was used before."""
        return MarkedImage(
            image=self.stamp.redeem(receipt),
            least_scale=self.stamp.least_scale(receipt.image.shape),
            index=frame.index,
            captured_at=frame.captured_at,
            time_s=frame.time_s,
            path=frame.path,
            duration_s=frame.duration_s,
            swapped=swapped,
            covered=covered,
            reasons=reasons,
            stages=stages,
        )

    def mark(self, image: Image, *, frame: Frame, swapped: int, stages: dict[str, float]) -> MarkedImage:
        """Stamp a picture that comes from no renderer, in place, and release it."""
        return self.release(self.stamp.apply(image), frame=frame, swapped=swapped, stages=stages)

    def lock(self, marked: MarkedImage) -> MarkedImage:
        """Return the picture as one that cannot be written into: several outputs get it, and perhaps get it again."""
        locked = marked.image.view()
        locked.flags.writeable = False
        return replace(marked, image=locked)

    def again(self, marked: MarkedImage, *, frame: Frame, reasons: frozenset[str]) -> MarkedImage:
        """Return the same picture again in the place of ``frame``, which may not leave for ``reasons``."""
        return replace(
            marked,
            index=frame.index,
            captured_at=frame.captured_at,
            time_s=frame.time_s,
            path=frame.path,
            duration_s=frame.duration_s,
            reasons=reasons,
        )

    def repeat(self, marked: MarkedImage, *, now: float) -> MarkedImage:
        """Return the same picture again because no new one has come. ``now``: seconds on ``time.perf_counter``."""
        return replace(marked, captured_at=now, time_s=None, duration_s=None)
