"""Reading a package: recognise it, check all of it without writing, then unpack it (format.md, receive.md §2).

`check` walks the whole archive once, applies every rule, and compares what is there with what the manifest lists,
in both directions. Where the manifest comes first, files can be written in that same pass; `unpack` reads the archive
a second time and writes, hashing again on the way. Either way nothing gets further than a folder of our own before
everything was checked.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from alive_p2p import files
from alive_p2p.errors import PackageError, UsageError
from alive_p2p.hashing import Sha256, sha256
from alive_p2p.nearby import name_beside
from alive_p2p.package import paths, unpacking
from alive_p2p.package.compression import PIECE, GzipSource
from alive_p2p.package.entries import FileEntry
from alive_p2p.package.envelopes.base import (
    HEAD_BYTES,
    NO_CREDENTIALS,
    Addressees,
    Credentials,
    Envelope,
    Opened,
    Readable,
    cannot_open,
    malformed,
    not_a_package,
    recognise,
)
from alive_p2p.package.envelopes.legacy import LegacyHeader
from alive_p2p.package.envelopes.legacy import find as find_legacy
from alive_p2p.package.limits import DEFAULT_LIMITS, Limits
from alive_p2p.package.manifest import Manifest
from alive_p2p.package.tar import TarReader
from alive_p2p.package.unpacking import Alongside

Watch = Callable[[str], Callable[[bytes], None]]
"""Asked with the path of a file for something that sees the pieces of its content."""

Begin = Callable[[Manifest], Alongside | None]
"""Asked with the manifest, where it comes before everything else, for something that takes what is listed there."""

Progress = Callable[[int, int], None]
"""Called with the bytes done and the bytes in all, now and then."""

_MAX_PROBLEMS = 20
_OF_THE_ENVELOPE = frozenset(
    ["cannot-open", "not-for-us", "over-limit", "sealed", "work-factor-too-high", "bad-age-header"]
)
"""Errors that say what they say whatever is wrong inside."""


@dataclass(frozen=True)
class Contents:
    """A package that has passed every check.

    Attributes:
        manifest: its manifest.
        executables: files that get the execute bit.
        empty_dirs: empty folders that are made.
        places: where in the payload the content of each file begins, in bytes; in the order of the package.
    """

    manifest: Manifest
    executables: frozenset[str]
    empty_dirs: frozenset[str]
    places: Mapping[str, int]


@dataclass(frozen=True)
class _Walked:
    """What the first pass saw."""

    manifest: Manifest
    found: Mapping[str, FileEntry]
    executables: frozenset[str]
    folders: frozenset[str]
    places: Mapping[str, int]


class PackageReader:
    """An opened package file. Use as a context manager.

    Args:
        path: the file.
        limits: the limits in force.
        credentials: what sealed packages are opened with.

    Raises:
        UsageError: there is no such file (exit code 2).
        FileSystemError: it cannot be read.
        PackageError: it is not a package.
    """

    def __init__(self, path: Path, limits: Limits = DEFAULT_LIMITS, credentials: Credentials = NO_CREDENTIALS) -> None:
        self.path = path
        self.limits = limits
        self._credentials = credentials
        self._opened: Opened | None = None
        self._legacy: LegacyHeader | None = None
        if not files.exists(path):
            guess = name_beside(path)
            raise UsageError(
                "no-such-file",
                f"there is no file '{path}'",
                hint="check the path" + (f"; did you mean '{guess}'?" if guess else ""),
            )
        if files.is_folder(path):
            raise PackageError("not-a-package", f"'{path}' is a folder, not a .walnut package", hint="name the file")
        with files.translating("read", path):
            self._stream: BinaryIO = files.open_regular(Path(os.path.realpath(path)))
        try:
            with files.translating("read", path):
                self.size = os.fstat(self._stream.fileno()).st_size
                self.envelope = recognise(self._stream.read(HEAD_BYTES))
                if self.envelope is Envelope.PLAIN:
                    self._legacy = find_legacy(self._stream, limits)
                    self.envelope = Envelope.PLAIN if self._legacy is None else Envelope.LEGACY
        except BaseException:
            self._stream.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._opened is not None:
            self._opened.close()
        self._stream.close()

    @contextmanager
    def _payload(self) -> Iterator[GzipSource]:
        """The payload from its start, whatever is around it."""
        with files.translating("read", self.path):
            source = GzipSource(self._plaintext(), self.limits.max_stream_bytes)
            try:
                yield source
            except PackageError as error:
                if self.envelope is Envelope.PLAIN or error.code in _OF_THE_ENVELOPE:
                    raise
                if not source.ends_well():
                    # Altered on its way or opened with a wrong key; which of the two is nobody's business.
                    raise cannot_open() from None
                raise

    def _plaintext(self) -> Readable:
        if self.envelope is Envelope.PLAIN:
            self._stream.seek(0)
            return self._stream
        if self._opened is None:
            from alive_p2p.package.envelopes.opening import open_envelope

            self._opened = open_envelope(self._stream, self.envelope, self._legacy, self.limits, self._credentials)
        return self._opened.plaintext()

    @property
    def addressees(self) -> Addressees:
        """For whom a sealed package says it is.

        Raises:
            PackageError: its envelope is not valid.
        """
        from alive_p2p.package.envelopes.opening import read_addressees

        with files.translating("read", self.path):
            return read_addressees(self._stream, self.envelope)

    def read_manifest(self) -> Manifest:
        """Read the manifest and no further than that; the rest is not checked.

        Raises:
            PackageError: there is none, or it is not valid.
        """
        if self._legacy is not None:
            return Manifest.parse(self._legacy.manifest, self.limits)
        seen: set[str] = set()
        with self._payload() as payload:
            archive = TarReader(payload, self.limits)
            for member in archive.members():
                seen.add(member.path)
                if member.path == paths.MANIFEST and not member.is_folder:
                    manifest = b"".join(archive.content())
                    return Manifest.parse(manifest, self.limits)
        raise _no_manifest(seen)

    def check(
        self, progress: Progress | None = None, watch: Watch | None = None, begin: Begin | None = None
    ) -> Contents:
        """Check everything: members, manifest, and every file's size and hash, in both directions.

        Writes nothing but what `begin` asks for.

        Args:
            progress: called with bytes done and bytes in all.
            watch: asked with the path of every file for something that sees the pieces of its content.
            begin: asked with the manifest, as soon as it was read and if nothing came before it, for something that
                writes the files while they are checked. Its `finish` and `stop` are the caller's.

        Raises:
            PackageError: a rule is broken; where files differ, every one of them is in `details`.
        """
        walked = self._walk(progress, watch, begin)
        manifest = walked.manifest
        if problems := compare(manifest, walked.found):
            raise _altered(problems)
        executables, empty_dirs = manifest.executables, manifest.empty_dirs
        if empty_dirs is None:
            used = paths.folders_of(walked.found)
            empty_dirs = frozenset(folder for folder in walked.folders if folder not in used)
        if executables is None:
            executables = walked.executables
        return Contents(manifest, executables, empty_dirs, walked.places)

    def _walk(self, progress: Progress | None, watch: Watch | None, begin: Begin | None) -> _Walked:
        manifest: bytes | None = None
        parsed: Manifest | PackageError | None = None
        alongside: Alongside | None = None
        found: dict[str, FileEntry] = {}
        executables: set[str] = set()
        folders: set[str] = set()
        places: dict[str, int] = {}
        with self._payload() as payload:
            archive = TarReader(payload, self.limits)
            for member in archive.members():
                if member.is_folder:
                    folders.add(member.path)
                elif member.path == paths.MANIFEST:
                    manifest = b"".join(archive.content())
                    if begin is not None and self._legacy is None and not found and not folders:
                        parsed = self._parsed(manifest)
                        alongside = begin(parsed) if isinstance(parsed, Manifest) else None
                else:
                    places[member.path] = payload.position
                    takers = [watch(member.path)] if watch is not None else []
                    if alongside is not None and (write := alongside.begin(member.path, member.size)) is not None:
                        takers.append(write)
                    digest = self._hashed(archive, member.size, takers, progress)
                    found[member.path] = FileEntry(member.path, digest, member.size)
                    if member.is_executable:
                        executables.add(member.path)
        if self._legacy is not None:
            if manifest not in {None, self._legacy.manifest}:
                raise malformed("envelope", "it holds a second manifest, which says something else")
            manifest = self._legacy.manifest
        if manifest is None:
            raise _no_manifest(set(found) | folders)
        if parsed is None:
            parsed = self._parsed(manifest)
        if isinstance(parsed, PackageError):
            raise parsed
        return _Walked(parsed, found, frozenset(executables), frozenset(folders), places)

    def _hashed(
        self, archive: TarReader, size: int, takers: list[Callable[[bytes], None]], progress: Progress | None
    ) -> str:
        """The SHA-256 of the archive's current file, whose content everybody gets who takes it."""
        if size <= PIECE:
            content = archive.whole()
            if content:
                for take in takers:
                    take(content)
            self._tell(progress)
            return sha256(content)
        digest = Sha256()
        for piece in archive.content():
            digest.update(piece)
            for take in takers:
                take(piece)
            self._tell(progress)
        return digest.hexdigest()

    def _tell(self, progress: Progress | None) -> None:
        if progress is not None:
            progress(min(self._stream.tell(), self.size), self.size)

    def _parsed(self, manifest: bytes) -> Manifest | PackageError:
        """The manifest, or what is wrong with it, which is told when the archive around it was looked through."""
        try:
            return Manifest.parse(manifest, self.limits)
        except PackageError as error:
            return error

    def unpack(
        self,
        contents: Contents,
        into: Path,
        names: Mapping[str, str],
        progress: Progress | None = None,
    ) -> None:
        """Write the files of a checked package into a folder of our own.

        Args:
            contents: what `check` returned.
            into: an existing, empty, private folder.
            names: for every file and empty folder that is wanted, its path below `into`.
            progress: called now and then.

        Raises:
            PackageError: the file is no longer what was checked.
            FileSystemError: the disk refused, or cannot hold a name.
        """
        with self._payload() as payload:
            unpacking.unpack(payload, contents, into, names, progress)


