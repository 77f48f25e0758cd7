"""What a package says of itself: its manifest, from what leaves and what was decided of it (format.md §2)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from alive_p2p.package.limits import Limits
from alive_p2p.package.manifest import FORMAT_VERSION, Manifest
from alive_p2p.package.signature import sign
from alive_p2p.runtime import PLUGIN_VERSION, Runtime
from alive_p2p.sharing.contents import PRIMER
from alive_p2p.sharing.gate import KeyForm
from alive_p2p.sharing.old_layout import placing, refuse_mixing
from alive_p2p.sharing.plan import PlannedFile, ShareRequest
from alive_p2p.sharing.remembering import groups_here
from alive_p2p.text import breaks_the_line, one_line
from alive_p2p.walnut import kernel
from alive_p2p.walnut.key import Sensitivity
from alive_p2p.walnut.ledger import Ledger
from alive_p2p.walnut.states import based_on, read_sent
from alive_p2p.walnut.walnut import Walnut


@dataclass(frozen=True)
class Leaving:
    """What leaves.

    Attributes:
        files: everything, what is generated included.
        empty_dirs: package paths.
        bundles: their names, sorted.
        substitutions: per package path, what stands there in the place of what.
    """

    files: Sequence[PlannedFile]
    empty_dirs: Sequence[str]
    bundles: Sequence[str]
    substitutions: Mapping[str, str]


@dataclass(frozen=True)
class Facts:
    """What was found out and decided.

    Attributes:
        created: when, as the manifest has it.
        patterns: the exclusions, as a receiver may know them.
        sensitivity: the highest of everything that leaves.
        walnut_id: the walnut's, or None where it has none to give.
        ledger: what the walnut received.
        key_form: how much of `key.md` leaves.
    """

    created: str
    patterns: Sequence[str]
    sensitivity: Sensitivity
    walnut_id: str | None
    ledger: Ledger
    key_form: KeyForm


def make_manifest(
    leaving: Leaving, request: ShareRequest, walnut: Walnut, facts: Facts, limits: Limits, runtime: Runtime
) -> Manifest:
    """The manifest of a package, signed where the request has a key.

    Args:
        leaving: what leaves.
        request: what was asked for.
        walnut: where it comes from.
        facts: what was found out and decided.
        limits: the limits in force.
        runtime: the surroundings.

    Raises:
        PackageError: it would not be valid.
        WalnutError: names of an older layout would take each other's place.
    """
    layout = request.source_layout
    place = placing(layout, leaving.bundles)
    refuse_mixing(layout, [*(one.entry.path for one in leaving.files), *leaving.empty_dirs])
    entries = sorted(
        (
            replace(one.entry, path=at) if (at := place(one.entry.path)) != one.entry.path else one.entry
            for one in leaving.files
        ),
        key=lambda entry: entry.path,
    )
    fields: dict[str, object] = {
        "format_version": FORMAT_VERSION,
        "source_layout": layout,
        "min_plugin_version": PLUGIN_VERSION,
        "created": facts.created,
        "scope": request.scope,
        "source": _source(leaving, walnut, facts, runtime),
        "sender": request.sender,
        "description": request.description,
        "note": request.note,
        "sensitivity": facts.sensitivity.word,
        "exclusions_applied": facts.patterns,
        "substitutions_applied": [
            {"path": path, "reason": reason}
            for path, reason in sorted((place(path), why) for path, why in leaving.substitutions.items())
        ],
    }
    if request.scope == "bundle":
        fields["bundles"] = leaving.bundles
    if earlier := _based_on(leaving, request, walnut, facts.ledger):
        fields["based_on"] = list(earlier)
    fields |= {
        "files": [{"path": entry.path, "sha256": entry.sha256, "size": entry.size} for entry in entries],
        "executables": sorted(place(one.entry.path) for one in leaving.files if one.is_executable),
        "empty_dirs": sorted(map(place, leaving.empty_dirs)),
        "encryption": "none",
    }
    manifest = Manifest.build(fields, limits)
    return manifest if request.signing_key is None else sign(manifest, request.signing_key)


def _source(leaving: Leaving, walnut: Walnut, facts: Facts, runtime: Runtime) -> dict[str, str]:
    source = {
        # The walnut's folder name, as it is where it can be written on one line.
        "walnut": one_line(walnut.name, limit=255) if breaks_the_line(walnut.name) else walnut.name,
        "session_id": one_line(runtime.session_id),
        "engine": one_line(runtime.engine),
        "plugin_version": PLUGIN_VERSION,
    }
    if facts.walnut_id is not None:
        source["walnut_id"] = facts.walnut_id
    if facts.key_form == "full":
        source["key_sha256"] = next(one.entry.sha256 for one in leaving.files if one.entry.path == kernel.KEY)
    return source


def _based_on(leaving: Leaving, request: ShareRequest, walnut: Walnut, ledger: Ledger) -> tuple[str, ...]:
    """What this was made from, so that a receiver who knows it can tell our changes from theirs."""
    if request.scope == "snapshot":
        return ()
    primer = next((path for path, reason in leaving.substitutions.items() if reason == PRIMER), None)
    groups = groups_here(walnut.root, leaving.files, leaving.bundles, primer)
    return based_on(ledger, read_sent(walnut.root), {name: group.hashes for name, group in groups.items()})
