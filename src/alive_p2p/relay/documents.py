"""Signed documents: delivery notes, receipts, pairing answers (format.md §4, relay.md §4 and §6).

A document is a JSON object with `type`, `from`, `to` and its content, and the same `signature` block as a manifest.
What travels through a relay is sealed for its reader besides: everybody who may write to a relay may read in it.
"""

import base64
import binascii
import gzip
import io
import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from alive_p2p.errors import AliveP2PError, RelayError
from alive_p2p.keys.keyring import Peer
from alive_p2p.keys.private import PrivateKey
from alive_p2p.keys.public import PublicKey, load_public_key
from alive_p2p.package.compression import GzipSource
from alive_p2p.package.envelopes.base import HEAD_BYTES, Credentials, Envelope, recognise
from alive_p2p.package.envelopes.opening import open_envelope
from alive_p2p.package.envelopes.sealing import Seal, sealed
from alive_p2p.package.limits import Limits
from alive_p2p.package.signature import Signer, Verdict, judge, signature_block
from alive_p2p.text import breaks_the_line

SIGNED_BYTES: Final = "canonical-json-v1"

MOST_BYTES = 64 << 10
"""No document needs more: the longest is a receipt that names bundles."""
SEALED_BYTES = MOST_BYTES + (16 << 10)

_MOST_DEPTH = 6

Document = Mapping[str, Any]


def canonical_bytes(document: Document) -> bytes:
    """What is signed: the document without its signature, with sorted keys and without any blanks (format.md §3)."""
    fields = {name: value for name, value in document.items() if name != "signature"}
    return json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def signed(document: Document, key: PrivateKey) -> bytes:
    """A document with our signature, as it is stored."""
    return stored({**document, "signature": signature_block(canonical_bytes(document), key, SIGNED_BYTES)})


def stored(document: Document) -> bytes:
    """A document as it is stored."""
    return json.dumps(document, ensure_ascii=False, indent=1).encode() + b"\n"


def read(data: bytes, kind: str, most: int = MOST_BYTES) -> Document:
    """Read a document; its signature is not looked at.

    Args:
        data: as it was stored.
        kind: the `type` it has to have.
        most: how many bytes it may have.

    Raises:
        RelayError: `bad-document`: it is not one, of another type, or says something that no document says.
    """
    if len(data) > most:
        raise _bad(kind, "it is too long")
    try:
        document = json.loads(data.decode("utf-8"), object_pairs_hook=_without_doubles, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise _bad(kind, "it is not JSON, or says something twice") from None
    if not isinstance(document, dict) or document.get("type") != kind:
        raise _bad(kind, "it is something else")
    if not _is_plain(document, _MOST_DEPTH):
        raise _bad(kind, "it holds what no document holds")
    if not all(isinstance(document.get(name), str) for name in ("from", "to")):
        raise _bad(kind, "it does not say who it is from and for")
    return document


def verdict_of(document: Document, find: Callable[[str], Signer | None]) -> Verdict:
    """Judge the signature of a document.

    Args:
        document: as `read` gave it.
        find: looks a `pubkey_id` up in the keyring.
    """
    return judge(document.get("signature"), canonical_bytes(document), SIGNED_BYTES, document.get("from"), find)


def key_text(public: PublicKey) -> str:
    """A public key as it stands in a document: its DER form in base64."""
    return "".join(line for line in public.pem().decode().splitlines() if not line.startswith("-----"))


def key_in(document: Document) -> PublicKey | None:
    """The `public_key` of a document; None where there is none that can be used."""
    text = document.get("public_key")
    if not isinstance(text, str):
        return None
    try:
        base64.b64decode(text, validate=True)
        pem = f"-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----\n".encode("ascii")
        return load_public_key(pem)
    except (binascii.Error, ValueError, AliveP2PError):
        return None


def sealed_for(data: bytes, peer: Peer) -> bytes:
    """Seal a document for a peer: age where the peer reads it, RSA otherwise (relay.md §4).

    Raises:
        KeyProblem: the peer's key cannot be used.
    """
    return sealed_by(data, Seal(envelope_for_peer(peer), public_keys=(peer.public,)))


def sealed_by(data: bytes, seal: Seal) -> bytes:
    """Seal a document. Raises what its seal raises."""
    output = io.BytesIO()
    with sealed(output, seal, mtime=0) as stream:
        stream.write(gzip.compress(data, mtime=0))
    return output.getvalue()


def envelope_for_peer(peer: Peer) -> Envelope:
    """What is sealed for a peer, by what was pinned and not by what a relay says now."""
    return Envelope.AGE if "age" in peer.accepts or peer.public.kind != "rsa" else Envelope.RSA


def opened(data: bytes, credentials: Credentials, kind: str, most: int = MOST_BYTES) -> bytes:
    """Open a sealed document of up to `most` bytes.

    Raises:
        RelayError: `bad-document`: it is not sealed, or too long.
        PackageError: it is not sealed for us.
    """
    stream = io.BytesIO(data)
    try:
        envelope = recognise(data[:HEAD_BYTES])
    except AliveP2PError:
        raise _bad(kind, "it is not sealed") from None
    if envelope not in {Envelope.AGE, Envelope.RSA}:
        raise _bad(kind, "it is not sealed for a key")
    envelope_opened = open_envelope(stream, envelope, None, Limits(), credentials)
    try:
        source = GzipSource(envelope_opened.plaintext(), most)
        pieces = []
        while piece := source.read(most):
            pieces.append(piece)
        return b"".join(pieces)
    finally:
        envelope_opened.close()


def _bad(kind: str, why: str) -> RelayError:
    return RelayError(
        "bad-document",
        f"the {kind} cannot be used: {why}",
        untouched="everything",
        hint="ask whoever it is from to send it again",
    )


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key twice")
    return found


def _no_constant(name: str) -> object:
    raise ValueError(name)


def _is_plain(value: object, depth: int) -> bool:
    """Whether it is made of short lines of text, whole numbers, yes and no, lists and objects, and is not deep."""
    if isinstance(value, str):
        return not breaks_the_line(value)
    if isinstance(value, bool | int | None):
        return not isinstance(value, int) or abs(value) < 1 << 53
    if depth == 0:
        return False
    if isinstance(value, list):
        return all(_is_plain(one, depth - 1) for one in value)
    if isinstance(value, dict):
        return all(_is_plain(name, 0) and _is_plain(one, depth - 1) for name, one in value.items())
    return False
