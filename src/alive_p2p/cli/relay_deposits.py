"""`relay push`, `relay decline`, `relay recall`, `relay compact`: packages in relays, one by one."""

from pathlib import Path

import click

from alive_p2p.cli.options import FOLDER, Call, common
from alive_p2p.cli.relay_pull import name_of
from alive_p2p.cli.relaying import Desk
from alive_p2p.errors import RelayError, UsageError
from alive_p2p.relay import collecting, compacting, outbox, pulling, settling
from alive_p2p.relay.recalling import recall as take_back
from alive_p2p.relay.receipts import NOTE_CHARACTERS, checked_note


@click.command(epilog="\b\nExample:\n  alive-p2p relay push --peer ben nova-station.walnut")
@click.argument("file", type=FOLDER, required=False)
@click.option("--package", type=FOLDER, metavar="FILE", help="The same as FILE.")
@click.option("--peer", required=True, metavar="PEER", help="Whom it is for.")
@common
def push(call: Call, /, *, file: Path | None, package: Path | None, peer: str) -> None:
    """Leave a package in a peer's relay, signed by you and sealed for them.

    What cannot be sent now stays in the outbox, and goes out with the next relay command.
    """
    given = file or package
    if given is None or (file is not None and package is not None):
        raise UsageError("usage", "name the package, once")
    desk = Desk(call)
    desk.try_to_confirm()
    desk.refuse_unanswered([peer])
    we = desk.we
    with call.screen.working("sealing") as progress:
        outgoing = outbox.queue(call.runtime.cwd / given, we.keyring.peer(peer), we, call.runtime, progress)
    found = desk.deliver(first=[peer])
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


@click.command(epilog="\b\nExample:\n  alive-p2p relay compact")
@common
def compact(call: Call, /) -> None:
    """Compact your relay, so that its past does not grow; what lies there stays.

    A git repository keeps every package that ever lay in it. This is done by itself after 200 MB.
    """
    desk = Desk(call)
    with call.screen.working("compacting"):
        done = compacting.compact(desk.reach(desk.we.url), call.runtime)
    if done is None:
        call.screen.say("a relay of this kind keeps no past")
    elif done:
        call.screen.say("compacted your relay")
    else:
        raise RelayError(
            "relay-busy",
            "somebody has left something in your relay meanwhile",
            untouched="everything",
            hint="run it again",
        )
    call.screen.document({"status": "ok" if done else "noop"})
    desk.flush()
    call.finish(())


@click.command(epilog="\b\nExample:\n  alive-p2p relay decline \\\n    20260407-101500-a1b2c3d4.walnut --yes")
@click.argument("deposit")
@click.option("--note", metavar="TEXT", help=f"Words for its sender: one line of at most {NOTE_CHARACTERS} characters.")
@common
def decline(call: Call, /, *, deposit: str, note: str | None) -> None:
    """Remove a package unread, and let its sender know."""
    words = checked_note(note)
    desk = Desk(call)
    we = desk.we
    relay = desk.reach(we.url)
    with call.screen.working("looking"):
        listing = settling.tidy(we, relay, relay.list(), call.runtime)
        (one,) = pulling.chosen(collecting.waiting(we, relay, listing, names=[deposit]), [deposit])
    screen = call.screen
    screen.note(f"this would be removed unread: {name_of(one)}", is_asked_about=True)
    if one.sender is None:
        call.remember("nobody is told: nobody who is your peer has signed for it")
    elif words is not None:
        screen.note(f"{one.sender.name} would be told: {words}", is_asked_about=True)
    call.approve("decline it?")
    with screen.working("declining"):
        is_told = settling.decline(one, words, we, relay, listing, call.runtime)
    pulling.note_waiting(listing, [one.deposit.name], we, call.runtime)
    screen.say(f"declined what is from {name_of(one)}")
    screen.document({"status": "ok", "deposit": one.deposit.name, "told": is_told, "note": words if is_told else None})
    desk.flush()
    call.finish(())


@click.command(epilog="\b\nExample:\n  alive-p2p relay recall \\\n    20260407-101500-a1b2c3d4.walnut --yes")
@click.argument("deposit")
@common
def recall(call: Call, /, *, deposit: str) -> None:
    """Take back a package of yours that was not fetched yet, where the host lets you; also from the outbox."""
    desk = Desk(call)
    we = desk.we

    def approve(peer: str) -> None:
        call.screen.note(f"what {peer} has fetched before stays with them", is_asked_about=True)
        call.approve(f"take back what was sent to {peer}?")

    with call.screen.working("taking back"):
        delivery = take_back(deposit, we, call.runtime, desk.reach, approve)
    call.screen.say(f"took back what was sent to {delivery.peer}")
    if delivery.is_fetched:
        call.remember(f"{delivery.peer} had fetched it before, and keeps what was fetched")
    document = {"status": "ok", "deposit": delivery.deposit, "peer": delivery.peer, "fetched": delivery.is_fetched}
    call.screen.document(document)
    desk.flush()
    call.finish(())
