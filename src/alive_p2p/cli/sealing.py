"""For whom a package is sealed, and by whom it is signed."""

from dataclasses import dataclass
from pathlib import Path

from alive_p2p import files
from alive_p2p.cli.credentials import MAX_KEY, PassphraseFrom, ask, ask_for_key, checked, load_named_key
from alive_p2p.cli.options import Call
from alive_p2p.errors import AliveP2PError, UsageError
from alive_p2p.keys.keyring import Keyring
from alive_p2p.keys.private import PrivateKey
from alive_p2p.keys.public import PublicKey, load_public_keys
from alive_p2p.keys.published import fetch_published_keys, is_published_name
from alive_p2p.package.envelopes.base import Envelope
from alive_p2p.package.envelopes.sealing import Seal
from alive_p2p.sharing.plan import Recipient
from alive_p2p.walnut.preferences import load_preferences
from alive_p2p.walnut.world import find_world


def seal(
    call: Call, encrypt: str | None, recipients: tuple[str, ...], key_files: tuple[Path, ...], source: PassphraseFrom
) -> tuple[Seal, tuple[Recipient, ...]]:
    """Everything a seal needs, before anything is read for it (format.md §5).

    Without `--encrypt` it follows from the rest: for recipients age where all are known to read it and RSA
    otherwise, with a passphrase the passphrase envelope, else none.

    Raises:
        UsageError: the options contradict each other, a peer is not known or cannot read the envelope.
        AliveP2PError: a passphrase is missing, empty, or not the same twice; a file holds no public key.
    """
    names = [name for name in recipients if not is_published_name(name)]
    published = [name for name in recipients if is_published_name(name)]
    people = [*_peers(call, tuple(names)), *_from_files(call, key_files), *_published(call, published)]
    if encrypt is None:
        encrypt = _envelope_for(people) if people else "passphrase" if source.is_given() else "none"
    if people and encrypt not in {"rsa", "age"}:
        raise UsageError("usage", f"`--encrypt {encrypt}` does not seal for people", untouched="everything")
    if source.is_given() and (people or encrypt not in {"passphrase", "age"}):
        raise UsageError("usage", f"a passphrase does not go with `--encrypt {encrypt}`", untouched="everything")
    if encrypt == "none":
        return Seal(), ()
    if encrypt == "passphrase" or (encrypt == "age" and not people):
        passphrase = source.read(call) if source.is_given() else _new_passphrase(call)
        return Seal(Envelope(encrypt), passphrase), ()
    if not people:
        raise UsageError(
            "no-recipient", "`--encrypt rsa` needs at least one `--recipient PEER`", hint="alive-p2p keys show"
        )
    for one in people:
        if encrypt == "rsa" and one.key.kind != "rsa":
            raise UsageError(
                "bad-recipient",
                f"the key of '{one.shown.name}' is {one.key.kind}, which the RSA envelope cannot use",
                untouched="everything",
                hint="use `--encrypt age`",
            )
    return Seal(Envelope(encrypt), public_keys=tuple(o.key for o in people)), tuple(o.shown for o in people)


@dataclass(frozen=True)
class _Person:
    key: PublicKey
    shown: Recipient
    reads_age: bool


def _peers(call: Call, names: tuple[str, ...]) -> list[_Person]:
    found = []
    keyring = Keyring.load(call.runtime) if names else None
    for name in dict.fromkeys(names):
        peer = keyring.peer(name) if keyring is not None else None
        if peer is None:
            continue
        if peer.status == "revoked":
            raise UsageError("bad-recipient", f"the key of '{name}' is revoked", untouched="everything")
        shown = Recipient(peer.name, peer.public.pubkey_id, is_paired=peer.status == "paired")
        found.append(_Person(peer.public, shown, "age" in (peer.accepts or ()) or peer.public.kind != "rsa"))
    return found


def _published(call: Call, names: list[str]) -> list[_Person]:
    """Keys that a git host publishes; shown, and used only after a yes."""
    found = []
    for name in dict.fromkeys(names):
        keys = fetch_published_keys(name, call.runtime)
        call.screen.note(f"{name} publishes:")
        for key in keys:
            call.screen.note(f"  {key.kind} {' '.join(key.fingerprint[at : at + 4] for at in range(0, 64, 4))}")
            found.append(_Person(key, Recipient(name, key.pubkey_id), reads_age=True))
        call.approve(f"seal it for {name}?")
    return found


def _from_files(call: Call, paths: tuple[Path, ...]) -> list[_Person]:
    """Public keys from files, such as a git host publishes: for somebody who is in no keyring."""
    found = []
    for path in paths:
        full = call.runtime.cwd / path
        if not files.exists(full):
            raise UsageError(
                "no-such-file", f"there is no file '{full}'", untouched="everything", hint="check the path"
            )
        keys = load_public_keys(files.read_bytes(full.resolve(), limit=MAX_KEY))
        found += [_Person(key, Recipient(str(path), key.pubkey_id), reads_age=True) for key in keys]
    return found


def _envelope_for(people: list[_Person]) -> str:
    return "age" if all(one.reads_age for one in people) else "rsa"


def _new_passphrase(call: Call) -> bytes:
    first = checked(ask(call, "passphrase for the package"))
    if ask(call, "the same passphrase again") != first:
        raise AliveP2PError("passphrases-differ", "the two passphrases are not the same", untouched="everything")
    return first


def signing_key(call: Call, *, sign: bool | None, sender: str, walnut: Path) -> PrivateKey | None:
    """The key a package is signed with: ours where there is one, unless that is switched off.

    Args:
        call: the call.
        sign: `--sign` or `--no-sign`; None where neither is given.
        sender: our handle.
        walnut: the walnut that is shared, for its world's preferences.

    Raises:
        UsageError: `--sign` without a handle.
        AliveP2PError: `--sign` without a key, or the key cannot be used.
    """
    preferences = load_preferences(find_world(walnut))
    if sign is False or (sign is None and not preferences.sign):
        return None
    path = preferences.signing_key_path
    key = load_named_key(call, Path(path).expanduser()) if path else None
    if key is None:
        key = Keyring.load(call.runtime).own(ask=ask_for_key(call))
    if key is None and sign:
        raise AliveP2PError(
            "no-key", "there is no key to sign with", untouched="everything", hint="alive-p2p keys generate"
        )
    if key is not None and key.public.kind != "rsa":
        raise AliveP2PError("bad-key", "packages are signed with an RSA key, and this is another kind")
    if key is not None and sender == "unknown":
        if sign:
            raise UsageError("no-sender", "a signature needs to say who you are", hint="set GH_USER to your handle")
        return None
    return key
