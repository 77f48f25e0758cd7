"""Public keys: reading them from whatever form they are handed on in, and what can be done with one.

A key that was read is one of three kinds: RSA (wraps, verifies, receives age), Ed25519 and X25519 (receive age).
Everything that is wrong with a key, also in the depths of a foreign parser, is a `KeyProblem` that says what the
text is and what is accepted.
"""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, cast

from alive_p2p.errors import AliveP2PError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

Kind = Literal["rsa", "ed25519", "x25519"]

MIN_RSA_BITS = 2048
"""Shorter keys can be factored by those who want to badly enough."""

MAX_RSA_BITS = 16384
"""OpenSSL's own limit; with a longer one a single check would take seconds."""

_MAX_EXPONENT_BITS = 33
"""What the libraries of age accept; nobody makes larger ones, and they would only make a check slow."""

_MAX_AGE_RSA_BITS = 4096
"""The longest RSA key the age library can encrypt to."""

MAX_KEY_BYTES = 64 << 10
"""The largest key that is accepted takes less than a quarter of it."""

_MAX_LIST_BYTES = 4 << 20

ACCEPTED = f"RSA keys of {MIN_RSA_BITS} to {MAX_RSA_BITS} bits, Ed25519 keys, and age keys (age1…)"

_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,64})-----.*?-----END \1-----", re.DOTALL)
_SSH_LINE = re.compile(rb"([A-Za-z0-9@._-]{1,80})[ \t]+([A-Za-z0-9+/]+={0,2})(?:[ \t].*)?")
_FAMILIES = {
    "ssh-dss": "a DSA key",
    "ecdsa-": "an ECDSA key",
    "sk-": "the key of a security token",
}


class KeyProblem(AliveP2PError):  # noqa: N818  (a problem with a key, as the vocabulary of the project has it)
    """A key cannot be used: it is something else, too weak, damaged, locked, or in the way."""


class _UnusableKindError(KeyProblem):
    """A sound key of a kind that nothing can be done with here."""


@dataclass(frozen=True)
class PublicKey:
    """A public key, checked when it was read; made by `load_public_key`.

    Attributes:
        kind: the family of the key.
        fingerprint: SHA-256 in hex over the DER `SubjectPublicKeyInfo`, or for x25519 over the text of the
            recipient.
    """

    kind: Kind
    fingerprint: str
    _material: bytes = field(repr=False)
    """The DER `SubjectPublicKeyInfo`, or for x25519 the text of the recipient."""

    @property
    def pubkey_id(self) -> str:
        """The first 16 hex digits of the fingerprint (format.md §4)."""
        return self.fingerprint[:16]

    @property
    def ssh_tag(self) -> bytes | None:
        """What an age header names the key by: the first four bytes of the SHA-256 over its SSH wire format.

        None for an x25519 key, which age leaves unnamed.
        """
        if self.kind == "x25519":
            return None
        return hashlib.sha256(base64.b64decode(self.ssh_line().split()[1])).digest()[:4]

    def wrap(self, key: bytes) -> bytes:
        """Encrypt a short secret to this key: RSA-OAEP, SHA-256, MGF1-SHA-256, empty label (format.md §5).

        Raises:
            KeyProblem: it is not an RSA key, or `key` is longer than it can hold.
        """
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import padding

        if self.kind != "rsa":
            raise self._wrong_kind("wrap a package's key")
        try:
            return self._rsa().encrypt(key, padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), label=None))
        except ValueError:
            raise KeyProblem(
                "bad-key",
                f"the RSA key {self.pubkey_id} cannot wrap {len(key)} bytes",
                hint="use another key of the same person",
            ) from None

    def verify(self, signature: bytes, data: bytes) -> bool:
        """Whether this is a signature over `data`: RSASSA-PSS, SHA-256, MGF1-SHA-256, any salt (format.md §4).

        False for every kind that is not RSA, and for junk.
        """
        from cryptography.exceptions import InternalError, InvalidSignature
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import padding

        if self.kind != "rsa":
            return False
        pss = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.AUTO)
        try:
            self._rsa().verify(signature, data, pss, hashes.SHA256())
        except (InvalidSignature, InternalError, ValueError):
            return False
        return True

    def pem(self) -> bytes:
        """The key as PEM `SubjectPublicKeyInfo`.

        Raises:
            KeyProblem: it is an x25519 key, which has no such form here.
        """
        from cryptography.hazmat.primitives import serialization

        if self.kind == "x25519":
            raise self._wrong_kind("be written as PEM")
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return self._foreign().public_bytes(serialization.Encoding.PEM, form)

    def ssh_line(self) -> str:
        """The key as an OpenSSH line without a comment.

        Raises:
            KeyProblem: it is an x25519 key, which OpenSSH does not have.
        """
        from cryptography.hazmat.primitives import serialization

        if self.kind == "x25519":
            raise self._wrong_kind("be written as an OpenSSH line")
        form = serialization.PublicFormat.OpenSSH
        return self._foreign().public_bytes(serialization.Encoding.OpenSSH, form).decode("ascii")

    def age_recipient(self) -> object:
        """The key as a recipient for pyrage (format.md §5, age).

        Raises:
            KeyProblem: age cannot encrypt to it, such as an RSA key of more than 4096 bits.
        """
        import pyrage  # type: ignore[import-untyped,unused-ignore]

        if self.kind == "rsa" and (bits := self._rsa().key_size) > _MAX_AGE_RSA_BITS:
            raise KeyProblem(
                "bad-key",
                f"age cannot encrypt to an RSA key of {bits} bits; its limit is {_MAX_AGE_RSA_BITS}",
                hint="use the RSA envelope for this key, or another key of the same person",
            )
        try:
            if self.kind == "x25519":
                return cast("object", pyrage.x25519.Recipient.from_str(self._material.decode("ascii")))
            return cast("object", pyrage.ssh.Recipient.from_str(self.ssh_line()))
        except pyrage.RecipientError:
            raise KeyProblem(
                "bad-key",
                f"age cannot encrypt to the key {self.pubkey_id}: it is not sound",
                hint="use another key of the same person",
            ) from None

    def _foreign(self) -> "RSAPublicKey | Ed25519PublicKey":
        from cryptography.hazmat.primitives import serialization

        return cast("RSAPublicKey | Ed25519PublicKey", serialization.load_der_public_key(self._material))

    def _rsa(self) -> "RSAPublicKey":
        return cast("RSAPublicKey", self._foreign())

    def _wrong_kind(self, what: str) -> KeyProblem:
        return KeyProblem(
            "bad-key",
            f"the {_KIND_NAMES[self.kind]} key {self.pubkey_id} cannot {what}",
            hint="use another key of the same person",
        )


