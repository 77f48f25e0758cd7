"""Our own relay: making it ours, and repairing what is missing of it (relay.md §2, §3, §5)."""

import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alive_p2p import files
from alive_p2p.errors import AliveP2PError, RelayError, UsageError
from alive_p2p.keys.keyring import Keyring
from alive_p2p.keys.peers import check_name
from alive_p2p.keys.private import Ask, PrivateKey
from alive_p2p.keys.public import MAX_KEY_BYTES, PublicKey, load_public_key
from alive_p2p.package.signature import Outcome, Signer
from alive_p2p.relay import documents, mailbox, rotation
from alive_p2p.relay.config import RelayConfig, change_config, own_handle, read_config
from alive_p2p.relay.ourselves import ACCEPTS, no_private_key
from alive_p2p.relay.reach import Reach
from alive_p2p.relay.rotating import Past, past_of
from alive_p2p.relay.transports.base import Entry, Listing, Put, Transport
from alive_p2p.runtime import Runtime

_INFO_LIMIT = 64 << 10
OWNER = "relay-owner"


def make_folder(path: Path, runtime: Runtime) -> None:
    """Make the folder of a relay, where it is not there; its parent has to be.

    Raises:
        UsageError: there is no such place, or a file is there.
        FileSystemError: it cannot be made.
    """
    place = runtime.cwd / path
    if files.is_folder(place):
        return
    if files.is_taken(place) or not files.is_folder(place.parent):
        raise UsageError(
            "no-such-path", f"there is no folder '{path}', and none can be made there", hint="check the path"
        )
    with files.translating("create", place):
        files.make_folder(place)


@dataclass(frozen=True)
class SetupResult:
    """A relay that is there: where, whose, and what had to be made for it.

    Attributes:
        url: where it is.
        handle: what we call ourselves.
        public: our key.
        made: what was missing, in words.
        warnings: what was found to be wrong.
        has_told_key: whether our peers can see only now that a key of ours has followed another.
    """

    url: str
    handle: str
    public: PublicKey
    made: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    has_told_key: bool = False


def handle_for(url: str | None, runtime: Runtime, username: str | None = None) -> str:
    """What we are called in a relay that is to be set up, if nothing here speaks against it. Nothing is changed.

    Args:
        url: where it is to be; None where it has still to be made.
        runtime: the surroundings.
        username: what we call ourselves; by default what the surroundings say.

    Raises:
        UsageError: nobody says what we are called, it cannot be a name, or our peers know us by another.
        RelayError: we have another relay.
        AliveP2PError: `relay.json` cannot be used.
    """
    config = read_config(runtime)
    if config.url not in {None, url}:
        raise RelayError(
            "relay-exists",
            f"you have a relay already: {config.url}",
            untouched="everything",
            hint="your peers know you by it; to use another one, take the old one out of relay.json first",
        )
    handle = username or config.username or own_handle(runtime)
    if handle is None:
        raise UsageError("no-username", "nobody says what you are called", hint="add `--username NAME`")
    if config.username not in {None, handle}:
        raise UsageError(
            "other-username",
            f"your peers know you as '{config.username}'",
            untouched="everything",
            hint="leave out `--username`",
        )
    check_name(handle)
    return handle


