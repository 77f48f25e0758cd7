"""Deciding what a share will do: every step from the walnut to the manifest, and nothing written (share.md §1–§5)."""

import os
import shlex
from collections.abc import Collection, Iterable

from alive_p2p.errors import UsageError, WalnutError
from alive_p2p.globs import Pattern
from alive_p2p.package import paths
from alive_p2p.package.envelopes.base import Envelope
from alive_p2p.package.limits import DEFAULT_LIMITS, Limits
from alive_p2p.package.paths import bundle_name_refusal
from alive_p2p.package.reader import Progress
from alive_p2p.runtime import Runtime
from alive_p2p.sharing.audience import audience_of
from alive_p2p.sharing.contents import Contents
from alive_p2p.sharing.exclusions import Exclusion, unmatched
from alive_p2p.sharing.findings import Scanner
from alive_p2p.sharing.gate import WALNUT, Decision, KeyForm, Part, Question, decide, key_form
from alive_p2p.sharing.landscape import Landscape
from alive_p2p.sharing.manifest_making import Facts, Leaving, make_manifest
from alive_p2p.sharing.plan import (
    ExclusionUse,
    PlannedBundle,
    PlannedFile,
    SharePlan,
    ShareRequest,
    Stamp,
)
from alive_p2p.sharing.scanning import gather
from alive_p2p.sharing.selection import Selection, Selector
from alive_p2p.text import breaks_the_line, nearest
from alive_p2p.walnut import kernel
from alive_p2p.walnut.bundles import Bundle, containing, discover, top_level
from alive_p2p.walnut.key import UNKNOWN, Sensitivity
from alive_p2p.walnut.ledger import BrokenLedgerError, Ledger
from alive_p2p.walnut.preferences import Preferences
from alive_p2p.walnut.walnut import Walnut

_PER_PEER = "(per-peer)"