_KIND_NAMES = {"rsa": "RSA", "ed25519": "Ed25519", "x25519": "age"}


# --- reading --------------------------------------------------------------------------------------------------


def load_public_key(data: bytes) -> PublicKey:
    """Read one public key: PEM (SPKI or PKCS#1), an OpenSSH line, or an age recipient.

    Raises:
        KeyProblem: it is none of these, of another kind, too weak, too long, or not one key.
    """
    text = data.removeprefix(b"\xef\xbb\xbf").strip()
    if len(text) > MAX_KEY_BYTES:
        raise bad_key("this is far too long for a key")
    if not text:
        raise bad_key("there is no key in it: it is empty")
    if looks_private(text):
        raise KeyProblem(
            "bad-key",
            "this is a private key, where a public one is needed",
            hint="keep it to yourself, and give the public half, such as `public.pem` or `id_ed25519.pub`",
        )
    if b"-----BEGIN " in text:
        return _from_pem(text)
    lines = [line for line in map(bytes.strip, text.splitlines()) if line and not line.startswith(b"#")]
    if len(lines) > 1 and all(map(_looks_like_a_key, lines)):
        raise bad_key(f"there are {len(lines)} keys in it, where one is needed")
    return _from_line(lines[0] if len(lines) == 1 else text)


def load_public_keys(data: bytes) -> list[PublicKey]:
    """Read the keys a person publishes, one a line, as a git host lists them; or one PEM key (relay.md §7).

    Blank lines, comments and keys of a kind that cannot be used are passed over, doubles are given once.

    Raises:
        KeyProblem: a line is not a key at all, or a damaged one; the message has its number.
    """
    text = data.removeprefix(b"\xef\xbb\xbf").strip()
    if len(text) > _MAX_LIST_BYTES:
        raise bad_key("this is far too long for a list of keys")
    if text.startswith(b"-----BEGIN "):
        return [load_public_key(text)]
    found: dict[str, PublicKey] = {}
    for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").splitlines(), 1):
        if not line.strip() or line.strip().startswith(b"#"):
            continue
        try:
            key = load_public_key(line)
        except _UnusableKindError:
            continue
        except KeyProblem as problem:
            raise KeyProblem(problem.code, f"line {number}: {problem.message}", hint=problem.hint) from None
        found.setdefault(key.fingerprint, key)
    return list(found.values())


