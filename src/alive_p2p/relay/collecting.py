"""What waits in our relay: who it is from, whether it is meant for us, and fetching it (relay.md §4, §6).

A package is somebody's by its delivery note, which they have signed and which names us; the folder and the name that it
lies under say nothing. Nothing is removed before it has been received.
"""

import hashlib
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from alive_p2p import files
from alive_p2p.errors import AliveP2PError, RelayError
from alive_p2p.keys.keyring import Peer
from alive_p2p.package.signature import Outcome
from alive_p2p.relay import documents, mailbox
from alive_p2p.relay.mailbox import Deposit
from alive_p2p.relay.ourselves import Ourselves
from alive_p2p.relay.outbox import DELIVERY
from alive_p2p.relay.own_relay import fetched
from alive_p2p.relay.transports.base import Listing, Progress, Transport
from alive_p2p.runtime import Runtime

MOST_FILES = 200
"""How many packages of one peer are looked at (`p2p.limits.inbox_files`); the rest is reported and left."""
ABANDONED_SECONDS = 24 * 3600
"""What lies half done for so long is nobody's work any more."""
MOST_BYTES = 2 << 30
"""How many bytes are fetched of one package (`p2p.limits.inbox_bytes`)."""


def orphans(listing: Listing, runtime: Runtime) -> list[str]:
    """Notes whose package is gone: what a pull left that was ended while it removed the two.

    A note that is young may be there before its package.
    """
    found = []
    for name in listing.entries:
        package = f"{name.removesuffix(mailbox.NOTE)}.walnut"
        is_note = name.startswith("inbox/") and name.endswith(mailbox.NOTE) and name.count("/") == 2
        if not is_note or package in listing.entries:
            continue
        at = Deposit(package, "", listing.entries[name], None).at
        if at is not None and at < f"{runtime.now() - timedelta(seconds=ABANDONED_SECONDS):%Y-%m-%d %H:%M:%S}":
            found.append(name)
    return found


@dataclass(frozen=True)
class Note:
    """What a delivery note says: what is delivered, and when it was sent."""

    file_sha256: str
    import_id: str
    sent_at: str


@dataclass(frozen=True)
class Waiting:
    """A package in our relay.

    Attributes:
        deposit: where it lies.
        peer: who signed its note; where there is none that counts, whose folder it lies in, and None for nobody's.
        note: what its note says, where it counts.
        problem: why it is not received by itself; None where it may be.
        has_unknown_key: its note is signed with a key that nobody has, which may be the peer's new one.
    """

    deposit: Deposit
    peer: Peer | None
    note: Note | None
    problem: str | None = None
    has_unknown_key: bool = False


def waiting(
    we: Ourselves,
    relay: Transport,
    listing: Listing,
    *,
    peers: Collection[str] | None = None,
    most: int = MOST_FILES,
    declined: Collection[str] = (),
    disputed: Collection[str] = (),
) -> list[Waiting]:
    """Look at what waits in our relay, and read the notes.

    Args:
        we: who we are.
        relay: ours.
        listing: what lies there.
        peers: only what is of these.
        most: how many of one folder are looked at.
        declined: the hashes of files that were declined before.
        disputed: the peers of whose keys two claim to be the one that counts.

    Raises:
        RelayError: the relay cannot be read.
    """
    found: list[Waiting] = []
    counts: dict[str, int] = {}
    owners = {peer.folder: name for name, peer in we.config.peers.items()}
    for deposit in mailbox.deposits(listing):
        owner = owners.get(deposit.folder)
        if peers is not None and owner not in peers:
            continue
        counts[deposit.folder] = counts.get(deposit.folder, 0) + 1
        peer = we.keyring.peers.get(owner) if owner is not None else None
        if counts[deposit.folder] > most:
            found.append(Waiting(deposit, peer, None, f"there are more than {most:,} of theirs; receive others first"))
        else:
            looked = _look(deposit, peer, we, relay)
            if looked.note is not None and looked.note.file_sha256 in declined:
                looked = replace(looked, problem="you have declined it before, and somebody has put it back")
            if looked.problem is None and owner in disputed:
                looked = replace(looked, problem=f"two keys claim to follow that of '{owner}'; see `relay peers trust`")
            found.append(looked)
    return found


