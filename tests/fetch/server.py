"""A web server on loopback that serves recordings well or badly."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeAlias

Answer: TypeAlias = Callable[["Handler", bytes], None]


class Server(ThreadingHTTPServer):
    """Serves `files` by name, and what `tricks` say instead, each trick once.

    `requests` holds the name, the Range header and the user agent of each request.
    """

    daemon_threads = True

    def __init__(self, files: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = files
        self.tricks: dict[str, list[Answer]] = {}
        self.requests: list[tuple[str, str | None, str | None]] = []
        self.at_once = self.most_at_once = 0
        self.counting = threading.Lock()
        self.closing = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/files/"

    def names(self) -> list[str]:
        return [name for name, _, _ in self.requests]

    def handle_error(self, *_: Any) -> None:
        """Say nothing of clients that hang up."""


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        name = Path(self.path).name
        with self.server.counting:
            agent = self.headers.get("User-Agent")
            self.server.requests.append((name, self.headers.get("Range"), agent))
            tricks = self.server.tricks.get(name, [])
            answer = tricks.pop(0) if tricks else whole
            self.server.at_once += 1
            self.server.most_at_once = max(self.server.most_at_once, self.server.at_once)
        try:
            if name in self.server.files:
                answer(self, self.server.files[name])
            else:
                self.send_error(404)
        finally:
            with self.server.counting:
                self.server.at_once -= 1

    def begin(self, status: int, *headers: tuple[str, object]) -> None:
        self.send_response(status)
        for key, value in headers:
            self.send_header(key, str(value))
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


def whole(handler: Handler, content: bytes) -> None:
    """Answer as a good server does, from the byte asked for."""
    asked = handler.headers.get("Range")
    start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
    if start and start >= len(content):
        handler.begin(416, ("Content-Range", f"bytes */{len(content)}"))
        return
    ranged = [("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")]
    handler.begin(
        206 if asked else 200, ("Content-Length", len(content) - start), *(ranged if asked else [])
    )
    handler.wfile.write(content[start:])


def no_ranges(handler: Handler, content: bytes) -> None:
    """Send everything, whatever was asked for."""
    handler.begin(200, ("Content-Length", len(content)))
    handler.wfile.write(content)


def dropped(after: int) -> Answer:
    """Hang up after so many more bytes than were asked for."""

    def answer(handler: Handler, content: bytes) -> None:
        asked = handler.headers.get("Range")
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        status = 206 if asked else 200
        length = len(content) - start
        where = ("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        handler.begin(status, ("Content-Length", length), where)
        handler.wfile.write(content[start : start + after])

    return answer


def says(status: int, *headers: tuple[str, object]) -> Answer:
    """Answer with a status and no content."""
    return lambda handler, _: handler.begin(status, *headers, ("Content-Length", 0))


def sends(content: bytes, *, length: bool = True) -> Answer:
    """Send other bytes, as if they were those asked for."""

    def answer(handler: Handler, _: bytes) -> None:
        handler.begin(200, *([("Content-Length", len(content))] if length else []))
        handler.wfile.write(content)

    return answer


def trickles(handler: Handler, content: bytes) -> None:
    """Send a byte now and then, without end."""
    handler.begin(200, ("Content-Length", len(content)))
    for byte in content:
        if handler.server.closing.wait(0.02):
            return
        handler.wfile.write(bytes([byte]))
        handler.wfile.flush()


def hangs(handler: Handler, content: bytes) -> None:
    """Send half, then nothing."""
    handler.begin(200, ("Content-Length", len(content)))
    handler.wfile.write(content[: len(content) // 2])
    handler.wfile.flush()
    handler.server.closing.wait()


def slow(handler: Handler, content: bytes) -> None:
    """Take long enough that others come meanwhile."""
    time.sleep(0.05)
    whole(handler, content)


@contextmanager
def serving(files: dict[str, bytes]) -> Iterator[Server]:
    """Run a server until the block ends."""
    server = Server(files)
    thread = threading.Thread(target=lambda: server.serve_forever(0.01))
    thread.start()
    try:
        yield server
    finally:
        server.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


def always(answer: Answer, times: int = 50) -> Sequence[Answer]:
    return [answer] * times
