"""What a file is, told from its bytes and never from its name (format.md §5)."""

import bz2
import io
import lzma
import tarfile
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alive_p2p.errors import PackageError
from alive_p2p.package.envelopes.base import HEAD_BYTES, Envelope, recognise


def _zip() -> bytes:
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w") as archive:
        archive.writestr("manifest.yaml", "x")
    return output.getvalue()


def _tar(*names: str, tar_format: int = tarfile.USTAR_FORMAT, mtime: float = 0) -> bytes:
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w", format=tar_format) as archive:
        for name in names:
            info = tarfile.TarInfo(name)
            info.size, info.mtime = 3, mtime
            archive.addfile(info, io.BytesIO(b"abc"))
    return output.getvalue()[:HEAD_BYTES]


@pytest.mark.parametrize(
    ("head", "envelope"),
    [
        (b"\x1f\x8b\x08\0", Envelope.PLAIN),
        (b"Salted__12345678", Envelope.PASSPHRASE),
        (b"age-encryption.org/v1\n-> X25519", Envelope.AGE),
        (b"-----BEGIN AGE ENCRYPTED FILE-----\n", Envelope.AGE),
        (_tar("rsa-envelope-v1.json", "payload.enc"), Envelope.RSA),
        (_tar("payload.enc", "rsa-envelope-v1.json"), Envelope.RSA),
        (_tar("rsa-envelope-v1.json", "payload.enc", tar_format=tarfile.GNU_FORMAT), Envelope.RSA),
        (_tar("rsa-envelope-v1.json", "payload.enc", tar_format=tarfile.PAX_FORMAT), Envelope.RSA),
    ],
)
def test_an_envelope_is_recognised_by_its_first_bytes(head: bytes, envelope: Envelope) -> None:
    """One row of the specification's table each."""
    assert recognise(head) is envelope


@pytest.mark.parametrize(
    "head",
    [
        _tar("rsa-envelope-v1.json", "payload.enc", tar_format=tarfile.PAX_FORMAT, mtime=1.5),
        _tar("./rsa-envelope-v1.json", "./payload.enc"),
    ],
    ids=["pax-mtime", "dot-slash"],
)
def test_an_rsa_envelope_by_another_tar_writer_is_recognised(head: bytes) -> None:
    """A tar *holding* the two members: a PAX header for the time, or a leading `./`, changes nothing."""
    assert recognise(head) is Envelope.RSA


@pytest.mark.parametrize(
    ("head", "what"),
    [
        (b"", "empty"),
        (_zip(), "zip"),
        (bz2.compress(b"x"), "bzip2"),
        (lzma.compress(b"x"), "xz"),
        (b"\x28\xb5\x2f\xfd\0\0", "zstd"),
        (b"%PDF-1.7", "PDF"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b"\xef\xbb\xbf\n  <HTML>", "web page"),
        (b"<?xml version='1.0'?>", "XML"),
        (b"just words\n", "plain text"),
        ("日本語".encode(), "plain text"),
        (b"-----BEGIN PGP MESSAGE-----", "PGP"),
        (b"-----BEGIN PRIVATE KEY-----", "key"),
        (_tar("manifest.yaml"), "tar"),
    ],
)
def test_what_is_not_a_package_is_called_by_its_name(head: bytes, what: str) -> None:
    """The message says what the file looks like, and that nothing was touched."""
    with pytest.raises(PackageError) as caught:
        recognise(head)
    assert caught.value.code == "not-a-package"
    assert what in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("shift", [1, 2])
def test_a_long_text_in_another_script_is_called_plain_text(shift: int) -> None:
    """Wherever the first kilobyte happens to cut a character in two."""
    with pytest.raises(PackageError, match="plain text"):
        recognise(("a" * shift + "日" * 1000).encode()[:HEAD_BYTES])


@pytest.mark.parametrize("head", [b"\0", b"\x1f\x8c", bytes(range(256)), b"\xff" * 64])
def test_something_unknown_is_refused_without_a_guess(head: bytes) -> None:
    """No name is better than a wrong one."""
    with pytest.raises(PackageError, match=r"not a \.walnut package$"):
        recognise(head)


@given(st.binary(max_size=HEAD_BYTES))
def test_recognition_ends_in_an_envelope_or_a_refusal(head: bytes) -> None:
    """Whatever the bytes are."""
    try:
        found: Envelope | str = recognise(head)
    except PackageError as error:
        found = error.code
    assert found == "not-a-package" or isinstance(found, Envelope)
