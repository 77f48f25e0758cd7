"""What an update is compared with, and whether it goes forward (receive.md §5)."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from alive_p2p import files
from alive_p2p.errors import WalnutError
from alive_p2p.package.manifest import Manifest
from alive_p2p.receiving.group_update import GroupPlanner, GroupUpdate, Incoming
from alive_p2p.receiving.migration import LEFTOVERS, TaskList
from alive_p2p.walnut import kernel
from alive_p2p.walnut.ledger import LIVE_CONTEXT, Ledger
from alive_p2p.walnut.states import SentState, State, newest, received_states


def common_states(
    manifest: Manifest, known: Sequence[State], *, origin: str, is_older_wanted: bool = False
) -> list[State]:
    """The newest states that the sender of a package and this walnut both know.

    Args:
        manifest: the package's.
        known: what this walnut has received and sent of the group, the received ones first, oldest first.
        origin: who the package comes from, as the ledger tells people apart.
        is_older_wanted: go back to what the package holds: all that was received counts as known to its sender.
    """
    received = [one for one in known if not one.is_own]
    if is_older_wanted and received:
        return [received[-1]]
    named = set(manifest.based_on)
    if common := [one for one in known if one.ids & named]:
        return newest(common)
    # A package of another program, or from a walnut that has forgotten: what was last received from there will do.
    if received and (not named or received[-1].origin == origin):
        return [received[-1]]
    own = [one for one in known if one.is_own]
    return own if not received and not named and len(own) == 1 else []


def known_states(ledger: Ledger, sent: Sequence[SentState], group: str) -> list[State]:
    """Everything this walnut has received and sent of a group."""
    return [*received_states(ledger, group), *(state for one in sent if (state := one.of(group)) is not None)]


def folder_here(root: Path, states: Sequence[State]) -> str | None:
    """Where a group that was received or sent lies now; None where it is gone, or never was here."""
    return next((one.folder for one in reversed(states) if files.is_folder(root / one.folder)), None)


def plan_group(
    root: Path,
    manifest: Manifest,
    group: str,
    pairs: Sequence[tuple[str, str]],
    states: Sequence[State],
    folder: str,
    *,
    comparable: Mapping[str, str],
    lists: Mapping[str, TaskList],
    day: str,
    origin: str,
    is_older_wanted: bool,
    in_use: Collection[str] = (),
) -> GroupUpdate:
    """Decide what an update does to one group.

    Args:
        root: the walnut.
        manifest: the package's.
        group: its name.
        pairs: its files in the package: path there, and path inside the folder of the group.
        states: what is known of it.
        folder: where it lies here.
        comparable: hashes of manifests without their sessions, by path in the package.
        lists: what was seen of task lists, by path in the package.
        day: `YYYYMMDD`.
        origin: who the package comes from.
        is_older_wanted: go back, if the package is older than what was applied last.
        in_use: the folders of all groups that are updated.

    Raises:
        WalnutError: the package is older, and that is not wanted.
        FileSystemError: something cannot be read.
    """
    is_older = _is_older(manifest, states, origin)
    if is_older and not is_older_wanted:
        last = max(one.created for one in states if one.origin == origin)
        raise WalnutError(
            "older-package",
            f"the package was made at {manifest.created}, before what was received last from there ({last})",
            untouched="everything",
            hint="`--allow-older` goes back to it",
        )
    listed = manifest.hashes
    names = {rest for _, rest in pairs}
    incoming = [
        Incoming(
            path,
            _inner(path, group, rest),
            rest,
            frozenset([listed[path]]) | ({comparable[path]} if path in comparable else frozenset()),
            listed[path],
            _tasks_in(lists.get(path), names),
        )
        for path, rest in pairs
    ]
    bases = common_states(manifest, states, origin=origin, is_older_wanted=is_older)
    return GroupPlanner(root, group, folder, incoming, bases, manifest, day, in_use).plan()


def _tasks_in(seen: TaskList | None, names: set[str]) -> int | None:
    """How many tasks a list of an older layout holds; None where it is none, or cannot be converted."""
    if seen is None or seen.problem is not None or (seen.others and LEFTOVERS in names):
        return None
    return seen.tasks


def _is_older(manifest: Manifest, states: Sequence[State], origin: str) -> bool:
    """Whether what was received last from there was made later, or even from this very package."""
    received = [one for one in states if one.origin == origin]
    made_from = {identity for one in received for identity in one.based_on}
    return bool(received) and (received[-1].created > manifest.created or manifest.import_id in made_from)


def _inner(path: str, group: str, rest: str) -> str:
    """A file's path inside its group as the package has it, before anything is renamed."""
    if group == LIVE_CONTEXT:
        return path
    if group == kernel.KERNEL:
        return rest
    for prefix in (f"{group}/", f"{kernel.V2_CONTAINER}/{group}/"):
        if path.startswith(prefix):
            return path.removeprefix(prefix)
    return rest
