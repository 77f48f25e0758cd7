"""The vectors of signatures and envelopes; `make_vectors.py` writes them.

The payload is compressed without compressing it, so that a sealed package has the same bytes whatever the library.
"""

import base64
import hashlib
import json
import zlib
from collections.abc import Callable
from typing import Any

import vector_keys as keys
from vector_keys import cbc, fixed

PASSPHRASE = "correct horse – pâté 🥜"
WRONG = "correct horse"
_TO_BEN = keys.fingerprint("ben")[:16]
Entry = dict[str, Any]
Vector = tuple[str, bytes, Entry]


def stored(data: bytes) -> bytes:
    """A gzip member of blocks that are not compressed (RFC 1951 §3.2.4)."""
    out = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
    for at in range(0, max(len(data), 1), 65535):
        piece = data[at : at + 65535]
        size = len(piece).to_bytes(2, "little")
        out += bytes([at + 65535 >= len(data)]) + size + bytes(255 - byte for byte in size) + piece
    return out + zlib.crc32(data).to_bytes(4, "little") + len(data).to_bytes(4, "little")


# --- signatures -----------------------------------------------------------------------------------------------


def signed_text(text: str, block: dict[str, str]) -> str:
    """A manifest with a signature at its end."""
    lines = [f'  {name}: "{value}"\n' for name, value in sorted(block.items())]
    return text + "signature:\n" + "".join(lines)


def signatures(text: str, canonical: bytes) -> list[tuple[str, str, Entry]]:
    """Manifests with signatures: name, text, and what becomes of them where alice and ben are known, carol is not.

    Args:
        text: a manifest of alice's without a signature.
        canonical: its canonical bytes.
    """
    form = "manifest-canonical-json-v1"

    def sign(name: str, salt_size: int = 32, **changes: str) -> str:
        return signed_text(text, {**keys.signature(name, canonical, form, salt_size), **changes})

    good = sign("alice")
    sig = keys.signature("alice", canonical, form)["sig_b64"]
    flipped = base64.b64encode(bytes([base64.b64decode(sig)[0] ^ 1]) + base64.b64decode(sig)[1:]).decode()
    moved = good.replace('note: ""\n', "").replace('sender: "alice"\n', 'note: ""\nsender: "alice"\n')
    of_alice = keys.fingerprint("alice")[:16]
    return [
        ("signed", good, {"signature": "valid", "what": "signed by its sender"}),
        ("signed-other-order", moved, {"signature": "valid", "what": "two fields in another order"}),
        ("signed-no-salt", sign("alice", 0), {"signature": "valid", "what": "a salt of no bytes"}),
        ("signed-long-salt", sign("alice", 222), {"signature": "valid", "what": "the longest salt"}),
        ("signed-by-another", sign("ben"), {"signature": "other-signer", "what": "a good one of ben, sender alice"}),
        ("signed-by-a-stranger", sign("carol"), {"signature": "unknown", "what": "a good one of somebody unknown"}),
        ("unsigned", text, {"signature": "unsigned", "what": "no signature"}),
        (
            "signed-and-changed",
            good.replace('note: ""', 'note: "added later"'),
            {"signature": "invalid", "what": "a field was changed afterwards"},
        ),
        (
            "signed-bit-flipped",
            sign("alice", sig_b64=flipped),
            {"signature": "invalid", "what": "a bit of it is wrong"},
        ),
        (
            "signed-by-another-key",
            sign("ben", pubkey_id=of_alice),
            {"signature": "invalid", "what": "by ben under the id of alice"},
        ),
        ("signed-other-algorithm", sign("alice", algo="rsa-sha256"), {"signature": "invalid", "what": "another algo"}),
        (
            "signed-other-bytes",
            sign("alice", signed_bytes="canonical-json-v1"),
            {"signature": "invalid", "what": "another signed_bytes"},
        ),
        ("signed-no-base64", sign("alice", sig_b64="–"), {"signature": "invalid", "what": "no base64"}),
        ("signed-odd-id", sign("carol", pubkey_id="CAROL"), {"signature": "invalid", "what": "an id that is none"}),
    ]


