"""Deciding what a share will do: every step from the walnut to the manifest, and nothing written (share.md §1–§5)."""

import os
from dataclasses import replace
from pathlib import Path

from alive_p2p import files
from alive_p2p.errors import UsageError, WalnutError
from alive_p2p.globs import Pattern
from alive_p2p.package import paths
from alive_p2p.package.limits import DEFAULT_LIMITS, MIB, Limits
from alive_p2p.package.manifest import FORMAT_VERSION, FileEntry, Manifest, breaks_the_line
from alive_p2p.package.writer import ChangedError
from alive_p2p.runtime import PLUGIN_VERSION, Runtime
from alive_p2p.sharing import stubs
from alive_p2p.sharing.plan import (
    ExclusionUse,
    KeyForm,
    LeftOut,
    PlannedBundle,
    PlannedFile,
    Reason,
    SharePlan,
    ShareRequest,
    Stamp,
)
from alive_p2p.sharing.selection import Candidate, Exclusion, Selection, Selector, protected_paths, unmatched
from alive_p2p.text import nearest, one_line
from alive_p2p.walnut import kernel
from alive_p2p.walnut.bundles import Bundle, containing, discover, top_level
from alive_p2p.walnut.key import Sensitivity, read_key
from alive_p2p.walnut.ledger import BrokenLedgerError, Ledger
from alive_p2p.walnut.preferences import Preferences
from alive_p2p.walnut.walnut import Walnut

_REASON_SKELETON = "empty-skeleton"
_REASON_STUB = "baseline-stub"
_REASON_KEY = "key-reduced"
_REASON_PRIMER = "package-readme"
_REASON_SESSIONS = "sessions-removed"
_REASON_GENERATED = "generated-manifest"
_PER_PEER = "(per-peer)"


def check_request(request: ShareRequest) -> None:
    """Refuse a request that contradicts itself.

    Raises:
        UsageError: bundles without scope `bundle` or the other way round, or a text that is not one line.
    """
    if request.scope == "bundle" and not request.bundles:
        raise UsageError("no-bundle", "scope bundle needs at least one `--bundle NAME`")
    if request.scope != "bundle" and request.bundles:
        raise UsageError(
            "bundle-without-scope", f"`--bundle` goes with `--scope bundle`, not with scope {request.scope}"
        )
    for name, text in (("description", request.description), ("note", request.note), ("sender", request.sender)):
        if breaks_the_line(text):
            raise UsageError("not-one-line", f"the {name} has to be one line without control characters")