def setup(
    url: str,
    runtime: Runtime,
    reach: Reach,
    *,
    username: str | None = None,
    ask: Ask | None = None,
    make: Callable[[], None] | None = None,
) -> SetupResult:
    """Make a relay ours, or repair what is missing of it; whatever is right stays as it is.

    Args:
        url: where it is; it exists by the time `make` is done, and can be written to.
        runtime: the surroundings.
        reach: gives access to relays.
        username: what we call ourselves; by default what the surroundings say.
        ask: asks for the passphrase of our key, where it has one.
        make: makes the place, where it has to be made, once nothing on this machine speaks against it.

    Raises:
        UsageError: nobody says what we are called, or it cannot be a name.
        RelayError: it cannot be reached, or is somebody else's; or we have another one.
        KeyProblem: our key cannot be used.
        AliveP2PError: what `make` raises.
    """
    handle = handle_for(url, runtime, username)
    config = read_config(runtime)
    keyring = Keyring.load(runtime)
    key = keyring.own(ask)
    if make is not None:
        make()
    relay = reach(url)
    listing = relay.list()
    past = Past({}, frozenset(), 0) if key is None else past_of(key.public, runtime)
    if config.url is None or key is None:  # else it is known to be ours, whatever somebody has written there
        _refuse_other_owner(relay, listing, handle, key.public if key is not None else None, past)
    if key is not None:
        _refuse_former_key(relay, listing, handle, key.public)
    made: list[str] = []
    if key is None:
        keyring.generate()
        key = keyring.own(ask)
        made.append("a key pair")
    if key is None:
        raise no_private_key()
    public = key.public
    puts, warnings = _missing(relay, listing, handle, public, past, runtime)
    puts += _copies(relay, listing, config, keyring)
    if not is_stated(relay, listing, handle, url, public):
        puts.append(Put(mailbox.OWNER, statement(handle, url, key, runtime.timestamp()), replaces=True))
    if puts:
        relay.change(puts)
        made.append("what a relay holds" if len(puts) > 1 else f"'{puts[0].name}' in the relay")
    if config.url is None:
        change_config(runtime, lambda now: now.with_relay(url, handle, runtime.timestamp()))
        made.append("relay.json")
    has_told_key = any(put.name in past.documents for put in puts)
    return SetupResult(url, handle, public, tuple(made), tuple(warnings), has_told_key)


def _missing(
    relay: Transport, listing: Listing, handle: str, public: PublicKey, past: Past, runtime: Runtime
) -> tuple[list[Put], list[str]]:
    """What has to be written so that a relay says whose it is."""
    puts, warnings = [], []
    info = {"version": 1, "created_at": runtime.timestamp(), "owner": handle, "pubkey_id": public.pubkey_id}
    said = info_of(relay, listing)
    if said is None or said.get("pubkey_id") != public.pubkey_id or said.get("accepts") != list(ACCEPTS):
        known = {} if said is None else {key: said[key] for key in ("created_at",) if key in said}
        document = {**info, **known, "accepts": list(ACCEPTS)}
        puts.append(Put(mailbox.INFO, json.dumps(document, indent=1).encode() + b"\n", replaces=True))
    entry = listing.entries.get(mailbox.owner_key(handle))
    there = None if entry is None else key_at(relay, entry)
    if there != public:
        if entry is not None and (there is None or there.pubkey_id not in past.former):
            warnings.append(
                "the key in the relay that should be yours was another one; it is yours again, and somebody who may"
                " write there did that"
            )
        puts.append(Put(mailbox.owner_key(handle), public.pem(), replaces=True))
    for name, data in past.documents.items():
        at = listing.entries.get(name)
        if at is None or small_document(relay, at) != data:
            puts.append(Put(name, data, replaces=True))
    return puts, warnings


def _copies(relay: Transport, listing: Listing, config: RelayConfig, keyring: Keyring) -> Iterator[Put]:
    """The copies of our peers' pinned keys that are missing, or are others."""
    for name, peer in config.peers.items():
        pinned = keyring.peers.get(name)
        if not peer.is_accepted or pinned is None or pinned.status == "revoked":
            continue
        entry = listing.entries.get(mailbox.pinned_key(peer.folder))
        if entry is None or key_at(relay, entry) != pinned.public:
            yield Put(mailbox.pinned_key(peer.folder), pinned.public.pem(), replaces=True)


def small_document(relay: Transport, entry: Entry) -> bytes | None:
    """The content of a document; None for what is too long to be one, or has gone. Raises `RelayError`."""
    try:
        return fetched(relay, entry, documents.MOST_BYTES)
    except RelayError as error:
        if error.code in {"relay-over-limit", "relay-gone"}:
            return None
        raise


