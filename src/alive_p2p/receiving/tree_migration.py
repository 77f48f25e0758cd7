"""Bringing an unpacked tree forward where it lies (receive.md §8, `alive-p2p migrate`).

Decided first, from a look that follows no link; then done by renames that replace nothing. What marks the tree as old
goes last, so that what was interrupted is recognised, and ends the same when it is run again.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from alive_p2p import files, hashing
from alive_p2p.errors import PackageError, UsageError, WalnutError
from alive_p2p.receiving.flattening import PREFIX, places_at_root
from alive_p2p.receiving.layout import BELONGS_ELSEWHERE, DROPPED_ANYWHERE, loose_warning
from alive_p2p.receiving.migrating import DROPPED_PROJECTION, EMPTY_CONTAINER
from alive_p2p.receiving.migration import (
    LEFTOVERS,
    TASK_LIST_LIMIT,
    convert_task_lists,
    convert_tasks,
    decide_list,
    look_at_list,
    task_file,
)
from alive_p2p.receiving.plan import MigrationResult
from alive_p2p.runtime import Runtime
from alive_p2p.text import fold
from alive_p2p.transactions.recovery import settled_lock
from alive_p2p.walnut import kernel
from alive_p2p.walnut.agent_files import disarmed


@dataclass(frozen=True)
class TreePlan:
    """What is done to a tree.

    Attributes:
        result: the same in words.
        moves: what leaves the container: name there, name at the root; bundles last.
        drops_container: the container is empty afterwards and goes.
        drops_projection: there is a `_kernel/_generated`.
        converted: folders, under their final names, whose task list is converted.
    """

    result: MigrationResult
    moves: tuple[tuple[str, str], ...] = ()
    drops_container: bool = False
    drops_projection: bool = False
    converted: tuple[str, ...] = ()


def migrate_tree(
    folder: Path, runtime: Runtime, *, wait_seconds: float = 0.0
) -> tuple[MigrationResult, tuple[str, ...]]:
    """Bring an unpacked tree forward, all of it; where that would lose something, nothing is touched.

    Args:
        folder: the tree.
        runtime: the surroundings.
        wait_seconds: how long to wait while another process works on it.

    Returns:
        What was done (nothing, where it has errors), and what a person should know besides.

    Raises:
        UsageError: there is no such folder.
        WalnutError: it is a world, or a walnut in use.
        BusyError: another process works on it.
        FileSystemError: the disk refused; run again, it goes on where it stopped.
    """
    root = Path(os.path.realpath(runtime.cwd / folder))
    if not files.is_folder(root):
        raise UsageError("no-such-path", f"there is no folder '{folder}'", hint="check the path")
    _refuse_what_is_in_use(root, folder)
    with settled_lock(root, "migrate", runtime, wait_seconds=wait_seconds) as notes:
        plan = plan_tree(root)
        if not plan.result.errors:
            _carry_out(plan, root)
    return plan.result, notes


def refusal(result: MigrationResult) -> PackageError:
    """The error for a tree that was left alone, because its migration has errors."""
    return PackageError(
        "migration-collision",
        f"the tree cannot be brought forward: {result.errors[0]}",
        untouched="everything",
        hint="rename one of them and run it again",
        details=result.errors if len(result.errors) > 1 else (),
    )


def _refuse_what_is_in_use(root: Path, folder: Path) -> None:
    if files.is_taken(root / kernel.WORLD_MARK):
        raise WalnutError(
            "is-a-world",
            f"'{folder}' is a world, not an unpacked package",
            untouched="everything",
            hint="name a folder",
        )
    if files.is_link(root / kernel.KERNEL):
        raise WalnutError(
            "symbolic-link",
            f"the kernel of '{folder}' is a symbolic link, which no package holds",
            untouched="everything",
            hint="unpack the package again",
        )
    if files.is_taken(root / kernel.LEDGER) or files.is_taken(root / kernel.PRIVATE):
        raise WalnutError(
            "walnut-in-use",
            f"'{folder}' is a walnut in use, and `alive-p2p migrate` is for unpacked packages",
            untouched="everything",
            hint="share it as it is: a package is always of the present layout",
        )


# --- looking ------------------------------------------------------------------------------------------------------


def plan_tree(root: Path) -> TreePlan:
    """Decide what is done to a tree; changes nothing and follows no link.

    Raises:
        FileSystemError: something cannot be read.
    """
    look = _Look(root)
    bundles = {name for name in look.container if _is_bundle(root / kernel.V2_CONTAINER / name)}
    at_root = [name for name in look.root if name != kernel.V2_CONTAINER and _is_bundle(root / name)]
    is_old = bool(bundles or look.has_projection or not at_root)
    wanted = {name: disarmed(name) for name in look.container if is_old and look.may_move(name)}
    taken = set(look.root) - {kernel.V2_CONTAINER}
    names, collisions = places_at_root(wanted, bundles, taken | set(map(disarmed, taken)))
    if errors := (*look.errors, *collisions):
        return TreePlan(MigrationResult(errors=errors))
    order = sorted(names, key=lambda name: (name in bundles, name))
    drops_container = look.has_container and names.keys() == set(look.container)
    actions = [DROPPED_PROJECTION] if look.has_projection else []
    for name in sorted(names):
        mark = "/" if look.container[name] else ""
        actions.append(f"{PREFIX}{name}{mark} → {names[name]}{mark}")
        if not mark:
            look.warnings.append(loose_warning(name, names[name]))
    if drops_container and not names:
        actions.append(EMPTY_CONTAINER)
    lists = _Lists(root)
    for final, place in sorted(
        [
            *((name, root / name) for name in at_root),
            *((names[one], root / PREFIX / one) for one in bundles & names.keys()),
        ]
    ):
        lists.look_into(final, place)
    return TreePlan(
        MigrationResult(
            (*actions, *lists.actions),
            (*look.warnings, *lists.warnings),
            tuple(sorted(names[name] for name in bundles & names.keys())),
            lists.tasks,
        ),
        tuple((name, names[name]) for name in order),
        drops_container,
        look.has_projection,
        tuple(lists.converted),
    )


class _Look:
    """What lies at the root of a tree and in its container.

    Attributes:
        root: the names at the root.
        container: the names in the container, and whether each is a folder.
        has_container: there is a container that is a folder.
        has_projection: there is a `_kernel/_generated`.
        warnings: what stays where it is.
        errors: why nothing can be done.
    """

    def __init__(self, root: Path) -> None:
        self.warnings: list[str] = []
        self.errors: list[str] = []
        self._special: dict[str, str] = {}
        with files.translating("look into", root):
            self.root = sorted(os.listdir(root))  # noqa: PTH208  (names, not paths)
            container = root / kernel.V2_CONTAINER
            self.has_container = _is_real_folder(container)
            self.container = self._children(container) if self.has_container else {}
            self.has_projection = files.is_taken(root / kernel.GENERATED)
        if files.is_link(container):
            self.warnings.append(f"'{kernel.V2_CONTAINER}' is a symbolic link and stays as it is")

    def _children(self, container: Path) -> dict[str, bool]:
        found = {}
        with os.scandir(container) as entries:
            for entry in entries:
                found[entry.name] = is_folder = entry.is_dir(follow_symlinks=False)
                if files.is_link(container / entry.name):
                    self._special[entry.name] = "is a symbolic link"
                elif not (is_folder or entry.is_file(follow_symlinks=False)):
                    self._special[entry.name] = "is neither a file nor a folder"
        return dict(sorted(found.items()))

    def may_move(self, name: str) -> bool:
        """Whether something in the container goes to the root; why not is told."""
        if name in self._special:
            self.warnings.append(f"'{PREFIX}{name}' {self._special[name]} and stays where it is")
            return False
        if fold(name) in DROPPED_ANYWHERE:
            self.warnings.append(f"'{PREFIX}{name}' {BELONGS_ELSEWHERE}; it stays where it is")
            return False
        if fold(name) == kernel.KERNEL:
            self.errors.append(f"'{PREFIX}{name}' would become part of the kernel")
        return True


class _Lists:
    """Decides about the task lists of bundles, one after the other."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.actions: list[str] = []
        self.warnings: list[str] = []
        self.converted: list[str] = []
        self.tasks = 0

    def look_into(self, final: str, folder: Path) -> None:
        """Decide about the list of the bundle in a folder, which will be called `final`.

        Raises:
            FileSystemError: it cannot be read.
        """
        source = folder / kernel.V2_BUNDLE_TASKS
        if not _is_real_file(source):
            return
        with files.translating("read", source), files.open_regular(source) as stream:
            data = stream.read(TASK_LIST_LIMIT + 1)
            seen = look_at_list(data)
            names = set(os.listdir(folder))  # noqa: PTH208
        if seen.problem is None and seen.tasks:
            names -= _made_of(data, final, folder, names)
        fate = decide_list(final, names, seen)
        if fate.action is not None:
            self.actions.append(fate.action)
            self.converted.append(final)
            self.tasks += seen.tasks
        if fate.warning is not None:
            self.warnings.append(fate.warning)


