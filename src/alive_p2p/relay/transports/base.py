"""What a relay has to be able to do, whatever carries it (relay.md §8).

A relay is a set of named files that several people change at the same time. Nothing in it is believed because of where
it lies: whoever reads checks what it says.
"""

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Protocol, runtime_checkable

from alive_p2p.errors import RelayError
from alive_p2p.package import paths
from alive_p2p.text import fold

Progress = Callable[[int, int], None]
"""Called with bytes done and bytes in all."""

MOST_ENTRIES = 20_000
"""A relay with more files is not read: two thousand deposits are a busy year."""


@dataclass(frozen=True)
class Entry:
    """A file in a relay.

    Attributes:
        name: its path there, `/`-separated; checked like a member of a package.
        version: a text that is another one whenever the content is.
        size: bytes, where the transport can tell them without fetching.
    """

    name: str
    version: str
    size: int | None = None


@dataclass(frozen=True)
class Listing:
    """What a relay holds.

    Attributes:
        entries: by name, sorted.
        oddities: what lies there and was passed over (links, names that are not accepted), one line each.
        tip: what the whole relay was called when it was listed; None where the transport cannot tell.
        versions: by each place that was looked at, what it was called; empty where nothing was there. Only `look` says.
        unchanged: those of them that were known to be called so, and were not listed.
    """

    entries: Mapping[str, Entry] = field(default_factory=dict)
    oddities: tuple[str, ...] = ()
    tip: str | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    unchanged: frozenset[str] = frozenset()

    def below(self, folder: str) -> list[Entry]:
        """The files in a folder and below it, by name."""
        prefix = folder.rstrip("/") + "/"
        return [entry for name, entry in self.entries.items() if name.startswith(prefix)]


@dataclass(frozen=True)
class Put:
    """A file to be written.

    Attributes:
        name: its path in the relay.
        content: the bytes, or the file that holds them.
        replaces: another file of this name may give way; else its being there is an error.
    """

    name: str
    content: bytes | Path
    replaces: bool = False

    def open(self) -> BinaryIO:
        """A stream over the content. Raises `OSError`."""
        return io.BytesIO(self.content) if isinstance(self.content, bytes) else self.content.open("rb")

    @property
    def size(self) -> int:
        """Bytes. Raises `OSError`."""
        return len(self.content) if isinstance(self.content, bytes) else self.content.stat().st_size


@dataclass(frozen=True)
class Traffic:
    """Bytes of content that went over the wire, as far as the transport can tell."""

    sent: int = 0
    received: int = 0


@dataclass(frozen=True)
class SizeLimits:
    """How large a file may be: `most` is refused beyond, `advised` warned beyond; in bytes, None where nothing says."""

    most: int | None = None
    advised: int | None = None


class Transport(Protocol):
    """One relay, as one person reaches it. Every method raises `RelayError`."""

    @property
    def url(self) -> str:
        """Where it is, as it stands in `relay.json`; without any password."""

    @property
    def sizes(self) -> SizeLimits:
        """What the host takes."""

    def list(self, *folders: str) -> Listing:
        """What lies below these folders; where none is named, everywhere. An empty relay is one with nothing in it."""

    def read(self, entry: Entry, output: BinaryIO, *, limit: int, progress: Progress | None = None) -> None:
        """Fetch the content that `list` has told of.

        Args:
            entry: as listed.
            output: what takes it; on an error what it took is to be thrown away.
            limit: bytes; more is not fetched, and is an error (`relay-over-limit`).
            progress: called with bytes done and bytes in all, where the latter are known.

        Raises:
            RelayError: also `relay-gone`: it was removed, or is another file by now.
        """

    def change(
        self, puts: Sequence[Put] = (), removes: Sequence[str] = (), *, progress: Progress | None = None
    ) -> Traffic:
        """Write and remove files: all of it or nothing where the transport can, else in this order, one by one.

        Others who change something at the same moment do not matter: it is tried again, for up to two minutes.

        Args:
            puts: files to write; a name that is there is an error (`relay-taken`) unless it may be replaced.
            removes: names to remove; what is not there is passed over.
            progress: called with bytes done and bytes in all.
        """


@runtime_checkable
class Watchable(Protocol):
    """A transport that can tell what has changed, for less than listing everything; not every one can."""

    def tip(self) -> str | None:
        """What the whole relay is called at this moment: another text means that something has changed in it.

        None where that cannot be told. Raises `RelayError`.
        """

    def look(self, places: Sequence[str], known: Mapping[str, str]) -> Listing:
        """What lies at some places, and is not known already.

        Args:
            places: paths of files and folders.
            known: what some of them were called before; what is called so now need not be listed.

        Raises:
            RelayError: the relay cannot be read.
        """


@runtime_checkable
class Stoppable(Protocol):
    """A transport that can be stopped, from another thread; not every one can."""

    def stop(self) -> None:
        """End what is under way, and whatever is begun later: it raises `RelayError`."""


def checked_name(name: str) -> str:
    """A name that we are about to use in a relay.

    Raises:
        RelayError: nobody would accept it.
    """
    if (why := refusal(name)) is not None:
        raise RelayError(
            "relay-hostile",
            f"'{name}' cannot be a name in a relay: {why}",
            untouched="everything",
            hint="ask the relay's owner who else may write there",
        )
    return name


def refusal(name: str) -> str | None:
    """Why a name in a relay is not accepted, or None where it is: the rules of packages, and nothing of git's own."""
    if (why := paths.refusal(name)) is not None:
        return why
    if any(fold(segment) == ".git" for segment in name.split("/")):
        return "it has a `.git` segment"
    return None


def gone(entry: Entry) -> RelayError:
    """The error for a file that is not there any more."""
    return RelayError(
        "relay-gone", f"'{entry.name}' is not in the relay any more", untouched="everything", hint="run it again"
    )


def taken(name: str) -> RelayError:
    """The error for a name that is in use."""
    return RelayError("relay-taken", f"'{name}' is in the relay already", untouched="everything", hint="run it again")


def over_limit(entry: Entry, limit: int) -> RelayError:
    """The error for a file that is larger than we want to fetch."""
    return RelayError(
        "relay-over-limit",
        f"'{entry.name}' is larger than {limit:,} bytes, so it was not fetched",
        untouched="everything; it is still there",
        hint="raise `p2p.limits.inbox_bytes` in the preferences if you expect it",
    )
