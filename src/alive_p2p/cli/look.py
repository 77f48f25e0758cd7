"""`info` and `verify`: looking at a package without receiving it."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from alive_p2p.cli.credentials import PassphraseFrom
from alive_p2p.cli.opening import addressee_names, credentials, describe, find_signer, opening_options
from alive_p2p.cli.options import FOLDER, Call, common, limit_options
from alive_p2p.cli.provenance import show_provenance
from alive_p2p.cli.receive import hidden_lines, sender_text
from alive_p2p.cli.screen import field_line, human_size, plural, short, some
from alive_p2p.cli.substitutions import substitution_text
from alive_p2p.errors import UsageError
from alive_p2p.package.envelopes.base import Envelope
from alive_p2p.package.limits import DEFAULT_LIMITS, Limits
from alive_p2p.package.manifest import Manifest
from alive_p2p.receiving import inspection
from alive_p2p.walnut.preferences import load_preferences
from alive_p2p.walnut.world import find_world


@click.command(epilog="\b\nExample:\n  alive-p2p info nova-station.walnut")
@click.argument("package", type=FOLDER, required=False)
@click.option("--walnut", type=FOLDER, help="Instead of a package: where a walnut's bundles came from.")
@opening_options
@limit_options
@common
def info(
    call: Call,
    /,
    *,
    package: Path | None,
    walnut: Path | None,
    max_files: int | None,
    max_bytes: int | None,
    passphrase_env: str | None,
    passphrase_file: Path | None,
    private_key: Path | None,
) -> None:
    """Show what a package says of itself.

    Only the manifest is read; `verify` checks the rest. With `--walnut` it shows who each bundle of a walnut came
    from, and what was changed here since.
    """
    if (package is None) == (walnut is None):
        raise UsageError("usage", "name a package, or a walnut with `--walnut`", hint="alive-p2p info FILE")
    if package is None:
        show_provenance(call, call.runtime.cwd / (walnut or ""))
        return
    source = PassphraseFrom(passphrase_env, passphrase_file)
    # Nobody is asked for a passphrase only to look: without one, the envelope is what there is to see.
    is_named = source.is_given() or private_key is not None
    opened_with = credentials(call, source, private_key, may_ask=is_named)
    with call.screen.working("reading"):
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


_SEALED_NOTE = (
    "sealed; what is inside cannot be told without the key or passphrase: `--private-key`, `--passphrase-env`"
)


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
        field_line("from", sender_text(manifest, found.verdict)),
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
        lines += some(
            [f"{short(path, 120)}: {substitution_text(reason)}" for path, reason in manifest.substitutions.items()]
        )
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
    with screen.working("verifying") as progress:
        found = inspection.verify(
            path,
            _limits(call, max_files, max_bytes),
            progress,
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
    screen.document({"status": "ok", **document, "hidden": [asdict(one) for one in found.hidden]})
    screen.lines(hidden_lines(found.hidden), result=True)
    if manifest is not None:
        screen.say(f"verified: import id {manifest.import_id[:16]}")
