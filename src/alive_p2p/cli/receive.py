"""`receive`, `info` and `verify`."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from alive_p2p.cli.credentials import PassphraseFrom
from alive_p2p.cli.opening import addressee_names, credentials, describe, find_signer, opening_options
from alive_p2p.cli.options import FOLDER, Call, common, limit_options, wait_option
from alive_p2p.cli.screen import field_line, human_size, plural, short
from alive_p2p.errors import UsageError
from alive_p2p.package.envelopes.base import Envelope
from alive_p2p.package.limits import DEFAULT_LIMITS, Limits
from alive_p2p.package.manifest import Manifest
from alive_p2p.package.signature import Outcome, Verdict
from alive_p2p.receiving import inspection
from alive_p2p.receiving.pipeline import preview
from alive_p2p.receiving.pipeline import receive as run_receive
from alive_p2p.receiving.plan import Fate, Lineage, MigrationResult, ReceivePlan, ReceiveRequest, ReceiveResult
from alive_p2p.walnut.preferences import load_preferences
from alive_p2p.walnut.world import find_world

_RECEIVE_EPILOG = """\b
Examples:
  alive-p2p receive nova-station.walnut
  alive-p2p receive nova-station.walnut --target 04_Ventures/nova-station
  alive-p2p receive review.walnut --target 04_Ventures/nova-station --rename --yes