class Planner:
    """Makes one plan. The walnut's lock is held by the caller.

    Args:
        request: what was asked for.
        walnut: the walnut.
        preferences: its world's settings.
        runtime: the surroundings.
    """

    def __init__(self, request: ShareRequest, walnut: Walnut, preferences: Preferences, runtime: Runtime) -> None:
        self.request = request
        self.walnut = walnut
        self.preferences = preferences
        self.runtime = runtime
        self.created = runtime.created()
        self.warnings: list[str] = list(preferences.warnings)
        self.left_out: list[LeftOut] = []
        self.substitutions: dict[str, str] = {}
        self.limits = Limits(
            request.max_files or preferences.max_files or DEFAULT_LIMITS.max_files,
            request.max_bytes or preferences.max_bytes or DEFAULT_LIMITS.max_bytes,
        )
        self.key_form: KeyForm = request.key or "reduced"

    def plan(self) -> SharePlan:
        """All steps, in the order of share.md §1."""
        bundles = discover(self.walnut)
        sharable = top_level(bundles)
        chosen = self._chosen(bundles, sharable)
        exclusions = self._exclusions()
        selection = self._select(chosen, exclusions)
        self.left_out += selection.left_out
        self._check_bundles_are_whole(chosen, selection)
        self._refuse_too_large(selection)
        planned = [self._file(candidate) for candidate in selection.files]
        present = [one for one in planned if one is not None]
        present += self._generated_manifests(chosen, present)
        present += self._kernel_files()
        present += self._primer([*(one.entry.path for one in present), *selection.empty_dirs], list(chosen))
        present.sort(key=lambda one: one.entry.path)
        self._warn_about_names([one.entry.path for one in present])
        candidates = [one.entry.path for one in present]
        self.warnings += unmatched(exclusions, candidates, self.request.scope)
        sensitivity, reason = self._sensitivity(bundles, present)
        walnut_id, is_new = self._walnut_id()
        manifest = self._manifest(present, selection, list(chosen), exclusions, sensitivity, walnut_id)
        return SharePlan(
            root=self.walnut.root,
            request=self.request,
            manifest=manifest,
            files=tuple(present),
            bundles=tuple(self._describe(bundle, present) for bundle in chosen.values()),
            left_out=tuple(sorted(self.left_out, key=lambda one: (one.reason.value, one.path))),
            exclusions=tuple(ExclusionUse(e.pattern.text, e.origin, e.matched) for e in exclusions),
            included=tuple(selection.included),
            key_form=self.key_form,
            sensitivity=sensitivity,
            sensitivity_reason=reason,
            new_walnut_id=is_new,
            limits=self.limits,
            warnings=tuple(self.warnings),
        )

    # -- choosing ----------------------------------------------------------------------------------------------

    def select_again(self) -> set[str]:
        """The package paths that would leave now, without reading any content."""
        bundles = discover(self.walnut)
        selection = self._select(self._chosen(bundles, top_level(bundles)), self._exclusions())
        return {candidate.path for candidate in selection.files}

    def _chosen(self, bundles: list[Bundle], sharable: dict[str, Bundle]) -> dict[str, Bundle]:
        if self.request.scope == "full":
            return sharable
        if self.request.scope == "snapshot":
            return {}
        chosen = {}
        for name in self.request.bundles:
            if name not in sharable:
                raise _unknown_bundle(name, bundles, list(sharable))
            chosen[name] = sharable[name]
        return dict(sorted(chosen.items()))

    def _exclusions(self) -> list[Exclusion]:
        found: list[Exclusion] = []
        known = self.preferences.share_presets
        for preset in self.request.presets:
            if preset not in known:
                names = ", ".join(sorted(known)) or "none are defined"
                raise UsageError(
                    "unknown-preset",
                    f"there is no preset '{preset}'; known: {names}",
                    hint="presets are `p2p.share_presets` in the world's `.alive/preferences.yaml`",
                )
            found += [Exclusion(Pattern.parse(text), f"preset {preset}") for text in known[preset]]
        found += [Exclusion(Pattern.parse(text), "given by hand") for text in self.request.excludes]
        for peer, texts in self.request.peer_excludes.items():
            found += [Exclusion(Pattern.parse(text), f"kept for {peer}", is_for_peer=True) for text in texts]
        return found

    def _select(self, chosen: dict[str, Bundle], exclusions: list[Exclusion]) -> Selection:
        includes = [Pattern.parse(text) for text in self.request.includes]
        selector = Selector(self.walnut.root, exclusions, includes, nested=self.request.nested)
        if self.request.scope == "full":
            return selector.select_full(chosen)
        if self.request.scope == "bundle":
            return selector.select_bundles(chosen.values())
        return Selection()

    def _check_bundles_are_whole(self, chosen: dict[str, Bundle], selection: Selection) -> None:
        """A bundle leaves with its manifest or not at all."""
        files_of: dict[str, set[str]] = {name: set() for name in chosen}
        for candidate in selection.files:
            top, _, rest = candidate.path.partition("/")
            if rest and top in files_of:
                files_of[top].add(rest)
        for name, inside in files_of.items():
            if inside and chosen[name].manifest_name in inside:
                continue
            if not inside and self.request.scope == "full":
                continue
            manifest = f"{chosen[name].relpath}/{chosen[name].manifest_name}"
            lost = next((one for one in selection.left_out if one.path in (manifest, chosen[name].relpath)), None)
            why = f" ({lost.detail or lost.reason.explanation})" if lost else ""
            raise WalnutError(
                "bundle-without-manifest",
                f"'{manifest}' would be left out{why}, and without it '{name}' is not a bundle",
                untouched="everything",
                hint=f"exclude all of it with `--exclude '{name}/'`, or change the pattern",
            )

    def _refuse_too_large(self, selection: Selection) -> None:
        count = len(selection.files) + len(selection.empty_dirs)
        size = sum(candidate.stamp.size for candidate in selection.files)
        for actual, limit, flag, unit in (
            (count, self.limits.max_files, "--max-files", "files"),
            (size, self.limits.max_bytes, "--max-bytes", "bytes"),
        ):
            if actual > limit:
                shown = f"{actual / MIB:,.0f} MiB (limit {limit / MIB:,.0f} MiB)" if unit == "bytes" else None
                raise WalnutError(
                    "over-limit",
                    f"the package would hold {shown or f'{actual:,} files (limit {limit:,})'}",
                    untouched="everything",
                    hint=f"share bundle by bundle, exclude something, or raise it on both sides with `{flag} {actual}`",
                )

    # -- files -------------------------------------------------------------------------------------------------

    def _file(self, candidate: Candidate) -> PlannedFile | None:
        """Hash one file, or rewrite it where the rules ask for that; None where it cannot be read."""
        name = candidate.path.rpartition("/")[2]
        try:
            if name == kernel.BUNDLE_MANIFEST:
                return self._bundle_manifest(candidate)
            if candidate.path.endswith("/" + kernel.KERNEL + "/" + name) and (nested := self._nested(candidate, name)):
                return nested
            digest, size = files.hash_file(candidate.origin)
        except OSError as error:
            if self._is_indispensable(candidate):
                raise files.file_system_error(error, "read", candidate.origin) from error
            self.left_out.append(LeftOut(candidate.walnut_path, Reason.UNREADABLE))
            self.warnings.append(f"'{candidate.walnut_path}' cannot be read and stays here")
            return None
        entry = FileEntry(candidate.path, digest, size)
        stamp = replace(candidate.stamp, size=size)
        return PlannedFile(entry, candidate.is_executable, candidate.origin, stamp)

    def _is_indispensable(self, candidate: Candidate) -> bool:
        is_bundle_manifest = candidate.path.count("/") == 1 and candidate.path.endswith("/" + kernel.BUNDLE_MANIFEST)
        return is_bundle_manifest or candidate.path in protected_paths(self.request.scope)

    def _bundle_manifest(self, candidate: Candidate) -> PlannedFile:
        with files.open_regular(candidate.origin) as stream:
            data = stream.read(kernel.SMALL_FILE_LIMIT + 1)
        if len(data) > kernel.SMALL_FILE_LIMIT:
            raise WalnutError("file-too-large", f"'{candidate.walnut_path}' is too large to be a bundle's manifest")
        edited = stubs.without_active_sessions(data, candidate.walnut_path)
        if edited != data:
            self.substitutions[candidate.path] = _REASON_SESSIONS
        return _generated(candidate.path, edited, candidate)

    def _nested(self, candidate: Candidate, name: str) -> PlannedFile | None:
        """A nested walnut's kernel obeys the same rules as the walnut's own; None where the file goes as it is."""
        walnut = candidate.path.split("/")[-3]
        if name == "key.md" and self.key_form == "reduced":
            key = read_key(files.read_bytes(candidate.origin, limit=kernel.SMALL_FILE_LIMIT))
            self.substitutions[candidate.path] = _REASON_KEY
            return _generated(candidate.path, stubs.reduced_key(key, walnut), candidate)
        if self.request.full_history or name not in {"log.md", "insights.md"}:
            return None
        self.substitutions[candidate.path] = _REASON_STUB
        return _generated(candidate.path, self._stub(name, walnut), candidate)

    def _stub(self, name: str, walnut: str) -> bytes:
        if name == "log.md":
            return stubs.log_stub(walnut, self.created, self.runtime.session_id, self.request.sender)
        return stubs.insights_stub(walnut, self.created, self.request.sender)

    def _generated_manifests(self, chosen: dict[str, Bundle], present: list[PlannedFile]) -> list[PlannedFile]:
        """A `context.manifest.yaml` for each bundle of the oldest layout that leaves."""
        leaving = {one.entry.path: one for one in present}
        made = []
        for bundle in chosen.values():
            companion = leaving.get(f"{bundle.name}/{kernel.V1_BUNDLE_MANIFEST}")
            if bundle.manifest_name != kernel.V1_BUNDLE_MANIFEST or companion is None:
                continue
            data = files.read_bytes(bundle.path / bundle.manifest_name, limit=kernel.SMALL_FILE_LIMIT)
            path = f"{bundle.name}/{kernel.BUNDLE_MANIFEST}"
            self.substitutions[path] = _REASON_GENERATED
            made.append(_generated(path, stubs.manifest_from_companion(data, bundle.name)))
        return made

    # -- the kernel and the primer -----------------------------------------------------------------------------

    def _kernel_files(self) -> list[PlannedFile]:
        found = [self._key_file()]
        if self.request.scope == "full":
            found += [self._history(kernel.LOG), self._history(kernel.INSIGHTS)]
            found += [self._work(kernel.TASKS), self._work(kernel.COMPLETED)]
            if (config := self._kernel_file(kernel.CONFIG)) is not None:
                found.append(config)
        elif self.request.scope == "snapshot":
            self.substitutions[kernel.INSIGHTS] = _REASON_STUB
            found.append(_generated(kernel.INSIGHTS, self._stub("insights.md", self.walnut.name)))
        return found

    def _key_file(self) -> PlannedFile:
        if self.key_form == "full":
            whole = self._kernel_file(kernel.KEY)
            if whole is None:  # removed since the walnut was opened
                raise ChangedError(kernel.KEY)
            return whole
        self.substitutions[kernel.KEY] = _REASON_KEY
        return _generated(kernel.KEY, stubs.reduced_key(self.walnut.key, self.walnut.name))

    def _history(self, path: str) -> PlannedFile:
        if self.request.full_history and (real := self._kernel_file(path)) is not None:
            return real
        self.substitutions[path] = _REASON_STUB
        return _generated(path, self._stub(path.rpartition("/")[2], self.walnut.name))

    def _work(self, path: str) -> PlannedFile:
        if (real := self._kernel_file(path)) is not None:
            return real
        self.substitutions[path] = _REASON_SKELETON
        return _generated(path, stubs.EMPTY_KERNEL_FILES[path])

    def _kernel_file(self, path: str) -> PlannedFile | None:
        """A kernel file as it is on disk, or None where there is none."""
        origin = self.walnut.root / path
        if not os.path.lexists(origin):
            return None
        with files.translating("read", origin):
            stamp = stamp_of(origin)
            digest, size = files.hash_file(origin)
        return PlannedFile(FileEntry(path, digest, size), is_executable=False, origin=origin, stamp=stamp)

    def _primer(self, present: list[str], bundles: list[str]) -> list[PlannedFile]:
        """The README for strangers, under a name that nothing of the walnut's own has, file or folder."""
        taken = {paths.fold(path.split("/")[0]) for path in present}
        free = [name for name in (paths.README, paths.PRIMER) if paths.fold(name) not in taken]
        if not free:
            return []
        goal = self.walnut.key.text_field("goal")
        text = stubs.primer(self.walnut.name, goal, self.request.scope, bundles, self.created)
        self.substitutions[free[0]] = _REASON_PRIMER
        return [_generated(free[0], text)]

    # -- what the plan says of itself --------------------------------------------------------------------------

    def _describe(self, bundle: Bundle, present: list[PlannedFile]) -> PlannedBundle:
        inside = [one for one in present if one.entry.path.startswith(bundle.name + "/")]
        size = sum(one.entry.size for one in inside)
        return PlannedBundle(bundle.name, bundle.sensitivity, len(inside), size, bundle.tasks)

    def _sensitivity(self, bundles: list[Bundle], present: list[PlannedFile]) -> tuple[Sensitivity, str]:
        """The highest of everything inside, and what has it."""
        key = self.walnut.key
        highest, reason = key.sensitivity, f"`key.md`: {key.sensitivity_reason}"
        relpaths = {one.origin.relative_to(self.walnut.root).as_posix() for one in present if one.origin is not None}
        leaving = {bundle.relpath for path in relpaths for bundle in containing(bundles, path)}
        for bundle in bundles:
            if bundle.relpath in leaving and bundle.sensitivity > highest:
                highest, reason = bundle.sensitivity, f"the bundle '{bundle.relpath}' says {bundle.sensitivity.word}"
        return highest, reason

    def _walnut_id(self) -> tuple[str | None, bool]:
        """The walnut's id, and whether it gets one with this share (receive.md §4)."""
        try:
            ledger = Ledger.parse(self.walnut.read_kernel(kernel.LEDGER, limit=kernel.LEDGER_LIMIT))
        except BrokenLedgerError as error:
            self.warnings.append(f"{error.message}; the package carries no walnut id")
            return None, False
        if ledger.walnut_id is not None:
            return ledger.walnut_id, False
        if not os.access(self.walnut.root / kernel.KERNEL, os.W_OK):
            # An id that cannot be kept would make the next share look like another walnut.
            self.warnings.append("the walnut is read-only, so it gets no id; it is recognised by its key instead")
            return None, False
        return self.runtime.new_uuid(), True

    def _warn_about_names(self, names: list[str]) -> None:
        for group in paths.colliding(names):
            shown = ", ".join(f"'{name}'" for name in group)
            self.warnings.append(f"{shown} are one and the same on macOS and Windows; a receiver there refuses them")
        for name in names:
            if why := paths.windows_refusal(name):
                self.warnings.append(f"'{name}' cannot be received on Windows: {why}")

    def _manifest(
        self,
        present: list[PlannedFile],
        selection: Selection,
        bundles: list[str],
        exclusions: list[Exclusion],
        sensitivity: Sensitivity,
        walnut_id: str | None,
    ) -> Manifest:
        source = {
            "walnut": one_line(self.walnut.name, limit=255),
            "session_id": one_line(self.runtime.session_id),
            "engine": one_line(self.runtime.engine),
            "plugin_version": PLUGIN_VERSION,
        }
        if walnut_id is not None:
            source["walnut_id"] = walnut_id
        if self.key_form == "full":
            source["key_sha256"] = next(one.entry.sha256 for one in present if one.entry.path == kernel.KEY)
        patterns = {_PER_PEER if e.is_for_peer else e.pattern.text for e in exclusions}
        fields: dict[str, object] = {
            "format_version": FORMAT_VERSION,
            "source_layout": "v3",
            "min_plugin_version": PLUGIN_VERSION,
            "created": self.created,
            "scope": self.request.scope,
            "source": source,
            "sender": self.request.sender,
            "description": self.request.description,
            "note": self.request.note,
            "sensitivity": sensitivity.word,
            "exclusions_applied": sorted(patterns),
            "substitutions_applied": [
                {"path": path, "reason": reason} for path, reason in sorted(self.substitutions.items())
            ],
        }
        if self.request.scope == "bundle":
            fields["bundles"] = sorted(bundles)
        fields |= {
            "files": [{"path": one.entry.path, "sha256": one.entry.sha256, "size": one.entry.size} for one in present],
            "executables": sorted(one.entry.path for one in present if one.is_executable),
            "empty_dirs": sorted(selection.empty_dirs),
            "encryption": "none",
        }
        return Manifest.build(fields, self.limits)


