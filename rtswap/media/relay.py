"""Child process that connects to a URL and sends a stream; started by ``outputs/stream.py``.

FFmpeg's connect has no timeout, and PyAV holds Python's GIL meanwhile, so a server that accepts and then stays silent
would freeze camera, window and recording. A separate process freezes nothing else, and can be killed. If whoever
started it was killed before, the system's alarm ends it, which needs no lock of Python's.

stdin: a line of JSON {url, format, options, tls} (not a command line argument, which other users can read), then a
NUT stream. stdout: ``ready`` when connected. stderr: one line with the reason for a failure.
"""

from __future__ import annotations

import io
import json
import signal
import sys

import av
import av.container

from rtswap.core.interrupts import ENDING
from rtswap.core.native_logs import quiet_ffmpeg
from rtswap.media.allocations import limit_allocations
from rtswap.media.containers import cause
from rtswap.media.tls import through_tee

PATIENCE_S = 15
"""Longer than the program waits that started this one: it is gone."""
MOST_BYTES = 64 << 20
"""FFmpeg gets no more at once: a server may state gigabytes, and send them."""
_AT_ONCE = {"probesize": "32", "analyzeduration": "0"}


def main() -> int:
    """Run the relay. Returns 0, or 1 after printing the reason for a failure."""
    for number in set(ENDING) - {signal.SIGTERM}:
        signal.signal(number, signal.SIG_IGN)  # sent to the parent too, which closes stdin
    if hasattr(signal, "SIGALRM"):
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
    quiet_ffmpeg()
    limit_allocations(MOST_BYTES)
    source = io.FileIO(0)  # unbuffered: packets are sent as soon as they arrive
    try:
        relay(source, **json.loads(source.readline()))
    except (OSError, ValueError, av.FFmpegError) as error:
        print(cause(error), file=sys.stderr)
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
        set_alarm(PATIENCE_S)
        with av.open(url, "w", format=format, options=options) as outgoing:
            sent = outgoing.add_stream_from_template(stream)
            outgoing.start_encoding()
            print("ready", flush=True)
            set_alarm(0)
            for packet in incoming.demux(stream):
                if packet.size and packet.pts is not None:
                    packet.dts = packet.pts  # live encoders reorder nothing
                    packet.stream = sent
                    set_alarm(PATIENCE_S)
                    outgoing.mux(packet)
                    set_alarm(0)
            set_alarm(PATIENCE_S)


def set_alarm(seconds: int) -> None:
    """Let the system end this process then; 0: not any more. Windows has no alarm."""
    if hasattr(signal, "alarm"):
        signal.alarm(seconds)
