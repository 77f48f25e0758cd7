"""Private keys: reading one's own, wherever it came from, and what can be done with one.

A private key lives in memory and nowhere else: it is not printed, not logged, and what other libraries need in
another form is re-serialised in memory.
"""

import base64
import io
import re
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO, cast

from alive_p2p.errors import AliveP2PError
from alive_p2p.keys.public import (
    MAX_KEY_BYTES,
    KeyProblem,
    Kind,
    PublicKey,
    bad_key,
    from_foreign,
    from_recipient,
    looks_private,
    pem_blocks,
)

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

Ask = Callable[[str], bytes]
"""Asks a person for a passphrase; gets the prompt, without punctuation at its end."""

NEW_RSA_BITS = 4096
"""The size of a relay's key (relay.md §2)."""

PSS_SALT_BYTES = 32

MAX_BCRYPT_ROUNDS = 4096
"""How slow an OpenSSH key may make its passphrase (`ssh-keygen -a`, 24 by default): this many take half a minute."""

_AGE_IDENTITY = re.compile(r"AGE-SECRET-KEY-1[0-9A-Z]+", re.IGNORECASE)


class CannotUnwrapError(AliveP2PError):
    """A wrapped key does not open with this private key. There is one message for every reason, on purpose."""


@dataclass(frozen=True)
class PrivateKey:
    """A private key, made by `load_private_key` or `generate_private_key`; its `repr` shows nothing secret.

    Attributes:
        public: its public half.
        label: where it came from, for messages.
    """

    public: PublicKey
    label: str
    _key: "RSAPrivateKey | Ed25519PrivateKey | str" = field(repr=False, compare=False)
    """The key of `cryptography`, or for x25519 the text of the identity."""

    @property
    def kind(self) -> Kind:
        """The family of the key."""
        return self.public.kind

    def unwrap(self, wrapped: bytes) -> bytes:
        """Open what was encrypted to this key with RSA-OAEP, SHA-256, MGF1-SHA-256, empty label (format.md §5).

        Raises:
            CannotUnwrapError: it was not, or it is damaged, or this is not an RSA key.
        """
        from cryptography.exceptions import InternalError
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import padding

        oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), label=None)
        try:
            return self._rsa("open it").decrypt(wrapped, oaep)
        except (ValueError, InternalError, KeyProblem):
            raise CannotUnwrapError("cannot-unwrap", "it does not open with this private key") from None

    def sign(self, data: bytes) -> bytes:
        """Sign bytes: RSASSA-PSS, SHA-256, MGF1-SHA-256, 32 bytes of salt (format.md §4).

        Raises:
            KeyProblem: this is not an RSA key.
        """
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import padding

        pss = padding.PSS(padding.MGF1(hashes.SHA256()), PSS_SALT_BYTES)
        return self._rsa("sign").sign(data, pss, hashes.SHA256())

    def age_identity(self) -> object:
        """The key as an identity for pyrage (format.md §5, age).

        Raises:
            KeyProblem: age cannot use it.
        """
        import pyrage  # type: ignore[import-untyped,unused-ignore]
        from cryptography.hazmat.primitives import serialization

        try:
            if isinstance(self._key, str):
                return cast("object", pyrage.x25519.Identity.from_str(self._key))
            # The age library reads RSA as PKCS#1 only, and Ed25519 as OpenSSH wrote it.
            form = (
                serialization.PrivateFormat.TraditionalOpenSSL
                if self.kind == "rsa"
                else serialization.PrivateFormat.OpenSSH
            )
            pem = self._key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
            return cast("object", pyrage.ssh.Identity.from_buffer(pem))
        except pyrage.IdentityError:
            raise KeyProblem(
                "bad-key",
                f"age cannot use the private key '{self.label}'",
                untouched="everything",
                hint="use an RSA key, such as the one that `alive-p2p keys generate` makes",
            ) from None

    def pkcs8_pem(self, passphrase: bytes | None) -> bytes:
        """The key as PKCS#8 in PEM, sealed where a passphrase is given. Either way it is a secret.

        Raises:
            KeyProblem: it is an age key, which has no such form here; or the passphrase is empty.
        """
        from cryptography.hazmat.primitives import serialization

        from alive_p2p.keys.pkcs8 import encrypted_pem

        if isinstance(self._key, str):
            raise KeyProblem(
                "bad-key",
                f"the age key '{self.label}' cannot be written as PKCS#8",
                hint="use an RSA key, such as the one that `alive-p2p keys generate` makes",
            )
        form, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        if passphrase is None:
            return self._key.private_bytes(serialization.Encoding.PEM, form, plain)
        if not passphrase:
            raise KeyProblem(
                "empty-passphrase",
                "the passphrase is empty",
                untouched="everything",
                hint="choose one that is hard to guess",
            )
        return encrypted_pem(self._key.private_bytes(serialization.Encoding.DER, form, plain), passphrase)

    def _rsa(self, what: str) -> "RSAPrivateKey":
        if self.kind != "rsa":
            raise KeyProblem(
                "bad-key",
                f"only an RSA key can {what}, and '{self.label}' is an {self.kind} key",
                hint="use an RSA key, such as the one that `alive-p2p keys generate` makes",
            )
        return cast("RSAPrivateKey", self._key)


