"""What the targets share: a folder of their own, fixed keys, and small helpers.

Nothing here is a secret: the keys are published with the tests, and open nothing but what the seeds seal.
"""

import atexit
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from alive_p2p.errors import AliveP2PError
from alive_p2p.keys.private import PrivateKey, load_private_key
from alive_p2p.package.envelopes import age_passphrase
from alive_p2p.package.envelopes import passphrase as openssl
from alive_p2p.package.envelopes.base import Credentials
from alive_p2p.runtime import Runtime

Fuzzed = Callable[[bytes], None]
"""Takes any bytes. Raises `AliveP2PError` where they are refused; anything else that it raises is a finding."""


@dataclass(frozen=True)
class Target:
    """Something that is fuzzed.

    Attributes:
        name: also the folder of its seeds and of its regression inputs.
        run: what is called.
        words: what the fuzzer puts into inputs, besides what it finds out by itself.
        max_length: the longest input that is tried, in bytes.
    """

    name: str
    run: Fuzzed
    words: tuple[bytes, ...] = ()
    max_length: int = 4096

    def take(self, data: bytes) -> bool:
        """Run it; whether the input was taken. What is not a refusal goes through."""
        try:
            self.run(data)
        except AliveP2PError as refusal:
            assert refusal.message, "a refusal says why"
            assert refusal.code, "a refusal has a code"
            return False
        return True


@contextmanager
def certain(what: str) -> Iterator[None]:
    """What cannot be refused any more: a refusal inside is a finding."""
    try:
        yield
    except AliveP2PError as refusal:
        message = f"{what}: {refusal.message}"
        raise AssertionError(message) from refusal


# --- places -----------------------------------------------------------------------------------------------------


def fast_place() -> str | None:
    """Where temporary files cost least, or None for the usual place."""
    memory = Path("/dev/shm")  # noqa: S108  (a private folder is made in it)
    return str(memory) if memory.is_dir() and os.access(memory, os.W_OK) else None


@cache
def folder() -> Path:
    """A private folder that is gone when the process ends."""
    made = tempfile.TemporaryDirectory(prefix="alive-fuzz-", dir=os.environ.get("TMPDIR") or fast_place())
    atexit.register(made.cleanup)
    return Path(made.name)


@cache
def runtime() -> Runtime:
    """Surroundings with nothing set; the home is `folder()`."""
    return Runtime(environ={"HOME": str(folder()), "PATH": ""}, cwd=folder())


def placed(name: str, data: bytes) -> Path:
    """A file below `folder()` with this content."""
    path = folder() / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


# --- keys -------------------------------------------------------------------------------------------------------

PASSPHRASE = b"correct horse"
AGE_IDENTITY = b"AGE-SECRET-KEY-17D7AEPA2T3UKHWDYTYEFZN5SRFLGPNNVJW4WVF5AKPRJFAF9QPZQNYX2D4"
_P = int(
    "f58ab8bcc886046e2d5552dedd24f1479a3c0c02c5ac01b03e3350cc76006f65249b13f4bd4aca4482cd81a036fd8b56"
    "9419438c001a02e2b8c46152d945507a4af8df219418e06ffe5c465ca4f2aff7240ce77f77eb5a8fc20c7f688fab5b40"
    "0c00ef56ba0004aec7faf6d8b35769b273964c0f7609088eb5385c7b89f1bbfb",
    16,
)
_Q = int(
    "eda67ce3108b6953ae21d2fb792b1ac8f783d6950fae7127573b4d289ddb46fe045592aa3a6d3d0ed712802ca047c479"
    "86ace46f024ca065faf886a3f06bfdf066ab7d9b914413390bbd7a316607a2c1d33b60d2ff08192a4df1bd31dc242ca0"
    "d1e48d1cf6d4c2241728a88be28437762d200b3951e18ba48a440ef8991efa3f",
    16,
)


@cache
def rsa_pem() -> bytes:
    """An RSA key of 2,048 bits, always the same."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    exponent = 65537
    private = pow(exponent, -1, (_P - 1) * (_Q - 1))
    public = rsa.RSAPublicNumbers(exponent, _P * _Q)
    crt = rsa.rsa_crt_dmp1(private, _P), rsa.rsa_crt_dmq1(private, _Q), rsa.rsa_crt_iqmp(_P, _Q)
    key = rsa.RSAPrivateNumbers(_P, _Q, private, *crt, public).private_key()
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


@cache
def ed25519_pem() -> bytes:
    """An Ed25519 key, always the same."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    form = serialization.PrivateFormat.OpenSSH
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


@cache
def private_keys() -> tuple[PrivateKey, ...]:
    """One of each kind."""
    return tuple(load_private_key(pem, label="fixed") for pem in (rsa_pem(), ed25519_pem(), AGE_IDENTITY))


@cache
def credentials() -> Credentials:
    """All of them, and the passphrase."""
    return Credentials(passphrase=lambda: PASSPHRASE, private_keys=lambda _: private_keys())


def _quick_pbkdf2(passphrase: bytes, salt: bytes, iterations: int) -> tuple[bytes, bytes]:
    both = hashlib.sha512(b"%d %b %b" % (iterations, salt, passphrase)).digest()
    return both[:32], both[32:48]


def _quick_scrypt(passphrase: bytes, salt: bytes, work_factor: int) -> bytes:
    return hashlib.sha256(b"%d %b %b" % (work_factor, salt, passphrase)).digest()


@contextmanager
def quick_passphrases() -> Iterator[None]:
    """Derive keys from passphrases without the work that makes guessing slow: it would be all that is fuzzed."""
    pbkdf2, scrypt = openssl._pbkdf2, age_passphrase._wrapping_key
    openssl._pbkdf2, age_passphrase._wrapping_key = _quick_pbkdf2, _quick_scrypt
    try:
        yield
    finally:
        openssl._pbkdf2, age_passphrase._wrapping_key = pbkdf2, scrypt


# --- streams ----------------------------------------------------------------------------------------------------


class Dribble:
    """A stream that gives its bytes in small pieces of changing size, as a slow pipe does."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self._step = 1

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes, none only at the end."""
        self._step = self._step % 61 + 1
        piece = self._data[self._at : self._at + min(size, self._step)]
        self._at += len(piece)
        return piece


def drained(read: Callable[[int], bytes], size: int = 1 << 16) -> bytes:
    """Everything that a stream gives."""
    pieces = []
    while piece := read(size):
        pieces.append(piece)
    return b"".join(pieces)


def outcome(read: Callable[[], bytes]) -> bytes | str:
    """What comes out, or the code of the refusal."""
    try:
        return read()
    except AliveP2PError as refusal:
        return refusal.code


def in_pieces(data: bytes) -> Iterator[bytes]:
    """The data cut at uneven places."""
    stream = Dribble(data)
    while piece := stream.read(64):
        yield piece
