"""What lies where in a relay (relay.md §3). Pure functions over names; what a name says is a claim like any other."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from alive_p2p.relay.transports.base import Entry, Listing
from alive_p2p.runtime import Runtime

ABOUT = ".alive-relay"
"""Where a relay says what it is, and what its owner's keys are."""
KEYS = "keys"
INFO = f"{ABOUT}/relay.json"
OWNER = f"{ABOUT}/owner.json"
"""Where the owner says, signed, that the relay is theirs."""
_PACKAGE = re.compile(r"inbox/(?P<folder>[^/]+)/(?P<stem>[^/]+)\.walnut")
_OURS = re.compile(r"(?P<day>\d{8})-(?P<time>\d{6})-[0-9a-f]{8}")
NOTE = ".note"


def inbox(folder: str) -> str:
    """Where a peer leaves what it sends: nothing else has to be open to its writing."""
    return f"inbox/{folder}"


def receipts_for(folder: str) -> str:
    """Where the owner leaves what became of a peer's packages."""
    return f"receipts/{folder}"


def open_to(folder: str) -> tuple[str, ...]:
    """What a peer looks at in somebody's relay: nothing else has to be open to their reading."""
    return (ABOUT, KEYS, inbox(folder), receipts_for(folder))


def owner_key(owner: str) -> str:
    """Where the owner's public key lies."""
    return f"{KEYS}/{owner}.pem"


def pinned_key(peer: str) -> str:
    """Where a peer's public key lies, as the owner pinned it."""
    return f"{KEYS}/peers/{peer}.pem"


def answer(folder: str) -> str:
    """Where a peer leaves its answer to an invitation."""
    return f"{inbox(folder)}/answer.json"


def receipt(folder: str, name: str) -> str:
    """Where a receipt for a peer lies; `name` is 8 hex digits."""
    return f"{receipts_for(folder)}/{name}.sealed"


def new_deposit(folder: str, runtime: Runtime) -> str:
    """A fresh name for a package: when and by chance, and nothing of what it is."""
    return f"{inbox(folder)}/{runtime.now():%Y%m%d-%H%M%S}-{runtime.random_hex(8)}.walnut"


def note_of(deposit: str) -> str:
    """Where the delivery note of a package lies."""
    return deposit.removesuffix(".walnut") + NOTE


@dataclass(frozen=True)
class Deposit:
    """A package in a relay.

    Attributes:
        name: its path there.
        folder: the inbox folder it lies in.
        entry: as it was listed.
        note: its delivery note, or None where it has none.
    """

    name: str
    folder: str
    entry: Entry
    note: Entry | None

    @property
    def at(self) -> str | None:
        """When its name says it was deposited, `2026-04-07 10:15:00`; None for a name that says nothing."""
        match = _OURS.fullmatch(self.name.rpartition("/")[2].removesuffix(".walnut"))
        if match is None:
            return None
        day, time = match["day"], match["time"]
        return f"{day[:4]}-{day[4:6]}-{day[6:]} {time[:2]}:{time[2:4]}:{time[4:]}"


def deposits(listing: Listing, folder: str | None = None) -> Iterator[Deposit]:
    """The packages in a relay, oldest name first; of one inbox folder, or of all."""
    for name, entry in listing.entries.items():
        match = _PACKAGE.fullmatch(name)
        if match is not None and folder in {None, match["folder"]}:
            yield Deposit(name, match["folder"], entry, listing.entries.get(note_of(name)))


def receipts(listing: Listing, folder: str) -> list[Entry]:
    """The receipts that the owner has left for a peer."""
    return [entry for entry in listing.below(receipts_for(folder)) if entry.name.endswith(".sealed")]
