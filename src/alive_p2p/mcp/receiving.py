"""`preview_receive` and `apply_receive`: from a package to a walnut, in two steps (receive.md §2, §12, §13)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alive_p2p.api.data import ReceivePlan, ReceiveResult
from alive_p2p.api.looking import find_world
from alive_p2p.api.mailboxes import find_deposit, receive_deposit
from alive_p2p.api.two_steps import PlannedReceive, carry_out_receive, plan_receive
from alive_p2p.errors import AliveP2PError
from alive_p2p.mcp.asking import Question
from alive_p2p.mcp.borders import Borders
from alive_p2p.mcp.calling import Call, Progress
from alive_p2p.mcp.outside import MOST_LISTED, NOTICE, in_words, listed, name, outside
from alive_p2p.mcp.packages import claims, signature
from alive_p2p.mcp.tokens import SECONDS

ACT = "apply_receive"

_SWITCHES = ("rename", "update", "allow_older", "into_other_walnut")


@dataclass(frozen=True)
class Shown:
    """What a token of `preview_receive` stands for.

    Attributes:
        planned: what would be done.
        world: the world that it happens in.
        deposit: the package's name in our relay, where it was fetched from there.
        command: what does the same in a terminal.
    """

    planned: PlannedReceive
    world: Path
    deposit: str | None
    command: tuple[str, ...]


async def preview_receive(call: Call, options: dict[str, Any]) -> dict[str, Any]:
    """What a package would become here; a token where it can be received."""
    borders = await call.borders()
    package = borders.path(options["package"], "package")
    target = borders.path(options["target"], "target") if options["target"] else None
    world = _world(borders, options["world"], package, target)
    planned = await call.run(
        lambda progress: plan_receive(
            package,
            call.inside(world),
            target=target,
            bundles=options["bundles"],
            with_differences=options["differences"] and options["update"],
            progress=progress,
            **{switch: options[switch] for switch in _SWITCHES},
        )
    )
    borders.check(planned.plan.target)
    deposit, problem = await call.run(lambda _: _deposit(call, package, world))
    token = None
    if not planned.plan.is_noop:
        command = _command(planned, package, world, deposit, options)
        token = call.give(ACT, {"package": str(package)}, Shown(planned, world, deposit, command))
    return {
        "status": "nothing-to-do" if token is None else "ready",
        "token": token,
        "expires_in_seconds": int(SECONDS),
        "from_relay": deposit is not None,
        **_document(planned.plan),
        "person_is_asked": [] if token is None else [_AGREE, *_acknowledgements(planned)],
        "warnings": [outside(one) for one in (*planned.plan.warnings, *problem)],
        "notice": NOTICE,
    }


async def apply_receive(call: Call, options: dict[str, Any]) -> dict[str, Any]:
    """Receive exactly what was shown, after the person's yes."""
    borders = await call.borders()
    package = borders.path(options["package"], "package")
    shown: Shown = call.take(ACT, options["token"], {"package": str(package)})
    borders.check(shown.planned.plan.target)
    await call.agree("receiving this package", _question(shown), shown.command)
    result, more = await call.run(lambda progress: _receive(call, shown, progress))
    warnings = (*result.warnings, *more)
    return {
        "status": "warn" if warnings and result.status == "ok" else result.status,
        "target": name(result.plan.target),
        "import_id": result.plan.manifest.import_id,
        "scope": result.plan.manifest.scope,
        "applied_bundles": [name(fate.folder) for fate in result.plan.applied],
        "changes": _counts(result.plan),
        "kept_inert": listed(result.plan.installation.renamed_agent_files),
        "warnings": [outside(one) for one in warnings],
        "notice": NOTICE,
    }


def _receive(call: Call, shown: Shown, progress: Progress) -> tuple[ReceiveResult, tuple[str, ...]]:
    runtime = call.inside(shown.world)
    if shown.deposit is None:
        return carry_out_receive(shown.planned, runtime, progress), ()
    received = receive_deposit(shown.deposit, shown.planned, shown.world, call.runtime, progress)
    return received.result, ((received.warning,) if received.warning is not None else ())


def _world(borders: Borders, named: str, package: Path, target: Path | None) -> Path:
    """The world that is named, else that of the target or of the package, else the only one there is."""
    if named:
        return borders.world(named)
    around = find_world(target if target is not None else package)
    return around if around is not None else borders.world("")


def _deposit(call: Call, package: Path, world: Path) -> tuple[str | None, tuple[str, ...]]:
    """Whether it was fetched from our relay; where that cannot be seen now, what follows from it."""
    try:
        return find_deposit(package, world, call.runtime), ()
    except AliveP2PError as error:
        why = f"your relay cannot be looked at, so its sender gets no receipt: {error.message}"
        return None, (f"{why}; `alive-p2p relay pull` leaves one later",)


# --- the preview, as a document -------------------------------------------------------------------------------

