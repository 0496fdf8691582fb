"""Web servers on the loopback: any server for the time of a test, and one that answers as it should not."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

Reply = tuple[int, Mapping[str, str], bytes | None] | None
"""Status, headers and content. No content: a byte every 20 ms until the client is gone; no reply: headers without
end, as slowly."""


class QuietHandler(BaseHTTPRequestHandler):
    """A handler that logs nothing."""

    def log_message(self, *_: object) -> None:
        return


@contextmanager
def run_server(server: HTTPServer) -> Iterator[str]:
    """Run ``server`` in a thread; give its address, without a slash at the end."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class FileServer(ThreadingHTTPServer):
    """Answers every request with ``content``, from where a range begins; hangs up after ``most`` bytes of it."""

    def __init__(self, content: bytes) -> None:
        super().__init__(("127.0.0.1", 0), _FileHandler)
        self.content, self.status, self.ranges = content, 200, True
        self.most: int | None = None
        self.requests: list[str] = []
        """The range of each request, empty where it asked for all."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/model.onnx"


class _FileHandler(QuietHandler):
    server: FileServer

    def do_GET(self) -> None:
        server, asked = self.server, self.headers.get("Range", "")
        server.requests.append(asked)
        total = len(server.content)
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and server.ranges else 0
        if asked and start >= total:
            self.send_response(416)
            self.end_headers()
            return
        self.send_response(206 if start else server.status)
        self.send_header("Content-Length", str(total - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
        self.end_headers()
        self.wfile.write(server.content[start:][: server.most])


def serve_folder(folder: Path) -> AbstractContextManager[str]:
    """The address of a server of the files in ``folder``."""

    class Files(QuietHandler, SimpleHTTPRequestHandler):
        pass

    return run_server(ThreadingHTTPServer(("127.0.0.1", 0), partial(Files, directory=str(folder))))


@contextmanager
def serve(reply: Callable[[str], Reply]) -> Iterator[str]:
    """The address of a server that answers each path with ``reply(path)``."""
    ended = threading.Event()

    class Handler(QuietHandler):
        def do_GET(self) -> None:
            answer = reply(self.path)
            if answer is None:
                self.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
                self._drip(b"x")
                return
            status, headers, content = answer
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            if content is not None:
                self.wfile.write(content)
            else:
                self._drip(b"\0")

        def _drip(self, byte: bytes) -> None:
            try:
                while not ended.wait(0.02):
                    self.wfile.write(byte)
            except OSError:
                return

    with run_server(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as address:
        try:
            yield f"{address}/"
        finally:
            ended.set()
