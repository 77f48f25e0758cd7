"""What lies in a relay, read from docs/relay-format.md alone."""

import base64
import binascii
import hashlib
import hmac
import json
import re
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from interop.other_archive import Refused, need
from interop.other_manifest import Fields, check_text, fingerprint, outcome

_FORM = "canonical-json-v1"


def said(document: Fields, *without: str) -> bytes:
    """The canonical bytes of a document."""
    kept = {name: value for name, value in document.items() if name not in {"signature", *without}}
    return json.dumps(kept, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _once(pairs: list[tuple[str, Any]]) -> Fields:
    need(len(dict(pairs)) == len(pairs), "a key twice")
    return dict(pairs)


def _check(value: Any, depth: int) -> None:
    if isinstance(value, str):
        check_text(value)
    elif isinstance(value, (list, dict)):
        need(depth > 0, "too deep")
        for inner in [*value, *value.values()] if isinstance(value, dict) else value:
            _check(inner, depth - 1)
    else:
        need(value is None or (isinstance(value, int) and abs(value) < 1 << 53), "a number")


def read(data: bytes, kind: str) -> Fields:
    """A document of a type."""
    need(len(data) <= 64 << 10, "too long")
    document = json.loads(data, object_pairs_hook=_once)
    need(isinstance(document, dict) and document.get("type") == kind, "another type")
    _check(document, 6)
    need(isinstance(document.get("from"), str) and isinstance(document.get("to"), str), "from, to")
    found: Fields = document
    return found


def signature_of(document: Fields, known: dict[str, rsa.RSAPublicKey], *without: str) -> str:
    """What becomes of a document's signature."""
    return outcome(document.get("signature"), said(document, *without), _FORM, document["from"], known)


def key_in(document: Fields) -> rsa.RSAPublicKey:
    """The public key that a document brings."""
    key = serialization.load_der_public_key(base64.b64decode(document["public_key"], validate=True))
    assert isinstance(key, rsa.RSAPublicKey)
    return key


def is_proven(answer: Fields, secret: bytes) -> bool:
    """Whether an answer comes from whoever got the code."""
    expected = hmac.new(secret, said(answer, "hmac_sha256"), hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected, answer.get("hmac_sha256", ""))


def decode(text: str) -> Fields:
    """What the code of an invitation says."""
    word = "".join(text.split()).strip("`'\"")
    need(word.startswith("alive1-") and len(word) <= 4096, "no code")
    letters = word.removeprefix("alive1-")
    try:
        data = base64.b64decode(letters + "=" * (-len(letters) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise Refused("mistyped") from error
    need(hashlib.sha256(b"alive invitation" + data[:-4]).digest()[:4] == data[-4:], "mistyped")
    parts = json.loads(data[:-4])
    need(len(parts) == 6, "no code")
    url, handle, inbox, digest, accepts, secret = parts
    for name in (handle, inbox):
        need(re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}", name) and not name.endswith("."), "no name")
    digest, secret = base64.b64decode(digest), base64.b64decode(secret)
    need(len(digest) == 32 and len(secret) == 16, "no code")
    named = {"url": url, "handle": handle, "inbox": inbox, "accepts": accepts.split()}
    return {**named, "fingerprint": digest.hex(), "secret_hex": secret.hex()}


def follow(handle: str, pinned: rsa.RSAPublicKey, found: list[bytes]) -> tuple[list[str], list[str]]:
    """The keys that follow a pinned one, and those that dispute it."""
    steps: list[str] = []
    current, serial, seen = pinned, 0, {fingerprint(pinned)}
    while True:
        successors: dict[str, tuple[rsa.RSAPublicKey, int]] = {}
        for document in (read(data, "rotation") for data in found):
            new = key_in(document)
            named = (document["from"], document["to"], document["old"], document["new"])
            if named != (handle, "*", fingerprint(current), fingerprint(new)):
                continue
            old_says = said(document, "old_signature")
            by_old = outcome(document["old_signature"], old_says, _FORM, handle, {handle: current})
            by_new = signature_of(document, {handle: new})
            if by_old == by_new == "valid" and serial < document["serial"] < 1 << 31 and document["new"] not in seen:
                successors[document["new"]] = (new, document["serial"])
        if len(successors) != 1:
            return steps, sorted(successors)
        ((name, (current, serial)),) = successors.items()
        steps.append(name)
        seen.add(name)