"""


@click.command(epilog=_RECEIVE_EPILOG)
@click.argument("package", type=FOLDER)
@click.option("--target", type=FOLDER, help="The walnut to make, or to add bundles to.")
@click.option("--scope", type=click.Choice(["full", "bundle", "snapshot"]), help="Refuse a package of another scope.")
@click.option("--bundle", "bundles", multiple=True, metavar="NAME", help="Only this bundle; repeatable.")
@click.option("--rename", is_flag=True, help="Put a bundle whose name is taken under another name.")
@click.option("--into-other-walnut", is_flag=True, help="Add bundles to a walnut they do not come from.")
@click.option("--verify-signature", is_flag=True, help="Refuse it without a valid signature of a known peer.")
@click.option("--source-layout", type=click.Choice(["v2", "v3"]), hidden=True)
@click.option("--dry-run", is_flag=True, help="Show what would happen, and change nothing.")
@opening_options
@limit_options
@wait_option
@common
def receive(
    call: Call,
    /,
    *,
    dry_run: bool,
    wait: float,
    passphrase_env: str | None,
    passphrase_file: Path | None,
    private_key: Path | None,
    verify_signature: bool,
    **options: Any,  # noqa: ANN401
) -> None:
    """Bring a package into a world, all of it or nothing.

    Everything is checked before the first byte is written. A full package or a snapshot becomes a new walnut, by
    default in the world's inbox; bundles are added to the walnut they come from.
    """
    opened_with = credentials(call, PassphraseFrom(passphrase_env, passphrase_file), private_key)
    request = ReceiveRequest(
        wait_seconds=wait,
        credentials=opened_with,
        find_signer=find_signer(call),
        require_signature=verify_signature,
        **options,
    )
    screen = call.screen
    progress = screen.progress("checking")
    if dry_run:
        plan = preview(request, call.runtime, progress=progress)
        screen.lines(preview_lines(plan), result=True)
        screen.document({**receive_document(plan), "status": "dry-run"})
        call.finish(plan.warnings)
        return

    def approve(plan: ReceivePlan) -> None:
        screen.beside_error["plan"] = receive_document(plan)
        if not call.yes:
            screen.lines(preview_lines(plan), result=False)
        call.approve("receive it?")

    _show(call, run_receive(request, call.runtime, approve=approve, progress=progress))


def _show(call: Call, result: ReceiveResult) -> None:
    plan, screen = result.plan, call.screen
    if result.status == "noop":
        what = "these bundles are" if plan.manifest.scope == "bundle" else "this package is"
        screen.say(f"nothing to do: {what} in '{plan.target}' already")
    else:
        screen.say(f"received '{short(plan.manifest.walnut, 80)}' into {plan.target}")
        names = [fate.folder for fate in plan.applied]
        if names:
            screen.say(field_line("bundles", short(", ".join(names))))
        count = _files_installed(plan)
        screen.say(field_line("scope", f"{plan.manifest.scope}, {plural(count, 'file')}"))
        screen.say(field_line("import id", plan.manifest.import_id[:16]))
        for path in plan.installation.renamed_agent_files:
            screen.note(f"  kept inert: '{path}' (an agent would obey it under its own name)")
    if result.migration is not None:
        for action in result.migration.actions:
            screen.note(f"  brought forward: {action}")
    screen.document(receive_document(plan, result))
    call.finish(result.warnings)


# --- the preview ----------------------------------------------------------------------------------------------

_SHOWN = 8

_LINEAGE = {
    Lineage.NEW: "a new walnut",
    Lineage.SAME_ID: "the same walnut, by its id",
    Lineage.SAME_KEY_HASH: "the same walnut, by the hash of its key",
    Lineage.SAME_KEY: "the same walnut, by its key",
    Lineage.OVERRIDDEN: "ANOTHER WALNUT, because you asked for it",
}

_FATES = {
    Fate.APPLY: "new",
    Fate.ALREADY_APPLIED: "here already",
    Fate.SAME_CONTENT: "here already, with the same content",
    Fate.NOT_REQUESTED: "not asked for",
}


def preview_lines(plan: ReceivePlan) -> list[str]:
    """What a receive would do, for a person (receive.md §12)."""
    manifest = plan.manifest
    lines = [
        f"would receive '{short(manifest.walnut, 80)}' into {plan.target}",
        field_line("from", _sender(manifest, plan.verdict)),
        field_line("scope", f"{manifest.scope}, made {manifest.created}"),
        field_line("target", _LINEAGE[plan.lineage]),
        field_line("sensitivity", manifest.sensitivity or "not stated"),
        field_line("files", f"{plural(_files_installed(plan), 'file')}, {human_size(manifest.total_size)}"),
        field_line("overwrites", "nothing"),
    ]
    for name, text in (("description", manifest.description), ("note", manifest.note)):
        if text:
            lines.append(field_line(name, short(text, 300)))
    if plan.bundles:
        lines += ["", "bundles"]
        for fate in plan.bundles:
            arrow = f" → {fate.folder}" if fate.is_renamed else ""
            lines.append(f"  {fate.name}{arrow}: {_FATES[fate.fate]}")
    if plan.installation.migrated_bundles:
        lines += ["", "brought forward from an older layout"]
        lines += [f"  bundles/{name} → {name}" for name in plan.installation.migrated_bundles]
    if plan.installation.renamed_agent_files:
        lines += ["", "kept inert, because agents would obey them under their own names"]
        lines += _some(plan.installation.renamed_agent_files)
    if plan.installation.dropped:
        lines += ["", "not installed"]
        lines += _some([f"{short(one.path, 120)}: {one.reason}" for one in plan.installation.dropped])
    if plan.is_noop:
        lines += ["", "there is nothing to do"]
    return lines


def _files_installed(plan: ReceivePlan) -> int:
    return sum(entry.path in plan.installation.names for entry in plan.manifest.files)


def _some(lines: tuple[str, ...] | list[str]) -> list[str]:
    shown = [f"  {line}" for line in lines[:_SHOWN]]
    if len(lines) > _SHOWN:
        shown.append(f"  and {len(lines) - _SHOWN:,} more; `--json` lists all")
    return shown


def _sender(manifest: Manifest, verdict: Verdict | None) -> str:
    """Who it is from: a peer with a fingerprint, or a claim that is called one."""
    claim = short(manifest.sender, 80)
    if verdict is None or verdict.outcome is Outcome.UNSIGNED:
        return f"{claim} (it is not signed, so this is only a claim)"
    if verdict.outcome is Outcome.VALID:
        return f"{verdict.signer} ({verdict.pubkey_id}), signed"
    return f"{claim} (only a claim; signature: {inspection.describe_verdict(verdict)})"


def receive_document(plan: ReceivePlan, result: ReceiveResult | None = None) -> dict[str, Any]:
    """The plan (and its result) as `--json` gives it (cli.md, "Commands")."""
    manifest = plan.manifest
    migration = result.migration if result else None
    return {
        "status": result.status if result else "dry-run",
        "import_id": manifest.import_id,
        "scope": manifest.scope,
        "target": str(plan.target),
        "applied_bundles": [] if plan.is_noop else [fate.folder for fate in plan.applied],
        "bundle_renames": {fate.name: fate.folder for fate in plan.applied if fate.is_renamed},
        "warnings": list(result.warnings if result else plan.warnings),
        "source_layout": plan.installation.layout,
        "migration": migration_document(migration) if migration else None,
        "signature": plan.verdict.outcome.value,
        "signer": {"name": plan.verdict.signer, "pubkey_id": plan.verdict.pubkey_id},
        "sender": manifest.sender,
        "bundles": [{"name": f.name, "folder": f.folder, "fate": f.fate.value} for f in plan.bundles],
        "lineage": plan.lineage.value,
        "dropped": [asdict(one) for one in plan.installation.dropped],
        "renamed_agent_files": list(plan.installation.renamed_agent_files),
        "file_count": len(manifest.files),
    }


def migration_document(result: MigrationResult) -> dict[str, Any]:
    """A migration's result object (receive.md §8)."""
    document: dict[str, Any] = asdict(result)
    return {key: list(value) if isinstance(value, tuple) else value for key, value in document.items()}


