"""The keys a git host publishes, from hosts that answer badly: each bad answer is an error of ours, and soon."""

import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from key_making import ReadKey

from alive_p2p import web
from alive_p2p.errors import AliveP2PError, UsageError
from alive_p2p.keys import published
from alive_p2p.keys.public import PublicKey, load_public_key
from alive_p2p.keys.published import fetch_published_keys
from alive_p2p.runtime import Runtime

Pieces = Sequence[bytes | float]
"""What a host sends, and how many seconds it waits between."""


class BadHost:
    """A server on this machine that answers every request with the same bytes."""

    def __init__(self) -> None:
        self.pieces: Pieces = []
        self.requests: list[bytes] = []
        self.is_over = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _serve(self) -> None:
        while True:
            with suppress(OSError):
                connection, _ = self.listener.accept()
                if self.is_over.is_set():
                    connection.close()
                    return
                with connection:
                    self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        request = b""
        while b"\r\n\r\n" not in request and (more := connection.recv(4096)):
            request += more
        self.requests.append(request)
        for piece in self.pieces:
            if isinstance(piece, float):
                self.is_over.wait(piece)
            else:
                connection.sendall(piece)

    def close(self) -> None:
        self.is_over.set()
        socket.create_connection(self.listener.getsockname()).close()
        self.thread.join()
        self.listener.close()


@pytest.fixture
def bad_host() -> Iterator[BadHost]:
    host = BadHost()
    yield host
    host.close()
    for thread in threading.enumerate():  # what was given up on has ended now, as its host has
        if thread.name == web.THREAD_NAME:
            thread.join(5)


Fetch = Callable[..., list[PublicKey]]


@pytest.fixture
def fetch(bad_host: BadHost, make_runtime: Callable[..., Runtime]) -> Fetch:
    """Fetches carla's keys from the bad host, which sends these pieces."""
    runtime = make_runtime(ALIVE_P2P_GITHUB_URL=bad_host.address, ALIVE_P2P_GITLAB_URL=bad_host.address)

    def call(*pieces: bytes | float, whom: str = "github:carla") -> list[PublicKey]:
        bad_host.pieces = pieces
        return fetch_published_keys(whom, runtime)

    return call


def good(body: bytes, *headers: bytes, status: bytes = b"200 OK") -> bytes:
    lines = [b"HTTP/1.1 " + status, b"Content-Length: %d" % len(body), b"Connection: close", *headers, b"", body]
    return b"\r\n".join(lines)


def test_a_good_answer(fetch: Fetch, bad_host: BadHost, read_key: ReadKey, rsa_line: bytes) -> None:
    """In the order of the host, each once, with comments and blank lines passed over, whole or in chunks."""
    ed25519 = read_key("ssh-ed25519.pub").rstrip()
    body = b"\n".join([ed25519, b"", rsa_line, b"# a comment", ed25519 + b" again", rsa_line, b""])
    expected = [load_public_key(ed25519), load_public_key(rsa_line)]
    assert fetch(good(body)) == expected
    assert bad_host.requests[0].startswith(b"GET /carla.keys HTTP/1.1\r\n")
    chunks = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    assert fetch(chunks, whom="gitlab:carla") == expected
    assert fetch(b"HTTP/1.0 200 OK\r\n\r\n" + body) == expected


@pytest.fixture
def rsa_line(read_key: ReadKey) -> bytes:
    return read_key("ssh-rsa.pub").rstrip()


