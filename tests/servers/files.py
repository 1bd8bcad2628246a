"""A file server for tests of downloads: HTTPS on 127.0.0.1, as mean as it is asked to be.

It knows ranges, If-Range and entity tags as RFC 9110 has them (§13.1.5, §14). What it does to the next requests is put
into `behaviours`, one for each; after that it serves as it should.
"""

import socket
import ssl
import threading
from collections import deque
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from servers.base import CERTIFICATE

BLOCK = 1 << 16


@dataclass
class Asked:
    """One request that came."""

    path: str
    headers: dict[str, str]


@dataclass
class FileServer:
    """The server while it runs."""

    url: str
    content: dict[str, bytes] = field(default_factory=dict)
    """By path."""
    behaviours: "deque[Behaviour]" = field(default_factory=deque)
    requests: list[Asked] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)
    """Set when a behaviour that waits may go on."""

    def etag(self, path: str) -> str:
        return f'"{sha256(self.content[path]).hexdigest()[:16]}"'


class Handler(BaseHTTPRequestHandler):
    """Serves one request."""

    protocol_version = "HTTP/1.1"
    files: FileServer

    def do_GET(self) -> None:
        self.close_connection = True
        self.files.requests.append(Asked(self.path, dict(self.headers)))
        behaviour = self.files.behaviours.popleft() if self.files.behaviours else serve
        with suppress(ConnectionError, ssl.SSLError):
            behaviour(self)

    def log_message(self, format: str, *arguments: object) -> None:
        """Not on the tests' stderr."""

    @property
    def body(self) -> bytes:
        return self.files.content.get(self.path, b"")

    def head(self, status: int, **headers: object) -> None:
        self.send_response(status)
        for name, value in {"Connection": "close", **headers}.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def range(self) -> int:
        """Where the part that is asked for begins, by Range and If-Range."""
        wanted = self.headers.get("Range", "")
        if not wanted or self.headers.get("If-Range", self.files.etag(self.path)) != self.files.etag(self.path):
            return 0
        return int(wanted.removeprefix("bytes=").partition("-")[0])

    def whole_head(self, *, at: int = 0, **more: object) -> None:
        """The head of an answer that is as it should be, from byte `at` on."""
        body = self.body
        part = {"Content_Range": f"bytes {at}-{len(body) - 1}/{len(body)}"} if at else {}
        tag = {"ETag": self.files.etag(self.path)}
        length = {"Content_Length": len(body) - at}
        self.head(HTTPStatus.PARTIAL_CONTENT if at else HTTPStatus.OK, **{**part, **tag, **length, **more})


Behaviour = Callable[[Handler], None]


def serve(handler: Handler) -> None:
    """As it should be."""
    if handler.path not in handler.files.content:
        handler.head(HTTPStatus.NOT_FOUND, Content_Length=0)
        return
    at = handler.range()
    if at >= len(handler.body):
        handler.head(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, Content_Range=f"bytes */{len(handler.body)}")
        return
    handler.whole_head(at=at)
    handler.wfile.write(handler.body[at:])


def cut_after(count: int) -> Behaviour:
    """End the connection after so many bytes."""

    def behave(handler: Handler) -> None:
        at = handler.range()
        handler.whole_head(at=at)
        handler.wfile.write(handler.body[at : at + count])

    return behave


def stop_after(count: int) -> Behaviour:
    """Send nothing any more after so many bytes, until the test releases it."""

    def behave(handler: Handler) -> None:
        at = handler.range()
        handler.whole_head(at=at)
        handler.wfile.write(handler.body[at : at + count])
        handler.wfile.flush()
        handler.files.released.wait(60)

    return behave


def in_drops(handler: Handler) -> None:
    """A few bytes at a time."""
    handler.whole_head()
    for at in range(0, len(handler.body), 997):
        handler.wfile.write(handler.body[at : at + 997])
        handler.wfile.flush()


def ignore_range(handler: Handler) -> None:
    """The whole file, whatever part was asked for."""
    handler.whole_head()
    handler.wfile.write(handler.body)


def other_range(handler: Handler) -> None:
    """A part that was not asked for."""
    handler.whole_head(at=7)
    handler.wfile.write(handler.body[7:])


def wrong_end(handler: Handler) -> None:
    """The right size with another last byte."""
    handler.whole_head()
    handler.wfile.write(handler.body[:-1] + bytes([handler.body[-1] ^ 1]))


def announce_more(handler: Handler) -> None:
    """A length greater than the file's."""
    handler.whole_head(Content_Length=len(handler.body) + 1000)
    handler.wfile.write(handler.body + bytes(1000))


def never_ending(handler: Handler) -> None:
    """More than the file, without a length."""
    handler.head(HTTPStatus.OK)
    for _ in range(1000):
        handler.wfile.write(bytes(BLOCK))


def compressed(handler: Handler) -> None:
    """Bytes that say they are gzip."""
    handler.whole_head(Content_Encoding="gzip")


def login_page(handler: Handler) -> None:
    """What the network of a hotel answers."""
    page = b"<html>Please log in</html>"
    handler.head(HTTPStatus.OK, Content_Type="text/html", Content_Length=len(page))
    handler.wfile.write(page)


def status(code: int, **headers: object) -> Behaviour:
    """An answer without a file."""

    def behave(handler: Handler) -> None:
        handler.head(code, Content_Length=0, **headers)

    return behave


def redirect(url: str) -> Behaviour:
    """To another address."""
    return redirect_with(url)


def redirect_with(url: str, **headers: object) -> Behaviour:
    """To another address, with more headers."""
    return status(HTTPStatus.FOUND, Location=url, **headers)


@contextmanager
def serving() -> Generator[FileServer]:
    """A server with a certificate that only `CERTIFICATE` vouches for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.socket = context.wrap_socket(server.socket, server_side=True)
    files = FileServer(f"https://localhost:{server.server_address[1]}")
    server.RequestHandlerClass = type("Bound", (Handler,), {"files": files})
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield files
    finally:
        files.released.set()
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class Proxy:
    """A proxy while it runs."""

    url: str
    tunnels: list[str] = field(default_factory=list)
    """Where it was asked to connect to, `localhost:1234`."""


@contextmanager
def proxy() -> Generator[Proxy]:
    """A proxy that tunnels (CONNECT, RFC 9110 §9.3.6) and nothing else."""
    listener = socket.create_server(("127.0.0.1", 0))
    running = Proxy(f"http://127.0.0.1:{listener.getsockname()[1]}")

    def accept() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=_tunnel, args=(client, running), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield running
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def _tunnel(client: socket.socket, running: Proxy) -> None:
    head = b""
    while b"\r\n\r\n" not in head:
        head += client.recv(4096)
    method, target, _ = head.split(b" ", 2)
    if method != b"CONNECT":
        client.sendall(b"HTTP/1.1 405 Method Not Allowed\r\n\r\n")
        client.close()
        return
    running.tunnels.append(target.decode())
    host, _, port = target.decode().rpartition(":")
    with client, socket.create_connection((host, int(port))) as server:
        client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        back = threading.Thread(target=_pump, args=(server, client), daemon=True)
        back.start()
        _pump(client, server)
        back.join()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(BLOCK):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
