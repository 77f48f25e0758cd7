"""A receiver's world with something to lose around it, and the judgement on what a package did there.

Whatever a package is, a receive ends in one of two ways: refused by an error of ours and everything as it was, or
accepted and every byte inside the target (receive.md §1). `Arena.receive` lets one in and checks that.
"""

import os
import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from forging import KEY, LOG

from alive_p2p import api
from alive_p2p.errors import AliveP2PError
from alive_p2p.package.envelopes.base import NO_CREDENTIALS, Credentials
from alive_p2p.runtime import Runtime

Tree = dict[str, tuple[str, int, bytes]]
"""Every path with its kind, its permissions, and its content or where it points."""

_WALNUT = {
    "_kernel/key.md": KEY,
    "_kernel/log.md": LOG,
    "_kernel/insights.md": b"---\nwalnut: nova\n---\n",
    "_kernel/tasks.json": b'{"tasks": []}\n',
    "launch/context.manifest.yaml": b"goal: launch\n",
    "notes.md": b"mine\n",
}
_CHANGED_BY_BUNDLES = frozenset(["_kernel/log.md", "_kernel/imports.json", "_kernel/now.json"])
_NEVER_INSTALLED = frozenset([".alive", ".walnut", ".git", "__macosx"])


@dataclass(frozen=True)
class Ended:
    """How a receive ended.

    Attributes:
        error: what it was refused with, or None where it was accepted.
        installed: on acceptance the files and folders in the target, relative to it; a folder ends in `/`.
        status: of the result: `ok`, `warn`, `noop`, or `refused`.
    """

    error: AliveP2PError | None
    installed: dict[str, bytes]
    status: str

    @property
    def accepted(self) -> bool:
        """Whether it was received."""
        return self.error is None

    @property
    def code(self) -> str:
        """The error's code, or the status of the result."""
        return self.status if self.error is None else self.error.code


class Arena:
    """A world, a home and canaries, all below one folder that is looked at as a whole.

    Args:
        folder: an empty folder.

    Attributes:
        root: what is looked at.
        canary: a folder that absolute paths and links of hostile packages can name; nothing may ever come there.
        walnut: a walnut that bundles can be added to.
        new: where a new walnut is made.
    """

    def __init__(self, folder: Path) -> None:
        self.package = folder / "p.walnut"
        self.root = folder / "arena"
        self.home = self.root / "home"
        self.world = self.root / "world"
        self.canary = self.root / "canary"
        self.walnut = self.world / "04_Ventures" / "nova"
        self.new = self.world / "03_Inbox" / "new"
        self._rebuild()

    def _rebuild(self) -> None:
        shutil.rmtree(self.root, ignore_errors=True)
        for place in (self.home, self.canary, self.world / ".alive", self.world / "03_Inbox", self.walnut):
            place.mkdir(parents=True)
        (self.world / ".alive" / "preferences.yaml").write_bytes(b"discovery_hints: false\n")
        (self.canary / "secret.txt").write_bytes(b"not yours\n")
        (self.root / "evil.md").write_bytes(b"a name that packages like to overwrite\n")
        (self.world / "03_Inbox" / "link").symlink_to(self.canary)
        for path, content in _WALNUT.items():
            (self.walnut / path).parent.mkdir(parents=True, exist_ok=True)
            (self.walnut / path).write_bytes(content)
        self._before = self.look()

    def look(self) -> Tree:
        """Everything below the root, as it is now."""
        return look(self.root)

    def runtime(self) -> Runtime:
        """The surroundings of the receiver: a clock that stands still, a home of its own."""
        return Runtime(
            environ={"HOME": str(self.home)}, cwd=self.world, clock=lambda: datetime(2026, 4, 7, 10, 16, tzinfo=UTC)
        )

    def receive(
        self,
        package: bytes | None,
        *,
        scope: object = "full",
        into_inbox: bool = False,
        credentials: Credentials = NO_CREDENTIALS,
        **options: Any,
    ) -> Ended:
        """Let a package in, judge what it did, and make everything as it was.

        Args:
            package: the file's bytes; None for what stands at `self.package` already.
            scope: what its manifest says; a bundle goes into the walnut that is there, all else makes a new one.
            into_inbox: name no target, so that the walnut's name decides.
            credentials: what it may be opened with.
            options: further arguments of `alive_p2p.receive`.

        Raises:
            AssertionError: neither of the two ways in which a receive may end.
        """
        if package is not None:
            self.package.write_bytes(package)
        goal = self.walnut if scope == "bundle" else self.new
        error: AliveP2PError | None = None
        status = "refused"
        with _written() as written:
            try:
                result = api.receive(
                    self.package,
                    target=None if into_inbox else goal,
                    credentials=credentials,
                    runtime=self.runtime(),
                    **options,
                )
            except AliveP2PError as ours:
                error = ours
            else:
                status = result.status
        return self._judge(goal, error, status, written)

    def _judge(self, goal: Path, error: AliveP2PError | None, status: str, written: list[str]) -> Ended:
        after = self.look()
        differing = {path for path in after.keys() | self._before.keys() if after.get(path) != self._before.get(path)}
        try:
            here = goal.relative_to(self.root).as_posix()
            if error is not None:
                check_error(error)
                if error.code == "migration-collision":
                    differing -= self._check_kept(goal, after)
                assert {path for path in differing if not _is_ours(path, after)} == set()
            else:
                outside = {path for path in differing if path != f"{here}/" and not path.startswith(f"{here}/")}
                assert {path for path in outside if not _is_ours(path, after)} == set()
                self._check_installed(here, after)
            staging = f"{goal.parent}/.alive-receive-"
            beside = tuple(f"{place}/" for place in (goal, self.home / ".alive"))
            assert [p for p in written if not f"{p}/".startswith(beside) and not p.startswith(staging)] == []
            prefix = f"{here}/"
            found = {path.removeprefix(prefix): state[2] for path, state in after.items() if path.startswith(prefix)}
            return Ended(error, {} if error is not None else {p: c for p, c in found.items() if p}, status)
        finally:
            if differing:
                self._rebuild()

    def _check_kept(self, goal: Path, after: Tree) -> set[str]:
        """What is kept of a package that cannot be brought forward: one private folder beside the target."""
        beside = goal.parent.relative_to(self.root).as_posix()
        kept = {path for path in after if path.startswith(f"{beside}/.alive-receive-incomplete-")}
        top = min(kept)
        assert len({path.split("/")[beside.count("/") + 1] for path in kept}) == 1
        assert after[top][:2] == ("folder", 0o700)
        for path in kept - {top}:
            kind, mode, _ = after[path]
            assert kind in {"file", "folder"}, path
            assert mode & ~0o755 == 0, path
            names = path.removeprefix(top).casefold().rstrip("/").split("/")
            assert not _NEVER_INSTALLED.intersection(names), path
            assert not {"claude.md", ".mcp.json"}.intersection(names), path
        return kept

    def _check_installed(self, here: str, after: Tree) -> None:
        """Plain files and folders, no more rights than a new file has, nothing that is never installed."""
        for path, (kind, mode, _) in after.items():
            if not path.startswith(f"{here}/"):
                continue
            inside = path.removeprefix(f"{here}/")
            assert kind in {"file", "folder"}, path
            assert mode & ~0o755 == 0, path
            assert not any(part.casefold() in _NEVER_INSTALLED for part in inside.split("/")), path
            assert ".alive-receive" not in path.casefold(), path
            if self._before.get(path) != after[path] and path in self._before:
                assert inside in _CHANGED_BY_BUNDLES, path
        gone = {path for path in self._before if path.startswith(f"{here}/")} - after.keys()
        assert gone == set()


