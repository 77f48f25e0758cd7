"""The plan of a share as a person reads it, and as `--json` gives it (share.md §6)."""

from dataclasses import asdict
from typing import Any

from alive_p2p import files
from alive_p2p.cli.columns import padded
from alive_p2p.cli.screen import field_line, human_size, plural, short
from alive_p2p.cli.substitutions import substitution_text
from alive_p2p.package.envelopes.base import Envelope
from alive_p2p.package.manifest import Manifest
from alive_p2p.sharing.gate import Outcome
from alive_p2p.sharing.pipeline import plan_name
from alive_p2p.sharing.plan import PlannedFile, Reason, SharePlan, ShareResult
from alive_p2p.walnut.walnut import Walnut


def sealed_text(plan: SharePlan) -> str:
    """How, and for whom, with fingerprints."""
    envelope = plan.request.seal.envelope
    if envelope is Envelope.PLAIN:
        return "no: everybody who gets the file can read it"
    if not plan.request.recipients:
        return "with a passphrase"
    return "for " + ", ".join(f"{one.name} ({one.pubkey_id})" for one in plan.request.recipients)


def signed_text(plan: SharePlan) -> str:
    """By whom it is signed, with the id of the key."""
    key = plan.request.signing_key
    return f"by {plan.manifest.sender} ({key.public.pubkey_id})" if key is not None else "no"


def key_form(plan: SharePlan) -> str:
    """How `key.md` leaves."""
    if plan.key_form == "full":
        return "whole"
    if plan.manifest.scope == "bundle":
        return "reduced: no people, links or sections (receivers older than alive-p2p need `--key full`)"
    return "reduced: no people, links or sections"


def scope_text(manifest: Manifest) -> str:
    """What kind of package it is, with its bundles."""
    return f"bundle: {', '.join(manifest.bundles)}" if manifest.scope == "bundle" else manifest.scope


def left_out_summary(plan: SharePlan) -> str:
    """How much stays, in a few words; empty where nothing does."""
    count = len([one for one in plan.left_out if one.reason is not Reason.NEVER])
    return f"{plural(count, 'path')}; `--dry-run` lists them with the reasons" if count else ""


_SHOWN_PATHS = 8
_SHOWN_FINDINGS = 20


def preview_lines(plan: SharePlan) -> list[str]:
    """What a share would do, for a person (share.md §6)."""
    manifest = plan.manifest
    lines = [
        f"would pack '{plan.root.name}' as {plan_name(plan)}",
        field_line("scope", scope_text(manifest)),
        field_line("sealed", sealed_text(plan)),
        field_line("signed", signed_text(plan)),
        field_line("sensitivity", f"{plan.sensitivity.word} ({plan.sensitivity_reason})"),
        field_line("key.md", key_form(plan)),
        *([field_line("history", "the real log and insights")] if plan.request.full_history else []),
        field_line("files", f"{plural(len(plan.files), 'file')}, {human_size(plan.total_size)}"),
        *_attention(plan),
        "",
        "what leaves",
        *_tree(plan),
    ]
    world = Walnut(plan.root).world
    if world is not None and not files.is_file(world / ".alive" / "preferences.yaml"):
        lines.insert(4, field_line("preferences", "none in this world, so the defaults apply"))
    if plan.left_out:
        lines += ["", "what stays", *_left_out(plan)]
    if plan.included:
        lines += [
            "",
            "brought back by `--include`",
            *(f"  {short(path, 160)}" for path in plan.included[:_SHOWN_PATHS]),
        ]
        if len(plan.included) > _SHOWN_PATHS:
            lines.append(f"  and {len(plan.included) - _SHOWN_PATHS:,} more; `--json` lists all")
    if plan.exclusions:
        lines += ["", "exclusions"]
        lines += [f"  {use.pattern}  ({use.origin}): {plural(use.matched, 'file')}" for use in plan.exclusions]
    return lines


OUTCOMES = {
    Outcome.REFUSED: "refused",
    Outcome.NEEDS_ACKNOWLEDGE: "to acknowledge",
    Outcome.ASKS: "asks",
    Outcome.ACKNOWLEDGED: "acknowledged",
    Outcome.BY_HAND: "by hand",
}
"""The gate's outcomes in words, as the terminal and the page show them."""


def _attention(plan: SharePlan) -> list[str]:
    """What somebody has to look at first: the gate, then the findings."""
    lines = []
    if plan.gate.rulings:
        lines += ["", f"the gate, because it leaves for {plan.readers}"]
        for ruling in plan.gate.rulings:
            lines.append(f"  {OUTCOMES[ruling.outcome]:<15} {short(ruling.why, 200)}")
            if ruling.hint and ruling.outcome in {Outcome.REFUSED, Outcome.NEEDS_ACKNOWLEDGE}:
                lines.append(f"  {'':<15} {short(ruling.hint, 200)}")
    if plan.findings:
        lines += ["", "findings"]
        for finding in plan.findings[:_SHOWN_FINDINGS]:
            is_allowed = finding.id in plan.request.allowed_findings
            word = "allowed" if is_allowed else "blocks" if finding.blocks else "look at"
            where = f"{short(finding.path, 120)}{f':{finding.line}' if finding.line else ''}"
            lines.append(f"  {word:<8} {finding.id}  {where}  {finding.what}: {finding.excerpt}")
        if len(plan.findings) > _SHOWN_FINDINGS:
            lines.append(f"  and {len(plan.findings) - _SHOWN_FINDINGS:,} more; `--json` lists all")
    if plan.unscanned:
        lines += ["", f"{plural(plan.unscanned, 'file')} of a kind that cannot be looked into for secrets"]
    return lines


