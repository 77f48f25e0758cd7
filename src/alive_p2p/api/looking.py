"""What there is: worlds, their walnuts, the walnuts' bundles, and packages that have arrived."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from alive_p2p import files
from alive_p2p.errors import AliveP2PError
from alive_p2p.receiving import inbox
from alive_p2p.receiving.inbox import inbox_of
from alive_p2p.walnut.bundles import Bundle, discover, effective_sensitivity
from alive_p2p.walnut.walnut import open_walnut
from alive_p2p.walnut.world import find_world, is_world, walnuts_in

__all__ = ["BundleEntry", "WalnutEntry", "bundles_of", "find_world", "inbox_of", "packages_in", "walnuts_of", "worlds"]


@dataclass(frozen=True)
class WalnutEntry:
    """A walnut, as its `key.md` describes it.

    Attributes:
        root: its folder, absolute.
        goal: what it is for; empty where it does not say.
        kind: its `type`; empty where it does not say.
        sensitivity: `open`, `private` or `restricted`.
    """

    root: Path
    goal: str
    kind: str
    sensitivity: str


@dataclass(frozen=True)
class BundleEntry:
    """A bundle, and the sensitivity that counts: the stricter of its own and its parents'."""

    bundle: Bundle
    sensitivity: str

    @property
    def goal(self) -> str:
        """What it is for; empty where it does not say."""
        value = self.bundle.fields.get("goal")
        return value if isinstance(value, str) else ""


def worlds(folder: Path) -> list[Path]:
    """The world around a folder; where there is none, the worlds right below it."""
    around = find_world(folder)
    if around is not None:
        return [around]
    try:
        below = sorted(path for path in folder.iterdir() if files.is_folder(path) and not files.is_link(path))
    except OSError:
        return []
    return [path for path in below if is_world(path)]


def walnuts_of(world: Path) -> Iterator[WalnutEntry]:
    """Yield the walnuts of a world in order of their path; one that cannot be opened is passed over."""
    for root in walnuts_in(world):
        try:
            key = open_walnut(root).key
        except AliveP2PError:
            continue
        yield WalnutEntry(root, key.text_field("goal"), key.text_field("type"), key.sensitivity.word)


def bundles_of(walnut: Path) -> list[BundleEntry]:
    """Every bundle of a walnut, top-level and nested.

    Raises:
        AliveP2PError: there is no walnut.
    """
    found = discover(open_walnut(walnut, allow_archived=True))
    return [BundleEntry(one, effective_sensitivity(one, found).word) for one in found]


def packages_in(world: Path) -> list[Path]:
    """The packages that lie in a world's inbox, and in the folders right below it (receive.md §11); oldest first.

    Raises:
        FileSystemError: the inbox cannot be read.
    """
    return inbox.packages_in(inbox_of(world))
