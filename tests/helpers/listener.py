"""A server on the loopback that receives a stream in its own process."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time

from paths import HELPERS


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


LISTEN = """
import json, sys
sys.path[:0] = [{tests!r}]
import av
from media_files import number_of
print("ready", flush=True)
seen = []
try:
    with av.open(sys.argv[1], options=json.loads(sys.argv[2]), timeout=(15, 2)) as container:
        for frame in container.decode(video=0):
            seen.append((number_of(frame.to_ndarray(format="bgr24")), float(frame.time or 0)))
except av.FFmpegError:
    pass
print(json.dumps(seen))
"""


class Listener:
    """PyAV in another process as the receiving server: numbers and times of what it decodes."""

    def __init__(self, url: str, options: dict[str, str]) -> None:
        code = LISTEN.format(tests=str(HELPERS))
        args = [sys.executable, "-c", code, url, json.dumps(options)]
        self.process = subprocess.Popen(args, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.process.stdout.readline()
        time.sleep(0.3)
        self.numbers: list[int] = []
        self.times: list[float] = []

    def finish(self) -> None:
        out, _ = self.process.communicate(timeout=30)
        seen = json.loads(out)
        self.numbers, self.times = [n for n, _ in seen], [t for _, t in seen]