# --- envelopes ------------------------------------------------------------------------------------------------


def _pbkdf2(passphrase: str, rounds: int) -> bytes:
    return hashlib.pbkdf2_hmac("sha256", passphrase.encode(), fixed("salt", 8), rounds, 48)


def _md5(passphrase: str) -> bytes:
    found = last = b""
    while len(found) < 48:
        last = hashlib.md5(last + passphrase.encode() + fixed("salt", 8), usedforsecurity=False).digest()
        found += last
    return found


def _salted(both: bytes, data: bytes) -> bytes:
    return b"Salted__" + fixed("salt", 8) + cbc(both[:32], both[32:48], data)


_KEY, _IV, _FILE_KEY = fixed("content key", 32), fixed("iv", 16), fixed("file key", 16)


def rsa_envelope(data: bytes, member: Callable[..., bytes], *names: str, **changes: Any) -> bytes:
    """An RSA envelope for some keys, with fields of its JSON as in `changes`."""
    document = {
        "version": 1,
        "recipients": [
            {
                "pubkey_id": keys.fingerprint(name)[:16],
                "key_enc_b64": base64.b64encode(keys.oaep(name, _KEY)).decode(),
            }
            for name in names
        ],
        "payload_algo": "aes-256-cbc",
        "payload_iv_b64": base64.b64encode(_IV).decode(),
        **changes,
    }
    sealed = cbc(_KEY, _IV, data)
    return member("rsa-envelope-v1.json", json.dumps(document).encode()) + member("payload.enc", sealed) + bytes(1024)


def age_for(data: bytes, *stanzas: bytes) -> bytes:
    """An age file for some recipients."""
    return keys.age(list(stanzas), _FILE_KEY, data)


