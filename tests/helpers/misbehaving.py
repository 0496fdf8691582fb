"""Web servers that answer as they should not."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Reply = tuple[int, Mapping[str, str], bytes | None] | None
"""Status, headers and content. No content: a byte every 20 ms until the client is gone; no reply: headers without
end, as slowly."""


@contextmanager
def serve(reply: Callable[[str], Reply]) -> Iterator[str]:
    """The address of a server that answers each path with ``reply(path)``."""
    ended = threading.Event()

    class Handler(BaseHTTPRequestHandler):
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

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        ended.set()
        server.shutdown()
        server.server_close()
        thread.join()
