"""The ways in which opening an age file is refused (format.md §5)."""

from alive_p2p.errors import PackageError
from alive_p2p.package.envelopes.base import cannot_open


class CannotOpenAgeError(PackageError):
    """It cannot be opened: wrong passphrase, cut off, altered or malformed, with one message for all of them."""

    def __init__(self) -> None:
        same = cannot_open()
        super().__init__(same.code, same.message, untouched=same.untouched, hint=same.hint)


class WorkFactorTooHighError(PackageError):
    """Its passphrase would cost more time and memory to try than is reasonable.

    Args:
        highest: the highest factor that is tried.
    """

    def __init__(self, highest: int) -> None:
        super().__init__(
            "work-factor-too-high",
            f"the package is over a limit: trying its passphrase needs a work factor above {highest}",
            untouched="everything",
            hint="ask the sender to seal it again with the usual work factor",
        )


class AgeHeaderOverLimitError(PackageError):
    """Its header is larger than any real one.

    Args:
        what: the limit that is passed, in words.
    """

    def __init__(self, what: str) -> None:
        super().__init__(
            "bad-age-header",
            f"the package is over a limit: its age header has {what}",
            untouched="everything",
            hint="ask the sender to encrypt it for fewer recipients",
        )
