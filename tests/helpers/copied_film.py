"""A film through input and output, and what is in it then."""

from __future__ import annotations

import math
from pathlib import Path

import av

from rtswap.core.parts import OutputRequest
from rtswap.core.types import MarkedImage
from rtswap.media.excerpt import Excerpt
from rtswap.media.inputs.video import VideoFile
from rtswap.media.outputs.video import VideoWriter


def copied(source: Path, out: Path, start_s: float = 0.0, end_s: float = math.inf) -> list[str]:
    """Through input and output as in a run; what was said."""
    events: list[str] = []
    video = Excerpt(VideoFile(source, on_event=events.append), start_s, end_s)
    writer = VideoWriter(
        out,
        OutputRequest(
            fps=25,
            audio_from=video.info.audio_path,
            audio_start_s=video.info.audio_start_s,
            audio_end_s=video.info.audio_end_s,
            on_event=events.append,
        ),
    )
    for frame in video.frames():
        writer.send(MarkedImage(frame.image, frame.index, frame.captured_at, frame.time_s))
    writer.close()
    return events


def lines(path: Path) -> list[tuple[float, str]]:
    """(seconds, text) of the subtitles."""
    found = []
    with av.open(str(path)) as container:
        stream = container.streams.subtitles[0]
        for packet in container.demux(stream):
            subtitle = stream.codec_context.decode2(packet) if packet.size else None
            for part in subtitle or ():
                if part.dialogue.strip():
                    found.append((round(float(packet.pts * packet.time_base), 2), part.dialogue.decode()))
    return found
