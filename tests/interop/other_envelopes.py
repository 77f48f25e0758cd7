"""The envelopes of docs/format.md §6, opened from that page alone."""

import base64
import binascii
import hashlib
import hmac
import json
import re
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from interop.other_archive import Refused, gunzip, need, untar
from interop.other_manifest import Fields, compare, fingerprint, manifest

_AGE = b"age-encryption.org/v1"
_ARMOR = (b"-----BEGIN AGE ENCRYPTED FILE-----", b"-----END AGE ENCRYPTED FILE-----")


@dataclass(frozen=True)
class Keys:
    """What a receiver has: a passphrase, an RSA key, an age identity."""

    passphrase: bytes = b""
    private: rsa.RSAPrivateKey | None = None
    age: bytes = b""


def envelope_of(data: bytes) -> str:
    """The envelope, by the first bytes."""
    if data[:2] == b"\x1f\x8b":
        return "none"
    if data[:8] == b"Salted__":
        return "passphrase"
    if data.startswith((_AGE + b"\n", _ARMOR[0])):
        return "age"
    first = data[:100].rstrip(b"\0").removeprefix(b"./")
    if data[257:262] == b"ustar" and first in {b"rsa-envelope-v1.json", b"payload.enc"}:
        return "rsa"
    raise Refused("not a package")


def _cbc(key: bytes, iv: bytes, data: bytes) -> bytes:
    need(data and len(data) % 16 == 0, "cannot be opened")
    decryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).decryptor()
    plain = decryptor.update(data) + decryptor.finalize()
    fill = plain[-1]
    need(1 <= fill <= 16 and plain.endswith(bytes([fill]) * fill), "cannot be opened")
    return plain[:-fill]


def _with_passphrase(data: bytes, passphrase: bytes) -> bytes:
    need(passphrase, "a passphrase is needed")
    salt, sealed = data[8:16], data[16:]
    tries = [hashlib.pbkdf2_hmac("sha256", passphrase, salt, rounds, 48) for rounds in (600_000, 100_000, 10_000)]
    md5 = last = b""
    while len(md5) < 48:
        last = hashlib.md5(last + passphrase + salt, usedforsecurity=False).digest()
        md5 += last
    for both in (*tries, md5):
        decryptor = Cipher(algorithms.AES(both[:32]), modes.CBC(both[32:48])).decryptor()
        if decryptor.update(sealed[:16]).startswith(b"\x1f\x8b\x08"):
            return _cbc(both[:32], both[32:48], sealed)
    raise Refused("cannot be opened")


def _unwrapped(private: rsa.RSAPrivateKey | None, wrapped: bytes, label: bytes | None = None) -> bytes:
    need(private is not None, "a key is needed")
    assert private is not None
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), label=label)
    try:
        return private.decrypt(wrapped, oaep)
    except ValueError as error:
        raise Refused("not for us") from error


def _with_rsa(data: bytes, private: rsa.RSAPrivateKey | None) -> bytes:
    files, _, folders = untar(data)
    need(set(files) == {"rsa-envelope-v1.json", "payload.enc"} and not folders, "no RSA envelope")
    need(len(files["rsa-envelope-v1.json"]) <= 1 << 20, "over a limit")
    try:
        said = json.loads(files["rsa-envelope-v1.json"])
        need(said["version"] == 1 and said["version"] is not True, "another RSA envelope")
        need(said["payload_algo"] == "aes-256-cbc" and isinstance(said["recipients"], list), "another RSA envelope")
        iv = base64.b64decode(said["payload_iv_b64"], validate=True)
        wrapped = [base64.b64decode(one["key_enc_b64"], validate=True) for one in said["recipients"]]
        named = [one["pubkey_id"] for one in said["recipients"]]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Refused("no RSA envelope") from error
    need(1 <= len(named) <= 1000 and len(iv) == 16, "recipients, IV")
    need(all(isinstance(one, str) for one in named), "recipients")
    need(private is not None, "a key is needed")
    assert private is not None
    own = fingerprint(private.public_key())[:16]
    for _, sealed in sorted(zip(named, wrapped, strict=True), key=lambda one: one[0] != own):
        try:
            key = _unwrapped(private, sealed)
        except Refused:
            continue
        if len(key) == 32:
            return _cbc(key, iv, files["payload.enc"])
    raise Refused("not for us")


# --- age ------------------------------------------------------------------------------------------------------


def _b64(text: bytes) -> bytes:
    try:
        data = base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except binascii.Error as error:
        raise Refused("cannot be opened") from error
    need(base64.b64encode(data).rstrip(b"=") == text, "cannot be opened")
    return data


def _hkdf(secret: bytes, salt: bytes, info: bytes) -> bytes:
    return HKDF(hashes.SHA256(), 32, salt, info).derive(secret)