def envelopes(tar: bytes, plain_files: bytes, manifest: bytes, member: Callable[..., bytes]) -> list[Vector]:
    """Sealed packages: name, bytes, and how they are opened.

    Args:
        tar: the archive of a package.
        plain_files: an archive of its files without the manifest.
        manifest: the manifest.
        member: makes a member of a tar.
    """
    data = stored(tar)
    phrase = {"envelope": "passphrase", "passphrase": PASSPHRASE}
    to_ben = {"envelope": "rsa", "private_key": "keys/ben.pem"}
    age_key = {"envelope": "age", "private_key": "keys/age.txt"}
    legacy = {"envelope": "legacy"}
    good = {"expect": "accept"}
    shut = {"expect": "cannot-open"}
    whole = _salted(_pbkdf2(PASSPHRASE, 600_000), data)
    for_age = age_for(data, keys.to_x25519("age", _FILE_KEY))
    two_chunks = stored(tar + bytes(137 * 512 - len(tar)))
    long = age_for(two_chunks, keys.to_x25519("age", _FILE_KEY))
    odd_stanza = b"-> grease-grease x\n\n"

    def outer(*more: tuple[str, bytes]) -> bytes:
        return stored(b"".join(member(name, content) for name, content in more) + bytes(1024))

    both = base64.b64encode(_IV).decode()
    return [
        ("sealed-600000", whole, {**phrase, **good, "what": "as it is written"}),
        ("sealed-100000", _salted(_pbkdf2(PASSPHRASE, 100_000), data), {**phrase, **good, "what": "100,000 rounds"}),
        ("sealed-10000", _salted(_pbkdf2(PASSPHRASE, 10_000), data), {**phrase, **good, "what": "10,000 rounds"}),
        ("sealed-md5", _salted(_md5(PASSPHRASE), data), {**phrase, **good, "what": "EVP_BytesToKey with MD5"}),
        ("sealed-wrong", whole, {**phrase, **shut, "passphrase": WRONG, "what": "another passphrase"}),
        ("sealed-cut", whole[:-16], {**phrase, **shut, "what": "its last block is missing"}),
        ("sealed-odd", whole[:-1], {**phrase, **shut, "what": "its last byte is missing"}),
        ("rsa-one", rsa_envelope(data, member, "ben"), {**to_ben, **good, "what": "for one"}),
        ("rsa-two", rsa_envelope(data, member, "alice", "ben"), {**to_ben, **good, "what": "for two"}),
        (
            "rsa-other-id",
            rsa_envelope(data, member, "ben").replace(_TO_BEN.encode(), b"0" * 16),
            {**to_ben, **good, "what": "for ben, under an id that is not his"},
        ),
        (
            "rsa-for-others",
            rsa_envelope(data, member, "alice", "carol"),
            {**to_ben, "expect": "not-for-us", "what": "for two others"},
        ),
        (
            "rsa-version-2",
            rsa_envelope(data, member, "ben", version=2),
            {**to_ben, "expect": "bad-envelope", "what": "another version"},
        ),
        (
            "rsa-other-cipher",
            rsa_envelope(data, member, "ben", payload_algo="aes-256-gcm"),
            {**to_ben, "expect": "bad-envelope", "what": "another cipher"},
        ),
        (
            "rsa-third-member",
            rsa_envelope(data, member, "ben")[:-1024] + member("more", b"x") + bytes(1024),
            {**to_ben, "expect": "bad-envelope", "what": "a third member"},
        ),
        (
            "rsa-unknown-field",
            rsa_envelope(data, member, "ben", later=both),
            {**to_ben, **good, "what": "a field that is not known"},
        ),
        ("age-x25519", for_age, {**age_key, **good, "what": "for an age key"}),
        ("age-armored", keys.armored(for_age), {**age_key, **good, "what": "the same as text"}),
        ("age-two-chunks", long, {**age_key, **good, "what": "more than one chunk"}),
        (
            "age-cut-at-chunk",
            long[: 65536 - 16 - len(two_chunks)],
            {**age_key, **shut, "what": "without its last chunk"},
        ),
        (
            "age-ssh-rsa",
            age_for(data, odd_stanza, keys.to_ssh_rsa("alice", _FILE_KEY), keys.to_ssh_rsa("ben", _FILE_KEY)),
            {**to_ben, **good, "envelope": "age", "what": "for two RSA keys, and a stanza of nobody"},
        ),
        (
            "age-passphrase",
            age_for(data, keys.to_passphrase(PASSPHRASE.encode(), 10, _FILE_KEY)),
            {**phrase, **good, "envelope": "age", "what": "for a passphrase, work factor 10"},
        ),
        (
            "age-passphrase-and-key",
            age_for(data, keys.to_passphrase(PASSPHRASE.encode(), 10, _FILE_KEY), keys.to_x25519("age", _FILE_KEY)),
            {**age_key, **shut, "what": "a passphrase beside a key"},
        ),
        (
            "age-work-factor",
            age_for(data, keys.to_passphrase(PASSPHRASE.encode(), 10, _FILE_KEY)).replace(b" 10\n", b" 21\n", 1),
            {**phrase, "envelope": "age", "expect": "work-factor-too-high", "what": "a work factor of 21"},
        ),
        (
            "age-bad-mac",
            for_age.replace(b"\n---", b"\n-> x-grease\n\n---"),
            {**age_key, **shut, "what": "a stanza that was added afterwards"},
        ),
        (
            "legacy-passphrase",
            outer(("manifest.yaml", manifest), ("payload.enc", _salted(_md5(PASSPHRASE), stored(plain_files)))),
            {**legacy, **good, "passphrase": PASSPHRASE, "what": "format 2.0, a passphrase"},
        ),
        (
            "legacy-rsa",
            outer(
                ("manifest.yaml", manifest),
                ("payload.enc", cbc(_KEY, _IV, stored(plain_files))),
                ("payload.key", keys.oaep("ben", _KEY + _IV)),
            ),
            {**legacy, **good, "private_key": "keys/ben.pem", "what": "format 2.0, RSA"},
        ),
    ]
