"""A process of its own that connects and sends: started by ``stream.py``.

FFmpeg's connecting cannot be timed out, and PyAV holds Python's lock meanwhile: a server that accepts and is silent
would freeze camera, window and recording. Here it freezes nothing, and can be killed.

Standard input: a line of JSON {url, format, options, tls} (not an argument: others can read those), then a NUT
stream. Standard output: ``ready`` when connected. Standard error: one line, why it failed.
"""

from __future__ import annotations

import io
import json
import signal
import sys

import av
import av.container

from rtswap.core.errors import reason
from rtswap.core.native_logs import quiet_ffmpeg
from rtswap.media.tls import through_tee

_AT_ONCE = {"probesize": "32", "analyzeduration": "0"}


def main() -> int:
    """Do the one job. 0, or 1 after saying why it failed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle: it ends our input
    quiet_ffmpeg()
    source = io.FileIO(0)  # unbuffered: a packet is sent on as soon as it is here
    try:
        relay(source, **json.loads(source.readline()))
    except (OSError, ValueError, av.FFmpegError) as error:
        print(reason(error), file=sys.stderr)
        return 1
    return 0


def relay(source: io.FileIO, url: str, format: str, options: dict[str, str], tls: dict[str, str]) -> None:
    """Send the video of ``source`` to ``url`` until it ends. Raises OSError and FFmpegError."""
    if tls and format == "rtsp":
        options = options | tls
    elif tls:
        url, format, options = through_tee(url, format, options | tls), "tee", {}
    with av.open(source, "r", format="nut", options=_AT_ONCE) as incoming:
        stream = incoming.streams.video[0]
        with av.open(url, "w", format=format, options=options) as outgoing:
            sent = outgoing.add_stream_from_template(stream)
            outgoing.start_encoding()
            print("ready", flush=True)
            for packet in incoming.demux(stream):
                if packet.size and packet.pts is not None:
                    packet.dts = packet.pts  # live encoders reorder nothing
                    packet.stream = sent
                    outgoing.mux(packet)
