"""Putting right what a killed process left: finish it, take it back, or tidy it up (receive.md §7).

Every command that touches a walnut does this first, under the walnut's lock, and `alive-p2p recover` does it for all.
Only what is registered on this machine, and is ours, is obeyed; anything else that lies about is reported.
"""

import os
import re
import shlex
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

from alive_p2p import files
from alive_p2p.errors import AliveP2PError, BusyError, FileSystemError, UsageError
from alive_p2p.locks import Action, try_lock, walnut_lock
from alive_p2p.package.paths import STAGING_PREFIX
from alive_p2p.runtime import Runtime
from alive_p2p.transactions.finishing import InTheWayError, finish
from alive_p2p.transactions.journal import BrokenJournalError, Journal, State
from alive_p2p.transactions.registry import Registration, abandoned, interrupted, is_registered
from alive_p2p.transactions.staging import (
    INCOMPLETE_PREFIX,
    OWNER,
    TAKEN_AWAY,
    TREE,
    remove_with_registration,
    set_aside,
)
from alive_p2p.walnut import kernel
from alive_p2p.walnut.regeneration import write_projection
from alive_p2p.walnut.walnut import Walnut

_OURS = re.compile(rf"{re.escape(STAGING_PREFIX)}-[0-9a-f]{{16}}")


class Outcome(Enum):
    """What became of a transaction whose process was gone; the value is the word for it in `--json`."""

    DISCARDED = "discarded"
    """Nothing had been changed yet; what was made ready is removed."""
    COMPLETE = "complete"
    """Everything was in place; what was left over is removed."""
    FINISHED = "finished"
    """It was half done, and is done now."""
    TAKEN_BACK = "taken-back"
    """It was half done and could not be finished; the walnut is as it was before."""
    KEPT = "kept"
    """It cannot be understood; it was moved aside and nothing else was touched."""
    FOREIGN = "foreign"
    """A staging folder that is not registered here; it was left as it is."""


@dataclass(frozen=True)
class Settlement:
    """What was found of one transaction and what was done.

    Attributes:
        target: the walnut.
        outcome: what was done.
        place: where something still lies, for `KEPT` and `FOREIGN`, else None.
        why: in words, where that needs saying.
        warning: what could not be done besides, or None.
        action: what was interrupted; a name of `locks.Action`.
    """

    target: Path
    outcome: Outcome
    place: Path | None = None
    why: str = ""
    warning: str | None = None
    action: str = "receive"

    def describe(self) -> str:
        """One sentence for a person."""
        what = f"an interrupted {self.action} {'into' if self.action == 'receive' else 'in'} '{self.target}'"
        match self.outcome:
            case Outcome.DISCARDED:
                return f"{what} had changed nothing; what it had made ready was removed"
            case Outcome.COMPLETE:
                return f"{what} was complete; what it had left over was removed"
            case Outcome.FINISHED:
                return f"{what} was finished"
            case Outcome.TAKEN_BACK:
                return f"{what} was taken back: {self.why}"
            case Outcome.KEPT:
                return (
                    f"{what} can neither be finished nor taken back: {self.why};"
                    f" the walnut stays as it is, and what had been made ready lies in '{self.place}'"
                )
            case Outcome.FOREIGN:
                return f"'{self.place}' is nothing that this home has left ({self.why}); it was left as it is"

    @property
    def notes(self) -> tuple[str, ...]:
        """What somebody has to be told who asked for something else; nothing where nothing had happened."""
        quiet = self.outcome in {Outcome.DISCARDED, Outcome.COMPLETE}
        told = () if quiet else (self.describe(),)
        return told if self.warning is None else (*told, self.warning)


@contextmanager
def settled_lock(
    target: Path, action: Action, runtime: Runtime, *, wait_seconds: float = 0.0
) -> Iterator[tuple[str, ...]]:
    """Hold a walnut's lock, with whatever an earlier process left on it put right.

    Gives:
        What a person should know of that.

    Raises:
        BusyError: another process holds it.
        FileSystemError: something could not be put right; it can be tried again.
    """
    with walnut_lock(target, action, runtime, wait_seconds=wait_seconds):
        _sweep(target)
        settlements = [_settle(one, runtime) for one in _abandoned_on(target, runtime)]
        yield tuple(note for one in settlements if one is not None for note in one.notes)