# --- info and verify ------------------------------------------------------------------------------------------


@click.command(epilog="\b\nExample:\n  alive-p2p info nova-station.walnut")
@click.argument("package", type=FOLDER)
@opening_options
@limit_options
@common
def info(
    call: Call,
    /,
    *,
    package: Path,
    max_files: int | None,
    max_bytes: int | None,
    passphrase_env: str | None,
    passphrase_file: Path | None,
    private_key: Path | None,
) -> None:
    """Show what a package says of itself.

    Only the manifest is read; `verify` checks the rest.
    """
    source = PassphraseFrom(passphrase_env, passphrase_file)
    # Nobody is asked for a passphrase only to look: without one, the envelope is what there is to see.
    is_named = source.is_given() or private_key is not None
    opened_with = credentials(call, source, private_key, may_ask=is_named)
    found = inspection.inspect(
        call.runtime.cwd / package,
        _limits(call, max_files, max_bytes),
        opened_with,
        find_signer(call),
        must_open=is_named,
    )
    screen = call.screen
    names = addressee_names(call, found.addressees)
    screen.lines(info_lines(found, names), result=True)
    screen.document(info_document(found, names))
    call.finish(())


def _limits(call: Call, max_files: int | None, max_bytes: int | None) -> Limits:
    preferences = load_preferences(find_world(call.runtime.cwd))
    return Limits(
        max_files or preferences.max_files or DEFAULT_LIMITS.max_files,
        max_bytes or preferences.max_bytes or DEFAULT_LIMITS.max_bytes,
    )


_SEALED_NOTE = "sealed; what is inside cannot be told without the key or passphrase"


def info_lines(found: inspection.PackageInfo, names: Mapping[str, str]) -> list[str]:
    """What `info` says, for a person; `names` are those of the addressees that are known, by `pubkey_id`."""
    lines = [f"{found.path.name}", field_line("size", human_size(found.size))]
    manifest = found.manifest
    if manifest is None:
        lines.append(field_line("sealed", found.envelope.value))
        if people := describe(found.addressees, names):
            lines.append(field_line("for", short(", ".join(people))))
        return [*lines, f"  {_SEALED_NOTE}"]
    lines += [
        field_line("walnut", short(manifest.walnut, 120)),
        field_line("from", _sender(manifest, found.verdict)),
        field_line("scope", _scope(manifest)),
        field_line("made", manifest.created),
        field_line("sensitivity", manifest.sensitivity or "not stated"),
        field_line("files", f"{plural(len(manifest.files), 'file')}, {human_size(manifest.total_size)}"),
        field_line("format", f"{manifest.format_version}, layout {found.layout or 'unknown'}"),
        field_line("sealed", "no" if found.envelope is Envelope.PLAIN else found.envelope.value),
        field_line("import id", manifest.import_id[:16]),
    ]
    for name, text in (("description", manifest.description), ("note", manifest.note)):
        if text:
            lines.append(field_line(name, short(text, 300)))
    if manifest.exclusions:
        lines.append(field_line("exclusions", short(", ".join(manifest.exclusions))))
    if manifest.substitutions:
        lines += ["", "not as they are at the sender's"]
        lines += _some([f"{short(path, 120)}: {short(reason, 80)}" for path, reason in manifest.substitutions.items()])
    return lines


