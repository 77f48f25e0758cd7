"""`preview_share` and `create_package`: from a walnut to a package, in two steps (share.md §1, §4, §6)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

from alive_p2p.api.data import SharePlan
from alive_p2p.api.relays import PlannedPush, Relay
from alive_p2p.api.two_steps import PlannedShare, carry_out_share, plan_share
from alive_p2p.errors import AliveP2PError
from alive_p2p.mcp.asking import Question
from alive_p2p.mcp.borders import same
from alive_p2p.mcp.calling import Call
from alive_p2p.mcp.outside import MOST_LISTED, NOTICE, in_words, listed, name, outside
from alive_p2p.mcp.tokens import SECONDS

ACT = "create_package"
PUSH = "relay_push"


@dataclass(frozen=True)
class Shown:
    """What a token of `preview_share` stands for: the plan, and the command that does the same."""

    planned: PlannedShare
    command: tuple[str, ...]


async def preview_share(call: Call, options: dict[str, Any]) -> dict[str, Any]:
    """What would leave, for whom, and what stands in the way; a token where nothing does."""
    borders = await call.borders()
    walnut = borders.path(options["walnut"], "walnut")
    output = None
    if options["output"]:
        place = Path(options["output"])
        output = borders.path(options["output"], "output")
        if place.suffix != ".walnut" and not output.is_dir():
            output = output.with_name(f"{output.name}.walnut")
    planned = await call.run(
        lambda _: plan_share(
            walnut,
            call.runtime,
            scope=options["scope"],
            bundles=options["bundles"],
            to=options["to"],
            encrypt=options["encrypt"] or None,
            exclude=options["exclude"],
            include=options["include"],
            presets=options["presets"],
            full_history=options["full_history"],
            nested=options["nested"],
            key=options["key"] or None,
            acknowledge=options["acknowledge"],
            allow_findings=options["allow_findings"],
            description=options["description"],
            note=options["note"],
            output=output,
        )
    )
    if planned.output is not None:
        borders.check(planned.output)
    shown = Shown(planned, _command(planned, options))
    token = None
    if not planned.plan.is_blocked:
        token = call.give(ACT, {"walnut": str(planned.plan.root)}, shown)
    return {**_document(planned), "status": "blocked" if token is None else "ready", "token": token}


async def create_package(call: Call, options: dict[str, Any]) -> dict[str, Any]:
    """Make exactly the package that was shown, after the person's yes."""
    borders = await call.borders()
    walnut = borders.path(options["walnut"], "walnut")
    shown: Shown = call.take(ACT, options["token"], {"walnut": str(walnut)})
    planned = shown.planned
    if planned.output is not None:
        borders.check(planned.output)
    await call.agree("making this package", _question(planned), shown.command)
    if planned.output is not None:
        borders.check(planned.output)  # once more: a person takes their time
    result = await call.run(lambda progress: carry_out_share(planned, call.runtime, progress))
    pushes, problems = await call.run(lambda _: _pushes(planned, result.path, call))
    warnings = [*result.warnings, *problems]
    return {
        "status": "warn" if warnings else "ok",
        "package": name(result.path),
        "size_bytes": result.size,
        "import_id": planned.plan.manifest.import_id,
        "recipients": _recipients(planned.plan),
        "signed": planned.plan.request.signing_key is not None,
        "pushes": [
            {
                "peer": outside(push.planned.peer),
                "token": call.give(PUSH, {"package": same(result.path), "peer": push.planned.peer}, push),
            }
            for push in pushes
        ],
        "warnings": [outside(one) for one in warnings],
        "notice": NOTICE,
    }


@dataclass(frozen=True)
class Push:
    """What a token for `relay_push` stands for; `is_last` says whether the file is of no further use."""

    planned: PlannedPush
    is_last: bool = True


def _pushes(planned: PlannedShare, package: Path, call: Call) -> tuple[list[Push], list[str]]:
    """What can be pushed of the package that was just made, to each peer by relay; and why it cannot be to somebody."""
    found, problems = [], []
    for peer in planned.peers:
        try:
            push = Relay(call.runtime).plan_push(package, peer)
        except AliveP2PError as error:
            problems.append(f"it cannot be pushed to '{peer}': {error.message}")
            continue
        push = replace(push, sensitivity=planned.plan.sensitivity.word)
        found.append(Push(push, is_last=len(planned.peers) == 1))
    return found, problems


# --- the preview, as a document -------------------------------------------------------------------------------