@pytest.mark.parametrize(
    ("answer", "piece"),
    [
        (b"", "does not answer as a web server does"),
        (b"220 mail.example.org ESMTP\r\n", "does not answer as a web server does"),
        (b"HTTP/1.1 abc\r\n\r\n", "does not answer as a web server does"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n", "does not answer as a web server does"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n", "does not answer as a web server does"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\nssh-ed25519 AAAA", "cut off"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\nssh-", "cut off"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "cut off"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", "answered 204"),
        (good(b"x" * (2 << 20)), "larger than a megabyte"),
        (b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", "answered 503"),
        (b"HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=x\r\nContent-Length: 0\r\n\r\n", "answered 401"),
    ],
)
def test_what_is_no_answer_is_an_error_of_ours(answer: bytes, piece: str, fetch: Fetch) -> None:
    """Whatever the library makes of it, the error names the host, says that nothing was done, and offers a way on."""
    with pytest.raises(AliveP2PError, match=piece) as caught:
        fetch(answer)
    assert (caught.value.code, caught.value.untouched) == ("host-unreachable", "everything")
    assert "GitHub" in caught.value.message
    assert "--to-keys" in (caught.value.hint or "")


def test_a_login_that_nobody_has_is_told(fetch: Fetch, bad_host: BadHost) -> None:
    """As the host says; one that cannot be a login is not even asked for."""
    with pytest.raises(UsageError, match="nobody at GitLab is called 'carla'"):
        fetch(good(b"", status=b"404 Not Found"), whom="gitlab:carla")
    for whom in ("github:../x", "github:-x", "gitlab:a b", "github:"):
        with pytest.raises(UsageError, match="cannot be a login"):
            fetch(whom=whom)
    assert len(bad_host.requests) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("where", ["http://[", "https://example.org/x", "/dave.keys", "file:///etc/passwd", "", None])
def test_a_redirect_is_not_followed(status: int, where: str | None, fetch: Fetch, bad_host: BadHost) -> None:
    """Not to another place, nor to another login: these keys would be somebody else's."""
    location = [] if where is None else [b"Location: " + where.encode()]
    with pytest.raises(AliveP2PError, match=rf"somewhere else \({status}\)") as caught:
        fetch(good(b"", *location, status=b"%d Moved" % status))
    assert caught.value.code == "host-unreachable"
    assert len(bad_host.requests) == 1


@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"])
def test_an_answer_that_drips_ends(start: bytes, fetch: Fetch, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time is for the whole answer: a host that sends a byte now and then does not keep us."""
    monkeypatch.setattr(published, "DEADLINE_SECONDS", 0.3)
    drip: list[bytes | float] = [b"x", 0.1] * 200
    begun = time.monotonic()
    with pytest.raises(AliveP2PError, match="took longer than") as caught:
        fetch(start, *drip)
    assert caught.value.code == "host-unreachable"
    assert time.monotonic() - begun < 10  # the drip would take twice as long


def test_the_clock_is_the_runtime_s(bad_host: BadHost, tmp_path: Path) -> None:
    """A test can let the time pass."""
    moments = iter([0.0, 1.0, *([1000.0] * 1000)])
    environ = {"HOME": str(tmp_path), "ALIVE_P2P_GITHUB_URL": bad_host.address}
    runtime = Runtime(environ=environ, cwd=tmp_path, monotonic=lambda: next(moments))
    bad_host.pieces = [30.0]
    with pytest.raises(AliveP2PError, match="took longer than"):
        fetch_published_keys("github:carla", runtime)


@pytest.mark.parametrize(
    ("body", "piece"),
    [
        (b"<!DOCTYPE html>\n<html><body>Sign in</body></html>", "web page"),
        (b"\n  <html>", "web page"),
        (b"{}", "line 1"),
        (b"ssh-ed25519 AAAAC3Nza\n", "line 1"),
        (b"\x1b[2J\n", "line 1"),
        (b"\xff\xfe\0x", "line 1"),
    ],
)
@pytest.mark.parametrize("word", ["github", "gitlab"])
def test_an_answer_that_is_no_list_of_keys_is_told(body: bytes, piece: str, word: str, fetch: Fetch) -> None:
    """The error names the host and the login."""
    with pytest.raises(AliveP2PError, match=piece) as caught:
        fetch(good(body), whom=f"{word}:carla")
    assert (caught.value.code, caught.value.untouched) == ("bad-published-keys", "everything")
    assert "carla" in caught.value.message
    assert {"github": "GitHub", "gitlab": "GitLab"}[word] in caught.value.message


def test_a_damaged_line_among_good_ones_is_told(fetch: Fetch, rsa_line: bytes) -> None:
    """Not passed over: it may be the only key that the person still has."""
    with pytest.raises(AliveP2PError, match="line 2") as caught:
        fetch(good(rsa_line + b"\n" + rsa_line[:100] + b"\n"))
    assert caught.value.code == "bad-published-keys"


@pytest.fixture(scope="module")
def unusable(read_key: ReadKey) -> list[bytes]:
    """Sound keys that nothing can be sealed for: ECDSA, a security token's, and an RSA key that is too long for age."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers

    long = RSAPublicNumbers(65537, (1 << 8191) + 1).public_key()
    line = long.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    token = "AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAIJb5RECtL1yStDXsHs6ojbdAvnJmP+96+zg4fVKI6Zy4AAAABHNzaDo="
    return [read_key("ssh-ecdsa.pub").rstrip(), f"sk-ssh-ed25519@openssh.com {token}".encode(), line]


def test_keys_that_cannot_be_used_are_passed_over(fetch: Fetch, unusable: list[bytes], rsa_line: bytes) -> None:
    """Where another one is there; where none is left, that is said, and not that there are none."""
    for one in unusable:
        assert fetch(good(one + b"\n" + rsa_line)) == [load_public_key(rsa_line)]
        with pytest.raises(UsageError, match="of a kind or size") as caught:
            fetch(good(one + b"\n"))
        assert caught.value.code == "no-published-keys"
    with pytest.raises(UsageError, match="publishes no key at GitHub that can be used"):
        fetch(good(b"\n".join(unusable)))


@pytest.mark.parametrize("body", [b"", b"\n\n", b"# nothing\n"])
def test_nobody_s_keys_are_told_apart_from_useless_ones(body: bytes, fetch: Fetch) -> None:
    """An empty page says that somebody has no key there."""
    with pytest.raises(UsageError, match="carla publishes no key at GitHub") as caught:
        fetch(good(body))
    assert caught.value.code == "no-published-keys"
    assert "kind" not in caught.value.message


@pytest.mark.parametrize(
    "address", ["http://[", "http://[::1", "https://a:b", "file://localhost/etc", "ftp://127.0.0.1", "localhost", "//x"]
)
def test_an_address_that_is_none_is_an_error_of_ours(address: str, make_runtime: Callable[..., Runtime]) -> None:
    """Only https, or http on this machine; never another of the library's schemes, and never a traceback."""
    with pytest.raises(AliveP2PError) as caught:
        fetch_published_keys("github:carla", make_runtime(ALIVE_P2P_GITHUB_URL=address))
    assert caught.value.untouched == "everything"
    assert caught.value.code in {"not-https", "host-unreachable"}