def _refuse_former_key(relay: Transport, listing: Listing, handle: str, public: PublicKey) -> None:
    """Refuse to put back a key of ours that has named its successor, on another machine of ours."""
    named = [entry for name, entry in listing.entries.items() if rotation.is_place(name)][: rotation.MOST]
    found = [data for entry in named if (data := small_document(relay, entry)) is not None]
    later = rotation.succession(handle, public, found, {})
    if later is not None:
        raise RelayError(
            "former-key",
            f"the key on this machine ({public.pubkey_id}) has named its successor, and that key is not here",
            untouched="everything",
            hint="bring it from where you have rotated: `alive-p2p keys export --private` there, and here"
            " `alive-p2p relay setup --adopt FILE`",
        )


def statement(handle: str, url: str, key: PrivateKey, at: str) -> bytes:
    """What the owner of a relay says, signed: that it is theirs, at this address.

    Without it a code could name a key that its sender does not have, and send what is meant for that key's owner to
    another relay.
    """
    return documents.signed({"type": OWNER, "from": handle, "to": "*", "relay": url, "at": at}, key)


def is_stated(relay: Transport, listing: Listing, handle: str, url: str, public: PublicKey) -> bool:
    """Whether the owner of a key says that this relay is theirs. Raises `RelayError`."""
    entry = listing.entries.get(mailbox.OWNER)
    if entry is None:
        return False
    try:
        document = documents.read(small_document(relay, entry) or b"", OWNER)
    except RelayError as error:
        if error.code == "bad-document":
            return False
        raise
    verdict = documents.verdict_of(document, lambda _: Signer(handle, handle, public))
    names_key = isinstance(block := document.get("signature"), dict) and block.get("pubkey_id") == public.pubkey_id
    return verdict.outcome is Outcome.VALID and names_key and document.get("relay") == url


def _refuse_other_owner(relay: Transport, listing: Listing, handle: str, public: PublicKey | None, past: Past) -> None:
    said = info_of(relay, listing)
    if said is None:
        return
    owner = said.get("owner")
    if owner != handle or (public is not None and said.get("pubkey_id") not in {None, public.pubkey_id, *past.former}):
        raise RelayError(
            "relay-of-another",
            f"this is the relay of '{owner}', with another key than yours",
            untouched="everything",
            hint="use a relay of your own; if it is yours from another machine,"
            " bring the key along with `alive-p2p relay setup --adopt FILE`",
        )
    if public is None:
        raise RelayError(
            "relay-of-another",
            f"this is the relay of '{owner}' already, and its key is not on this machine",
            untouched="everything",
            hint="if it is yours, bring the key along with `alive-p2p relay setup --adopt FILE`",
        )


def info_of(relay: Transport, listing: Listing) -> Mapping[str, Any] | None:
    """What a relay says of itself; None where it says nothing."""
    entry = listing.entries.get(mailbox.INFO)
    if entry is None:
        return None
    try:
        document = json.loads(fetched(relay, entry, _INFO_LIMIT))
    except (ValueError, RecursionError):
        return None
    except RelayError as error:
        if error.code == "relay-over-limit":
            return None
        raise
    return document if isinstance(document, dict) else None


def key_at(relay: Transport, entry: Entry) -> PublicKey | None:
    """The public key in a file of a relay; None where there is none that can be used. Raises `RelayError`."""
    try:
        return load_public_key(fetched(relay, entry, MAX_KEY_BYTES))
    except AliveP2PError as error:
        if isinstance(error, RelayError) and error.code != "relay-over-limit":
            raise
        return None


def fetched(relay: Transport, entry: Entry, limit: int) -> bytes:
    """The content of a small file in a relay. Raises `RelayError`."""
    output = io.BytesIO()
    relay.read(entry, output, limit=limit)
    return output.getvalue()
