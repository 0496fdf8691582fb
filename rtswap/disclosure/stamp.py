"""The last step before the outputs: every picture that leaves is marked here, and nowhere else."""

from __future__ import annotations

from dataclasses import replace

from rtswap.core.types import Frame, Image, MarkedImage
from rtswap.disclosure.badge import Badge, Patch, render
from rtswap.disclosure.watermark import LEAST_SIDE, Watermark

NO_BADGE_NOTICE = (
    "--no-badge: nothing in the picture will say that the face is synthetic. Whoever sees it must learn it from you; "
    "the law asks for that in many places (in the EU, article 50 of the AI Act). Pictures with a side below "
    f"{LEAST_SIDE} pixels, which have no room for the invisible mark, get the badge all the same."
)
"""Printed once when the badge is turned off."""


class Disclosure:
    """Marks finished pictures. One per session; it keeps the badge as rendered for the last frame size.

    ``badge`` None draws nothing: tell the user once what that means (``NO_BADGE_NOTICE``). ``watermark`` None embeds
    nothing. Where a frame is too small for the watermark the badge is drawn in its place: no picture of a session
    that marks leaves without either.
    """

    def __init__(self, badge: Badge | None, watermark: Watermark | None = None) -> None:
        self.badge = badge
        self.watermark = watermark
        self._patch: Patch | None = None
        self._patch_size = (0, 0)

    def mark(
        self, image: Image, *, frame: Frame, swapped: int, stages: dict[str, float], marked: bool = False
    ) -> MarkedImage:
        """Embed the mark into ``image`` itself (the caller owns it), draw the badge over it and let it leave.

        ``frame`` gives index and times, ``swapped`` the number of swapped faces, ``stages`` seconds per stage.
        Both are in every frame, swapped or not: a label that comes and goes says nothing. ``marked``: a canvas on a
        GPU has written this badge and this mark where the frame was.
        """
        if self.watermark is not None and image.size and not marked:
            self.watermark.embed(image)
        badge = self.badge
        if badge is None and self.watermark is not None and min(image.shape[:2]) < LEAST_SIDE:
            badge, marked = Badge(), False  # which no canvas has drawn
        if badge is not None and image.size and not marked:
            self._patch_for(badge, image).blend_into(image)
        return MarkedImage(
            image=image,
            index=frame.index,
            captured_at=frame.captured_at,
            time_s=frame.time_s,
            swapped=swapped,
            stages=stages,
        )

    def again(self, marked: MarkedImage, *, frame: Frame) -> MarkedImage:
        """The same picture once more, in the place of ``frame``, from which nothing may leave."""
        return replace(marked, index=frame.index, captured_at=frame.captured_at, time_s=frame.time_s)

    def repeat(self, marked: MarkedImage, *, now: float) -> MarkedImage:
        """The same picture once more because none has come. ``now``: seconds on ``time.perf_counter``."""
        return replace(marked, captured_at=now, time_s=None)

    def _patch_for(self, badge: Badge, image: Image) -> Patch:
        size = (image.shape[1], image.shape[0])
        if self._patch is None or self._patch_size != size:
            self._patch, self._patch_size = render(badge, *size), size
        return self._patch
