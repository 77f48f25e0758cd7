"""Recognising what a file is: by its content, never by its name (format.md §5)."""

import codecs
from enum import Enum

from alive_p2p.errors import PackageError

HEAD_BYTES = 4096
"""How much of a file is looked at."""


class Envelope(Enum):
    """What is around the payload; the value is the word for it in `--json`."""

    PLAIN = "none"
    PASSPHRASE = "passphrase"  # noqa: S105  (the name of an envelope, not a secret)
    RSA = "rsa"
    AGE = "age"


_TAR_MAGIC_AT = 257
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
    while head[at + 156 : at + 157] in (b"x", b"g") and head[at + 124 : at + 135].strip(b" \0").isdigit():
        size = int(head[at + 124 : at + 135].strip(b" \0"), 8)
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
