"""`create`: make a package."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from alive_p2p import files
from alive_p2p.cli.credentials import PassphraseFrom, passphrase_options
from alive_p2p.cli.options import FOLDER, OUTPUT, Call, common, limit_options, wait_option
from alive_p2p.cli.screen import field_line, human_size, plural, short
from alive_p2p.cli.sealing import seal, signing_key
from alive_p2p.errors import AliveP2PError
from alive_p2p.keys.published import is_published_name
from alive_p2p.package.envelopes.base import Envelope
from alive_p2p.package.manifest import Manifest
from alive_p2p.relay.config import read_config
from alive_p2p.runtime import Runtime
from alive_p2p.sharing.pipeline import check_output, plan_name, plan_share
from alive_p2p.sharing.pipeline import share as run_share
from alive_p2p.sharing.plan import PlannedFile, Reason, SharePlan, ShareRequest, ShareResult
from alive_p2p.walnut.walnut import Walnut

_EPILOG = """\b
Examples:
  alive-p2p create --scope full --walnut 04_Ventures/nova-station
  alive-p2p create --scope bundle --bundle shielding-review --walnut . --output review.walnut
  alive-p2p create --scope full --walnut . --exclude '**/pricing*' --dry-run

\b
Patterns: a name without `/` matches at any depth, one with `/` the whole path from the root;
`*`, `?` and `[abc]` stay within a name, `**` crosses folders, and a folder takes all it holds.
"""


def sender(runtime: Runtime) -> str:
    """Our handle: `GH_USER`, else the username in `relay.json`, else `unknown` (cli.md, "Environment")."""
    name = runtime.environ.get("GH_USER")
    if name:
        return name
    with suppress(AliveP2PError):  # a relay.json that cannot be read matters where peers are named, not here
        name = read_config(runtime).username
    return name or "unknown"


@click.command(epilog=_EPILOG)
@click.option("--scope", type=click.Choice(["full", "bundle", "snapshot"]), required=True, help="What to pack.")
@click.option("--walnut", type=FOLDER, required=True, help="The walnut's folder.")
@click.option("--output", "-o", type=OUTPUT, help="The file to write; default: Desktop or current folder.")
@click.option("--force", is_flag=True, help="Replace the file that --output names.")
@click.option("--bundle", "bundles", multiple=True, metavar="NAME", help="A bundle to pack; repeatable.")
@click.option("--exclude", "excludes", multiple=True, metavar="GLOB", help="Leave this out; repeatable.")
@click.option("--include", "includes", multiple=True, metavar="GLOB", help="Bring back what is left out by default.")
@click.option("--preset", "presets", multiple=True, metavar="NAME", help="Exclusions of a preset; repeatable.")
@click.option("--exclude-from", "peers", multiple=True, metavar="PEER", help="Exclusions kept for a peer.")
@click.option("--include-full-history", "full_history", is_flag=True, help="Pack the real log and insights.")
@click.option("--include-nested", "nested", is_flag=True, help="Take nested walnuts along.")
@click.option("--key", type=click.Choice(["full", "reduced"]), help="Pack key.md whole, or without people and links.")
@click.option("--encrypt", type=click.Choice(["none", "passphrase", "rsa", "age"]), help="How the package is sealed.")
@click.option("--sign/--no-sign", default=None, help="Sign it with your key; default: where there is one.")
@click.option("--recipient", "recipients", multiple=True, metavar="PEER", help="Seal it for this peer; repeatable.")
@click.option(
    "--to",
    "to",
    multiple=True,
    metavar="WHOM",
    help="A peer, github:LOGIN, gitlab:LOGIN, or a file of keys; repeatable.",
)
@click.option(
    "--to-keys", "key_files", type=FOLDER, multiple=True, metavar="FILE", help="Seal it for the keys in a file."
)
@passphrase_options
@click.option("--description", default="", metavar="TEXT", help="One line for the receiver.")
@click.option("--note", default="", metavar="TEXT", help="One more line for the receiver.")
@click.option("--dry-run", is_flag=True, help="Show what would leave, and write nothing.")
@limit_options
@wait_option
@common
def create(
    call: Call,
    /,
    *,
    output: Path | None,
    force: bool,
    peers: tuple[str, ...],
    dry_run: bool,
    wait: float,
    encrypt: str | None,
    recipients: tuple[str, ...],
    to: tuple[str, ...],
    key_files: tuple[Path, ...],
    passphrase_env: str | None,
    passphrase_file: Path | None,
    sign: bool | None,
    **options: Any,  # noqa: ANN401
) -> None:
    """Pack a walnut, some bundles or a snapshot into a .walnut file.

    History is stubbed, `key.md` travels without the people and links it names, and hidden files, credentials and
    nested walnuts stay at home, unless you say otherwise. An existing file is never overwritten.
    """
    recipients, key_files, peers = _whom(call, recipients, key_files, peers, to)
    config = read_config(call.runtime) if peers else None
    chosen, shown = seal(call, encrypt, recipients, key_files, PassphraseFrom(passphrase_env, passphrase_file))
    walnut = call.runtime.cwd / options.pop("walnut")
    handle = sender(call.runtime)
    request = ShareRequest(
        walnut=walnut,
        sender=handle,
        signing_key=signing_key(call, sign=sign, sender=handle, walnut=walnut),
        seal=chosen,
        recipients=shown,
        peer_excludes={name: config.peer(name).exclude_patterns for name in peers} if config else {},
        **options,
    )
    if dry_run:
        check_output(request, call.runtime, output=output, force=force)
        plan = plan_share(request, call.runtime, wait_seconds=wait)
        call.screen.lines(preview_lines(plan), result=True)
        call.screen.document({"status": "dry-run", **plan_document(plan)})
        call.finish(plan.warnings)
        return
    result = run_share(
        request,
        call.runtime,
        output=output,
        force=force,
        wait_seconds=wait,
        progress=call.screen.progress("packing"),
    )
    _show(call, result)


def _whom(
    call: Call, recipients: tuple[str, ...], key_files: tuple[Path, ...], peers: tuple[str, ...], to: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[Path, ...], tuple[str, ...]]:
    """Sort what `--to` names: files, and people; for a peer the exclusions kept for it apply as well (share.md §3)."""
    named = [whom for whom in to if is_published_name(whom) or not files.is_file(call.runtime.cwd / whom)]
    known = read_config(call.runtime).peers if named else {}
    implied = tuple(whom for whom in named if whom in known)
    return (
        (*recipients, *named),
        (*key_files, *(Path(whom) for whom in to if whom not in named)),
        tuple(dict.fromkeys((*peers, *implied))),
    )


def _show(call: Call, result: ShareResult) -> None:
    plan, manifest = result.plan, result.plan.manifest
    screen = call.screen
    screen.say(f"packed '{plan.root.name}' into {result.path}")
    screen.say(field_line("scope", _scope(manifest)))
    screen.say(
        field_line(
            "files", f"{plural(len(plan.files), 'file')}, {human_size(plan.total_size)} → {human_size(result.size)}"
        )
    )
    screen.say(field_line("key.md", _key_form(plan)))
    screen.say(field_line("sealed", _sealed(plan)))
    screen.say(field_line("signed", _signed(plan)))
    if line := _left_out_summary(plan):
        screen.say(field_line("left out", line))
    screen.say(field_line("import id", manifest.import_id[:16]))
    if any(not one.is_paired for one in plan.request.recipients) and plan.request.seal.envelope is Envelope.AGE:
        screen.say("to open it they need one of these two lines:")
        screen.say(f"  alive-p2p receive {result.path.name}")
        screen.say(f"  age -d -i ~/.ssh/id_ed25519 {result.path.name} | tar xz")
    screen.document({"status": "warn" if result.warnings else "ok", **plan_document(plan, result)})
    call.finish(result.warnings)


def _sealed(plan: SharePlan) -> str:
    """How, and for whom, with fingerprints."""
    envelope = plan.request.seal.envelope
    if envelope is Envelope.PLAIN:
        return "no: everybody who gets the file can read it"
    if not plan.request.recipients:
        return "with a passphrase"
    return "for " + ", ".join(f"{one.name} ({one.pubkey_id})" for one in plan.request.recipients)


def _signed(plan: SharePlan) -> str:
    key = plan.request.signing_key
    return f"by {plan.manifest.sender} ({key.public.pubkey_id})" if key is not None else "no"


def _key_form(plan: SharePlan) -> str:
    if plan.key_form == "full":
        return "whole"
    if plan.manifest.scope == "bundle":
        return "reduced: no people, links or sections (receivers older than alive-p2p need `--key full`)"
    return "reduced: no people, links or sections"


def _scope(manifest: Manifest) -> str:
    return f"bundle: {', '.join(manifest.bundles)}" if manifest.scope == "bundle" else manifest.scope


def _left_out_summary(plan: SharePlan) -> str:
    count = len([one for one in plan.left_out if one.reason is not Reason.NEVER])
    return f"{plural(count, 'path')}; `--dry-run` lists them with the reasons" if count else ""


# --- the preview ----------------------------------------------------------------------------------------------

_SHOWN_PATHS = 8


def preview_lines(plan: SharePlan) -> list[str]:
    """What a share would do, for a person (share.md §6)."""
    manifest = plan.manifest
    lines = [
        f"would pack '{plan.root.name}' as {plan_name(plan)}",
        field_line("scope", _scope(manifest)),
        field_line("sealed", _sealed(plan)),
        field_line("signed", _signed(plan)),
        field_line("sensitivity", f"{plan.sensitivity.word} ({plan.sensitivity_reason})"),
        field_line("files", f"{plural(len(plan.files), 'file')}, {human_size(plan.total_size)}"),
        "",
        "what leaves",
        *_tree(plan),
    ]
    world = Walnut(plan.root).world
    if world is not None and not files.is_file(world / ".alive" / "preferences.yaml"):
        lines.insert(4, field_line("preferences", "none in this world, so the defaults apply"))
    if plan.left_out:
        lines += ["", "what stays", *_left_out(plan)]
    if plan.exclusions:
        lines += ["", "exclusions"]
        lines += [f"  {use.pattern}  ({use.origin}): {plural(use.matched, 'file')}" for use in plan.exclusions]
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
        extra = f"  bundle, {bundle.sensitivity.word}; {bundle.tasks.describe()}" if bundle else ""
        count = f"{plural(len(inside), 'file')}, " if name.endswith("/") else ""
        mark = f"  [{_REASONS.get(reasons[name], reasons[name])}]" if name in reasons else ""
        lines.append(f"  {name:<28} {count}{size}{extra}{mark}")
        for planned in inside:
            path = planned.entry.path
            if path in reasons and path != name:
                lines.append(f"    {path.removeprefix(name):<26} [{_REASONS.get(reasons[path], reasons[path])}]")
    return lines


_REASONS = {
    "baseline-stub": "a stub; the real one stays here",
    "key-reduced": "reduced: no people, links or sections",
    "package-readme": "generated for readers of the package",
    "empty-skeleton": "empty; the walnut has none",
    "sessions-removed": "without its active sessions",
    "generated-manifest": "generated from companion.md",
}


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
        "findings": [],
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