def check_error(error: AliveP2PError) -> None:
    """An error of ours: a code, one line that does not end in a full stop, and exit code 1."""
    assert error.exit_code == 1, (error.code, error.message)
    assert error.code not in {"", "unforeseen"}
    assert error.message
    assert not error.message.endswith(".")


def _is_ours(path: str, after: Tree) -> bool:
    """The home's own folders, and lock files, which are never unlinked; nothing may be in `transactions`."""
    if path in {"home/.alive/", "home/.alive/locks/", "home/.alive/transactions/"}:
        return path in after
    return path.startswith("home/.alive/locks/") and path.endswith(".lock")


def look(root: Path) -> Tree:
    """Everything below a folder."""
    return dict(_look(root))


def _look(root: Path) -> Iterator[tuple[str, tuple[str, int, bytes]]]:
    for folder, folders, names in os.walk(root):
        for name in [*folders, *names]:
            path = Path(folder, name)
            state = path.lstat()
            key, mode = path.relative_to(root).as_posix(), stat.S_IMODE(state.st_mode)
            if stat.S_ISLNK(state.st_mode):
                yield key, ("link", 0, os.fsencode(path.readlink()))
            elif stat.S_ISDIR(state.st_mode):
                yield f"{key}/", ("folder", mode, b"")
            elif stat.S_ISREG(state.st_mode):
                yield key, ("file", mode, path.read_bytes())
            else:
                yield key, ("special", mode, b"")


# --- every path that is written to, even for a moment -----------------------------------------------------------

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_PATHS: dict[str, int] = {
    "os.mkdir": 1,
    "os.rename": 2,
    "os.link": 2,
    "os.symlink": 2,
    "os.truncate": 1,
    "os.chmod": 1,
    "os.chown": 1,
    "os.utime": 1,
}
"""Operations that change something by a path, and how many of their first arguments are paths."""

_watching: list[list[str]] = []
_hooks: list[Callable[[str, tuple[Any, ...]], None]] = []


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if not _watching:
        return
    paths: tuple[Any, ...] = ()
    if event == "open":
        path, mode, flags = arguments
        writes = (isinstance(mode, str) and not set(mode).isdisjoint("wax+")) or bool(flags & _WRITING)
        paths = (path,) if writes else ()
    elif event in _PATHS:
        paths = arguments[: _PATHS[event]]
        if event == "os.symlink":  # what it points to is not touched; that there is a link at all is wrong
            paths = ("a symbolic link", arguments[1])
    for path in paths:
        if isinstance(path, (str, bytes, os.PathLike)) and "__pycache__" not in os.fsdecode(path):
            _watching[-1].append(os.fsdecode(path))


@contextmanager
def _written() -> Iterator[list[str]]:
    """Collect every path that this process writes to, whether or not it is still there at the end."""
    if not _hooks:
        _hooks.append(_hook)
        sys.addaudithook(_hook)  # it stays for good, and does nothing while nobody watches
    found: list[str] = []
    _watching.append(found)
    try:
        yield found
    finally:
        _watching.pop()