def _generated(path: str, content: bytes, candidate: Candidate | None = None) -> PlannedFile:
    entry = FileEntry(path, files.sha256(content), len(content))
    if candidate is None:
        return PlannedFile(entry, content=content)
    return PlannedFile(entry, candidate.is_executable, candidate.origin, candidate.stamp, content)


def stamp_of(path: Path) -> Stamp:
    """What the file system says of a file now. Raises `OSError`."""
    state = path.lstat()
    return Stamp(state.st_size, state.st_mtime_ns, state.st_ino)


def _unknown_bundle(name: str, bundles: list[Bundle], sharable: list[str]) -> UsageError:
    nested = next((bundle for bundle in bundles if bundle.name == name and not bundle.is_top_level), None)
    if nested is not None:
        parents = containing(bundles, nested.relpath)
        parent = next((bundle.name for bundle in parents if bundle.is_top_level), None)
        hint = f"share '{parent}', which contains it" if parent else "it travels with scope full"
        return UsageError(
            "nested-bundle",
            f"the bundle '{name}' lies at '{nested.relpath}' and cannot be shared on its own",
            hint=hint,
        )
    closest = nearest(name, sharable)
    ordered = sorted(sharable, key=lambda other: (other != closest, other))
    return UsageError(
        "unknown-bundle",
        f"there is no bundle '{name}'; there are: {', '.join(ordered) or 'none'}",
        hint=f"did you mean `--bundle {closest}`?" if closest else None,
    )
