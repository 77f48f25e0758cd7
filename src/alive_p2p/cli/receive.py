"""`receive`, `info` and `verify`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from alive_p2p.cli.changes import TOLD, change_lines, count_changes, overwritten
from alive_p2p.cli.credentials import PassphraseFrom
from alive_p2p.cli.migrate import migration_document, migration_lines
from alive_p2p.cli.opening import credentials, find_signer, opening_options
from alive_p2p.cli.options import FOLDER, Call, common, limit_options, wait_option
from alive_p2p.cli.screen import field_line, human_size, plural, short, some
from alive_p2p.errors import UsageError
from alive_p2p.package.manifest import Manifest
from alive_p2p.package.signature import Outcome, Verdict
from alive_p2p.receiving.hidden_text import HiddenText
from alive_p2p.receiving.kept import refusal
from alive_p2p.receiving.pipeline import preview
from alive_p2p.receiving.pipeline import receive as run_receive
from alive_p2p.receiving.plan import Fate, Lineage, MigrationResult, ReceivePlan, ReceiveRequest, ReceiveResult
from alive_p2p.receiving.signers import describe_verdict
from alive_p2p.text import escape

_RECEIVE_EPILOG = """\b
Examples:
  alive-p2p receive nova-station.walnut
  alive-p2p receive nova-station.walnut \\
    --target 04_Ventures/nova-station
  alive-p2p receive review.walnut \\
    --target 04_Ventures/nova-station --rename --yes
  alive-p2p receive --inbox
