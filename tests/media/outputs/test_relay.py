"""What becomes of the process that sends a stream when whoever started it is gone."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import textwrap

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