def compare(manifest: Manifest, found: Mapping[str, FileEntry]) -> list[str]:
    """Every difference between what a manifest lists and what is there (format.md §2, "two-way")."""
    listed = {entry.path: entry for entry in manifest.files}
    problems = [f"'{path}' is in the package but not in its manifest" for path in sorted(found.keys() - listed.keys())]
    problems += [f"'{path}' is listed but missing" for path in sorted(listed.keys() - found.keys())]
    for path in sorted(found.keys() & listed.keys()):
        here, there = found[path], listed[path]
        if here.size != there.size:
            problems.append(f"'{path}' has {here.size:,} bytes and should have {there.size:,}")
        elif here.sha256 != there.sha256:
            problems.append(f"'{path}' has been altered")
    return problems


def _altered(problems: list[str]) -> PackageError:
    shown = problems[:_MAX_PROBLEMS]
    if len(problems) > _MAX_PROBLEMS:
        shown.append(f"and {len(problems) - _MAX_PROBLEMS:,} more")
    return PackageError(
        "altered",
        f"the package is not what its manifest says: {problems[0]}",
        untouched="everything",
        hint="ask the sender for it again, and do not unpack it by other means",
        details=shown if len(shown) > 1 else (),
    )


def _no_manifest(seen: set[str]) -> PackageError:
    if any(path.endswith(f"/{paths.MANIFEST}") for path in seen):
        return PackageError(
            "no-manifest",
            "the package's manifest.yaml is not at its top level",
            untouched="everything",
            hint="ask the sender to make it with alive-p2p",
        )
    return not_a_package("another kind of archive: it has no manifest.yaml")
