"""Serving HTTP as `relay.wire` wants it: counted, recorded, and made to fail.

Bodies are streamed in both directions, so that a pack of any size passes without being held in memory.
"""

import contextlib
import json
import os
import signal
import socket
import socketserver
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import IO, Any, Protocol

from relay.wire import Exchange, Fault, Wire

PIECE = 1 << 16
"""How much of a body is in memory at a time."""

_SMALL = 1 << 20
"""A request that was answered early is read to its end up to here; beyond, the connection is closed as hosts do."""


class _CutError(Exception):
    """The connection ends here."""


class _Counted:
    """A stream that counts what passes."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.count = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def read(self, size: int) -> bytes:
        data: bytes = self._stream.read1(size)
        self.count += len(data)
        return data

    def readline(self, limit: int = -1) -> bytes:
        line: bytes = self._stream.readline(limit)
        self.count += len(line)
        return line

    def write(self, data: bytes) -> int:
        self.count += len(data)
        written: int = self._stream.write(data)
        return written


class Site(Protocol):
    """What stands behind the wire."""

    wire: Wire

    def answer(self, handler: "Handler") -> None:
        """Answer one request."""

    def place(self, handler: "Handler") -> tuple[str, str]:
        """Of which kind a request is, and its path without a base path."""


class Server(socketserver.ThreadingTCPServer):
    """On a loopback port of its own."""

    allow_reuse_address = True
    request_queue_size = 128  # twenty senders at once, with several connections each
    site: Site

    def __init__(self, address: Any, site: Site, certificate: Path | None = None) -> None:
        super().__init__(address, Handler)
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.site = site
        self.open: set[socket.socket] = set()
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def cut_off(self) -> None:
        """End every connection."""
        for connection in list(self.open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def stop(self) -> None:
        """End every connection and every thread."""
        self.shutdown()
        self.cut_off()
        self.server_close()
        self._thread.join()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is nothing to speak of; anything else is printed."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class UnixServer(Server):
    """On a socket in the file system."""

    address_family = getattr(socket, "AF_UNIX", socket.AF_UNSPEC)  # Windows has none
    allow_reuse_address = False


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server: Server
    login = ""
    status = 0

    def setup(self) -> None:
        """Count from the first byte."""
        self.disable_nagle_algorithm = self.request.family == socket.AF_INET
        self.server.open.add(self.request)
        super().setup()
        self.rfile: Any = _Counted(self.rfile)
        self.wfile: Any = _Counted(self.wfile)
        self._before = (0, 0)

    def finish(self) -> None:
        """The connection is over."""
        self.server.open.discard(self.request)
        with contextlib.suppress(OSError):
            super().finish()

    def address_string(self) -> str:
        """A socket in the file system has no address."""
        return "client"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the base class calls it that)
        """The log is `Wire.log`."""

    def do_GET(self) -> None:
        """Answer, record, and let go wrong what is to go wrong."""
        wire = self.server.site.wire
        wire.begin()
        exchange = None
        self.login, self.status = "", 0
        self._left = self._body_length()
        self._faults: list[Fault] = []
        self._body_sent = self._body_taken = 0
        self.query = self.path.partition("?")[2]
        try:
            kind, self.place = self.server.site.place(self)
            try:
                self._answer(wire)
            except (_CutError, OSError):
                self.cut_off()
            finally:
                wire.give_back(self._faults)
                at = (self.rfile.count, self.wfile.count)
                received, sent = (now - then for now, then in zip(at, self._before, strict=True))
                self._before = at
                exchange = Exchange(kind, self.command, self.place, self.query, self.status, received, sent, self.login)
        finally:
            wire.end(exchange)

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815  (http.server calls them that)

    def _answer(self, wire: Wire) -> None:
        self._faults = wire.faults_of(self.command, self.place, self.query)
        for fault in self._faults:
            if fault.action:
                fault.action()
            if fault.seconds and not fault.slow_after:
                wire.stopped.wait(fault.seconds)
        answer = next((fault for fault in self._faults if fault.status), None)
        if answer and answer.status:
            self.reply(answer.status, answer.body, answer.headers)
        else:
            self.server.site.answer(self)

    def cut_off(self) -> None:
        """End the connection, whatever is under way on it."""
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    # What came in.

    def _body_length(self) -> int | None:
        """How much of the request's body is left; None where it comes in chunks."""
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            return None
        return int(self.headers.get("Content-Length") or 0)

    def pieces(self) -> Iterator[bytes]:
        """The request's body. Raises `_CutError` where it is to be cut off, or was."""
        cuts = [fault for fault in self._faults if fault.cut_upload_after is not None]
        for piece in self._chunks() if self._left is None else self._plain():
            self._body_taken += len(piece)
            for fault in cuts:
                if self._body_taken > (fault.cut_upload_after or 0):
                    self._faults.remove(fault)
                    raise _CutError
            yield piece

    def _plain(self) -> Iterator[bytes]:
        while self._left:
            piece = self.rfile.read(min(PIECE, self._left))
            if not piece:
                raise _CutError
            self._left -= len(piece)
            yield piece

    def _chunks(self) -> Iterator[bytes]:
        while length := int(self.rfile.readline(100).partition(b";")[0] or b"0", 16):
            left = length
            while left:
                piece = self.rfile.read(min(PIECE, left))
                if not piece:
                    raise _CutError
                left -= len(piece)
                yield piece
            self.rfile.readline(100)
        while self.rfile.readline(1000).strip():
            pass
        self._left = 0

    def json(self) -> Any:
        """The request's body as JSON; an empty one is an empty object."""
        return json.loads(b"".join(self.pieces()) or b"{}")

    # What goes out.

    def reply(self, status: int, body: Any = None, headers: Mapping[str, str] | None = None) -> None:
        """Answer with a text, with JSON, or with nothing."""
        taken = 0
        for piece in self.pieces():
            taken += len(piece)
            if taken > _SMALL:
                self.close_connection = True
                break
        data = body.encode() if isinstance(body, str) else b"" if body is None else json.dumps(body).encode()
        kind = "text/plain; charset=utf-8" if isinstance(body, str) else "application/json; charset=utf-8"
        self.status = status
        self.send_response(status)
        for name, value in {**({"Content-Type": kind} if data else {}), **(headers or {})}.items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self._write(data)

    def _write(self, data: bytes, frame: Callable[[bytes], bytes] = bytes) -> None:
        """Send a piece of the body: as far as it is to come, and when."""
        wire = self.server.site.wire
        places = {fault.cut_after: fault for fault in self._faults if fault.cut_after is not None}
        places |= {fault.slow_after: fault for fault in self._faults if fault.slow_after}
        for place, fault in sorted(places.items(), key=lambda item: item[0]):
            until = place - self._body_sent
            if 0 <= until < len(data):
                self._send(data[:until], frame)
                data = data[until:]
                self._faults.remove(fault)
                if fault.cut_after is not None:
                    raise _CutError
                wire.stopped.wait(fault.seconds)
        self._send(data, frame)

    def _send(self, data: bytes, frame: Callable[[bytes], bytes]) -> None:
        if data:
            self.wfile.write(frame(data))
            self._body_sent += len(data)

    def run_cgi(self, command: list[str | Path], environ: Mapping[str, str]) -> None:
        """Hand the request to a program, and its answer on, while both are still coming (RFC 3875)."""
        variables = {
            "REQUEST_METHOD": self.command,
            "QUERY_STRING": self.query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "REMOTE_ADDR": "127.0.0.1",
            "SERVER_PROTOCOL": self.request_version,
            **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in self.headers.items()},
        }
        if self._left:
            variables["CONTENT_LENGTH"] = str(self._left)
        process = subprocess.Popen(
            command,
            env={**variables, **environ},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        assert process.stdin
        assert process.stdout
        feeder = threading.Thread(target=self._feed, args=(process, process.stdin))
        feeder.start()
        try:
            self._hand_on(process.stdout)
        except (_CutError, OSError):
            _end(process)
            self.cut_off()  # or the feeder would wait for the rest of the request
            raise
        finally:
            feeder.join()
            process.stdout.close()
            process.wait()

    def _feed(self, process: subprocess.Popen[bytes], target: IO[bytes]) -> None:
        """Give the program the request's body; when it wants no more, the client may still finish speaking."""
        is_read = True
        try:
            for piece in self.pieces():
                if is_read:
                    try:
                        target.write(piece)
                    except OSError:
                        is_read = False
        except (_CutError, OSError, ValueError):
            self.cut_off()  # first, or the program's end would look like the end of its answer
            _end(process)
        finally:
            with contextlib.suppress(OSError):
                target.close()

    def _hand_on(self, source: IO[bytes]) -> None:
        headers: list[tuple[str, str]] = []
        status = 200
        while line := source.readline().rstrip(b"\r\n"):
            name, _, value = line.decode("latin-1").partition(":")
            if name.lower() == "status":
                status = int(value.split()[0])
            else:
                headers.append((name, value.strip()))
        if not headers:
            raise _CutError
        self.status = status
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        is_chunked = self.request_version != "HTTP/1.0"
        self.send_header(*(("Transfer-Encoding", "chunked") if is_chunked else ("Connection", "close")))
        self.end_headers()
        frame = _chunk if is_chunked else bytes
        while piece := source.read1(PIECE):  # type: ignore[attr-defined]
            self._write(piece, frame)
        if is_chunked:
            self.wfile.write(b"0\r\n\r\n")


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a program and all it has started; it leads a group of its own."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


class _Refusing(BaseHTTPRequestHandler):
    def do_CONNECT(self) -> None:
        self.send_error(407)

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def refusing_proxy() -> Iterator[str]:
    """The address of a proxy that wants a login which nobody has."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Refusing) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()
