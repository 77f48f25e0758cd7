"""Why a package is refused for good, in words that its sender may be told (relay.md §6).

Only what lies in the package itself is for good. What a passphrase, another target, another setting, a newer version or
room on the disk would change is no reason here: such a package waits, and its sender is told no more than that it was
fetched. A word is one of this list and nothing else, so that no path, name or message of ours leaves with it.
"""

from collections.abc import Mapping
from typing import Final

from alive_p2p.errors import AliveP2PError

NOT_FOR_US = "not-for-us"
NOT_AS_NOTED = "not-as-noted"

REASONS: Final[Mapping[str, str]] = {
    "unsafe": "it holds what no package may hold",
    "broken": "it is damaged, or no package that can be read",
    "signature": "what is inside is not signed as it has to be",
    "layout": "its older layout cannot be brought forward",
    NOT_AS_NOTED: "it is not what its delivery note says",
    NOT_FOR_US: "it is addressed to somebody else",
}
"""Every word that a receipt may give, with what it tells a person on either side."""

_FINAL: Final[Mapping[str, str]] = {
    "unsafe-member": "unsafe",
    **dict.fromkeys(
        (
            "altered",
            "bad-age-header",
            "bad-envelope",
            "bad-manifest",
            "bad-shape",
            "cannot-open",  # its bytes are those that were sent, and the key is the one that has opened the note
            "damaged",
            "no-manifest",
            "not-a-package",
        ),
        "broken",
    ),
    "bad-signature": "signature",
    "signature-required": "signature",
    "migration-collision": "layout",
    "unknown-layout": "layout",
    "not-as-noted": NOT_AS_NOTED,
    "not-for-us": NOT_FOR_US,
}


def reason_of(error: AliveP2PError) -> str | None:
    """The word for a refusal that will not change, or None where it may be received yet.

    Args:
        error: what a receive has said of a file whose bytes are those that were sent.
    """
    return _FINAL.get(error.code)
