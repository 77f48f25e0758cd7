"""What waits in our relay: who it is from, and whether it is meant for us (relay.md §4, §6).

A package is somebody's by its delivery note, which they have signed and which names us; the folder and the name that it
lies under say nothing. Nothing is removed before it has been received.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from alive_p2p.errors import AliveP2PError, RelayError
from alive_p2p.keys.keyring import Peer
from alive_p2p.package.signature import Outcome
from alive_p2p.relay import documents, mailbox
from alive_p2p.relay.mailbox import Deposit
from alive_p2p.relay.ourselves import Ourselves
from alive_p2p.relay.outbox import DELIVERY
from alive_p2p.relay.own_relay import fetched
from alive_p2p.relay.refusals import NOT_AS_NOTED, NOT_FOR_US, REASONS
from alive_p2p.relay.transports.base import Listing, Transport
from alive_p2p.runtime import Runtime
from alive_p2p.text import one_line

MOST_FILES = 200
"""How many packages of one peer a pull looks at (`p2p.limits.inbox_files`); the rest is reported and left."""
MOST_BYTES = 2 << 30
"""How many bytes of one peer a pull fetches in all (`p2p.limits.inbox_bytes`); the rest is reported and left."""
ABANDONED_SECONDS = 24 * 3600
"""What lies half done for so long is nobody's work any more."""


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
        peer: whose folder it lies in, and who has signed its note where that counts; None for nobody's.
        note: what its note says, where it counts.
        problem: why it is not received by itself; None where it may be.
        refusal: the word of `refusals.REASONS` where that will not change, and its signer is told.
        more_than: bytes that it is known to exceed, because so many were fetched in vain before.
        has_unknown_key: its note is signed with a key that nobody has, which may be the peer's new one.
        is_disputed: two keys claim to be the peer's, so nobody is told anything.
    """

    deposit: Deposit
    peer: Peer | None
    note: Note | None
    problem: str | None = None
    refusal: str | None = None
    more_than: int = 0
    has_unknown_key: bool = False
    is_disputed: bool = False

    @property
    def sender(self) -> Peer | None:
        """Who is told what becomes of it: who has signed its note, and is our peer. A folder's name is nobody."""
        is_signed = (self.note is not None or self.refusal is not None) and not self.is_disputed
        return self.peer if is_signed and self.peer is not None and self.peer.status == "paired" else None


@dataclass(frozen=True)
class TooLarge:
    """A file of a relay that was not fetched, because it has more bytes than this."""

    version: str
    limit: int


@dataclass(frozen=True)
class Seen:
    """What pulls and declines before have found out.

    Attributes:
        declined: hashes of files.
        refused: by deposit, the hash of the file and the word of `refusals.REASONS` for why.
        too_large: by deposit, what was more than may be fetched.
        disputed: the peers of whose keys two claim to be the one that counts.
    """

    declined: Collection[str] = ()
    refused: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    too_large: Mapping[str, TooLarge] = field(default_factory=dict)
    disputed: Collection[str] = ()


@dataclass(frozen=True)
class Quota:
    """How much of one peer a pull takes: packages that are looked at, and bytes that are fetched."""

    most_files: int = MOST_FILES
    most_bytes: int = MOST_BYTES


def waiting(
    we: Ourselves,
    relay: Transport,
    listing: Listing,
    *,
    peers: Collection[str] | None = None,
    names: Collection[str] | None = None,
    quota: Quota | None = None,
    seen: Seen | None = None,
) -> list[Waiting]:
    """Look at what waits in our relay, and read the notes.

    Args:
        we: who we are.
        relay: ours.
        listing: what lies there.
        peers: only what is of these.
        names: only packages of these names, whole or their last part; however many others wait, and what was refused
            before as well.
        quota: how much of one peer is looked at.
        seen: what was found out before.

    Raises:
        RelayError: the relay cannot be read.
    """
    quota, seen = quota or Quota(), seen or Seen()
    found: list[Waiting] = []
    counts: dict[str, int] = {}
    sizes: dict[str, int] = {}
    owners = {peer.folder: name for name, peer in we.config.peers.items()}
    for deposit in mailbox.deposits(listing):
        owner = owners.get(deposit.folder)
        if peers is not None and owner not in peers:
            continue
        if names is not None and names_of(deposit.name).isdisjoint(names):
            continue
        counts[deposit.folder] = counts.get(deposit.folder, 0) + 1
        peer = we.keyring.peers.get(owner) if owner is not None else None
        if names is None and counts[deposit.folder] > quota.most_files:
            why = f"there are more than {quota.most_files:,} of theirs; receive or decline others first"
            found.append(Waiting(deposit, peer, None, why))
            continue
        one = _known(_look(deposit, peer, we, relay), quota, seen, is_named=names is not None)
        if one.problem is None:
            before = sizes.get(deposit.folder, 0)
            after = before + (deposit.entry.size or 0)
            if before and after > quota.most_bytes:
                one = replace(one, problem=over_quota(quota.most_bytes))
            else:
                sizes[deposit.folder] = after
        found.append(one)
    return found


def names_of(deposit: str) -> frozenset[str]:
    """The names by which a package may be called: its whole one, and the last part."""
    return frozenset([deposit, deposit.rpartition("/")[2]])


def over_quota(most_bytes: int) -> str:
    """Why a package is left for the next time."""
    return f"with it there would be more than {most_bytes:,} bytes of theirs at once; receive or decline others first"


def _known(one: Waiting, quota: Quota, seen: Seen, *, is_named: bool) -> Waiting:
    """A package in the light of what was found out before; what is named is tried once more."""
    if one.peer is not None and one.peer.name in seen.disputed:
        why = f"two keys claim to follow that of '{one.peer.name}'; see `alive-p2p relay peers trust`"
        return replace(one, problem=one.problem or why, is_disputed=True)
    if one.problem is not None or one.note is None:
        return one
    name, sha256 = one.deposit.name, one.note.file_sha256
    if sha256 in seen.declined:
        return replace(one, problem="you have declined it before, and somebody has put it back")
    refused, too_large = seen.refused.get(name), seen.too_large.get(name)
    if refused is not None and refused[0] == sha256 and not is_named:
        why = f"it was refused before, and is not tried again unless you name it: {REASONS[refused[1]]}"
        return replace(one, problem=why, refusal=refused[1])
    if too_large is not None and too_large.version == one.deposit.entry.version:
        one = replace(one, more_than=too_large.limit)
    if max(one.more_than, (one.deposit.entry.size or 0) - 1) >= quota.most_bytes:
        why = f"it is larger than {quota.most_bytes:,} bytes (`p2p.limits.inbox_bytes` in the preferences)"
        return replace(one, problem=why)
    return one


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
        why = f"it was sent to '{one_line(document['to'])}', not to you"
        return Waiting(deposit, peer, None, why, refusal=NOT_FOR_US)
    said: dict[str, Any] = {name: document.get(name) for name in ("file_sha256", "import_id", "sent_at")}
    if not all(isinstance(text, str) for text in said.values()):
        return Waiting(deposit, peer, None, "its delivery note does not say what it is about", refusal=NOT_AS_NOTED)
    return Waiting(deposit, peer, Note(**said))