def _tree(plan: SharePlan) -> list[str]:
    bundles = {bundle.name: bundle for bundle in plan.bundles}
    groups: dict[str, list[PlannedFile]] = {}
    for planned in plan.files:
        root, _, rest = planned.entry.path.partition("/")
        groups.setdefault(f"{root}/" if rest else root, []).append(planned)
    reasons = plan.manifest.substitutions
    lines = []
    for name, inside in sorted(groups.items(), key=lambda item: (not item[0].startswith("_kernel"), item[0])):
        size = human_size(sum(planned.entry.size for planned in inside))
        bundle = bundles.get(name.removesuffix("/"))
        extra = (
            f"  bundle, {bundle.sensitivity.word}{', pii' if bundle.has_pii else ''}; {bundle.tasks.describe()}"
            if bundle
            else ""
        )
        count = f"{plural(len(inside), 'file')}, " if name.endswith("/") else ""
        mark = f"  [{substitution_text(reasons[name])}]" if name in reasons else ""
        lines.append(f"  {padded(name, 28)} {count}{size}{extra}{mark}")
        for planned in inside:
            path = planned.entry.path
            if path in reasons and path != name:
                lines.append(f"    {padded(path.removeprefix(name), 26)} [{substitution_text(reasons[path])}]")
    return lines


def _left_out(plan: SharePlan) -> list[str]:
    groups: dict[Reason, list[str]] = {}
    for one in plan.left_out:
        detail = f" ({one.detail})" if one.detail else ""
        groups.setdefault(one.reason, []).append(f"{one.path}{detail}")
    lines = []
    for reason, found in groups.items():
        lines.append(f"  {reason.explanation}:")
        lines += [f"    {short(path, 160)}" for path in found[:_SHOWN_PATHS]]
        if len(found) > _SHOWN_PATHS:
            lines.append(f"    and {len(found) - _SHOWN_PATHS:,} more; `--json` lists all")
    return lines


def plan_document(plan: SharePlan, result: ShareResult | None = None) -> dict[str, Any]:
    """The plan (and its result) as `--json` gives it (cli.md, "Commands")."""
    manifest = plan.manifest
    walnut = Walnut(plan.root)
    return {
        "package_path": str(result.path) if result else None,
        "size_bytes": result.size if result else None,
        "import_id": manifest.import_id,
        "warnings": list(result.warnings if result else plan.warnings),
        "exclusions_applied": list(manifest.exclusions),
        "removed_paths": [one.path for one in plan.left_out if one.reason is Reason.EXCLUDED],
        "preferences_found": walnut.world is not None and files.is_file(walnut.world / ".alive" / "preferences.yaml"),
        "world_root": str(walnut.world) if walnut.world else None,
        "walnut": plan.root.name,
        "scope": manifest.scope,
        "bundles": [bundle.name for bundle in plan.bundles],
        "sensitivity": plan.sensitivity.word,
        "sensitivity_reason": plan.sensitivity_reason,
        "key": plan.key_form,
        "encryption": plan.request.seal.envelope.value,
        "recipients": [
            {"name": one.name, "pubkey_id": one.pubkey_id, "paired": one.is_paired} for one in plan.request.recipients
        ],
        "signature": "signed" if plan.request.signing_key is not None else "unsigned",
        "substitutions_applied": [{"path": path, "reason": reason} for path, reason in manifest.substitutions.items()],
        "left_out": [{"path": one.path, "reason": one.reason.value, "detail": one.detail} for one in plan.left_out],
        "included": list(plan.included),
        "exclusions": [
            {"pattern": use.pattern, "origin": use.origin, "matched": use.matched} for use in plan.exclusions
        ],
        "findings": [
            {**asdict(finding), "allowed": finding.id in plan.request.allowed_findings} for finding in plan.findings
        ],
        "unscanned": plan.unscanned,
        "audience": plan.gate.audience.value,
        "gate": [
            {"name": one.name, "outcome": one.outcome.value, "why": one.why, "hint": one.hint}
            for one in plan.gate.rulings
        ],
        "blocked": plan.is_blocked,
        "files": [
            {
                "path": one.entry.path,
                "size": one.entry.size,
                "sha256": one.entry.sha256,
                "executable": one.is_executable,
            }
            for one in plan.files
        ],
        "total_bytes": plan.total_size,
    }