"""


@click.command(epilog=_RECEIVE_EPILOG)
@click.argument("package", type=FOLDER, required=False)
@click.option("--inbox", is_flag=True, help="Receive what lies in the world's 03_Inbox, one package after the other.")
@click.option("--from-relay", is_flag=True, help="Receive what waits in your relay; as `relay pull --all`.")
@click.option("--auto", is_flag=True, help="With these: what needs no decision, where `auto_receive` is true.")
@click.option("--target", type=FOLDER, help="The walnut to make, or to add bundles to.")
@click.option("--scope", type=click.Choice(["full", "bundle", "snapshot"]), help="Refuse a package of another scope.")
@click.option("--bundle", "bundles", multiple=True, metavar="NAME", help="Only this bundle; repeatable.")
@click.option("--rename", is_flag=True, help="Put a bundle whose name is taken under another name.")
@click.option("--update", is_flag=True, help="Merge what changed into what came before, file by file.")
@click.option("--allow-older", is_flag=True, help="With --update: go back to an older package.")
@click.option("--into-other-walnut", is_flag=True, help="Add bundles to a walnut they do not come from.")
@click.option("--verify-signature", is_flag=True, help="Refuse it without a valid signature of a known peer.")
@click.option("--trust-agent-files", is_flag=True, help="Install what agents obey as it is; from known peers only.")
@click.option("--source-layout", type=click.Choice(["v2", "v3"]), hidden=True)
@click.option("--diff", is_flag=True, help="With --dry-run --update: show what changes in text files.")
@click.option("--dry-run", is_flag=True, help="Show what would happen, and change nothing.")
@opening_options
@limit_options
@wait_option
@common
def receive(
    call: Call,
    /,
    *,
    package: Path | None,
    inbox: bool,
    from_relay: bool,
    auto: bool,
    dry_run: bool,
    diff: bool,
    wait: float,
    passphrase_env: str | None,
    passphrase_file: Path | None,
    private_key: Path | None,
    verify_signature: bool,
    **options: Any,
) -> None:
    """Bring a package into a world, all of it or nothing.

    Everything is checked before the first byte is written. A full package or a snapshot becomes a new walnut, by
    default in the world's inbox; bundles are added to the walnut they come from.
    """
    if diff and (not dry_run or inbox):
        raise UsageError("diff-without-dry-run", "`--diff` goes with `--dry-run`, and with one package")
    sources = (package is not None, inbox, from_relay)
    if sum(sources) > 1:
        raise UsageError("usage", "a package, `--inbox` and `--from-relay` do not go together")
    if not any(sources):
        raise UsageError("usage", "name the package, or add `--inbox` or `--from-relay`")
    source = PassphraseFrom(passphrase_env, passphrase_file)
    is_opened_with = source.is_given() or private_key is not None
    if auto:
        _refuse_beside_auto(package, {"--diff": diff, "something to open it with": is_opened_with}, options)
    if from_relay:
        if dry_run or is_opened_with:
            raise UsageError("usage", "`--from-relay` goes without a dry run, or something to open one with")
        from alive_p2p.cli.relay_pull import pull_packages

        request = ReceiveRequest(Path(), wait_seconds=wait, **options)
        pull_packages(call, request, (), peer=None, every=True, world=None, only_fetch=False, auto=auto)
        return
    if inbox:
        from alive_p2p.cli.inbox import Inbox

        request = ReceiveRequest(
            Path(), wait_seconds=wait, require_signature=verify_signature, is_agreed=call.yes and not auto, **options
        )
        Inbox(call, request, source, private_key).receive(auto=auto, dry_run=dry_run)
        return
    opened_with = credentials(call, source, private_key)
    request = ReceiveRequest(
        package or Path(),
        wait_seconds=wait,
        credentials=opened_with,
        find_signer=find_signer(call),
        require_signature=verify_signature,
        is_agreed=call.yes,
        **options,
    )
    screen = call.screen
    if dry_run:
        with screen.working("checking") as progress:
            plan = preview(request, call.runtime, progress=progress, with_differences=diff)
        screen.lines(preview_lines(plan, every_change=True), result=True)
        screen.lines([escape(line) for line in plan.differences], result=True)
        if plan.migration.errors:
            screen.beside_error["plan"] = receive_document(plan)
            raise refusal(plan)
        screen.document({**receive_document(plan), "status": "dry-run"})
        call.finish(plan.warnings)
        return
    with screen.working("receiving") as progress:
        result = run_receive(request, call.runtime, approve=ask_about(call), progress=progress)
    show_received(call, result, was_seen=not call.yes)
    screen.document(receive_document(result.plan, result))
    call.finish(result.warnings)


def _refuse_beside_auto(package: Path | None, others: Mapping[str, bool], options: Mapping[str, Any]) -> None:
    """Look that nothing is decided beforehand for what is received with nobody looking."""
    given = [name for name, is_given in others.items() if is_given]
    given += [f"--{name.rstrip('s').replace('_', '-')}" for name, value in options.items() if value]
    if package is not None or given:
        raise UsageError(
            "usage",
            "`--auto` goes with `--inbox` or `--from-relay`, and takes only what needs no decision"
            + (f"; {given[0]} would be one" if given else ""),
            untouched="everything",
            hint="leave out `--auto`, and decide",
        )


def ask_about(call: Call) -> Callable[[ReceivePlan], None]:
    """What shows a plan and asks whether to go on; raises to stop."""
    screen = call.screen

    def approve(plan: ReceivePlan) -> None:
        screen.beside_error["plan"] = receive_document(plan)
        if not call.yes:
            screen.lines(preview_lines(plan), result=False, is_asked_about=screen.can_ask)
            screen.warn(plan.warnings)
        call.approve("keep it beside the target?" if plan.migration.errors else "receive it?")

    return approve


def show_received(call: Call, result: ReceiveResult, *, was_seen: bool) -> None:
    """Say what was received, for a person; `was_seen` is whether there was a preview of it."""
    plan, screen = result.plan, call.screen
    if result.status == "noop":
        what = "these bundles are" if plan.manifest.scope == "bundle" else "this package is"
        screen.say(f"nothing to do: {what} in '{plan.target}' already")
    else:
        screen.say(f"received '{short(plan.manifest.walnut, 80)}' into {plan.target}")
        names = [fate.folder for fate in plan.applied]
        if names:
            screen.say(field_line("bundles", short(", ".join(names))))
        if plan.updates:
            screen.say(field_line("changes", count_changes(plan.changes)))
        else:
            screen.say(field_line("scope", f"{plan.manifest.scope}, {plural(_files_installed(plan), 'file')}"))
        screen.say(field_line("import id", plan.manifest.import_id[:16]))
        screen.lines(change_lines([one for one in plan.changes if one.fate in TOLD], every=True), result=False)
        for path in plan.installation.renamed_agent_files:
            screen.note(f"  kept inert: '{path}' (an agent would obey it under its own name)")
        screen.lines(hidden_lines(plan.hidden), result=False)
    if not was_seen:
        screen.lines(migration_lines(plan.migration), result=False)


# --- the preview ----------------------------------------------------------------------------------------------

_LINEAGE = {
    Lineage.NEW: "a new walnut",
    Lineage.SAME_ID: "the same walnut, by its id",
    Lineage.SAME_KEY_HASH: "the same walnut, by the hash of its key",
    Lineage.SAME_KEY: "the same walnut, by its key",
    Lineage.OVERRIDDEN: "ANOTHER WALNUT, because you asked for it",
}

_FATES = {
    Fate.APPLY: "new",
    Fate.UPDATE: "updated",
    Fate.ALREADY_APPLIED: "here already",
    Fate.SAME_CONTENT: "here already, with the same content",
    Fate.NOT_REQUESTED: "not asked for",
}


def preview_lines(plan: ReceivePlan, *, every_change: bool = False) -> list[str]:
    """What a receive would do, for a person (receive.md §12).

    Args:
        plan: what would be done.
        every_change: list every file that an update touches, and not only the first of them.
    """
    manifest = plan.manifest
    would = "would not receive" if plan.migration.errors else "would receive"
    above = migration_lines(plan.migration)
    lines = [
        *above,
        *([""] if above else []),
        f"{would} '{short(manifest.walnut, 80)}' into {plan.target}",
        field_line("from", sender_text(manifest, plan.verdict)),
        field_line("scope", f"{manifest.scope}, made {manifest.created}"),
        field_line("target", _LINEAGE[plan.lineage]),
        field_line("sensitivity", manifest.sensitivity or "not stated"),
        field_line("files", f"{plural(_files_installed(plan), 'file')}, {human_size(manifest.total_size)}"),
        field_line("overwrites", overwritten(plan.changes)),
    ]
    for name, text in (("description", manifest.description), ("note", manifest.note)):
        if text:
            lines.append(field_line(name, short(text, 300)))
    if plan.bundles:
        lines += ["", "bundles"]
        for fate in plan.bundles:
            arrow = f" → {fate.folder}" if fate.is_renamed else ""
            lines.append(f"  {fate.name}{arrow}: {_FATES[fate.fate]}")
    if plan.changes:
        lines += ["", f"changes: {count_changes(plan.changes)}", *change_lines(plan.changes, every=every_change)]
    if plan.installation.renamed_agent_files:
        lines += ["", "kept inert, because agents would obey them under their own names"]
        lines += some(plan.installation.renamed_agent_files)
    lines += hidden_lines(plan.hidden)
    if plan.installation.dropped:
        lines += ["", "not installed"]
        lines += some([f"{short(one.path, 120)}: {one.reason}" for one in plan.installation.dropped])
    if plan.is_noop:
        lines += ["", "there is nothing to do"]
    if plan.migration.errors:
        lines += ["", "it can be kept unpacked beside the target, for you to put right"]
    return lines


def _files_installed(plan: ReceivePlan) -> int:
    return sum(entry.path in plan.installation.names for entry in plan.manifest.files)


def sender_text(manifest: Manifest, verdict: Verdict | None) -> str:
    """Who it is from: a peer with a fingerprint, or a claim that is called one."""
    claim = short(manifest.sender, 80)
    if verdict is None or verdict.outcome is Outcome.UNSIGNED:
        return f"{claim} (it is not signed, so this is only a claim)"
    if verdict.outcome is Outcome.VALID:
        return f"{verdict.signer} ({verdict.pubkey_id}), signed"
    return f"{claim} (only a claim; signature: {describe_verdict(verdict)})"


def hidden_lines(found: Sequence[HiddenText]) -> list[str]:
    """What a reader would not see and an agent might obey (receive.md §13); nothing where there is nothing."""
    if not found:
        return []
    lines = [f"{short(one.path, 120)}:{one.line}  {one.what}: {short(one.excerpt, 80)}" for one in found]
    return ["", "hidden text, which an agent would read and you would not see", *some(lines)]


def receive_document(plan: ReceivePlan, result: ReceiveResult | None = None) -> dict[str, Any]:
    """The plan (and its result) as `--json` gives it (cli.md, "Commands")."""
    manifest = plan.manifest
    migration = plan.migration if plan.migration != MigrationResult() else None
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
        "changes": [{"path": c.path, "fate": c.fate.value, "beside": c.beside} for c in plan.changes],
        "bundles": [{"name": f.name, "folder": f.folder, "fate": f.fate.value} for f in plan.bundles],
        "lineage": plan.lineage.value,
        "dropped": [asdict(one) for one in plan.installation.dropped],
        "renamed_agent_files": list(plan.installation.renamed_agent_files),
        "hidden": [asdict(one) for one in plan.hidden],
        "file_count": len(manifest.files),
    }
