"""By whom a package is signed (format.md §4)."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from alive_p2p import files
from alive_p2p.errors import AliveP2PError, UsageError
from alive_p2p.keys.keyring import Keyring
from alive_p2p.keys.private import Ask, PrivateKey, load_private_key
from alive_p2p.keys.public import MAX_KEY_BYTES
from alive_p2p.walnut.preferences import Preferences

_NAMELESS = "it is not signed, because nothing says who you are: set GH_USER to your handle"


@dataclass(frozen=True)
class Signing:
    """The key to sign with, or None; and why it is not signed where somebody might expect that it is."""

    key: PrivateKey | None
    warning: str | None = None


def choose_signing_key(
    keyring: Callable[[], Keyring],
    preferences: Preferences,
    *,
    sign: bool | None,
    handle: str | None,
    ask: Ask | None = None,
) -> Signing:
    """Ours where there is one, unless that is switched off.

    Args:
        keyring: gives the keyring, where it is needed.
        preferences: the settings of the walnut's world (`p2p.sign`, `p2p.signing_key_path`).
        sign: yes, no, or None for what the preferences say.
        handle: what we call ourselves; a signature says whose it is.
        ask: asks for the key's passphrase.

    Raises:
        UsageError: it has to be signed and nothing says who we are, or the key's file does not exist.
        AliveP2PError: it has to be signed and there is no key, or the key cannot be used.
    """
    if sign is False or (sign is None and not preferences.sign):
        return Signing(None)
    path = preferences.signing_key_path
    if handle is None and sign:
        raise UsageError(
            "no-sender",
            "a signature needs to say who you are",
            hint="set GH_USER to your handle",
            untouched="everything",
        )
    if handle is None:
        has_key = path is not None or keyring().own_public(ask) is not None
        return Signing(None, _NAMELESS if has_key else None)
    key = _load(Path(path).expanduser(), ask) if path else keyring().own(ask=ask)
    if key is None:
        if not sign:
            return Signing(None)
        raise AliveP2PError(
            "no-key", "there is no key to sign with", untouched="everything", hint="alive-p2p keys generate"
        )
    if key.kind != "rsa":
        raise AliveP2PError(
            "bad-key",
            f"packages are signed with an RSA key, and '{key.label}' is another kind",
            untouched="everything",
            hint="alive-p2p keys generate",
        )
    return Signing(key)


def _load(path: Path, ask: Ask | None) -> PrivateKey:
    if not files.exists(path):
        raise UsageError(
            "no-such-file",
            f"there is no file '{path}' (`p2p.signing_key_path`)",
            untouched="everything",
            hint="mend `p2p.signing_key_path` in the preferences",
        )
    return load_private_key(files.read_bytes(path.resolve(), limit=MAX_KEY_BYTES), label=str(path), ask=ask)
