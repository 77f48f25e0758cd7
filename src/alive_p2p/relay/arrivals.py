"""How a package in the inbox came, and what its signer is to us: for receiving with nobody looking (relay.md §4).

A delivery note stays in the relay. What it has shown is kept in `state.json` by the hash of the file, so that a package
that was only fetched can still be told from one that somebody has put in its place.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from alive_p2p import files
from alive_p2p.keys.keyring import Keyring
from alive_p2p.receiving.automatic import Arrival, Standing, Way
from alive_p2p.relay import following
from alive_p2p.relay.collecting import Waiting
from alive_p2p.relay.settling import was_declined
from alive_p2p.relay.state import RelayState

_FETCHED = "fetched"
_MOST_FETCHED = 1000
_OURSELVES = "you"


def with_fetched(state: RelayState, fetched: Sequence[Waiting]) -> RelayState:
    """The same, with what the notes of packages say that were fetched; only of those that nothing speaks against."""
    known = _list(state, _FETCHED)
    new = [
        {"sha256": one.note.file_sha256, "peer": one.peer.name, "import_id": one.note.import_id}
        for one in fetched
        if one.note is not None and one.peer is not None and one.problem is None
    ]
    more = [one for one in new if one not in known]
    return state.with_field(_FETCHED, [*known, *more][-_MOST_FETCHED:]) if more else state


def arrival(file: Path, inbox: Path, state: RelayState) -> Arrival:
    """How a file in the inbox came.

    What lies in a folder of the inbox came through a relay: it counts only as what a note has shown. What lies in the
    inbox itself was put there by somebody, unless a note has shown otherwise.

    Raises:
        FileSystemError: it cannot be read.
    """
    with files.translating("read", file):
        sha256, _ = files.hash_file(file)
    if was_declined(sha256, state):
        return Arrival(Way.DECLINED)
    for one in reversed(_list(state, _FETCHED)):
        if isinstance(one, dict) and one.get("sha256") == sha256:
            return Arrival(Way.DELIVERED, one.get("peer"), one.get("import_id"))
    return Arrival(Way.BY_HAND if file.parent == inbox else Way.UNPROVEN)


def standing(name: str | None, keyring: Keyring, state: RelayState) -> Standing:
    """What a signer is to us.

    Args:
        name: as the keyring calls them; None for somebody it does not know.
        keyring: the keys of our peers.
        state: what was seen of relays.
    """
    if name == _OURSELVES:
        return Standing.OURSELVES
    peer = keyring.peers.get(name) if name is not None else None
    if peer is None or peer.status == "revoked":
        return Standing.STRANGER
    if peer.status != "paired":
        return Standing.UNPAIRED
    return Standing.DISPUTED if following.disputed(state, [peer.name]) else Standing.PAIRED


def _list(state: RelayState, name: str) -> list[Any]:
    found = state.raw.get(name)
    return found if isinstance(found, list) else []
