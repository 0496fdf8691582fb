"""What becomes of the process that sends a stream when whoever started it is gone, or its server sends gigabytes."""

from __future__ import annotations

import io
import json
import os
import socket
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import suppress
from pathlib import Path

import av
import pytest
from paths import ROOT

SENDER = textwrap.dedent("""
    import os, signal, sys, threading
    from media_files import mark_picture
    from rtswap.core.isolation import python
    from rtswap.core.parts import OutputRequest
    from rtswap.media.outputs import stream
    stream.python = lambda code: python("from rtswap.media import relay; relay.PATIENCE_S = 1\\n" + code)
    output = stream.NetworkOutput(sys.argv[1], OutputRequest(fps=25))
    threading.Thread(target=output.send, args=[mark_picture(0)], daemon=True).start()
    sys.stdin.readline()
    os.kill(os.getpid(), signal.SIGKILL)
""")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no alarm")
def test_it_does_not_stay_behind_with_a_silent_server() -> None:
    """After ``kill -9`` or a second Ctrl-C it waited for the server's answer for ever."""
    env = os.environ | {"PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "tests/helpers")))}
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        address = f"rtmp://127.0.0.1:{server.getsockname()[1]}/live/x"
        sender = subprocess.Popen(
            [sys.executable, "-P", "-c", SENDER, address],
            stdin=subprocess.PIPE,
            env=env,
        )
        connection, _ = server.accept()
        sender.communicate(b"\n", timeout=60)
        connection.settimeout(60)
        while connection.recv(4096):  # ends when the last process that holds the connection does
            pass
        connection.close()


RELAY = "from rtswap.media import relay; relay.PATIENCE_S = 4; relay.main()"


def a_picture() -> bytes:
    """A stream as the relay gets it."""
    made = io.BytesIO()
    with av.open(made, "w", format="nut") as container:
        video = container.add_stream("libx264", rate=25, options={"tune": "zerolatency"})
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        container.mux([*video.encode(av.VideoFrame(64, 48, "yuv420p")), *video.encode(None)])
    return made.getvalue()


@pytest.mark.skipif(sys.platform != "linux", reason="the memory of another process")
def test_an_answer_of_gigabytes_takes_none() -> None:
    """A server of RTSP states how long its answer is, and FFmpeg kept all of it."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection, suppress(OSError):
                connection.recv(4096)
                connection.sendall(b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Length: 900000000\r\n\r\n")
                for _ in range(200):
                    connection.sendall(bytes(1_000_000))

        threading.Thread(target=answer, daemon=True).start()
        url = f"rtsp://127.0.0.1:{server.getsockname()[1]}/x"
        asked = json.dumps({"url": url, "format": "rtsp", "options": {"rtsp_transport": "tcp"}, "tls": {}}).encode()
        with subprocess.Popen(
            [sys.executable, "-P", "-c", RELAY],
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        ) as relay:
            assert relay.stdin is not None
            relay.stdin.write(asked + b"\n" + a_picture())
            relay.stdin.close()
            most = 0
            while relay.poll() is None:
                with suppress(OSError, IndexError):  # it is ending
                    status = Path(f"/proc/{relay.pid}/status").read_text()
                    most = max(most, int(status.split("VmHWM:")[1].split()[0]))
                time.sleep(0.01)
    assert 0 < most < 200_000
