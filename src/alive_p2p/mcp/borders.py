"""Which folders may be touched: the configured worlds, and of those what the client's roots let in (agents.md §2).

Every path is made real first, so that a symbolic link leads nowhere else, and the real path is used from then on.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote_to_bytes, urlsplit
from urllib.request import url2pathname

from alive_p2p.api.looking import find_world, worlds
from alive_p2p.errors import AliveP2PError, UsageError

_MOST_PATH = 4096


def real(path: Path) -> Path:
    """A path without symbolic links; what does not exist yet keeps its name."""
    return Path(os.path.realpath(path))


def same(path: Path | str) -> str:
    """A path in the form in which two are compared."""
    return str(real(Path(path)))


def folder_of_root(uri: str) -> Path | None:
    """The real folder that a root means; None for what is no folder of this machine."""
    parts = urlsplit(uri)
    if parts.scheme != "file" or parts.netloc not in {"", "localhost"} or not parts.path:
        return None
    path = Path(url2pathname(parts.path) if os.name == "nt" else os.fsdecode(unquote_to_bytes(parts.path)))
    return real(path) if path.is_absolute() and "\0" not in str(path) else None


@dataclass(frozen=True)
class Borders:
    """What may be touched during one call.

    Attributes:
        configured: the worlds that whoever started the server has named; empty where none were.
        roots: the client's; None where it has none to tell. None of them lets in anything beyond `configured`.
        around: the world around the folder that the server was started in, which counts where nothing else says more.
        forbidden: our own keys and records, which are nobody's world.
    """

    configured: tuple[Path, ...]
    roots: tuple[Path, ...] | None
    around: Path | None
    forbidden: Path

    def let_in(self, path: Path) -> bool:
        """Whether a real path lies within the borders."""
        if _is_in(path, self.forbidden):
            return False
        if self.configured and not any(_is_in(path, world) for world in self.configured):
            return False
        if self.roots is not None:
            return any(_is_in(path, root) for root in self.roots)
        return bool(self.configured) or (self.around is not None and _is_in(path, self.around))

    def check(self, path: Path) -> Path:
        """The real path, if it lies within the borders.

        Raises:
            AliveP2PError: `outside-roots`.
        """
        found = real(path)
        if not self.let_in(found):
            raise AliveP2PError(
                "outside-roots",
                f"'{path}' is outside the folders that may be touched here",
                untouched="everything",
                hint=self._hint(),
            )
        return found

    def path(self, text: str, parameter: str) -> Path:
        """The real path that a caller names.

        Raises:
            UsageError: it is no absolute path.
            AliveP2PError: `outside-roots`.
        """
        path = Path(text) if text and len(text) <= _MOST_PATH and "\0" not in text else Path()
        if not path.is_absolute():
            raise UsageError(
                "bad-path",
                f"`{parameter}` is not an absolute path",
                untouched="everything",
                hint="give the whole path, from the root",
            )
        return self.check(path)

    def worlds(self) -> list[Path]:
        """The worlds of which something may be touched, each once.

        Raises:
            UsageError: `no-world`: there is none.
        """
        if self.configured:
            found = [world for world in self.configured if self.roots is None or self._is_near_root(world)]
        elif self.roots is not None:
            found = [real(world) for root in self.roots for world in worlds(root)]
        else:
            found = [self.around] if self.around is not None else []
        if not found:
            what = "there is no world that may be touched here"
            raise UsageError("no-world", what, untouched="everything", hint=self._hint())
        return list(dict.fromkeys(found))

    def world(self, text: str) -> Path:
        """The world that a caller names, or the only one there is.

        Raises:
            UsageError: there is none, none is named and there are several, or the path is no world.
            AliveP2PError: `outside-roots`.
        """
        known = self.worlds()
        if text:
            path = Path(text)
            if path.is_absolute() and real(path) in known:
                return real(path)
            found = find_world(self.path(text, "world"))
            if found is not None and real(found) in known:
                return real(found)
            raise UsageError(
                "no-world",
                f"'{text}' is not inside a world",
                untouched="everything",
                hint="name a folder of the world, or the world itself",
            )
        if len(known) == 1:
            return known[0]
        raise UsageError(
            "which-world",
            "there is more than one world",
            untouched="everything",
            hint="name it with `world`",
            details=[str(world) for world in known],
        )

    def _is_near_root(self, world: Path) -> bool:
        return any(_is_in(world, root) or _is_in(root, world) for root in self.roots or ())

    def _hint(self) -> str:
        if self.roots is not None:
            return "open the folder in your client, so that it is one of its roots"
        return "start the server with `alive-p2p mcp --world FOLDER`"


def _is_in(path: Path, folder: Path) -> bool:
    return path == folder or path.is_relative_to(folder)


def configured(named: Iterable[Path]) -> tuple[Path, ...]:
    """The real folders of the worlds that the server was started with.

    Raises:
        UsageError: one of them is no world.
    """
    found = []
    for path in named:
        world = real(path)
        if find_world(world) != world:
            raise UsageError(
                "no-world",
                f"'{path}' is not a world: it has no `.alive` folder with a key or preferences",
                hint="name the folder that holds `.alive`",
            )
        found.append(world)
    return tuple(found)
