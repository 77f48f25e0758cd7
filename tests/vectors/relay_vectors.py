"""The vectors of what lies in a relay: documents, codes, answers, rotations; `make_vectors.py` writes them."""

import base64
import hashlib
import hmac
import json
from typing import Any

import vector_keys as keys
from sealed_vectors import age_for, rsa_envelope, stored
from vector_keys import fixed

AT = "2026-04-07T10:15:00Z"
SECRET = fixed("secret", 16)
_FORM = "canonical-json-v1"
Entry = dict[str, Any]
Document = dict[str, Any]


def canonical(document: Document) -> bytes:
    """What is signed."""
    said = {name: value for name, value in document.items() if name not in {"signature", "hmac_sha256"}}
    return json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def signed(document: Document, name: str) -> Document:
    """A document with a signature."""
    return {**document, "signature": keys.signature(name, canonical(document), _FORM)}


def text(document: Document) -> bytes:
    """As it is stored."""
    return json.dumps(document, ensure_ascii=False, indent=1).encode() + b"\n"


def _public(name: str) -> str:
    return base64.b64encode(keys.der(name)).decode()


_NOTE: Document = {
    "type": "delivery",
    "from": "alice",
    "to": "ben",
    "file_sha256": hashlib.sha256(b"file").hexdigest(),
    "import_id": hashlib.sha256(b"package").hexdigest(),
    "sent_at": AT,
}
_RECEIPT: Document = {
    "type": "receipt",
    "from": "ben",
    "to": "alice",
    "import_id": _NOTE["import_id"],
    "deposit": "20260407-101500-0123abcd.walnut",
    "status": "applied",
    "at": AT,
    "bundles": ["shielding-review", "Größe 🥜"],
}
_OWNER: Document = {
    "type": "relay-owner",
    "from": "alice",
    "to": "*",
    "relay": "https://git.example.org/alice/relay.git",
    "at": AT,
}


def documents() -> list[tuple[str, bytes, Entry]]:
    """Documents: name, bytes, and what becomes of them where alice and ben are known, carol is not."""
    note = signed(_NOTE, "alice")
    deep: Any = "x"
    for _ in range(7):
        deep = [deep]
    bad = {"signature": "bad-document"}
    return [
        ("note", text(note), {"type": "delivery", "signature": "valid", "what": "a delivery note"}),
        (
            "note-other-spelling",
            json.dumps(dict(sorted(note.items(), reverse=True)), separators=(",", ":")).encode(),
            {"type": "delivery", "signature": "valid", "what": "other order, no blanks: the same"},
        ),
        (
            "note-unknown-field",
            text(signed({**_NOTE, "later": {"b": [1, None, True], "a": "ä"}}, "alice")),
            {"type": "delivery", "signature": "valid", "what": "a field that is not known takes part"},
        ),
        ("receipt", text(signed(_RECEIPT, "ben")), {"type": "receipt", "signature": "valid", "what": "a receipt"}),
        ("owner", text(signed(_OWNER, "alice")), {"type": "relay-owner", "signature": "valid", "what": "a relay's"}),
        (
            "note-by-another",
            text(signed(_NOTE, "ben")),
            {"type": "delivery", "signature": "other-signer", "what": "from alice, signed by ben"},
        ),
        (
            "note-by-a-stranger",
            text(signed(_NOTE, "carol")),
            {"type": "delivery", "signature": "unknown", "what": "signed by somebody unknown"},
        ),
        ("note-unsigned", text(_NOTE), {"type": "delivery", "signature": "invalid", "what": "no signature"}),
        (
            "note-changed",
            text({**note, "file_sha256": "0" * 64}),
            {"type": "delivery", "signature": "invalid", "what": "another file"},
        ),
        (
            "note-as-manifest",
            text({**note, "signature": {**note["signature"], "signed_bytes": "manifest-canonical-json-v1"}}),
            {"type": "delivery", "signature": "invalid", "what": "the signature says that it is of a manifest"},
        ),
        (
            "note-key-twice",
            text(note).replace(b'"to": "ben"', b'"to": "ben",\n "to": "ben"'),
            {"type": "delivery", **bad, "what": "a key twice"},
        ),
        ("note-fraction", text({**note, "n": 1.5}), {"type": "delivery", **bad, "what": "a fraction"}),
        ("note-large-number", text({**note, "n": 1 << 53}), {"type": "delivery", **bad, "what": "2 to the 53"}),
        ("note-nan", text({**note, "n": float("nan")}), {"type": "delivery", **bad, "what": "NaN"}),
        ("note-line-break", text({**note, "n": "a\nb"}), {"type": "delivery", **bad, "what": "a line break"}),
        ("note-deep", text({**note, "n": deep}), {"type": "delivery", **bad, "what": "too deep"}),
        ("note-other-type", text(note), {"type": "receipt", **bad, "what": "a note where a receipt should be"}),
        ("note-to-nobody", text(signed({**_NOTE, "to": 1}, "alice")), {"type": "delivery", **bad, "what": "to 1"}),
    ]


def sealed_documents(member: Any) -> list[tuple[str, bytes, Entry]]:
    """The same note, sealed for ben: name, bytes, and what it opens to."""
    data = stored(text(signed(_NOTE, "alice")))
    file_key = fixed("file key", 16)
    opens: Entry = {"private_key": "keys/ben.pem", "opens_to": "note.json", "expect": "accept"}
    return [
        ("note-rsa", rsa_envelope(data, member, "ben"), {**opens, "envelope": "rsa", "what": "a note in RSA"}),
        (
            "note-age",
            age_for(data, keys.to_ssh_rsa("ben", file_key)),
            {**opens, "envelope": "age", "what": "a note in age"},
        ),
    ]