def _scope(manifest: Manifest) -> str:
    return f"bundle: {short(', '.join(manifest.bundles))}" if manifest.scope == "bundle" else manifest.scope


def info_document(found: inspection.PackageInfo, names: Mapping[str, str]) -> dict[str, Any]:
    """What `info --json` gives (cli.md, "Commands")."""
    ids = list(dict.fromkeys([*found.addressees.pubkey_ids, *names]))
    recipients = {"recipients": ids, "recipient_names": dict(names)}
    base: dict[str, Any] = {"package": str(found.path), "size": found.size, "encryption": found.envelope.value}
    manifest = found.manifest
    if manifest is None:
        return {**base, "note": _SEALED_NOTE, **recipients}
    return {
        **base,
        "format_version": manifest.format_version,
        "source_layout": found.layout,
        "scope": manifest.scope,
        "walnut": manifest.walnut,
        "sender": manifest.sender,
        "created": manifest.created,
        "description": manifest.description,
        "note": manifest.note,
        "sensitivity": manifest.sensitivity,
        "bundles": list(manifest.bundles),
        "exclusions_applied": list(manifest.exclusions),
        "substitutions_applied": [{"path": path, "reason": reason} for path, reason in manifest.substitutions.items()],
        "file_count": len(manifest.files),
        "total_bytes": manifest.total_size,
        "signature": found.verdict.outcome.value if found.verdict else None,
        "signer": {"name": found.verdict.signer, "pubkey_id": found.verdict.pubkey_id} if found.verdict else None,
        **recipients,
        "import_id": manifest.import_id,
    }


@click.command(epilog="\b\nExample:\n  alive-p2p verify nova-station.walnut")
@click.argument("file", type=FOLDER, required=False)
@click.option("--package", type=FOLDER, help="The same as FILE.")
@click.option("--verify-signature", is_flag=True, help="Fail without a valid signature of a known peer.")
@opening_options
@limit_options
@common
def verify(
    call: Call,
    /,
    *,
    file: Path | None,
    package: Path | None,
    max_files: int | None,
    max_bytes: int | None,
    passphrase_env: str | None,
    passphrase_file: Path | None,
    private_key: Path | None,
    verify_signature: bool,
) -> None:
    """Check a package without receiving it.

    Prints a line per check and exits with 0 only if all pass. Nothing is written.
    """
    if (file is None) == (package is None):
        raise UsageError("usage", "name one package", hint="alive-p2p verify FILE")
    path = call.runtime.cwd / (file or package or "")
    screen = call.screen
    opened_with = credentials(call, PassphraseFrom(passphrase_env, passphrase_file), private_key)
    is_required = verify_signature or load_preferences(find_world(call.runtime.cwd)).require_signature
    found = inspection.verify(
        path,
        _limits(call, max_files, max_bytes),
        screen.progress("verifying"),
        opened_with,
        find_signer(call),
        require_signature=is_required,
    )
    for check in found.checks:
        word = "ok" if check.passed else "FAILED" if check.passed is False else "-"
        screen.say(f"  {check.name:<10} {word:<7} {check.finding}")
    manifest = found.manifest
    document = {
        "package": str(path),
        "checks": [asdict(check) for check in found.checks],
        "import_id": manifest.import_id if manifest else None,
        "signature": found.verdict.outcome.value if found.verdict else None,
    }
    if found.error is not None:
        screen.beside_error.update(document)
        raise found.error
    screen.document({"status": "ok", **document})
    if manifest is not None:
        screen.say(f"verified: import id {manifest.import_id[:16]}")