def _look(deposit: Deposit, peer: Peer | None, we: Ourselves, relay: Transport) -> Waiting:
    if peer is None:
        return Waiting(deposit, None, None, f"it lies in '{deposit.folder}', and nobody of that name is your peer")
    if peer.status == "revoked":
        return Waiting(deposit, peer, None, f"the key of '{peer.name}' was revoked")
    if deposit.note is None:
        return Waiting(deposit, peer, None, "it has no delivery note, so nobody says that it is for you")
    try:
        data = documents.opened(fetched(relay, deposit.note, documents.SEALED_BYTES), we.credentials, DELIVERY)
        document = documents.read(data, DELIVERY)
    except RelayError as error:  # whatever it is, it is no reason to leave others' packages
        return Waiting(deposit, peer, None, f"its delivery note cannot be used: {error.message}")
    except AliveP2PError:
        return Waiting(deposit, peer, None, "its delivery note is not sealed for you")
    verdict = documents.verdict_of(document, we.find_signer)
    if verdict.pubkey_id is not None and verdict.pubkey_id in we.config.peers[peer.name].former_keys:
        return Waiting(deposit, peer, None, f"it is signed with a key that was '{peer.name}'s before")
    if verdict.outcome is Outcome.UNKNOWN:
        why = f"its delivery note is signed with a key that is not known, and not with the one of '{peer.name}'"
        return Waiting(deposit, peer, None, why, has_unknown_key=True)
    if verdict.outcome is not Outcome.VALID:
        return Waiting(
            deposit, peer, None, f"its delivery note is not signed by '{peer.name}' ({verdict.outcome.value})"
        )
    if verdict.signer != peer.name:
        return Waiting(
            deposit, peer, None, f"it lies in the folder of '{peer.name}' and is signed by '{verdict.signer}'"
        )
    if document["to"] != we.handle:
        return Waiting(deposit, peer, None, f"it was sent to '{document['to']}', not to you")
    said: dict[str, Any] = {name: document.get(name) for name in ("file_sha256", "import_id", "sent_at")}
    if not all(isinstance(text, str) for text in said.values()):
        return Waiting(deposit, peer, None, "its delivery note does not say what it is about")
    return Waiting(deposit, peer, Note(**said))


def fetch(
    one: Waiting,
    relay: Transport,
    folder: Path,
    runtime: Runtime,
    *,
    limit: int = MOST_BYTES,
    progress: Progress | None = None,
) -> Path:
    """Fetch a package into a folder, under its name in the relay. What is there already is not fetched again.

    Args:
        one: what is fetched.
        relay: ours.
        folder: where to; made if it is not there.
        runtime: the surroundings.
        limit: bytes; a larger one is left.
        progress: called with bytes done and bytes in all.

    Raises:
        RelayError: it is gone, too large, or not what its note says.
        FileSystemError: the disk refused.
    """
    final = folder / one.deposit.name.rpartition("/")[2]
    wanted = one.note.file_sha256 if one.note is not None else None
    if wanted is not None and _hash_at(final) == wanted:
        return final
    number = 1
    while files.is_taken(final):  # somebody else's name for something else, or half of an earlier try
        number += 1
        final = folder / f"{one.deposit.name.rpartition('/')[2].removesuffix('.walnut')}-{number}.walnut"
    if not files.is_folder(folder):
        with files.translating("create", folder):
            folder.mkdir(parents=True, exist_ok=True)
    files.sweep_temporaries(folder, older_than=runtime.now().timestamp() - ABANDONED_SECONDS)
    with files.PendingFile(folder) as pending:
        digest = hashlib.sha256()
        output = _Hashing(pending.stream.write, digest.update)
        with files.translating("write", final):
            relay.read(one.deposit.entry, output, limit=limit, progress=progress)  # type: ignore[arg-type]
        if wanted is not None and digest.hexdigest() != wanted:
            raise RelayError(
                "not-as-noted",
                f"'{final.name}' is not the file that its delivery note is about",
                untouched="everything; it is still in the relay",
                hint="ask the sender to send it again, and look who else may write to your relay",
            )
        pending.publish(final, replace_existing=True)
    return final


class _Hashing:
    """Takes bytes, and hashes them on the way."""

    def __init__(self, write: Callable[[bytes], object], see: Callable[[bytes], None]) -> None:
        self._write = write
        self._see = see

    def write(self, data: bytes) -> int:
        """Write on."""
        self._see(data)
        self._write(data)
        return len(data)


def _hash_at(path: Path) -> str | None:
    try:
        return files.hash_file(path)[0]
    except OSError:
        return None