def _made_of(data: bytes, final: str, folder: Path, names: Iterable[str]) -> set[str]:
    """What of the list is in files beside it already, because its conversion was interrupted."""
    if not {kernel.BUNDLE_TASKS, LEFTOVERS} & set(names):
        return set()
    converted = convert_tasks(data.decode("utf-8"), final)
    made = {kernel.BUNDLE_TASKS: task_file(converted), LEFTOVERS: converted.leftovers.encode()}
    return {name for name, content in made.items() if _holds(folder / name, content)}


def _holds(path: Path, content: bytes) -> bool:
    return (
        _is_real_file(path)
        and path.stat().st_size == len(content)
        and files.hash_file(path)[0] == hashing.sha256(content)
    )


def _is_bundle(folder: Path) -> bool:
    return _is_real_folder(folder) and _is_real_file(folder / kernel.BUNDLE_MANIFEST)


def _is_real_folder(path: Path) -> bool:
    return files.is_folder(path) and not files.is_link(path)


def _is_real_file(path: Path) -> bool:
    return files.is_file(path) and not files.is_link(path)


# --- doing --------------------------------------------------------------------------------------------------------


def _carry_out(plan: TreePlan, root: Path) -> None:
    container = root / kernel.V2_CONTAINER
    with files.translating("bring forward", root):
        for name, final in plan.moves:
            files.rename_exclusive(container / name, root / final)
        if plan.drops_container:
            files.remove_empty_folder(container)
        for folder in plan.converted:
            files.sweep_temporaries(root / folder)
    convert_task_lists(root, plan.converted)
    with files.translating("bring forward", root):
        if plan.drops_projection:
            _drop(root / kernel.GENERATED)
            files.flush_folder(root / kernel.KERNEL)
        if plan.moves or plan.drops_container:
            files.flush_folder(root)


def _drop(place: Path) -> None:
    """Remove a file, a link (and not where it leads), or a folder with all it holds. Raises `OSError`."""
    if _is_real_folder(place):
        files.remove_tree(place)
    else:
        files.remove_file(place)