def from_foreign(key: object) -> PublicKey:
    """Take over a public key of `cryptography`.

    Raises:
        KeyProblem: it is of another kind, or an RSA key of an unusable size.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    kind: Kind
    if isinstance(key, RSAPublicKey):
        _check_rsa(key)
        kind = "rsa"
    elif isinstance(key, Ed25519PublicKey):
        kind = "ed25519"
    else:
        family = type(key).__name__.removesuffix("PublicKey")
        raise unusable(f"this is a key of the kind {'ECDSA' if family == 'EC' else family}")
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return PublicKey(kind, hashlib.sha256(der).hexdigest(), der)


def from_recipient(text: str) -> PublicKey:
    """Take over an age recipient (`age1…`).

    Raises:
        KeyProblem: it is not one, or one of a plugin.
    """
    import pyrage  # type: ignore[import-untyped,unused-ignore]

    try:
        recipient = str(pyrage.x25519.Recipient.from_str(text))
    except (pyrage.RecipientError, UnicodeEncodeError):
        if re.fullmatch(r"age1[a-z0-9-]{1,32}1[ac-hj-np-z02-9]{6,4096}", text):
            raise unusable("this is the recipient of an age plugin") from None
        raise bad_key("this looks like an age recipient, but it is damaged or cut off") from None
    material = recipient.encode("ascii")
    return PublicKey("x25519", hashlib.sha256(material).hexdigest(), material)


def bad_key(what: str) -> KeyProblem:
    """The error for something that is not a usable key; `what` says what it is."""
    return KeyProblem("bad-key", what, hint=f"give one of these: {ACCEPTED}")


def unusable(what: str) -> KeyProblem:
    """The error for a sound key of a kind, or of a size, that cannot be used."""
    return _UnusableKindError("bad-key", what, hint=f"give one of these: {ACCEPTED}")


def looks_private(text: bytes) -> bool:
    """Whether a text has a private key in it, by its looks."""
    return b"PRIVATE KEY-----" in text or b"AGE-SECRET-KEY-" in text or text.startswith(b"PuTTY-User-Key-File")


def pem_blocks(text: bytes) -> list[tuple[str, bytes]]:
    """The complete PEM blocks in a text: what each says it is, and the block itself."""
    return [(found[1].decode("ascii"), found[0]) for found in _BLOCK.finditer(text)]


def _from_pem(text: bytes) -> PublicKey:
    from cryptography.hazmat.primitives import serialization

    if not (blocks := pem_blocks(text)):
        raise bad_key("this looks like a PEM key, but it is damaged or cut off")
    if len(blocks) > 1:
        raise bad_key(f"there are {len(blocks)} keys or certificates in it, where one key is needed")
    what, block = blocks[0]
    if what not in {"PUBLIC KEY", "RSA PUBLIC KEY"}:
        raise bad_key("this is a certificate" if "CERTIFICATE" in what else f"this is PEM of the kind '{what}'")
    try:
        key = serialization.load_pem_public_key(block + b"\n")
    except Exception:  # noqa: BLE001  (whatever a foreign parser says about a hostile key)
        raise bad_key("this looks like a PEM key, but it is damaged or of an unknown kind") from None
    return from_foreign(key)


def _from_line(line: bytes) -> PublicKey:
    from cryptography.hazmat.primitives import serialization

    if line[:4].lower() == b"age1":
        return from_recipient(line.decode("ascii", "replace"))
    found = _SSH_LINE.fullmatch(line)
    kind = found[1].decode("ascii") if found else ""
    if found is None or (kind not in {"ssh-rsa", "ssh-ed25519"} and not _says_so_inside(kind, found[2])):
        if line.startswith(b"ssh-"):
            raise bad_key("this looks like an OpenSSH key, but it is damaged or cut off")
        if line.startswith(b"---- BEGIN SSH2 PUBLIC KEY"):
            raise bad_key("this is an SSH2 key (`ssh-keygen -i -f FILE` makes an OpenSSH line of it)")
        raise bad_key("this is not a public key")
    if kind not in {"ssh-rsa", "ssh-ed25519"}:
        family = next((f for start, f in _FAMILIES.items() if kind.startswith(start)), "an OpenSSH key of another kind")
        raise unusable(f"this is {'a certificate' if '-cert-' in kind else family} ({kind})")
    try:
        key = serialization.load_ssh_public_key(found[1] + b" " + found[2])
    except Exception:  # noqa: BLE001  (whatever a foreign parser says about a hostile key)
        raise bad_key("this looks like an OpenSSH key, but it is damaged or cut off") from None
    return from_foreign(key)


def _looks_like_a_key(line: bytes) -> bool:
    return line.startswith(b"age1") or _SSH_LINE.fullmatch(line) is not None


def _says_so_inside(kind: str, encoded: bytes) -> bool:
    """Whether the binary part of an OpenSSH line begins with the kind that stands before it."""
    try:
        blob = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        return False
    name = kind.encode("ascii")
    return blob.startswith(len(name).to_bytes(4, "big") + name)


def _check_rsa(key: "RSAPublicKey") -> None:
    numbers = key.public_numbers()
    if not MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS:
        raise unusable(f"this is an RSA key of {key.key_size} bits")
    if numbers.n % 2 == 0 or numbers.e % 2 == 0 or numbers.e.bit_length() > _MAX_EXPONENT_BITS or numbers.e < 3:
        raise bad_key("this RSA key is not sound: no program makes such numbers")