def _open(key: bytes, nonce: bytes, sealed: bytes) -> bytes:
    try:
        return ChaCha20Poly1305(key).decrypt(nonce, sealed, None)
    except InvalidTag as error:
        raise Refused("cannot be opened") from error


def _file_key(arguments: list[bytes], body: bytes, keys: Keys) -> bytes | None:
    """The file key, where a stanza is for us."""
    kind = arguments[0]
    if kind == b"scrypt" and keys.passphrase:
        need(re.fullmatch(b"[1-9][0-9]?", arguments[2]) and int(arguments[2]) <= 20, "too much work")
        salt, n = _AGE + b"/scrypt" + _b64(arguments[1]), 1 << int(arguments[2])
        key = hashlib.scrypt(keys.passphrase, salt=salt, n=n, r=8, p=1, maxmem=2**31 - 1, dklen=32)
        return _open(key, bytes(12), body)
    if kind == b"X25519" and keys.age:
        identity, share = X25519PrivateKey.from_private_bytes(keys.age), _b64(arguments[1])
        recipient = identity.public_key().public_bytes_raw()
        shared = identity.exchange(X25519PublicKey.from_public_bytes(share))
        try:
            return _open(_hkdf(shared, share + recipient, _AGE + b"/X25519"), bytes(12), body)
        except Refused:
            return None
    if kind == b"ssh-rsa" and keys.private is not None:
        line = keys.private.public_key().public_bytes(
            serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
        )
        if hashlib.sha256(base64.b64decode(line.split()[1])).digest()[:4] == _b64(arguments[1]):
            return _unwrapped(keys.private, body, _AGE + b"/ssh-rsa")
    return None


def _with_age(data: bytes, keys: Keys) -> bytes:
    if data.startswith(_ARMOR[0]):
        begin, *body, end = data.replace(b"\r\n", b"\n").strip().split(b"\n")
        need((begin, end) == _ARMOR, "cannot be opened")
        data = base64.b64decode(b"".join(body), validate=True)
    need(b"\n---" in data, "cannot be opened")
    at = data.index(b"\n---") + 1
    head, (mac, _, payload) = data[: at + 3], data[at + 4 :].partition(b"\n")
    lines = head.split(b"\n")[1:-1]
    stanzas: list[tuple[list[bytes], bytes]] = []
    while lines:
        first, text = lines.pop(0), b""
        need(first.startswith(b"-> "), "cannot be opened")
        while True:
            need(lines, "cannot be opened")
            line = lines.pop(0)
            text += line
            if len(line) < 64:
                break
        stanzas.append((first[3:].split(b" "), _b64(text)))
    need(len(stanzas) == 1 or all(arguments[0] != b"scrypt" for arguments, _ in stanzas), "cannot be opened")
    found = (_file_key(arguments, body, keys) for arguments, body in stanzas)
    file_key = next((key for key in found if key is not None), None)
    need(file_key is not None, "not for us")
    assert file_key is not None
    expected = hmac.digest(_hkdf(file_key, b"", b"header"), head, "sha256")
    need(hmac.compare_digest(expected, _b64(mac)), "cannot be opened")
    key, sealed, out = _hkdf(file_key, payload[:16], b"payload"), payload[16:], b""
    pieces = [sealed[i : i + 65536 + 16] for i in range(0, len(sealed), 65536 + 16)] or [b""]
    for i, piece in enumerate(pieces):
        plain = _open(key, i.to_bytes(11, "big") + bytes([i == len(pieces) - 1]), piece)
        need(plain or i == 0, "cannot be opened")
        out += plain
    return out


# --- all of it ------------------------------------------------------------------------------------------------


def opened(data: bytes, keys: Keys) -> bytes:
    """The gzip stream inside an envelope."""
    kind = envelope_of(data)
    if kind == "passphrase":
        return _with_passphrase(data, keys.passphrase)
    if kind == "rsa":
        return _with_rsa(data, keys.private)
    return _with_age(data, keys) if kind == "age" else data


def read_package(data: bytes, keys: Keys | None = None) -> tuple[Fields, dict[str, bytes]]:
    """The manifest and the files of a package that is whole."""
    keys = keys or Keys()
    files, _, _ = untar(gunzip(opened(data, keys)))
    need("manifest.yaml" in files, "no manifest")
    outside = files.pop("manifest.yaml")
    if set(files) in ({"payload.enc"}, {"payload.enc", "payload.key"}):  # format 2.0
        sealed = files["payload.enc"]
        if "payload.key" in files:
            both = _unwrapped(keys.private, files["payload.key"])
            plain = _cbc(both[:32], both[32:], sealed)
        else:
            plain = _with_passphrase(sealed, keys.passphrase)
        files, _, _ = untar(gunzip(plain))
        need(files.pop("manifest.yaml", outside) == outside, "two manifests")
    m = manifest(outside)
    compare(m, files)
    return m, files