_LINEAGE = {
    "new": "a new walnut",
    "same-id": "the same walnut, by its id",
    "same-key-hash": "the same walnut, by the hash of its key",
    "same-key": "the same walnut, by its key",
    "overridden": "another walnut than the one it comes from",
}


def _document(plan: ReceivePlan) -> dict[str, Any]:
    manifest = plan.manifest
    hidden = [
        {"path": outside(one.path), "line": one.line, "what": one.what, "excerpt": outside(one.excerpt)}
        for one in plan.hidden[:MOST_LISTED]
    ]
    return {
        "package": name(plan.package),
        "target": name(plan.target),
        "target_is": _LINEAGE[plan.lineage.value],
        "scope": manifest.scope,
        "created": manifest.created,
        "import_id": manifest.import_id,
        "signature": signature(plan.verdict),
        "files": {"count": len(manifest.files), "bytes": manifest.total_size},
        "bundles": [
            {"name": name(fate.name), "folder": name(fate.folder), "fate": fate.fate.value} for fate in plan.bundles
        ],
        "changes": _counts(plan),
        "changed_files": [
            {"path": outside(one.path), "fate": one.fate.value, "beside": outside(one.beside) if one.beside else None}
            for one in plan.changes[:MOST_LISTED]
        ],
        "differences": [outside(line) for line in plan.differences[: MOST_LISTED * 4]],
        "kept_inert": listed(plan.installation.renamed_agent_files),
        "not_installed": listed(f"{one.path}: {one.reason}" for one in plan.installation.dropped),
        "hidden_text": {"count": len(plan.hidden), "first": hidden},
        "migration": [outside(one) for one in plan.migration.actions[:MOST_LISTED]],
        "from_outside": claims(manifest),
    }


def _counts(plan: ReceivePlan) -> dict[str, int]:
    fates = [one.fate.value for one in plan.changes]
    return {fate: fates.count(fate) for fate in dict.fromkeys(fates)}


# --- the question ---------------------------------------------------------------------------------------------

_AGREE = "receive this package"


def _question(shown: Shown) -> Question:
    plan = shown.planned.plan
    manifest = plan.manifest
    bundles = [f"{fate.name} → {fate.folder}" if fate.is_renamed else fate.name for fate in plan.applied]
    changes = ", ".join(f"{count} {fate}" for fate, count in _counts(plan).items())
    lines = {
        "from": str(signature(plan.verdict)["means"]),
        "the package says": f"walnut {in_words([manifest.walnut])}, by {in_words([manifest.sender])}",
        "what": f"{manifest.scope}, made {outside(manifest.created)}",
        "bundles": in_words(bundles) if bundles else "",
        "files": f"{len(manifest.files):,} ({manifest.total_size:,} bytes)",
        "goes to": f"{outside(plan.target)} ({_LINEAGE[plan.lineage.value]})",
        "changes here": changes or "nothing that is there is overwritten",
        "kept inert": in_words(plan.installation.renamed_agent_files) if plan.installation.renamed_agent_files else "",
        "afterwards": "it is removed from your relay, and its sender gets a receipt" if shown.deposit else "",
    }
    return Question(
        "\n".join(
            [
                "An agent wants to bring a package into your world:",
                *(f"  {label}: {text}" for label, text in lines.items() if text),
            ]
        ),
        _AGREE,
        tuple(_acknowledgements(shown.planned)),
    )


def _acknowledgements(planned: PlannedReceive) -> list[str]:
    """What a person has to know before it comes in; each needs a yes of its own."""
    plan, request = planned.plan, planned.request
    found = []
    if plan.verdict.outcome.value != "valid":
        found.append(f"receive it although nobody you know vouches for it: {signature(plan.verdict)['means']}")
    if plan.hidden:
        places = in_words([f"{one.path}:{one.line}" for one in plan.hidden], most=3)
        found.append(f"it holds text that only an agent would see, in {places}")
    if plan.lineage.value == "overridden":
        found.append("its bundles come from another walnut than the one they go into")
    if request.allow_older:
        found.append("it may be older than what is here, and what is newer there may go back")
    return found


# --- the command that does the same ---------------------------------------------------------------------------


def _command(
    planned: PlannedReceive, package: Path, world: Path, deposit: str | None, options: dict[str, Any]
) -> tuple[str, ...]:
    """`alive-p2p receive …`, or `relay pull …` where a receipt is due; both show it all, and ask."""
    if deposit is not None and not options["bundles"] and not (options["allow_older"] or options["into_other_walnut"]):
        words = ["alive-p2p", "relay", "pull", deposit, "--world", str(world)]
        switches = [f"--{switch}" for switch in ("rename", "update") if options[switch]]
    else:
        words = ["alive-p2p", "receive", str(package)]
        words += [word for bundle in options["bundles"] for word in ("--bundle", bundle)]
        switches = [f"--{switch.replace('_', '-')}" for switch in _SWITCHES if options[switch]]
    return (*words, "--target", str(planned.plan.target), *switches)
