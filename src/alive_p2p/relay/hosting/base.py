"""A host whose API can make a relay, and let people in and out (relay.md §5, §8)."""

from enum import Enum
from typing import Protocol


class Access(Enum):
    """What came of letting somebody in."""

    INVITED = "invited"
    """The host has sent an invitation, which has to be accepted."""
    GRANTED = "granted"
    """They may write already."""


class Hosting(Protocol):
    """A host, as one person uses it. Every method can be repeated, and raises `RelayError`."""

    def login(self) -> str:
        """Who we are there."""

    def covers(self, url: str) -> bool:
        """Whether a relay at this address is this host's."""

    def create(self, name: str) -> str:
        """Make a private repository, or find the one that is there; gives its address for git.

        Args:
            name: of the repository.
        """

    def grant(self, url: str, login: str) -> Access:
        """Let somebody write to a relay of ours.

        Args:
            url: the relay.
            login: who they are at the host.
        """

    def accept(self, url: str) -> bool:
        """Accept the host's invitation to somebody's relay.

        Returns:
            Whether we may write there now; False where no invitation has come yet.
        """

    def revoke(self, url: str, login: str) -> None:
        """Let somebody in no longer, and take back an invitation that was not accepted yet."""
