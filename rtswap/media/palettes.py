"""Pictures with 256 colours, for GIF: a palette of its own for every frame, by FFmpeg's filters."""

from __future__ import annotations

import av
import numpy as np
from av.filter import Graph

from rtswap.core.types import Image


class PalettePictures:
    """Converts pictures of one size to frames with a palette, dithered."""

    def __init__(self, width: int, height: int) -> None:
        graph = Graph()
        frames = graph.add("buffer", f"video_size={width}x{height}:pix_fmt=bgr24:time_base=1/1000:pixel_aspect=1/1")
        both, rgb = graph.add("split"), graph.add("format", "rgb32")
        palette = graph.add("palettegen", "stats_mode=single:reserve_transparent=0")
        used = graph.add("paletteuse", "new=1:dither=sierra2_4a")
        frames.link_to(rgb)
        rgb.link_to(both)
        both.link_to(palette, 0, 0)
        both.link_to(used, 1, 0)
        palette.link_to(used, 0, 1)
        used.link_to(graph.add("buffersink"))
        graph.configure()
        self._graph, self._count = graph, 0

    def frame(self, image: Image) -> av.VideoFrame:
        """Return the picture as a pal8 frame."""
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="bgr24")
        frame.pts = self._count
        self._count += 1
        self._graph.push(frame)
        found = self._graph.pull()
        assert isinstance(found, av.VideoFrame)
        return found