def settle(runtime: Runtime, *, place: Path | None = None, action: Action = "recover") -> tuple[Settlement, ...]:
    """Put right what killed processes left, of every walnut that nobody is working on.

    Args:
        runtime: the surroundings.
        place: only the walnut there, and those below; everywhere by default.
        action: what is said to whoever finds the lock taken.

    Raises:
        FileSystemError: something could not be put right; it can be tried again.
    """
    found: list[Settlement] = []
    for registration in abandoned(runtime):
        try:
            if place is not None and not _is_at_or_below(registration.target, place):
                continue
            with walnut_lock(registration.target, action, runtime):
                _sweep(registration.target)  # before the registration goes: nobody would look here again
                settlement = _settle(registration, runtime)
            found += [] if settlement is None else [settlement]
        except BusyError:
            continue  # whoever works there settles it
        finally:
            registration.close()
    return tuple(found)


def interrupted_notes(runtime: Runtime, *, place: Path) -> tuple[str, ...]:
    """What somebody should know of what killed processes have left at or below a place; only looks.

    Raises:
        FileSystemError: a registration cannot be read.
    """
    return tuple(
        f"an earlier {action} {'into' if action == 'receive' else 'in'} '{target}' was interrupted;"
        f" `alive-p2p recover {shlex.quote(str(target))}` puts it right"
        for action, target in interrupted(runtime)
        if _is_at_or_below(target, place)
    )


def unregistered(target: Path, runtime: Runtime) -> tuple[Settlement, ...]:
    """Staging folders beside (or in) a walnut that no transaction of this home knows; they are left as they are."""
    found = []
    for folder in (target.parent, target):
        try:
            names = sorted(path for path in folder.iterdir() if path.name.startswith(f"{STAGING_PREFIX}-"))
        except OSError:
            continue
        for path in names:
            if path.name.startswith(INCOMPLETE_PREFIX):
                found.append(Settlement(target, Outcome.FOREIGN, path, "it was kept by an earlier receive or recovery"))
            elif not is_registered(path, runtime) and _names(path) in {None, os.path.realpath(target)}:
                found.append(Settlement(target, Outcome.FOREIGN, path, "nothing is registered of it"))
    return tuple(found)


def adopt(staging: Path, runtime: Runtime, approve: Callable[[Journal], None]) -> Settlement:
    """Do what the journal of an unregistered staging folder says, under the same rules, if somebody approves.

    Args:
        staging: the folder.
        runtime: the surroundings.
        approve: looks at the journal, and raises to stop.

    Raises:
        UsageError: it is no staging folder, belongs to a transaction of this home, or is not ours.
        BrokenJournalError: its journal cannot be understood.
        BusyError: another process holds the walnut.
        FileSystemError: the disk refused; or the folder is no longer what was approved.
    """
    if not _OURS.fullmatch(staging.name) or files.is_link(staging) or not files.is_folder(staging):
        raise UsageError(
            "not-staging",
            f"'{staging}' is not a folder that a receive has left",
            untouched="everything",
            hint="check the path",
        )
    if is_registered(staging, runtime):
        raise UsageError(
            "registered",
            f"'{staging}' belongs to a receive of this home",
            hint="run `alive-p2p recover`",
            untouched="everything",
        )
    if why := _refusal(staging):
        raise UsageError(
            "not-ours",
            f"'{staging}' cannot be adopted: {why}",
            untouched="everything",
            hint="look at it, and move what you need by hand",
        )
    journal = Journal.read(staging)
    if journal is None or journal.state is State.PREPARED:
        raise UsageError(
            "nothing-to-adopt",
            f"'{staging}' says of no change that had begun",
            untouched="everything",
            hint="nothing needs it any more; it can be removed by hand",
        )
    approve(journal)
    with walnut_lock(journal.target, "recover", runtime):
        if _refusal(staging) or Journal.read(staging) != journal:  # the home it belongs to may have settled it
            raise FileSystemError(
                "changed-meanwhile",
                f"'{staging}' changed while you were looking",
                untouched="everything",
                hint="run it again",
            )
        settlement = _by_journal(journal, runtime)
        with files.translating("remove", staging):
            files.remove_tree(staging)
    return settlement


# --- one transaction --------------------------------------------------------------------------------------------


