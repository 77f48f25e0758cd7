"""The one error tree.

Everything that can go wrong for a reason a person can cause or mend is an `AliveP2PError`. It carries what the
doors need to answer well: a stable `code` for programs, a `message` that says what happened, `untouched` where
it matters that nothing was changed, a `hint` with the next command, and `details`, one line each, when there is
more than one thing to say.

Messages start in lower case and do not end in a full stop. Text that came from a package, a relay or a file name
is escaped by whoever shows the error, never here.
"""

from collections.abc import Sequence


class AliveP2PError(Exception):
    """A refusal or failure with a reason.

    Args:
        code: stable kebab-case identifier, part of the `--json` contract (cli.md, "Conventions").
        message: one line that says what happened.
        hint: the next thing to do, a command where there is one.
        untouched: what was left as it was.
        details: further lines, such as every defect of a manifest.
    """

    exit_code = 1

    def __init__(
        self,
        code: str,
        message: str,
        *,
        hint: str | None = None,
        untouched: str | None = None,
        details: Sequence[str] = (),
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.untouched = untouched
        self.details = tuple(details)


class UsageError(AliveP2PError):
    """The command was used wrongly, or names a path that does not exist. Exit code 2."""

    exit_code = 2


class PackageError(AliveP2PError):
    """A file is not a package, or is one that must not be received."""


class WalnutError(AliveP2PError):
    """A walnut is missing, damaged, or not in a state in which it can be shared or received into."""


class FileSystemError(AliveP2PError):
    """The operating system refused something: no space, no permission, an I/O error."""


class BusyError(AliveP2PError):
    """Another process holds the walnut's lock."""


class RelayError(AliveP2PError):
    """A relay cannot be reached, does not let us in, or holds something that must not be believed.

    Its `code` says which: `relay-unreachable` (the network, or the host), `relay-missing` (nothing is there, or we
    may not see it), `relay-denied` (we may not do this), `relay-busy` (others were always faster), `relay-rejected`
    (the host refused what was sent, such as a file over its limit), `relay-gone` (it was there and is not any more),
    `relay-taken` (the name is in use), `relay-over-limit` (it is larger than we want to fetch), `relay-hostile` (what
    lies there is not what a relay holds), `relay-host-unknown` and `relay-host-changed` (ssh cannot tell whether it is
    the right host), `git-missing` and `git-too-old`, `s3-missing` (the library), `s3-no-login`, `s3-other-login` (it
    is for another store) and `s3-settings`, and those of pairing and delivery. Those of hosts with an API
    begin with `host-` and stand in `relay.hosting.github_refusals` and `relay.hosting.github`.
    """
