"""A relay in a folder that something else carries: a network drive, or a folder that is synchronised (relay.md §8).

A file appears under its name when it is complete. What a synchroniser makes of two that were written at once (a
"conflicted copy") is told and never read. A folder is one file after the other: a note is put there before the package
that it is about, so that whoever sees the package finds the note.
"""

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from alive_p2p import files, hashing
from alive_p2p.errors import FileSystemError, RelayError
from alive_p2p.package.paths import ancestors
from alive_p2p.pending import PendingFile
from alive_p2p.relay.transports.base import (
    MOST_ENTRIES,
    Entry,
    Listing,
    Progress,
    Put,
    SizeLimits,
    Traffic,
    checked_name,
    gone,
    over_limit,
    refusal,
    taken,
)
from alive_p2p.runtime import Runtime
from alive_p2p.walnut.below import below

SCHEME = "folder:"
_ABANDONED_SECONDS = 24 * 3600

_NOT_CARRIED = frozenset([".git", ".stfolder", ".stversions", ".dropbox.cache", ".sync", ".SynologyWorkingDirectory"])
"""What synchronisers keep for themselves at the top of a folder."""

_CONFLICT = re.compile(
    r"\.sync-conflict-\d{8}-"  # Syncthing
    r"|\([^()]*(?:conflict|konflikt|conflit|conflicto|競合|冲突)[^()]*\)"  # Dropbox, Nextcloud, Google Drive
    r"|_conf\(\d+\)|-conflict-|\[conflict\]"
    r"|^~.*\.tmp$|\.(?:crdownload|part|partial|filepart)$",
    re.IGNORECASE,
)


