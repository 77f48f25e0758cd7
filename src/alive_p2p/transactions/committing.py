"""Log and ledger on top of whatever they say now, and the commit of a whole change (receive.md §2, §7)."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from alive_p2p import files, hashing
from alive_p2p.errors import AliveP2PError, WalnutError
from alive_p2p.transactions.journal import (
    Journal,
    Operation,
    RollbackFailedError,
    State,
    TargetChangedError,
    substitute,
)
from alive_p2p.transactions.staging import PREPARED, PREVIOUS, Staging

_ATTEMPTS = 3
"""How often log and ledger are made again when somebody edits them between reading and renaming."""

Records = Mapping[str, Mapping[str, Any]]
"""By the path of a file that is edited, what is added to it; see `Journal.records`."""


def changed_meanwhile(target: Path) -> AliveP2PError:
    """The error for a target that is no longer as it was when the plan was made."""
    return WalnutError(
        "changed-meanwhile",
        f"the walnut '{target}' changed while you were looking",
        untouched="everything",
        hint="run it again",
    )


def commit(
    staging: Staging,
    target: Path,
    import_id: str,
    make_edits: Callable[[], tuple[list[Operation], Records]],
    operations: Sequence[Operation],
) -> None:
    """Carry out a change to a walnut, all or none.

    Args:
        staging: where everything is made ready.
        target: the walnut. Its lock is held by the caller.
        import_id: what it is about.
        make_edits: prepares what log and ledger become, on top of what they are at that moment; called again where
            somebody has edited them before they could be replaced.
        operations: everything else.

    Raises:
        WalnutError: somebody edits log or ledger all the time.
        FileSystemError: the disk refused; everything was put back.
        RollbackFailedError: it could not be put back; recovery finishes it.
    """
    for _ in range(_ATTEMPTS):
        # First what may have been edited since it was read: if it was, nothing else has happened yet.
        edits, records = make_edits()
        try:
            _commit(staging, Journal(staging.path, target, import_id, (*edits, *operations), records))
        except TargetChangedError:
            _clear(staging)
            continue
        return
    raise changed_meanwhile(target)


def edit(staging: Staging, target: Path, path: str, old: bytes, new: bytes) -> Operation:
    """Prepare another content for one of the walnut's files, keeping its permissions. Raises `OSError`."""
    name = path.rpartition("/")[2]
    prepared = staging.path / PREPARED / name
    mode = (target / path).stat().st_mode & 0o7777
    files.write_new(prepared, new, mode=mode)
    files.link_or_copy(target / path, staging.path / PREVIOUS / name)
    return substitute(
        f"{PREPARED}/{name}",
        path,
        new_sha256=hashing.sha256(new),
        old_sha256=hashing.sha256(old),
        rest=f"{PREVIOUS}/{name}",
    )


def _commit(staging: Staging, journal: Journal) -> None:
    """Keep staging for recovery unless it is certain that the change has happened, or has not."""
    staging.keep()
    try:
        journal.commit()
    except RollbackFailedError as error:
        has_begun = journal.state_on_disk is not State.PREPARED
        if not has_begun and error.__cause__ is not None:  # so nothing had to be put back
            staging.keep(kept=False)
            raise error.__cause__ from None
        raise
    except BaseException:
        if journal.is_over:
            staging.keep(kept=False)
        raise
    staging.keep(kept=False)


def _clear(staging: Staging) -> None:
    """Forget what `edit` has prepared, because it has to be made again."""
    for folder in (PREPARED, PREVIOUS):
        with files.translating("prepare", staging.path):
            files.remove_tree(staging.path / folder)
            files.make_folder(staging.path / folder, 0o700)
