"""What each file of a package holds: as it is, rewritten, a stub, or generated (share.md §2, §4, §5; format.md §6).

Every file is hashed here. What is not as it is at the sender's is recorded as a substitution.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from alive_p2p import files, hashing
from alive_p2p.errors import WalnutError
from alive_p2p.package import paths
from alive_p2p.package.entries import FileEntry
from alive_p2p.package.manifest import SKELETON
from alive_p2p.package.reader import Progress
from alive_p2p.package.writer import ChangedError
from alive_p2p.runtime import Runtime
from alive_p2p.sharing import stubs
from alive_p2p.sharing.exclusions import Exclusion, protected_paths
from alive_p2p.sharing.findings import FileScan, Finding, Scanner
from alive_p2p.sharing.gate import KeyForm
from alive_p2p.sharing.landscape import Landscape
from alive_p2p.sharing.plan import LeftOut, PlannedFile, Reason, ShareRequest, Stamp
from alive_p2p.sharing.reading import Reading
from alive_p2p.sharing.reduced_key import reduced_key
from alive_p2p.sharing.selection import Candidate
from alive_p2p.text import fold
from alive_p2p.walnut import kernel
from alive_p2p.walnut.bundles import Bundle, is_manifest
from alive_p2p.walnut.key import Sensitivity, read_key
from alive_p2p.walnut.sessions import without_active_sessions
from alive_p2p.walnut.walnut import Walnut, is_kernel

if TYPE_CHECKING:
    from concurrent.futures import Future

_STUB = "baseline-stub"
_KEY = "key-reduced"
PRIMER = "package-readme"
_SESSIONS = "sessions-removed"
_GENERATED = "generated-manifest"

_LARGE = 1 << 21
"""Bytes from which on hashing and scanning a file is worth a thread: below, starting it costs more."""
_MOST_THREADS = 8


class Contents:
    """Makes the files of one package.

    Args:
        request: what was asked for.
        walnut: the walnut.
        created: the package's time.
        landscape: how private each place of the walnut is.
        key_form: whether a `key.md` of some sensitivity leaves whole or reduced.
        scanner: looks for secrets in everything that leaves.
        runtime: the surroundings.

    Attributes:
        substitutions: package path to reason, for everything that is not as it is at the sender's.
        left_out: what could not be read.
        warnings: what a person should know.
        findings: the secrets that were found.
        unscanned: how many files the scan cannot look inside.
    """

    def __init__(
        self,
        request: ShareRequest,
        walnut: Walnut,
        created: str,
        landscape: Landscape,
        key_form: Callable[[Sensitivity], KeyForm],
        scanner: Scanner,
        runtime: Runtime,
    ) -> None:
        self.request = request
        self.walnut = walnut
        self.created = created
        self._key_form = key_form
        self.runtime = runtime
        self.substitutions: dict[str, str] = {}
        self.left_out: list[LeftOut] = []
        self.warnings: list[str] = []
        self.findings: list[Finding] = []
        self.unscanned = 0
        self._reading = Reading(0, None)
        self._ahead: dict[str, Future[tuple[tuple[str, int], FileScan]]] = {}
        self._landscape = landscape
        self._scanner = scanner

    # -- files -------------------------------------------------------------------------------------------------

    def files(self, candidates: Sequence[Candidate], progress: Progress | None = None) -> list[PlannedFile]:
        """Hash every file, large ones side by side; without those that cannot be read. Raises as `file` does.

        Args:
            candidates: the files.
            progress: called with bytes read and bytes in all.
        """
        self._reading = Reading(sum(one.stamp.size for one in candidates), progress)
        large = [candidate for candidate in candidates if candidate.stamp.size >= _LARGE]
        if not large:
            return [one for one in map(self._counted, candidates) if one is not None]
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(min(os.cpu_count() or 1, _MOST_THREADS), "scan") as pool:
            self._ahead = {one.path: pool.submit(self._hashed_beside, one.path, one.origin) for one in large}
            try:
                return [one for one in map(self._counted, candidates) if one is not None]
            finally:
                self._reading.stop()
                pool.shutdown(cancel_futures=True)
                self._ahead = {}

    def _counted(self, candidate: Candidate) -> PlannedFile | None:
        planned = self.file(candidate)
        self._reading.finish(candidate.path, candidate.stamp.size)
        return planned

    def file(self, candidate: Candidate) -> PlannedFile | None:
        """Hash one file, or rewrite it where the rules ask for that; None where it cannot be read.

        Raises:
            FileSystemError: it cannot be read, and nothing can leave without it.
            WalnutError: it has to be rewritten, and that cannot be done with certainty.
        """
        name = fold(candidate.path.rpartition("/")[2])
        try:
            if is_manifest(name):
                return self._bundle_manifest(candidate)
            if name in kernel.GUARDED and _is_in_a_kernel(candidate) and (nested := self._nested(candidate, name)):
                return nested
            digest, size = self._hash(candidate.path, candidate.origin)
        except OSError as error:
            if self._is_indispensable(candidate):
                raise files.file_system_error(error, "read", candidate.origin) from error
            self.left_out.append(LeftOut(candidate.walnut_path, Reason.UNREADABLE))
            self.warnings.append(f"'{candidate.walnut_path}' cannot be read and stays here")
            return None
        entry = FileEntry(candidate.path, digest, size)
        stamp = candidate.stamp if candidate.stamp.size == size else replace(candidate.stamp, size=size)
        return PlannedFile(entry, candidate.is_executable, candidate.origin, stamp)

    def _is_indispensable(self, candidate: Candidate) -> bool:
        is_bundle_manifest = candidate.path.count("/") == 1 and candidate.path.endswith("/" + kernel.BUNDLE_MANIFEST)
        return is_bundle_manifest or candidate.path in protected_paths(self.request.scope)

    def _bundle_manifest(self, candidate: Candidate) -> PlannedFile:
        with files.open_regular(candidate.origin) as stream:
            data = stream.read(kernel.SMALL_FILE_LIMIT + 1)
        if len(data) > kernel.SMALL_FILE_LIMIT:
            raise WalnutError(
                "file-too-large",
                f"'{candidate.walnut_path}' is too large to be a bundle's manifest",
                untouched="everything",
                hint="make it smaller, move it away, or leave its bundle out",
            )
        self._refuse_unjudged(candidate, data)
        edited = without_active_sessions(data, candidate.walnut_path)
        if edited != data:
            self.substitutions[candidate.path] = _SESSIONS
        return self._generated(candidate.path, edited, candidate)

    def _refuse_unjudged(self, candidate: Candidate, data: bytes) -> None:
        """What says how private a folder is has to be what the gate judged by; at the walnut's root it says nothing."""
        self._landscape.folder(candidate.walnut_path.rpartition("/")[0])
        judged = self._landscape.judged.get(candidate.walnut_path)
        if "/" in candidate.walnut_path and judged != hashing.sha256(data):
            raise ChangedError(candidate.walnut_path)

    def _hash(self, path: str, origin: Path) -> tuple[str, int]:
        """Hash a file and look for secrets in the very bytes that are hashed. Raises `OSError`."""
        ahead = self._ahead.pop(path, None)
        hashed, scan = self._hashed(path, origin) if ahead is None else self._reading.wait_for(ahead)
        self._note(scan)
        return hashed

    def _hashed(self, path: str, origin: Path) -> tuple[tuple[str, int], FileScan]:
        scan = self._scanner.begin(path)
        return files.hash_file(origin, also=scan.feed), scan

    def _hashed_beside(self, path: str, origin: Path) -> tuple[tuple[str, int], FileScan]:
        scan = self._scanner.begin(path)

        def see(chunk: bytes) -> None:
            self._reading.count(path, len(chunk))
            scan.feed(chunk)

        return files.hash_file(origin, also=see), scan

    def _note(self, scan: FileScan) -> None:
        self.findings += scan.finish()
        self.unscanned += scan.is_opaque

    def _generated(
        self, path: str, content: bytes, candidate: Candidate | None = None, *, told_of: str | None = None
    ) -> PlannedFile:
        """A file whose bytes are made here; they are looked through like any other.

        What is found is told of the file `told_of`, where that is where somebody can mend it.
        """
        scan = self._scanner.begin(told_of or path)
        scan.feed(content)
        self._note(scan)
        entry = FileEntry(path, hashing.sha256(content), len(content))
        if candidate is None:
            return PlannedFile(entry, content=content)
        return PlannedFile(entry, candidate.is_executable, candidate.origin, candidate.stamp, content)

    def _nested(self, candidate: Candidate, name: str) -> PlannedFile | None:
        """A nested walnut's kernel obeys the same rules as the walnut's own; None where the file goes as it is."""
        walnut = candidate.origin.parent.parent.name
        if name == "key.md":
            data = files.read_bytes(candidate.origin, limit=kernel.SMALL_FILE_LIMIT)
            self._refuse_unjudged(candidate, data)
            if self._key_form(self._landscape.key_sensitivity(candidate.walnut_path.rpartition("/")[0])) == "full":
                return self._generated(candidate.path, data, candidate)  # the very bytes that were judged
            self.substitutions[candidate.path] = _KEY
            return self._generated(candidate.path, reduced_key(read_key(data), walnut), candidate)
        if self.request.full_history:
            return None
        self.substitutions[candidate.path] = _STUB
        return self._generated(candidate.path, self._stub(name, walnut), candidate)

    def _stub(self, name: str, walnut: str) -> bytes:
        if name == "log.md":
            return stubs.log_stub(walnut, self.created, self.runtime.session_id, self.request.sender)
        return stubs.insights_stub(walnut, self.created, self.request.sender)

    def generated_manifests(self, chosen: dict[str, Bundle], present: list[PlannedFile]) -> list[PlannedFile]:
        """A `context.manifest.yaml` for each bundle of the oldest layout that leaves."""
        leaving = {one.entry.path: one for one in present}
        made = []
        for bundle in chosen.values():
            companion = leaving.get(f"{bundle.name}/{kernel.V1_BUNDLE_MANIFEST}")
            if bundle.manifest_name != kernel.V1_BUNDLE_MANIFEST or companion is None:
                continue
            data = files.read_bytes(bundle.path / bundle.manifest_name, limit=kernel.SMALL_FILE_LIMIT)
            path = f"{bundle.name}/{kernel.BUNDLE_MANIFEST}"
            self.substitutions[path] = _GENERATED
            made.append(self._generated(path, stubs.manifest_from_companion(data, bundle.name)))
        return made

    # -- the kernel and the primer -----------------------------------------------------------------------------

    def kernel_files(self, exclusions: list[Exclusion]) -> list[PlannedFile]:
        """What of the walnut's own kernel leaves, by scope (format.md §6).

        Raises:
            FileSystemError: a kernel file cannot be read.
        """
        found = [self._key_file()]
        if self.request.scope == "full":
            found += [self._history(kernel.LOG), self._history(kernel.INSIGHTS)]
            found += [self._work(kernel.TASKS), self._work(kernel.COMPLETED)]
            if (config := self._kernel_file(kernel.CONFIG)) is not None and not self._is_excluded(exclusions):
                found.append(config)
        elif self.request.scope == "snapshot":
            self.substitutions[kernel.INSIGHTS] = _STUB
            found.append(self._generated(kernel.INSIGHTS, self._stub("insights.md", self.walnut.name)))
        return found

    def _is_excluded(self, exclusions: list[Exclusion]) -> bool:
        """`config.yaml` is the one kernel file that a pattern can keep back."""
        hits = [exclusion for exclusion in exclusions if exclusion.pattern.matches(kernel.CONFIG)]
        for hit in hits:
            hit.matched += 1
        if hits:
            self.left_out.append(LeftOut(kernel.CONFIG, Reason.EXCLUDED, hits[0].pattern.text))
        return bool(hits)

    def _key_file(self) -> PlannedFile:
        if self._key_form(self.walnut.key.sensitivity) == "full":
            whole = self._kernel_file(kernel.KEY)
            if whole is None or whole.entry.sha256 != hashing.sha256(self.walnut.key.data):
                raise ChangedError(kernel.KEY)  # what it says now was not judged
            return whole
        self.substitutions[kernel.KEY] = _KEY
        origin = self.walnut.root / kernel.KEY
        with files.translating("read", origin):
            stamp = stamp_of(origin)
        content = reduced_key(self.walnut.key, self.walnut.name)
        # With the original's stamp: a key that says something else by now has to be looked at again.
        return replace(self._generated(kernel.KEY, content), origin=origin, stamp=stamp)

    def _history(self, path: str) -> PlannedFile:
        if self.request.full_history and (real := self._kernel_file(path)) is not None:
            if real.entry.size > kernel.SMALL_FILE_LIMIT:
                self.warnings.append(f"'{path}' is so large that a receiver cannot add to it")
            return real
        self.substitutions[path] = _STUB
        return self._generated(path, self._stub(path.rpartition("/")[2], self.walnut.name))

    def _work(self, path: str) -> PlannedFile:
        if (real := self._kernel_file(path)) is not None:
            return real
        self.substitutions[path] = SKELETON
        return self._generated(path, stubs.EMPTY_KERNEL_FILES[path])

    def _kernel_file(self, path: str) -> PlannedFile | None:
        """A kernel file as it is on disk, or None where there is none, or a link or something else in its place."""
        origin = self.walnut.root / path
        if files.is_link(origin) or not files.is_file(origin):
            return None
        with files.translating("read", origin):
            stamp = stamp_of(origin)
            digest, size = self._hash(path, origin)
        return PlannedFile(FileEntry(path, digest, size), is_executable=False, origin=origin, stamp=stamp)

    def primer(self, present: list[str], bundles: list[str]) -> list[PlannedFile]:
        """The README for strangers, under a name that nothing of the walnut's own has, file or folder."""
        taken = {fold(path.split("/")[0]) for path in present}
        free = [name for name in (paths.README, paths.PRIMER) if fold(name) not in taken]
        if not free:
            return []
        key = self.walnut.key
        if self._key_form(key.sensitivity) == "reduced":
            key = read_key(reduced_key(key, self.walnut.name))  # what stays out of the one file stays out of the other
        text = stubs.primer(self.walnut.name, key.text_field("goal"), self.request.scope, bundles, self.created)
        self.substitutions[free[0]] = PRIMER
        # What it says of the walnut is the key's; a secret in a goal is one finding and not two.
        return [self._generated(free[0], text, told_of=kernel.KEY)]


def _is_in_a_kernel(candidate: Candidate) -> bool:
    return "/" in candidate.walnut_path and is_kernel(candidate.origin.parent)


def stamp_of(path: Path) -> Stamp:
    """What the file system says of a file now. Raises `OSError`."""
    state = path.lstat()
    return Stamp(state.st_size, state.st_mtime_ns, state.st_ino)
