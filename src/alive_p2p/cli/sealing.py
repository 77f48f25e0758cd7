"""For whom a package is sealed, and by whom it is signed."""

from dataclasses import dataclass
from pathlib import Path

from alive_p2p import files
from alive_p2p.cli.credentials import MAX_KEY, PassphraseFrom, ask_for_key, new_passphrase, no_such_file
from alive_p2p.cli.options import Call
from alive_p2p.cli.screen import grouped
from alive_p2p.errors import UsageError
from alive_p2p.keys.private import PrivateKey
from alive_p2p.keys.published import fetch_published_keys, is_published_name
from alive_p2p.package.envelopes.base import Envelope
from alive_p2p.package.envelopes.sealing import Seal
from alive_p2p.relay.config import read_config
from alive_p2p.sharing.audience import Recipient
from alive_p2p.sharing.recipients import (
    Addressee,
    envelope_for,
    from_key_file,
    from_keyring,
    from_keys,
    refuse_revoked,
    seal_for,
)
from alive_p2p.sharing.signing import choose_signing_key
from alive_p2p.walnut.preferences import load_preferences
from alive_p2p.walnut.world import find_world

_KEY_FILES = (".pub", ".pem", ".keys", ".txt")


@dataclass(frozen=True)
class Whom:
    """For whom, as the options name them: peers, logins at a git host, and files of public keys."""

    peers: tuple[str, ...] = ()
    published: tuple[str, ...] = ()
    key_files: tuple[Path, ...] = ()

    def is_anybody(self) -> bool:
        """Whether anybody is named."""
        return bool(self.peers or self.published or self.key_files)


def whom(call: Call, recipients: tuple[str, ...], to: tuple[str, ...], key_files: tuple[Path, ...]) -> Whom:
    """Sort out what `--recipient`, `--to` and `--to-keys` name.

    A peer comes before a file of the same name: a file that somebody put into the current folder must not take a
    peer's place.
    """
    known = {*call.keyring().peers, *read_config(call.runtime).peers} if to else set()
    peers, published, paths = list(recipients), [], list(key_files)
    for name in to:
        if is_published_name(name):
            published.append(name)
        elif name not in known and ("/" in name or "\\" in name or name.endswith(_KEY_FILES)):
            paths.append(Path(name))
        else:
            peers.append(name)
    return Whom(tuple(dict.fromkeys(peers)), tuple(dict.fromkeys(published)), tuple(dict.fromkeys(paths)))


def seal(call: Call, encrypt: str | None, named: Whom, source: PassphraseFrom) -> tuple[Seal, tuple[Recipient, ...]]:
    """Everything a seal needs, before anything is read for it (format.md §5).

    Without `--encrypt` it follows from the rest: for recipients age where all are known to read it and RSA
    otherwise, with a passphrase the passphrase envelope, else none.

    Raises:
        UsageError: the options contradict each other, a peer is not known or cannot read the envelope.
        AliveP2PError: a passphrase is missing, empty, or not the same twice; a file holds no public key.
    """
    people = _people(call, named)
    chosen = Envelope(encrypt) if encrypt else envelope_for(people, has_passphrase=source.is_given())
    if named.is_anybody() and chosen not in {Envelope.RSA, Envelope.AGE}:
        raise UsageError("usage", f"`--encrypt {chosen.value}` does not seal for people", untouched="everything")
    if source.is_given() and (people or chosen not in {Envelope.PASSPHRASE, Envelope.AGE}):
        raise UsageError("usage", f"a passphrase does not go with `--encrypt {chosen.value}`", untouched="everything")
    if people:
        return seal_for(people, chosen)
    if chosen is Envelope.PLAIN:
        return Seal(), ()
    if chosen is Envelope.RSA:
        raise UsageError(
            "no-recipient", "`--encrypt rsa` needs at least one `--recipient PEER`", hint="alive-p2p keys show"
        )
    return Seal(chosen, source.read(call) if source.is_given() else new_passphrase(call, "the package")), ()


def _people(call: Call, named: Whom) -> list[Addressee]:
    found = from_keyring(call.keyring(), named.peers) if named.peers else []
    for path in named.key_files:
        full = call.runtime.cwd / path
        if not files.exists(full):
            raise no_such_file(full)
        found += from_key_file(str(path), files.read_bytes(full.resolve(), limit=MAX_KEY))
    for name in named.published:
        found += _published(call, name)
    refuse_revoked(found, call.keyring())
    return found


def _published(call: Call, name: str) -> list[Addressee]:
    """Keys that a git host publishes; shown, and used only after a yes."""
    with call.screen.working("fetching keys"):
        people = from_keys(name, fetch_published_keys(name, call.runtime))
    refuse_revoked(people, call.keyring())
    call.screen.note(f"{name} publishes:", is_asked_about=not call.yes)
    for one in people:
        call.screen.note(f"  {one.key.kind} {grouped(one.key.fingerprint)}", is_asked_about=not call.yes)
    call.approve(f"seal it for {name}?")
    return people


def signing_key(call: Call, *, sign: bool | None, handle: str | None, walnut: Path) -> PrivateKey | None:
    """The key a package is signed with (see `choose_signing_key`); why it is not signed becomes a warning."""
    preferences = load_preferences(find_world(walnut))
    found = choose_signing_key(call.keyring, preferences, sign=sign, handle=handle, ask=ask_for_key(call))
    if found.warning is not None:
        call.remember(found.warning)
    return found.key
