"""The age test kit of C2SP (CCTV), 143 vectors with one property each, against both of our sources (format.md §5).

`test_age_kit.zip` holds the files of the npm package `cctv-age` 0.2.0 as they are, with their README and licence.
Its keys and passphrases are published ones that protect nothing.
"""

import hashlib
import io
import zipfile
import zlib
from pathlib import Path

import pyrage
import pytest

from alive_p2p.errors import AliveP2PError
from alive_p2p.package.envelopes.age import KeySource
from alive_p2p.package.envelopes.age_header import read_header
from alive_p2p.package.envelopes.age_passphrase import PassphraseSource

_KIT = Path(__file__).with_suffix(".zip")
_CODES = {
    "armor failure": {"cannot-open"},
    "header failure": {"cannot-open", "work-factor-too-high"},
    "HMAC failure": {"cannot-open"},
    "payload failure": {"cannot-open"},
    "no match": {"not-for-us", "cannot-open"},
}


def _vectors() -> dict[str, bytes]:
    with zipfile.ZipFile(_KIT) as kit:
        return {name.removeprefix("vectors/"): kit.read(name) for name in kit.namelist() if name.startswith("vectors/")}


_VECTORS = _vectors()


def _open(data: bytes, known: dict[str, list[str]]) -> tuple[bytes, AliveP2PError | None]:
    """What came out, and the error, if any."""
    released = b""
    try:
        if "passphrase" in known:
            header = read_header(io.BytesIO(data))
            source: PassphraseSource | KeySource = PassphraseSource(
                header.payload, header, known["passphrase"][0].encode()
            )
        else:
            identities = [pyrage.x25519.Identity.from_str(text) for text in known.get("identity", [])]
            source = KeySource(io.BytesIO(data), identities)
        while piece := source.read(10_000):
            released += piece
    except AliveP2PError as error:
        return released, error
    return released, None


def test_the_kit_is_complete() -> None:
    """Vectors that are missing would let everything pass."""
    assert len(_VECTORS) >= 140


@pytest.mark.parametrize("name", sorted(_VECTORS))
def test_vector_has_the_expected_outcome(name: str) -> None:
    """A valid file gives its payload; of another, only authenticated bytes come out, and then the right error."""
    head, _, data = _VECTORS[name].partition(b"\n\n")
    known: dict[str, list[str]] = {}
    for line in head.decode().splitlines():
        key, _, value = line.partition(": ")
        known.setdefault(key, []).append(value)
    if any(identity.startswith("AGE-SECRET-KEY-PQ-") for identity in known.get("identity", [])):
        pytest.skip("the age library reads no post-quantum identities")
    if "compressed" in known:
        data = zlib.decompress(data)
    (expected,) = known["expect"]

    released, error = _open(data, known)

    if "payload" in known:
        assert hashlib.sha256(released).hexdigest() == known["payload"][0]
    else:
        assert not released
    if expected == "success":
        assert error is None
    else:
        assert error is not None
        assert error.code in _CODES[expected]
