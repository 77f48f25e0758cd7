"""A relay in memory, with the same behaviour as the real ones (relay.md §8); for tests and for the demonstration.

Several transports over one `Store` are several people at one relay.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from alive_p2p import files, hashing
from alive_p2p.relay.transports.base import (
    Entry,
    Listing,
    Progress,
    Put,
    SizeLimits,
    Traffic,
    checked_name,
    gone,
    over_limit,
    refusal,
    taken,
)


@dataclass
class Store:
    """What lies in a relay: content by name. Tests put there what no honest peer would."""

    contents: dict[str, bytes] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)


class MemoryTransport:
    """One person's access to a relay in memory.

    Args:
        store: the relay.
        url: where it says to be.
        sizes: what it says to take.
    """

    def __init__(self, store: Store, url: str = "memory:relay", sizes: SizeLimits | None = None) -> None:
        self.store = store
        self.url = url
        self.sizes = sizes or SizeLimits()

    def list(self, *folders: str) -> Listing:
        """What lies below these folders, or everywhere."""
        with self.store.lock:
            contents = dict(sorted(self.store.contents.items()))
        odd = {name: why for name in contents if (why := refusal(name)) is not None}
        entries = {
            name: Entry(name, hashing.sha256(data), len(data))
            for name, data in contents.items()
            if name not in odd and (not folders or name.startswith(tuple(f"{one.rstrip('/')}/" for one in folders)))
        }
        return Listing(entries, tuple(f"'{name}': {why}" for name, why in odd.items()))

    def read(self, entry: Entry, output: BinaryIO, *, limit: int, progress: Progress | None = None) -> None:
        """Fetch what `list` has told of."""
        with self.store.lock:
            data = self.store.contents.get(entry.name)
        if data is None or hashing.sha256(data) != entry.version:
            raise gone(entry)
        if len(data) > limit:
            raise over_limit(entry, limit)
        output.write(data)
        if progress is not None:
            progress(len(data), len(data))

    def change(
        self, puts: Sequence[Put] = (), removes: Sequence[str] = (), *, progress: Progress | None = None
    ) -> Traffic:
        """Write and remove, all of it or nothing."""
        names = [checked_name(put.name) for put in puts]
        new: dict[str, bytes] = {}
        for put in puts:
            with files.translating("read", str(put.content)[:200]), put.open() as stream:
                new[put.name] = stream.read()
        with self.store.lock:
            for put in puts:
                if put.name in self.store.contents and not put.replaces:
                    raise taken(put.name)
            self.store.contents |= new
            for name in removes:
                if name not in names:
                    self.store.contents.pop(name, None)
        sent = sum(map(len, new.values()))
        if progress is not None:
            progress(sent, sent)
        return Traffic(sent=sent)