class FolderTransport:
    """A relay that is a folder.

    Args:
        root: the folder.
        runtime: the surroundings; with them what a killed process left half written goes with a later write.
    """

    sizes = SizeLimits()

    def __init__(self, root: Path, runtime: Runtime | None = None) -> None:
        self.root = root
        self._runtime = runtime
        self.url = f"{SCHEME}{root}"

    def list(self, *folders: str) -> Listing:
        """What lies below these folders, or everywhere."""
        found = [self._list(folder) for folder in folders or [""]]
        entries = {name: entry for one in found for name, entry in one.entries.items()}
        return Listing(dict(sorted(entries.items())), tuple(odd for one in found for odd in one.oddities))

    def _list(self, folder: str) -> Listing:
        self._require()
        start = self.root / folder if folder else self.root
        if folder and (self._link_on_the_way(folder) or not files.is_folder(start)):
            return Listing()
        entries: dict[str, Entry] = {}
        odd: list[str] = []
        with self._as_relay("read", start):
            for one in below(start, passing_over=_NOT_CARRIED):
                name = f"{folder.rstrip('/')}/{one.path}" if folder else one.path
                last = name.rpartition("/")[2]
                if one.is_folder or files.is_temporary(last):
                    continue
                why = refusal(name)
                if _CONFLICT.search(last):
                    why = "a synchroniser has made it of two that were written at once"
                elif not one.is_file:
                    why = "it is a link, or no file at all"
                if why is not None:
                    odd.append(f"'{name}': {why}")
                elif (entry := self._entry(name)) is not None:
                    entries[name] = entry
                if len(entries) + len(odd) > MOST_ENTRIES:
                    raise RelayError(
                        "relay-hostile",
                        f"there are more than {MOST_ENTRIES:,} files in the relay",
                        untouched="everything",
                        hint="ask the relay's owner who else may write there",
                    )
        return Listing(dict(sorted(entries.items())), tuple(odd))

    def read(self, entry: Entry, output: BinaryIO, *, limit: int, progress: Progress | None = None) -> None:
        """Fetch what `list` has told of."""
        self._require()
        if refusal(entry.name) is not None or self._link_on_the_way(entry.name):
            raise gone(entry)
        now = self._entry(entry.name)
        if now is None or now.version != entry.version:
            raise gone(entry)
        if (now.size or 0) > limit:
            raise over_limit(entry, limit)
        done = 0
        try:
            with files.open_regular(self.root / entry.name) as stream:
                while piece := stream.read(files.CHUNK):
                    done += len(piece)
                    if done > limit:
                        raise over_limit(entry, limit)
                    output.write(piece)
                    if progress is not None:
                        progress(done, now.size or done)
        except FileNotFoundError:
            raise gone(entry) from None
        except OSError as error:
            raise _unreachable(files.file_system_error(error, "read", self.root / entry.name)) from error

    def change(
        self, puts: Sequence[Put] = (), removes: Sequence[str] = (), *, progress: Progress | None = None
    ) -> Traffic:
        """Write and remove, one after the other."""
        self._require()
        names = [checked_name(put.name) for put in puts]
        with self._as_relay("read", self.root):
            total = sum(put.size for put in puts)
        for put in puts:
            if not put.replaces and files.is_taken(self.root / put.name):
                raise taken(put.name)
        sent = 0
        for put in puts:
            if put.replaces and self._is_there(put):
                continue
            self._write(put, sent, total, progress)
            sent += put.size
        for name in removes:
            if name not in names:
                self._remove(checked_name(name))
        return Traffic(sent=sent)

    # -- one file ----------------------------------------------------------------------------------------------

    def _entry(self, name: str) -> Entry | None:
        try:
            state = (self.root / name).lstat()
        except OSError:
            return None
        return Entry(name, f"{state.st_size}-{state.st_mtime_ns}-{state.st_ino}", state.st_size)

    def _write(self, put: Put, before: int, total: int, progress: Progress | None) -> None:
        final = self.root / put.name
        self._make_parents(put.name)
        if self._runtime is not None:
            files.sweep_temporaries(final.parent, older_than=self._runtime.now().timestamp() - _ABANDONED_SECONDS)
        with self._as_relay("write", final), put.open() as source, PendingFile(final.parent) as pending:
            done = before
            while piece := source.read(files.CHUNK):
                pending.stream.write(piece)
                done += len(piece)
                if progress is not None:
                    progress(done, total)
            if os.name == "posix":  # whoever shares the folder has to be able to read it
                os.fchmod(pending.stream.fileno(), files.default_mode(executable=False))
            try:
                pending.publish(final, replace_existing=put.replaces)
            except FileExistsError:
                raise taken(put.name) from None

    def _is_there(self, put: Put) -> bool:
        """Whether the same content lies there already."""
        with suppress(OSError):
            here = self.root / put.name
            if here.stat().st_size == put.size:
                with put.open() as stream:
                    return files.hash_file(here)[0] == hashing.hash_stream(stream)
        return False

    def _make_parents(self, name: str) -> None:
        for parent in ancestors(name):
            place = self.root / parent
            if files.is_link(place):
                raise _hostile(f"'{parent}' in the relay is a link")
            if not files.is_folder(place):
                with self._as_relay("write", place), suppress(FileExistsError):
                    files.make_folder(place)

    def _remove(self, name: str) -> None:
        if self._link_on_the_way(name):
            return
        with self._as_relay("remove", self.root / name), suppress(FileNotFoundError, NotADirectoryError):
            files.remove_file(self.root / name)

    def _link_on_the_way(self, name: str) -> bool:
        return any(files.is_link(self.root / part) for part in (*ancestors(name), name))

    def _require(self) -> None:
        if not files.is_folder(self.root):
            raise RelayError(
                "relay-missing",
                f"the relay's folder '{self.root}' is not there",
                untouched="everything",
                hint="connect the drive, or wait until the folder is synchronised",
            )

    @contextmanager
    def _as_relay(self, action: str, path: Path) -> Iterator[None]:
        """Every failure of the system is one of the relay's."""
        try:
            with files.translating(action, path):
                yield
        except FileSystemError as error:
            raise _unreachable(error) from error


def _unreachable(error: FileSystemError) -> RelayError:
    code = "relay-denied" if isinstance(error.__cause__, PermissionError) else "relay-unreachable"
    return RelayError(code, error.message, untouched=error.untouched, hint=error.hint)


def _hostile(what: str) -> RelayError:
    return RelayError("relay-hostile", what, untouched="everything", hint="look at the folder before you go on")
