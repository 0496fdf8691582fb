"""Deinterlace video with FFmpeg's ``bwdif``, which leaves progressive frames as they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import av
from av.filter import Graph

from rtswap.core.errors import reason


class Deinterlacer:
    """Passes frames through until the first interlaced one; from then on through the filter, one frame late.

    ``on_event`` reports when that begins.
    """

    def __init__(self, on_event: Callable[[str], None]) -> None:
        self._on_event = on_event
        self._graph: Graph | None = None
        self._shape: tuple[object, ...] = ()
        self._said = self._gave_up = False

    def process(self, frames: list[av.VideoFrame]) -> list[av.VideoFrame]:
        """Return the frames that are ready, in order."""
        if self._graph is None and (self._gave_up or not any(frame.interlaced_frame for frame in frames)):
            return frames
        if not self._said:
            self._said = True
            self._on_event("the video is interlaced; deinterlacing it with bwdif")
        return [ready for frame in frames for ready in self._through(frame)]

    def flush(self) -> list[av.VideoFrame]:
        """Return the frames that wait for the next one, at the end of the stream."""
        if self._graph is None:
            return []
        graph, self._graph = self._graph, None
        graph.push(None)
        return list(_ready(graph))

    def _through(self, frame: av.VideoFrame) -> list[av.VideoFrame]:
        shape = (frame.width, frame.height, frame.format.name)
        before = self.flush() if shape != self._shape else []
        self._shape = shape
        try:
            if self._graph is None:
                self._graph = _graph(frame)
            self._graph.push(frame)
            return before + list(_ready(self._graph))
        except (av.FFmpegError, ValueError) as error:
            self._graph, self._gave_up = None, True
            self._on_event(f"cannot deinterlace it ({reason(error)})")
            return [*before, frame]


def _graph(frame: av.VideoFrame) -> Graph:
    graph = Graph()
    buffer = f"video_size={frame.width}x{frame.height}:pix_fmt={frame.format.name}:time_base={frame.time_base}"
    buffer += f":pixel_aspect=1/1:colorspace={int(frame.colorspace)}:range={int(frame.color_range)}"
    steps = graph.add("buffer", buffer), graph.add("bwdif", "mode=send_frame:deint=interlaced")
    graph.link_nodes(*steps, graph.add("buffersink")).configure()
    return graph


def _ready(graph: Graph) -> Iterator[av.VideoFrame]:
    while True:
        try:
            frame = graph.pull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return
        if isinstance(frame, av.VideoFrame):
            yield frame