def _document(planned: PlannedShare) -> dict[str, Any]:
    plan = planned.plan
    request, manifest = plan.request, plan.manifest
    by_reason = groupby(sorted(plan.left_out, key=lambda one: one.reason.value), key=lambda one: one.reason)
    return {
        "expires_in_seconds": int(SECONDS),
        "walnut": name(plan.root),
        "scope": manifest.scope,
        "bundles": [name(one.name) for one in plan.bundles],
        "recipients": _recipients(plan),
        "readers": plan.readers,
        "encryption": request.seal.envelope.value,
        "signed": request.signing_key is not None,
        "relay_peers": [outside(one) for one in planned.peers],
        "sensitivity": plan.sensitivity.word,
        "key": plan.key_form,
        "history": "real" if request.full_history else "stubbed",
        "files": {**listed(one.entry.path for one in plan.files), "bytes": plan.total_size},
        "left_out": [
            {"reason": reason.value, "why": reason.explanation, "paths": listed(one.path for one in group)}
            for reason, group in by_reason
        ],
        "brought_back": listed(plan.included),
        "exclusions": [
            {"pattern": outside(use.pattern), "origin": outside(use.origin), "matched": use.matched}
            for use in plan.exclusions
        ],
        "findings": [
            {
                "id": one.id,
                "path": outside(one.path),
                "line": one.line,
                "what": outside(one.what),
                "excerpt": outside(one.excerpt),
                "blocks": one.blocks,
                "allowed": one.id in request.allowed_findings,
            }
            for one in plan.findings[:MOST_LISTED]
        ],
        "more_findings": max(0, len(plan.findings) - MOST_LISTED),
        "gate": [
            {
                "name": name(one.name),
                "outcome": one.outcome.value,
                "why": outside(one.why),
                "hint": outside(one.hint) if one.hint else None,
            }
            for one in plan.gate.rulings
        ],
        "person_is_asked": [_AGREE, *_acknowledgements(plan)],
        "output": name(planned.output) if planned.output is not None else None,
        "import_id": manifest.import_id,
        "warnings": [outside(one) for one in planned.warnings],
        "notice": NOTICE,
    }


def _recipients(plan: SharePlan) -> list[dict[str, Any]]:
    return [
        {"name": outside(one.name), "pubkey_id": one.pubkey_id, "paired": one.is_paired}
        for one in plan.request.recipients
    ]


# --- the question ---------------------------------------------------------------------------------------------

_AGREE = "make this package"


def _question(planned: PlannedShare) -> Question:
    plan = planned.plan
    request, manifest = plan.request, plan.manifest
    sealed = ", ".join(f"{outside(one.name, limit=80)} ({one.pubkey_id})" for one in request.recipients)
    key = f"whole, {plan.sensitivity.word}" if plan.key_form == "full" else "reduced: no people, links or sections"
    lines = {
        "walnut": outside(plan.root),
        "what": f"{manifest.scope}: {in_words([one.name for one in plan.bundles])}"
        if manifest.scope == "bundle"
        else manifest.scope,
        "files": f"{len(plan.files):,} ({plan.total_size:,} bytes)",
        "who can read it": plan.readers,
        "sealed for": sealed or "nobody: it is not sealed",
        "signed": "by you" if request.signing_key is not None else "no",
        "sensitivity": plan.sensitivity.word,
        "key.md": key,
        "history": "the real log and insights" if request.full_history else "not included",
        "stays at home": f"{len(plan.left_out):,} paths" if plan.left_out else "nothing",
        "goes to": outside(planned.output) if planned.output is not None else "the outbox, until it is sent",
        "description": _quoted(manifest.description),
        "note": _quoted(manifest.note),
    }
    return Question(
        "\n".join(
            [
                "An agent wants to make a package that leaves your machine:",
                *(f"  {label}: {text}" for label, text in lines.items() if text),
            ]
        ),
        _AGREE,
        tuple(_acknowledgements(plan)),
    )


def _quoted(text: str) -> str:
    return f'"{outside(text)}"' if text else ""


def _acknowledgements(plan: SharePlan) -> list[str]:
    """Everything by which more leaves, or to people less known, than by default; each needs a yes of its own."""
    request = plan.request
    found = [
        f"{outside(one.why, limit=200)}"
        for one in plan.gate.rulings
        if one.outcome.value in {"asks", "acknowledged", "by-hand"}
    ]
    found += [
        f"let {outside(one.what, limit=60)} leave, in {in_words([one.path])}: {outside(one.excerpt, limit=80)}"
        for one in plan.findings
        if one.blocks and one.id in request.allowed_findings
    ]
    found += [
        f"nobody has vouched for the key {one.pubkey_id} of {in_words([one.name])}"
        for one in request.recipients
        if not one.is_paired
    ]
    if plan.included:
        found.append(f"what stays at home by default leaves as well: {in_words(plan.included)}")
    if request.nested:
        found.append("walnuts inside this walnut leave as well")
    if request.full_history:
        found.append("the real log and insights leave")
    return found


# --- the command that does the same ---------------------------------------------------------------------------


def _command(planned: PlannedShare, options: dict[str, Any]) -> tuple[str, ...]:
    """`alive-p2p share …`, which shows it all, and asks for what has to be acknowledged: that is not in the command."""
    words = ["alive-p2p", "share", "--walnut", str(planned.plan.root), "--scope", str(options["scope"])]
    words += _each("--bundle", options["bundles"])
    words += _each("--to", options["to"]) or ["--to-nobody"]
    words += _each("--exclude", options["exclude"])
    words += _each("--include", options["include"])
    words += _each("--preset", options["presets"])
    for flag, value in (("--encrypt", options["encrypt"]), ("--key", options["key"])):
        words += [flag, value] if value and value != "none" else []
    words += ["--include-full-history"] * options["full_history"] + ["--include-nested"] * options["nested"]
    for flag in ("description", "note"):
        words += [f"--{flag}", options[flag]] if options[flag] else []
    if planned.output is not None:
        words += ["--output", str(planned.output), "--no-push"]
    return tuple(words)


def _each(flag: str, values: Sequence[str]) -> list[str]:
    return [word for value in values for word in (flag, value)]
