"""`relay push`, `relay pull`, `relay decline`, `relay recall`."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from alive_p2p.cli.changes import TOLD, change_lines, count_changes
from alive_p2p.cli.options import FOLDER, Call, common, wait_option
from alive_p2p.cli.receive import hidden_lines, preview_lines, receive_document
from alive_p2p.cli.relay_rotating import follow
from alive_p2p.cli.relaying import Desk
from alive_p2p.cli.screen import field_line, plural, short
from alive_p2p.errors import AliveP2PError, RelayError, UsageError
from alive_p2p.receiving.plan import ReceivePlan, ReceiveRequest
from alive_p2p.relay import collecting, compacting, following, outbox, pulling
from alive_p2p.relay.collecting import Waiting
from alive_p2p.relay.ourselves import Ourselves
from alive_p2p.relay.pulling import Pulled, Pulling
from alive_p2p.relay.recalling import recall as take_back
from alive_p2p.relay.state import read_state
from alive_p2p.runtime import Runtime
from alive_p2p.walnut.preferences import load_preferences
from alive_p2p.walnut.world import find_world

if TYPE_CHECKING:
    from alive_p2p.relay.transports.base import Transport

_ODD_SHOWN = 10


@click.command(epilog="\b\nExample:\n  alive-p2p relay push --peer ben nova-station.walnut")
@click.argument("file", type=FOLDER, required=False)
@click.option("--package", type=FOLDER, metavar="FILE", help="The same as FILE.")
@click.option("--peer", required=True, metavar="PEER", help="Whom it is for.")
@common
def push(call: Call, /, *, file: Path | None, package: Path | None, peer: str) -> None:
    """Leave a package in a peer's mailbox, signed by you and sealed for them.

    What cannot be sent now stays in the outbox, and goes out with the next relay command.
    """
    given = file or package
    if given is None or (file is not None and package is not None):
        raise UsageError("usage", "name the package, once")
    desk = Desk(call)
    desk.try_to_confirm()
    we = desk.we
    outgoing = outbox.queue(
        call.runtime.cwd / given, we.keyring.peer(peer), we, call.runtime, call.screen.progress("sealing")
    )
    found = desk.deliver()
    one = next((one for one in found if one.outgoing.id == outgoing.id), None)
    is_queued = one is None or one.error is not None
    call.screen.document(
        {
            "status": "warn" if is_queued else "ok",
            "deposit": outgoing.deposit,
            "bytes_sent": 0 if one is None or is_queued else one.bytes_sent,
            "queued": is_queued,
            "import_id": outgoing.import_id,
            "error": one.error.message if one is not None and one.error is not None else None,
        }
    )
    call.finish(())


@click.command(epilog="\b\nExamples:\n  alive-p2p relay pull\n  alive-p2p relay pull --peer ben --all --yes")
@click.argument("deposits", nargs=-1, metavar="[DEPOSIT]...")
@click.option("--peer", metavar="PEER", help="Only what is from this peer.")
@click.option(
    "--all", "every", is_flag=True, help="Everything that waits; else you are asked which, where there are more."
)
@click.option("--world", type=FOLDER, metavar="PATH", help="The world to receive into; default: the one around you.")
@click.option("--no-receive", "only_fetch", is_flag=True, help="Only fetch into the inbox, and leave it in the relay.")
@click.option("--target", type=FOLDER, help="The walnut to make, or to add bundles to.")
@click.option("--rename", is_flag=True, help="Put a bundle whose name is taken under another name.")
@click.option("--update", is_flag=True, help="Merge what changed into what came before, file by file.")
@click.option("--trust-agent-files", is_flag=True, help="Install what agents obey as it is.")
@wait_option
@common
def pull(
    call: Call,
    /,
    *,
    deposits: Sequence[str],
    peer: str | None,
    every: bool,
    world: Path | None,
    only_fetch: bool,
    wait: float,
    **options: Any,
) -> None:
    """Receive what waits in your mailbox.

    Each package is shown before it is received. Only what was received is removed, and its sender gets a receipt.
    """
    request = ReceiveRequest(Path(), wait_seconds=wait, **options)
    pull_packages(call, request, deposits, peer=peer, every=every, world=world, only_fetch=only_fetch)


def pull_packages(
    call: Call,
    request: ReceiveRequest,
    deposits: Sequence[str],
    *,
    peer: str | None,
    every: bool,
    world: Path | None,
    only_fetch: bool,
) -> None:
    """Receive from our relay, with everything that a receive can be asked for.

    Raises:
        AliveP2PError: the relay cannot be read, or there is no world to receive into.
    """
    screen = call.screen
    place = find_world(call.runtime.cwd / world) if world is not None else find_world(call.runtime.cwd)
    if place is None:
        raise UsageError(
            "no-world", "this is not inside a world, so there is no inbox to receive into", hint="add `--world PATH`"
        )
    desk = Desk(call)
    desk.confirm()
    desk.deliver()
    we = desk.we
    if peer is not None:
        we.config.peer(peer)
    relay = desk.reach(we.url)
    preferences = load_preferences(place)
    listing = relay.list()
    pulling.tidy(relay, listing, call.runtime)
    for odd in listing.oddities[:_ODD_SHOWN]:
        call.remember(f"passed over in your relay: {odd}")

    def waiting(we: Ourselves, peers: Collection[str] | None) -> list[Waiting]:
        return collecting.waiting(
            we,
            relay,
            listing,
            peers=peers,
            most=preferences.inbox_files or collecting.MOST_FILES,
            declined=pulling.declined(call.runtime),
            disputed=following.disputed(read_state(call.runtime), we.config.peers),
        )

    found = waiting(we, None if peer is None else [peer])
    picked = pulling.chosen(found, deposits) if deposits else found
    if not found:
        screen.say("nothing waits in your relay")
    elif not (every or deposits or call.yes) and len(found) > 1:
        picked = _choose(call, found)

    def approve(plan: ReceivePlan) -> None:
        if not call.yes:
            screen.lines(preview_lines(plan), result=False, is_asked_about=screen.can_ask)
        call.approve("receive it?")

    how = Pulling(
        pulling.inbox_of(place),
        request,
        approve,
        only_fetch=only_fetch,
        limit=preferences.inbox_bytes or collecting.MOST_BYTES,
        progress=screen.progress("fetching"),
    )
    runtime = call.runtime if world is None else _at(call, place)
    done = pulling.pull(picked, how, we, relay, runtime)
    # Only now, so that what the old key has signed was received while it counted.
    followed = follow(desk, [one.waiting.peer.name for one in done if one.waiting.has_unknown_key and one.waiting.peer])
    if again := [one.deposit.name for one in picked if one.has_unknown_key and one.peer and one.peer.name in followed]:
        signed_anew = [one for one in waiting(desk.we, followed) if one.deposit.name in again]
        done = [one for one in done if one.waiting.deposit.name not in again]
        done += pulling.pull(signed_anew, how, desk.we, relay, runtime)
    for one in done:
        _show(call, one)
    try:
        compacting.count(sum(map(_received, done)), relay, runtime)
    except AliveP2PError as error:
        call.remember(f"the past of your relay could not be folded: {error.message}")
    screen.document({"status": _status(done), "packages": [_document(one) for one in done]})
    if any(one.status == "failed" for one in done):
        screen.exit_code = 1
    call.finish(())


def _received(one: Pulled) -> int:
    """The bytes of a package that was received and removed."""
    if one.file is None or one.status not in {"received", "here"}:
        return 0
    try:
        return one.file.stat().st_size
    except OSError:
        return 0


def _at(call: Call, world: Path) -> Runtime:
    """The surroundings inside another world: a receive looks around itself for where things belong."""
    return replace(call.runtime, cwd=world)


def _choose(call: Call, found: Sequence[Waiting]) -> list[Waiting]:
    """Ask which; without anybody to ask, say what there is."""
    screen = call.screen
    screen.note(f"{plural(len(found), 'package')} in your relay", is_asked_about=True)
    for one in found:
        screen.note(f"  {_name(one)}", is_asked_about=True)
    if not screen.can_ask:
        raise RelayError(
            "which",
            "there is more than one package, and it is not said which to receive",
            untouched="everything",
            hint="add `--all`, or name what you want",
        )
    return [one for one in found if screen.confirm(f"fetch what is from {_name(one)}?")]


def _name(one: Waiting) -> str:
    who = one.peer.name if one.peer is not None else f"nobody that you know, in '{one.deposit.folder}'"
    at = one.note.sent_at if one.note is not None else one.deposit.at or "unknown when"
    return f"{who}, {at} ({one.deposit.name.rpartition('/')[2]})"


def _show(call: Call, one: Pulled) -> None:
    screen = call.screen
    if one.status == "received" and one.result is not None:
        plan = one.result.plan
        screen.say(f"received '{short(plan.manifest.walnut, 80)}' from {_from(one)} into {plan.target}")
        names = [fate.folder for fate in plan.applied]
        if names:
            screen.say(field_line("bundles", short(", ".join(names))))
        if plan.updates:
            screen.say(field_line("changes", count_changes(plan.changes)))
        screen.say(field_line("import id", plan.manifest.import_id[:16]))
        screen.lines(change_lines([one for one in plan.changes if one.fate in TOLD], every=True), result=False)
        screen.lines(hidden_lines(plan.hidden), result=False)
        for path in plan.installation.renamed_agent_files:
            screen.note(f"  kept inert: '{path}' (an agent would obey it under its own name)")
        for warning in one.result.warnings:
            call.remember(warning)
    elif one.status == "here":
        screen.say(f"what {_from(one)} has sent is here already")
    elif one.status == "fetched":
        screen.say(f"fetched {one.file}")
        if one.error is not None:
            call.remember(f"look before you receive it: {one.error}")
    elif one.status == "failed":
        screen.note(f"not received: {_name(one.waiting)} stays in the relay: {one.error}", is_asked_about=True)
    else:
        call.remember(f"{_name(one.waiting)} stays in the relay: {one.error}")
    if one.status in {"received", "here"} and one.error is not None:
        call.remember(one.error)


def _from(one: Pulled) -> str:
    return one.waiting.peer.name if one.waiting.peer is not None else one.waiting.deposit.folder


def _status(done: Sequence[Pulled]) -> str:
    if not done:
        return "noop"
    return "ok" if all(one.status in {"received", "here", "fetched"} for one in done) else "warn"


def _document(one: Pulled) -> dict[str, Any]:
    document: dict[str, Any] = {
        "deposit": one.waiting.deposit.name,
        "peer": one.waiting.peer.name if one.waiting.peer is not None else None,
        "file": None if one.file is None else str(one.file),
        "status": one.status,
        "import_id": one.import_id,
        "error": one.error,
    }
    if one.result is not None:
        document["received"] = receive_document(one.result.plan, one.result)
    return document


@click.command(epilog="\b\nExample:\n  alive-p2p relay compact")
@common
def compact(call: Call, /) -> None:
    """Fold the past of your relay, so that it does not grow; what lies there stays.

    A git repository keeps every package that ever lay in it. This is done by itself after 200 MB.
    """
    desk = Desk(call)
    done = compacting.compact(desk.reach(desk.we.url), call.runtime)
    if done is None:
        call.screen.say("a relay of this kind keeps no past")
    elif done:
        call.screen.say("folded the past of your relay")
    else:
        raise RelayError(
            "relay-busy", "somebody has left something meanwhile", untouched="everything", hint="run it again"
        )
    call.screen.document({"status": "ok" if done else "noop"})
    call.finish(())


@click.command(epilog="\b\nExample:\n  alive-p2p relay decline 20260407-101500-a1b2c3d4.walnut --yes")
@click.argument("deposit")
@common
def decline(call: Call, /, *, deposit: str) -> None:
    """Remove a package unread, and let its sender know."""
    desk = Desk(call)
    we = desk.we
    relay: Transport = desk.reach(we.url)
    (one,) = pulling.chosen(collecting.waiting(we, relay, relay.list()), [deposit])
    call.screen.note(f"this would be removed unread: {_name(one)}", is_asked_about=True)
    call.approve("decline it?")
    pulling.settle(one, "declined", [], we, relay, call.runtime)
    call.screen.say(f"declined what is from {_name(one)}")
    call.screen.document({"status": "ok", "deposit": one.deposit.name})
    call.finish(())


@click.command(epilog="\b\nExample:\n  alive-p2p relay recall 20260407-101500-a1b2c3d4.walnut --yes")
@click.argument("deposit")
@common
def recall(call: Call, /, *, deposit: str) -> None:
    """Take back a package of yours that was not fetched yet, where the host lets you; also from the outbox."""
    desk = Desk(call)
    call.screen.note("what was fetched before stays with whoever has fetched it", is_asked_about=True)
    call.approve("take it back?")
    delivery = take_back(deposit, desk.we, call.runtime, desk.reach)
    call.screen.say(f"took back what was sent to {delivery.peer}")
    call.screen.document({"status": "ok", "deposit": delivery.deposit, "peer": delivery.peer})
    call.finish(())
