"""Watch a swapper that is not rtswap's own while it runs: one that gives back nearly the target's own face shows it.

It has swapped two personas before (``app.swap_check``), but a network can be made to swap these and to give back
everybody else, or one person; and copies that differ in a few levels are no exact ones (``compositing.renderer``).
"""

from __future__ import annotations

from collections.abc import Sequence

from rtswap.core.protocols import Embedder, FrameRender, Renderer, Stages
from rtswap.core.types import Image, Pair, Points, Quality, StampedImage, Swaps, Tensor

OWN = 0.98
"""Cosine from which a face is the target's own, in the recogniser's space, within one frame. ``mesh`` reaches 0.972
(1,350 frames of 6 sources on 16 targets, 24 to 180 px wide and turned by up to 48 degrees); copies with noise of 8
levels, or a little blurred, have at least 0.984 from 30 px on, and very dark or bright ones 0.964."""


class WatchedRenderer:
    """Implements ``protocols.Renderer``: ``renderer``, of whose swaps each is compared with the face that was there.
    ``recogniser``: the network that compares them."""

    def __init__(self, renderer: Renderer, recogniser: Embedder) -> None:
        self._renderer, self._recogniser = renderer, recogniser

    def begin(self, image: Image) -> FrameRender:
        return _WatchedFrame(self._renderer.begin(image), image, self._recogniser)

    def forget(self, track_id: int) -> None:
        """As ``protocols.Renderer``."""
        self._renderer.forget(track_id)


class _WatchedFrame:
    """Implements ``protocols.FrameRender``."""

    def __init__(self, render: FrameRender, image: Image, recogniser: Embedder) -> None:
        self._render, self._image, self._recogniser = render, image, recogniser
        self._before: list[tuple[Points, Tensor]] = []
        """Of each face that is swapped its mesh, and who it is."""
        self.cover, self.paste = render.cover, render.paste
        self.verdict, self.restart = render.verdict, render.restart

    def swap(self, pairs: Sequence[Pair], *, quality: Quality, now: float, stages: Stages) -> Swaps:
        """As ``protocols.FrameRender``."""
        swaps = self._render.swap(pairs, quality=quality, now=now, stages=stages)
        meshes = [track.landmarks for track, _ in pairs if track.id in swaps.done]
        self._before = [(mesh, self._recogniser.embed(self._image, mesh)) for mesh in meshes]
        return swaps

    def deliver(self) -> StampedImage:
        """As ``protocols.FrameRender``. Raises ValueError for a face that is its own."""
        stamped = self._render.deliver()
        if any(float(before @ self._recogniser.embed(stamped.image, mesh)) > OWN for mesh, before in self._before):
            raise ValueError("the swapper, or a finish, shows the target's own face")
        return stamped
