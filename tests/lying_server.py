"""An HTTP server on 127.0.0.1 that can misbehave: a script of raw bytes and pauses makes up each answer."""

import socket
import socketserver
import struct
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress

RESET = object()
Step = bytes | float | object
Script = Callable[[], Iterable[Step]]
"""The steps of an answer: bytes are sent, a number is a pause in seconds, RESET resets the connection."""


class LyingServer(socketserver.ThreadingTCPServer):
    """Answers each path with the script of its longest matching prefix."""

    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.requests: list[str] = []  # the head of each request, as received
        self.connections: set[socket.socket] = set()
        self.closing = threading.Event()
        self._scripts: dict[str, list[Script]] = {}

    def answer(self, prefix: str, *scripts: Script) -> str:
        """Answer requests for a prefix with the scripts in turn, and then always with the last. Returns the URL."""
        self._scripts[prefix] = list(scripts)
        return self.url + prefix

    def script(self, path: str) -> Script:
        """The script for a request. It is removed from the list unless it is the last."""
        scripts = self._scripts[max((p for p in self._scripts if path.startswith(p)), key=len)]
        return scripts.pop(0) if len(scripts) > 1 else scripts[0]

    def paths(self) -> list[str]:
        """The paths requested so far."""
        return [request.split()[1] for request in self.requests]


class _Handler(socketserver.BaseRequestHandler):
    server: LyingServer
    request: socket.socket

    def handle(self) -> None:
        self.server.connections.add(self.request)
        try:
            if not self.server.closing.is_set():
                self._answer()
        except OSError:  # the client has disconnected, or the server is closing
            pass
        finally:
            self.server.connections.discard(self.request)

    def _answer(self) -> None:
        request = b""
        while not request.endswith(b"\r\n\r\n"):
            received = self.request.recv(4096)
            if not received:
                return
            request += received
            if not received.isascii():  # a TLS handshake
                self.request.sendall(head(400))
                return
        self.server.requests.append(request.decode("latin-1"))
        for step in self.server.script(self.server.requests[-1].split()[1])():
            if isinstance(step, bytes):
                self.request.sendall(step)
            elif isinstance(step, float):
                if self.server.closing.wait(step):
                    return
            else:
                self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.request.close()


@contextmanager
def lying_server() -> Iterator[LyingServer]:
    """A running server. At the end its connections are closed and its threads have stopped."""
    with LyingServer() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.closing.set()
            server.shutdown()
            thread.join()
            for connection in tuple(server.connections):
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)


def head(status: int, *headers: str) -> bytes:
    """A status line, headers, and the empty line that ends them."""
    return "\r\n".join([f"HTTP/1.1 {status} words", *headers, "Connection: close", "", ""]).encode()


def body(content: bytes, *headers: str, status: int = 200, length: int | None = None) -> Script:
    """An answer with this body. `length` replaces the true Content-Length."""
    declared = len(content) if length is None else length
    return lambda: [head(status, f"Content-Length: {declared}", *headers), content]
