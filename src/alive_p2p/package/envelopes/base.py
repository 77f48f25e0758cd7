"""Recognising what a file is: by its content, never by its name (format.md §5)."""

import codecs
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from alive_p2p.errors import PackageError

HEAD_BYTES = 4096
"""How much of a file is looked at."""


class Envelope(Enum):
    """What is around the payload; the value is the word for it in `--json`."""

    PLAIN = "none"
    PASSPHRASE = "passphrase"  # noqa: S105  (the name of an envelope, not a secret)
    RSA = "rsa"
    AGE = "age"
    LEGACY = "legacy"


def malformed(what: str, why: str) -> PackageError:
    """The error for an envelope that is not one; `what` names its kind."""
    return PackageError(
        "bad-envelope",
        f"the package's {what} is not valid: {why}",
        untouched="everything",
        hint="ask the sender to make it again",
    )


class Readable(Protocol):
    """Anything that is read forward: at most `size` bytes a call, none only at the end."""

    def read(self, size: int, /) -> bytes:
        """Read on."""


class Named(Protocol):
    """What an envelope needs of a public key to know it again."""

    @property
    def pubkey_id(self) -> str:
        """The first 16 hex digits of its fingerprint."""

    @property
    def ssh_tag(self) -> bytes | None:
        """What age names it by: four bytes of the hash of its SSH form; None for a key that SSH does not have."""


@dataclass(frozen=True)
class Addressees:
    """For whom an envelope says it is. Anybody can write that there, so it decides which keys are tried, and no more.

    Attributes:
        pubkey_ids: the keys an RSA envelope names.
        ssh_tags: what an age header tells of its SSH keys: enough to know one again, too little to name one.
        could_be_anyone: whether the envelope names nobody at all.
    """

    pubkey_ids: tuple[str, ...] = ()
    ssh_tags: tuple[bytes, ...] = ()
    could_be_anyone: bool = False

    def include(self, key: Named) -> bool:
        """Whether this key may be one of them."""
        return self.could_be_anyone or key.pubkey_id in self.pubkey_ids or key.ssh_tag in self.ssh_tags


class Unwrapping(Protocol):
    """What an envelope needs of a private key."""

    @property
    def public(self) -> Named:
        """The key that senders name."""

    def unwrap(self, wrapped: bytes) -> bytes:
        """The key inside; raises `AliveP2PError` where it is not for us or damaged."""

    def age_identity(self) -> object:
        """The same key as an age identity."""


@dataclass(frozen=True)
class Credentials:
    """What a receiver can open envelopes with; each is asked for only when an envelope needs it.

    Attributes:
        passphrase: gives the passphrase, or None where there is none to give.
        private_keys: gives the private keys to try, our own first.
        describe: says who somebody's keys belong to, one text for each that can be told.
    """

    passphrase: Callable[[], bytes] | None = None
    private_keys: Callable[[Addressees], Sequence[Unwrapping]] = lambda _: ()
    describe: Callable[[Addressees], Sequence[str]] = lambda addressees: addressees.pubkey_ids


NO_CREDENTIALS = Credentials()
"""Enough for a plain package."""


class Opened(Protocol):
    """An envelope whose key is known."""

    def plaintext(self) -> Readable:
        """The payload from its start; may be called again."""

    def close(self) -> None:
        """Let go of what reading needed."""


class Sealer(io.RawIOBase):
    """A stream that seals what is written to it into `output`, which it leaves open.

    Args:
        output: a buffered stream.
    """

    def __init__(self, output: io.BufferedIOBase) -> None:
        super().__init__()
        self._output = output

    def writable(self) -> bool:
        """Sealing is writing."""
        return True


def cannot_open() -> PackageError:
    """The one error for every way in which opening can fail: what failed must not be told apart from outside."""
    return PackageError(
        "cannot-open",
        "the package cannot be opened: wrong passphrase or key, or not a package this version can read",
        untouched="everything",
        hint="check the passphrase or key; if it is right, fetch the file again",
    )


_NAMED = 10