_ANSWER: Document = {
    "type": "pairing-answer",
    "from": "ben",
    "to": "alice",
    "relay": "folder:/home/ben/relay",
    "public_key": _public("ben"),
    "accepts": ["age", "rsa"],
    "at": AT,
    "inbox": "alice",
}


def answers() -> list[tuple[str, bytes, Entry]]:
    """Answers to alice's invitation: name, bytes, whether they count and are proven by the secret."""

    def proven(document: Document, secret: bytes = SECRET) -> bytes:
        return text({**document, "hmac_sha256": hmac.new(secret, canonical(document), "sha256").hexdigest()})

    good = signed(_ANSWER, "ben")
    return [
        ("answer", proven(good), {"signature": "valid", "proven": True, "what": "as it should be"}),
        ("answer-guessed", proven(good, bytes(16)), {"signature": "valid", "proven": False, "what": "another secret"}),
        ("answer-no-hmac", text(good), {"signature": "valid", "proven": False, "what": "no HMAC"}),
        (
            "answer-of-another-key",
            proven(signed(_ANSWER, "carol")),
            {"signature": "invalid", "proven": True, "what": "brings ben's key, and is signed by carol's"},
        ),
        (
            "answer-changed",
            proven({**good, "relay": "folder:/home/mallory/relay"}),
            {"signature": "invalid", "proven": True, "what": "another relay than was signed"},
        ),
    ]


def codes() -> list[tuple[str, str, Entry]]:
    """Codes of invitations: name, text, and what they say."""
    said = [
        "https://git.example.org/alice/relay.git",
        "alice",
        "ben",
        base64.b64encode(bytes.fromhex(keys.fingerprint("alice"))).decode(),
        "age rsa",
        base64.b64encode(SECRET).decode(),
    ]

    def code(parts: list[str], check: bytes | None = None) -> str:
        data = json.dumps(parts, ensure_ascii=False, separators=(",", ":")).encode()
        end = hashlib.sha256(b"alive invitation" + data).digest()[:4] if check is None else check
        return "alive1-" + base64.urlsafe_b64encode(data + end).decode().rstrip("=")

    fields = {
        "url": said[0],
        "handle": "alice",
        "inbox": "ben",
        "fingerprint": keys.fingerprint("alice"),
        "accepts": ["age", "rsa"],
        "secret_hex": SECRET.hex(),
    }
    good = code(said)
    bad = {"expect": "bad-code"}
    folded = "\n  ".join(good[at : at + 60] for at in range(0, len(good), 60))
    return [
        ("code", good, {"expect": "accept", "says": fields, "what": "as it is printed"}),
        ("code-folded", f"`{folded}`", {"expect": "accept", "says": fields, "what": "as a mail program folds it"}),
        ("code-mistyped", good[:40] + ("A" if good[40] != "A" else "B") + good[41:], {**bad, "what": "a wrong letter"}),
        ("code-cut", good[:-3], {**bad, "what": "its end is missing"}),
        ("code-no-prefix", good.removeprefix("alive1-"), {**bad, "what": "without its prefix"}),
        ("code-five-texts", code(said[:5]), {**bad, "what": "one text too few"}),
        ("code-short-secret", code([*said[:5], "AAAA"]), {**bad, "what": "a secret of three bytes"}),
        ("code-bad-name", code([said[0], "../x", *said[2:]]), {**bad, "what": "a handle that is a path"}),
    ]


def _rotation(old: str, new: str, serial: int, **changes: Any) -> bytes:
    document = {
        "type": "rotation",
        "from": "alice",
        "to": "*",
        "old": keys.fingerprint(old),
        "new": keys.fingerprint(new),
        "public_key": _public(new),
        "serial": serial,
        "at": AT,
    }
    by_old = keys.signature(old, canonical(document), _FORM)
    return text(signed({**document, "old_signature": by_old, **changes}, new))


def rotations() -> list[tuple[str, bytes]]:
    """Rotation documents, all of alice's handle."""
    return [
        ("alice-to-ben", _rotation("alice", "ben", 1)),
        ("alice-to-carol", _rotation("alice", "carol", 1)),
        ("ben-to-carol", _rotation("ben", "carol", 2)),
        ("ben-to-carol-again-1", _rotation("ben", "carol", 1)),
        ("alice-to-ben-not-by-alice", _rotation("alice", "ben", 1, old_signature=keys.signature("ben", b"x", _FORM))),
    ]


def successions() -> list[Entry]:
    """What follows from which of them, for somebody who has pinned alice's key."""
    ben, carol = keys.fingerprint("ben"), keys.fingerprint("carol")

    def one(name: str, given: list[str], steps: list[str], what: str, rivals: tuple[str, ...] = ()) -> Entry:
        found = [f"rotation-{each}.json" for each in given]
        return {"name": name, "files": found, "steps": steps, "rivals": sorted(rivals), "what": what}

    return [
        one("follows", ["alice-to-ben"], [ben], "one step"),
        one("follows-twice", ["ben-to-carol", "alice-to-ben"], [ben, carol], "two steps, in whatever order they lie"),
        one("two-successors", ["alice-to-ben", "alice-to-carol"], [], "a key that has named two", (ben, carol)),
        one("old-did-not-sign", ["alice-to-ben-not-by-alice"], [], "the old key has not signed"),
        one("serial-does-not-grow", ["alice-to-ben", "ben-to-carol-again-1"], [ben], "a second step with serial 1"),
        one("from-another-key", ["ben-to-carol"], [], "begins at a key that is not pinned"),
    ]