def generate_private_key() -> PrivateKey:
    """Make a new RSA-4096 key (relay.md §2). Takes about a second, sometimes several."""
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=NEW_RSA_BITS)
    return PrivateKey(from_foreign(key.public_key()), "a new key", key)


def load_private_key(data: bytes, *, label: str, ask: Ask | None = None) -> PrivateKey:
    """Read one private key: PEM (PKCS#8 or PKCS#1), OpenSSH's own format, or an age identity file.

    Args:
        data: the file's content.
        label: where it came from, for messages and the passphrase's prompt.
        ask: asks for the passphrase, once, where the key has one.

    Raises:
        KeyProblem: `bad-key` where it is not a usable private key, `key-locked` where it has a passphrase and
            nobody can be asked, `wrong-passphrase` where the one given does not open it.
    """
    text = data.removeprefix(b"\xef\xbb\xbf").strip()
    if not text or len(text) > MAX_KEY_BYTES:
        raise _bad(label, "it is empty" if not text else "it is far too long for a key")
    if text.startswith((b"age-encryption.org/", b"-----BEGIN AGE ENCRYPTED FILE-----")):
        raise KeyProblem(
            "key-locked",
            f"the key file '{label}' is itself encrypted with age",
            hint="decrypt it with `age -d` to a place only you can read, and use that file",
        )
    blocks = [(what, block) for what, block in pem_blocks(text) if what.endswith("PRIVATE KEY")]
    if len(blocks) > 1:
        raise _bad(label, f"it has {len(blocks)} private keys in it, where one is needed")
    if blocks:
        return _from_pem(*blocks[0], label, ask)
    if b"AGE-SECRET-KEY-1" in text.upper() or b"AGE-PLUGIN-" in text.upper():
        return _from_identity_file(text, label)
    raise _bad(label, _what_else(text))


def _from_pem(what: str, block: bytes, label: str, ask: Ask | None) -> PrivateKey:
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        try:
            key = _foreign(what, block, None)
        except TypeError:  # the library's word for "it has a passphrase"
            key = _unlocked(what, block, label, ask)
    except UnsupportedAlgorithm:
        raise KeyProblem(
            "bad-key",
            f"the private key '{label}' is of a kind, or under a cipher, that is not supported",
            hint="for an OpenSSH key: `ssh-keygen -p -Z aes256-ctr -f FILE` changes the cipher",
        ) from None
    except AliveP2PError:  # ours, also what asking for the passphrase raised
        raise
    except Exception:  # noqa: BLE001  (whatever a foreign parser says about a damaged key)
        raise _bad(label, "it looks like a private key, but it is damaged") from None
    try:
        public = from_foreign(key.public_key())  # type: ignore[attr-defined]  # every private key has a public one
    except KeyProblem as problem:
        raise KeyProblem(
            problem.code, f"the private key '{label}' cannot be used: {problem.message}", hint=problem.hint
        ) from None
    return PrivateKey(public, label, cast("RSAPrivateKey | Ed25519PrivateKey", key))