def _abandoned_on(target: Path, runtime: Runtime) -> Iterator[Registration]:
    real = os.path.realpath(target)
    for registration in abandoned(runtime):
        try:
            if os.path.realpath(registration.target) == real:
                yield registration
        finally:
            registration.close()


def _settle(registration: Registration, runtime: Runtime) -> Settlement | None:
    """Settle one transaction, whose registration and whose walnut are locked by us; None where nothing was left."""
    staging, target = registration.staging, registration.target
    if not files.is_taken(staging):
        if files.is_folder(staging.parent):  # else the disk it lies on is not here now
            with files.translating("remove", registration.path):
                registration.remove()
        return None
    if why := _refusal(staging):
        with files.translating("remove", registration.path):
            registration.remove()
        return Settlement(target, Outcome.FOREIGN, staging, why)
    if _is_owned(staging):
        return None
    try:
        journal = Journal.read(staging)
        if journal is not None and os.path.realpath(journal.target) != os.path.realpath(target):
            raise BrokenJournalError("broken-journal", f"the journal in '{staging}' is about another walnut")
    except BrokenJournalError as error:
        return _keep(registration, error.message, runtime)
    if journal is None:
        is_made = not files.is_taken(staging / TREE) and files.is_folder(target)
        is_complete = is_made or files.is_taken(staging / TAKEN_AWAY)
        settlement = Settlement(target, Outcome.COMPLETE if is_complete else Outcome.DISCARDED)
    else:
        try:
            settlement = _by_journal(journal, runtime)
        except InTheWayError as error:
            return _keep(registration, error.message, runtime)
    remove_with_registration(staging, registration)
    return replace(settlement, action=registration.action)


def _by_journal(journal: Journal, runtime: Runtime) -> Settlement:
    """Do what a journal says.

    Raises:
        InTheWayError: it can neither be finished nor taken back.
        FileSystemError: the disk refused; it can be tried again.
    """
    if journal.state is State.PREPARED:
        return Settlement(journal.target, Outcome.DISCARDED)
    outcome = Outcome.COMPLETE
    if journal.state is State.COMMITTING:
        reason = finish(journal)
        if reason is not None:
            return Settlement(journal.target, Outcome.TAKEN_BACK, why=reason)
        outcome = Outcome.FINISHED
        replace(journal, state=State.DONE).write()
    try:
        write_projection(Walnut(journal.target), runtime)
    except AliveP2PError as error:
        return Settlement(journal.target, outcome, warning=error.message)
    return Settlement(journal.target, outcome)


def _keep(registration: Registration, why: str, runtime: Runtime) -> Settlement:
    """Move a staging folder aside, under a name that says what it is."""
    aside = set_aside(registration.staging, registration.staging.parent, runtime)
    with files.translating("remove", registration.path):
        registration.remove()
    return Settlement(registration.target, Outcome.KEPT, aside, why, action=registration.action)


def _refusal(staging: Path) -> str | None:
    """Why a folder is not a staging folder of ours, or None."""
    if not _OURS.fullmatch(staging.name):
        return "it has another name"
    try:
        state = staging.lstat()
    except OSError:
        return "it cannot be looked at"
    if not stat.S_ISDIR(state.st_mode):
        return "it is not a folder"
    if os.name == "posix" and state.st_uid != os.geteuid():
        return "it belongs to another user"
    if os.name == "posix" and stat.S_IMODE(state.st_mode) != 0o700:
        return "others may enter it"
    return None


def _is_owned(staging: Path) -> bool:
    """Whether a living process works in a staging folder."""
    flags = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        descriptor = os.open(staging / OWNER, flags)
    except OSError:
        return False
    try:
        return not try_lock(descriptor)
    finally:
        os.close(descriptor)


def _names(staging: Path) -> str | None:
    """The real path of the walnut that a staging folder's journal names; None where it names none."""
    try:
        journal = Journal.read(staging)
    except (BrokenJournalError, OSError):
        return None
    return None if journal is None else os.path.realpath(journal.target)


def _is_at_or_below(target: Path, place: Path) -> bool:
    real, above = Path(os.path.realpath(target)), Path(os.path.realpath(place))
    return real == above or above in real.parents


def _sweep(target: Path) -> None:
    """Remove what a killed process had not given its name yet: only the lock's holder writes in the kernel."""
    files.sweep_temporaries(target / kernel.KERNEL)