def for_whom(credentials: Credentials, addressees: Addressees) -> str:
    """`; it is for Ben (a1b2…), c3d4… and 2 more`, or nothing where nobody can be named."""
    names = list(credentials.describe(addressees))
    if not names:
        return ""
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return f"; it is for {', '.join(names[:_NAMED])}{more}"


def not_for_us(credentials: Credentials, addressees: Addressees) -> PackageError:
    """The error for a package that is sealed for others."""
    return PackageError(
        "not-for-us",
        f"the package is not encrypted for your key{for_whom(credentials, addressees)}",
        untouched="everything",
        hint="ask the sender to make it for your key (`alive-p2p keys show`)",
    )


def needs_key(credentials: Credentials, addressees: Addressees) -> PackageError:
    """The error where there is no private key at all to open it with."""
    return needs(
        f"for a private key, and none of yours can be used{for_whom(credentials, addressees)}",
        "name the key with `--private-key FILE`, or make yours with `alive-p2p keys generate` and have it sent again",
    )


def needs(what: str, hint: str) -> PackageError:
    """The error for a sealed package without the credential it needs."""
    return PackageError("sealed", f"the package is sealed {what}", untouched="everything", hint=hint)


_TAR_MAGIC_AT = 257
_OCTAL = re.compile(rb"[ \0]*([0-7]+)[ \0]*")
_LOOKS_LIKE = (
    (b"PK\x03\x04", "a zip file"),
    (b"PK\x05\x06", "an empty zip file"),
    (b"BZh", "a bzip2 file"),
    (b"\xfd7zXZ\x00", "an xz file"),
    (b"\x28\xb5\x2f\xfd", "a zstd file"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-zip file"),
    (b"%PDF", "a PDF"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"-----BEGIN PGP", "a PGP message"),
    (b"-----BEGIN", "a key or certificate"),
    (b"SQLite format 3", "a database"),
)


def recognise(head: bytes) -> Envelope:
    """Tell the envelope from the first bytes of a file.

    Args:
        head: the first `HEAD_BYTES` bytes, or all where there are fewer.

    Raises:
        PackageError: it is not a `.walnut` package; the message says what it looks like, where that can be told.
    """
    if head.startswith(b"\x1f\x8b"):
        return Envelope.PLAIN
    if head.startswith(b"Salted__"):
        return Envelope.PASSPHRASE
    if head.startswith((b"age-encryption.org/v1\n", b"-----BEGIN AGE ENCRYPTED FILE-----")):
        return Envelope.AGE
    if head[_TAR_MAGIC_AT : _TAR_MAGIC_AT + 5] == b"ustar":
        if _first_member(head) in {b"rsa-envelope-v1.json", b"payload.enc"}:
            return Envelope.RSA
        raise not_a_package("an uncompressed tar archive")
    raise not_a_package(_looks_like(head))


def _first_member(head: bytes) -> bytes:
    """The name of the first member of a tar that is not an extended header, as far as `head` reaches."""
    at = 0
    while head[at + 156 : at + 157] in (b"x", b"g") and (stated := _OCTAL.fullmatch(head, at + 124, at + 135)):
        size = int(stated[1], 8)
        at += 512 + size + -size % 512
    return head[at : at + 100].rstrip(b"\0").removeprefix(b"./")


def not_a_package(what: str | None) -> PackageError:
    """The error for a file that is something else."""
    seems = f": it looks like {what}" if what else ""
    return PackageError(
        "not-a-package",
        f"this is not a .walnut package{seems}",
        untouched="everything",
        hint="check that the file was downloaded completely and is the one that was sent",
    )


def _looks_like(head: bytes) -> str | None:
    if not head:
        return "an empty file"
    for magic, name in _LOOKS_LIKE:
        if head.startswith(magic):
            return name
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:200].lower()
    if start.startswith((b"<!doctype html", b"<html", b"<head")):
        return "a web page that a browser saved"
    if start.startswith(b"<"):
        return "an XML or HTML file"
    if b"\0" not in head and not any(byte < 9 for byte in head):
        try:
            codecs.getincrementaldecoder("utf-8")().decode(head, final=len(head) < HEAD_BYTES)
        except UnicodeDecodeError:
            return None
        return "plain text"
    return None