def check_request(request: ShareRequest) -> None:
    """Refuse a request that contradicts itself.

    Raises:
        UsageError: bundles without scope `bundle` or the other way round, a text that is not one line, or an empty
            name.
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
    if not all(name.strip() for name in request.acknowledged):
        raise UsageError("usage", "`--acknowledge` needs a name; it is empty", untouched="everything")


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
        self.limits = Limits(
            request.max_files or preferences.max_files or DEFAULT_LIMITS.max_files,
            request.max_bytes or preferences.max_bytes or DEFAULT_LIMITS.max_bytes,
        )
        self.audience = audience_of(
            is_sealed=request.seal.envelope is not Envelope.PLAIN, recipients=request.recipients
        )
        self.key_form: KeyForm = self._key_form(walnut.key.sensitivity)
        self.landscape = Landscape(walnut)
        self.scanner = Scanner(sensitive_names=preferences.sensitive_names)
        self.contents = Contents(request, walnut, self.created, self.landscape, self._key_form, self.scanner, runtime)
        self.ledger_problem: str | None = None
        self.ledger = self._read_ledger()

    def plan(self, progress: Progress | None = None) -> SharePlan:
        """All steps, in the order of share.md §1.

        Args:
            progress: called with bytes read and bytes in all, after each file.
        """
        bundles = discover(self.walnut)
        sharable = top_level(bundles)
        chosen = self._chosen(bundles, sharable)
        exclusions = self._exclusions()
        selection = self._select(chosen, exclusions)
        self._check_bundles_are_whole(chosen, selection)
        self._refuse_too_large(selection, [])
        present = self.contents.files(selection.files, progress)
        present += self.contents.generated_manifests(chosen, present)
        present += self.contents.kernel_files(exclusions)
        leaving = {one.entry.path.split("/")[0] for one in present}
        chosen = {name: bundle for name, bundle in chosen.items() if name in leaving}
        present += self.contents.primer([*(one.entry.path for one in present), *selection.empty_dirs], list(chosen))
        present.sort(key=lambda one: one.entry.path)
        self._refuse_too_large(selection, present)
        self._warn_about_names([one.entry.path for one in present])
        self.warnings += unmatched(exclusions, [one.entry.path for one in present], self.request.scope)
        sensitivity, reason = self._sensitivity(selection)
        decision = self._decide(selection)
        self._warn_about_words(selection)
        patterns = sorted({_PER_PEER if one.is_for_peer else one.pattern.text for one in exclusions})
        found = gather(
            self.request,
            self.walnut.name,
            present,
            selection.empty_dirs,
            patterns,
            self.contents.findings,
            self.scanner,
            self.runtime,
        )
        self.warnings += found.warnings
        walnut_id, is_new = self._walnut_id()
        manifest = make_manifest(
            Leaving(present, selection.empty_dirs, sorted(chosen), self.contents.substitutions),
            self.request,
            self.walnut,
            Facts(self.created, patterns, sensitivity, walnut_id, self.ledger, self.key_form),
            self.limits,
            self.runtime,
        )
        left_out = [*selection.left_out, *self.contents.left_out]
        return SharePlan(
            root=self.walnut.root,
            request=self.request,
            manifest=manifest,
            files=tuple(present),
            bundles=_described(chosen.values(), present),
            left_out=tuple(sorted(left_out, key=lambda one: (one.reason.value, one.path))),
            exclusions=tuple(ExclusionUse(e.pattern.text, e.origin, e.matched) for e in exclusions),
            included=tuple(selection.included),
            key_form=self.key_form,
            sensitivity=sensitivity,
            sensitivity_reason=reason,
            gate=decision,
            findings=found.findings,
            unscanned=self.contents.unscanned,
            new_walnut_id=is_new,
            limits=self.limits,
            warnings=(*self.warnings, *self.contents.warnings),
        )

    # -- choosing ----------------------------------------------------------------------------------------------

    def select_again(self) -> tuple[dict[str, Stamp], Decision]:
        """What would leave now, by package path, and what the gate says of it, without reading any content."""
        bundles = discover(self.walnut)
        selection = self._select(self._chosen(bundles, top_level(bundles)), self._exclusions())
        return {candidate.path: candidate.stamp for candidate in selection.files}, self._decide(selection)

    def _chosen(self, bundles: list[Bundle], sharable: dict[str, Bundle]) -> dict[str, Bundle]:
        if self.request.scope == "full":
            return sharable
        if self.request.scope == "snapshot":
            return {}
        chosen = {}
        for name in self.request.bundles:
            if name not in sharable:
                raise _unknown_bundle(name, bundles, list(sharable))
            if reason := bundle_name_refusal(name):
                raise UsageError(
                    "bad-bundle-name",
                    f"a bundle called '{name}' cannot be received: {reason}",
                    untouched="everything",
                    hint=f"rename the folder '{sharable[name].relpath}' first",
                )
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
        selector = Selector(
            self.walnut.root,
            exclusions,
            includes,
            nested=self.request.nested,
            original_names=self.ledger.original_names(),
            is_restricted_raw=lambda folder: self.landscape.folder(folder).raw_of is not None,
        )
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

    def _refuse_too_large(self, selection: Selection, present: list[PlannedFile]) -> None:
        """What a default receiver would refuse is not made; first by what was selected, then by all that leaves."""
        names = [one.entry.path for one in present] or [candidate.path for candidate in selection.files]
        size = sum(one.entry.size for one in present) or sum(c.stamp.size for c in selection.files)
        folders = paths.folders_of((*names, *selection.empty_dirs))
        count = len(names) + len(selection.empty_dirs)
        excess = self.limits.excess(count, len(folders) + len(selection.empty_dirs), size)
        if excess is None:
            return
        flag = f"--max-bytes {size}" if "content" in excess else f"--max-files {max(count, len(folders))}"
        raise WalnutError(
            "over-limit",
            f"the package would hold {excess}",
            untouched="everything",
            hint=f"share bundle by bundle, exclude something, or raise the limit on both sides with `{flag}`",
        )

    # -- what the plan says of itself --------------------------------------------------------------------------

    def _key_form(self, sensitivity: Sensitivity) -> KeyForm:
        return key_form(sensitivity, self.audience, self.request.key, self.request.acknowledged)

    def _parts(self, selection: Selection) -> tuple[Part, ...]:
        """Everything of which something leaves; the walnut's own work and live context only with scope full."""
        leaving = [candidate.walnut_path for candidate in selection.files]
        leaving += [f"{walnut_path}/" for walnut_path in selection.empty_places]
        return self.landscape.parts([*leaving, kernel.TASKS] if self.request.scope == "full" else leaving)

    def _decide(self, selection: Selection) -> Decision:
        decision = decide(
            Question(
                audience=self.audience,
                keys=self.landscape.walnuts(candidate.walnut_path for candidate in selection.files),
                parts=self._parts(selection),
                key_wish=self.request.key,
                full_history=self.request.full_history,
                acknowledged=frozenset(self.request.acknowledged),
            )
        )
        for name in decision.unused:
            self.warnings.append(f"`--acknowledge {name}`: there is nothing of that name that needs it")
        return decision

    def _sensitivity(self, selection: Selection) -> tuple[Sensitivity, str]:
        """The highest of everything that leaves, and what has it."""
        key = self.walnut.key
        highest, reason = key.sensitivity, f"`key.md`: {key.sensitivity_reason}"
        for part in self._parts(selection):
            if part.sensitivity > highest:
                highest, reason = part.sensitivity, f"'{part.name}': {part.reason}"
        return highest, reason

    def _read_ledger(self) -> Ledger:
        try:
            return Ledger.parse(self.walnut.read_kernel(kernel.LEDGER, limit=kernel.LEDGER_LIMIT))
        except BrokenLedgerError as error:
            self.ledger_problem = error.message
            return Ledger()

    def _walnut_id(self) -> tuple[str | None, bool]:
        """The walnut's id, and whether it gets one with this share (receive.md §4)."""
        if self.ledger_problem is not None:
            self.warnings.append(f"{self.ledger_problem}; the package carries no walnut id")
            return None, False
        if self.ledger.walnut_id is not None:
            return self.ledger.walnut_id, False
        if not os.access(self.walnut.root / kernel.KERNEL, os.W_OK):
            # An id that cannot be kept would make the next share look like another walnut.
            self.warnings.append("the walnut is read-only, so it gets no id; it is recognised by its key instead")
            return None, False
        return self.runtime.new_uuid(), True

    def _warn_about_words(self, selection: Selection) -> None:
        """A mistyped sensitivity would otherwise only be seen by who knows what it should be."""
        reasons = {WALNUT: self.walnut.key.sensitivity_reason} | {
            part.name: part.reason for part in self._parts(selection)
        }
        self.warnings += [f"the sensitivity of '{name}': {why}" for name, why in reasons.items() if UNKNOWN in why]
        for part in dict.fromkeys([*self.landscape.folder("").holders, *self._parts(selection)]):
            where = "`key.md`" if part.name == WALNUT else f"'{part.name}'"
            self.warnings += [
                f"{where} says `{word}` where it makes no difference; "
                "only `sensitivity:` and a bundle's `pii:` at the beginning of a line count"
                for word in part.overlooked
            ]
        for text in self.request.includes:
            if text not in selection.includes_used:
                self.warnings.append(f"the pattern '{text}' of `--include` brings nothing back")

    def _warn_about_names(self, names: list[str]) -> None:
        for group in paths.colliding(names):
            shown = ", ".join(f"'{name}'" for name in group)
            self.warnings.append(f"{shown} are one and the same on macOS and Windows; a receiver there refuses them")
        for name in names:
            if why := paths.windows_refusal(name):
                self.warnings.append(f"'{name}' cannot be received on Windows: {why}")


def _described(bundles: Collection[Bundle], present: Iterable[PlannedFile]) -> tuple[PlannedBundle, ...]:
    """The bundles that leave, with how many files and bytes of each do."""
    sizes: dict[str, list[int]] = {}
    for one in present:
        top, _, inside = one.entry.path.partition("/")
        if inside:
            sizes.setdefault(top, []).append(one.entry.size)
    held = {one.name: sizes.get(one.name, []) for one in bundles}
    return tuple(
        PlannedBundle(one.name, one.sensitivity, len(held[one.name]), sum(held[one.name]), one.tasks, one.has_pii)
        for one in bundles
    )


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
        hint=f"did you mean `--bundle {shlex.quote(closest)}`?" if closest else None,
    )