def _unlocked(what: str, block: bytes, label: str, ask: Ask | None) -> object:
    if ask is None:
        raise KeyProblem(
            "key-locked",
            f"the private key '{label}' has a passphrase, and nobody can be asked for it here",
            hint="run it in a terminal",
        )
    if what == "OPENSSH PRIVATE KEY" and (rounds := _bcrypt_rounds(block)) > MAX_BCRYPT_ROUNDS:
        raise _bad(
            label, f"its passphrase takes {rounds:,} rounds to check, more than the {MAX_BCRYPT_ROUNDS:,} allowed"
        )
    passphrase = ask(f"passphrase of '{label}'")
    try:
        return _foreign(what, block, passphrase)
    except Exception:  # noqa: BLE001  (a wrong passphrase makes junk of the key, and junk fails in many ways)
        raise KeyProblem(
            "wrong-passphrase",
            f"this passphrase does not open the private key '{label}'",
            hint="run it again; if the passphrase is right, the file is damaged or under an unusual cipher",
        ) from None


def _bcrypt_rounds(block: bytes) -> int:
    """How slow an OpenSSH key makes guessing its passphrase; 0 where it does not say, or says it wrongly."""
    body = b"".join(block.splitlines()[1:-1])
    with suppress(ValueError, struct.error):
        blob = io.BytesIO(base64.b64decode(body))
        blob.read(len(b"openssh-key-v1\0"))
        _text(blob)  # the cipher
        _text(blob)  # the key derivation
        options = io.BytesIO(_text(blob))
        _text(options)  # the salt
        return int(struct.unpack(">I", options.read(4))[0])
    return 0


def _text(blob: BinaryIO) -> bytes:
    return blob.read(*struct.unpack(">I", blob.read(4)))


def _foreign(what: str, block: bytes, passphrase: bytes | None) -> object:
    """Let the library read a key. Raises `TypeError` where it has a passphrase and none is given."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    if what == "OPENSSH PRIVATE KEY":
        return serialization.load_ssh_private_key(block + b"\n", passphrase)
    # Testing the primes again takes a quarter of a second in every command; a damaged key shows without that.
    key = serialization.load_pem_private_key(block + b"\n", passphrase, unsafe_skip_rsa_key_validation=True)
    if isinstance(key, RSAPrivateKey):
        _refuse_inconsistent(key)
    return key


def _refuse_inconsistent(key: "RSAPrivateKey") -> None:
    """Refuse an RSA key whose numbers do not belong together: what it signed could give it away. Raises ValueError."""
    said = key.private_numbers()
    n, e = said.public_numbers.n, said.public_numbers.e
    p, q, d = said.p, said.q, said.d
    is_whole = p > 1 and q > 1 and p != q and p * q == n and e % 2 == 1 and e > 1
    if not is_whole or (d * e) % (p - 1) != 1 or (d * e) % (q - 1) != 1:
        raise ValueError("numbers that do not belong together")
    if said.dmp1 != d % (p - 1) or said.dmq1 != d % (q - 1) or (said.iqmp * q) % p != 1:
        raise ValueError("numbers that do not belong together")


def _from_identity_file(text: bytes, label: str) -> PrivateKey:
    import pyrage  # type: ignore[import-untyped,unused-ignore]

    lines = [line.strip() for line in text.decode("utf-8", "replace").splitlines()]
    identities = [line for line in lines if line and not line.startswith("#")]
    if any(line.upper().startswith("AGE-PLUGIN-") for line in identities):
        raise _bad(label, "it is the identity of an age plugin")
    if len(identities) != 1:
        raise _bad(label, f"it has {len(identities)} lines that are not comments, where one identity is needed")
    if not _AGE_IDENTITY.fullmatch(identities[0]):
        raise _bad(label, "it looks like an age identity, but it is damaged")
    try:
        identity = pyrage.x25519.Identity.from_str(identities[0])
    except pyrage.IdentityError:
        raise _bad(label, "it looks like an age identity, but it is damaged or cut off") from None
    return PrivateKey(from_recipient(str(identity.to_public())), label, str(identity))


def _what_else(text: bytes) -> str:
    if text.startswith(b"PuTTY-User-Key-File"):
        return "it is a PuTTY key (PuTTYgen can export it as OpenSSH)"
    if looks_private(text):
        return "it looks like a private key, but it is damaged or cut off"
    if b"PUBLIC KEY-----" in text or text.startswith((b"ssh-", b"ecdsa-", b"sk-", b"age1")):
        return "it is a public key, where the private one is needed"
    return "it is a certificate" if b"CERTIFICATE-----" in text else "it is not a private key"


def _bad(label: str, what: str) -> KeyProblem:
    return bad_key(f"the private key '{label}' cannot be used: {what}")
