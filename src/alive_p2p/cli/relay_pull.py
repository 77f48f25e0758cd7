"""`relay pull`: what waits in our relay, into a world."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from alive_p2p.cli.changes import TOLD, change_lines, count_changes
from alive_p2p.cli.inbox import require_switched_on
from alive_p2p.cli.options import FOLDER, Call, common, wait_option
from alive_p2p.cli.receive import hidden_lines, preview_lines, receive_document
from alive_p2p.cli.relay_rotating import follow
from alive_p2p.cli.relaying import Desk
from alive_p2p.cli.screen import field_line, plural, short
from alive_p2p.errors import AliveP2PError, RelayError, UsageError
from alive_p2p.receiving.automatic import Arrival, Way, refuse_without_person
from alive_p2p.receiving.inbox import inbox_of
from alive_p2p.receiving.plan import ReceivePlan, ReceiveRequest
from alive_p2p.relay import collecting, compacting, pulling, settling
from alive_p2p.relay.arrivals import standing
from alive_p2p.relay.collecting import Quota, Waiting
from alive_p2p.relay.pulling import Pulled, Pulling
from alive_p2p.relay.state import read_state
from alive_p2p.relay.transports.base import Listing, Transport
from alive_p2p.runtime import Runtime
from alive_p2p.walnut.preferences import Preferences, load_preferences
from alive_p2p.walnut.world import find_world

_ODD_SHOWN = 10
_HELD_SHOWN = 3


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

    Each package is shown before it is received. Only what was received is removed. Its sender gets a receipt; of what
    stays they learn that it was fetched, or refused for good. What was refused is tried again only where you name it.
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
    auto: bool = False,
) -> None:
    """Receive from our relay, with everything that a receive can be asked for.

    Args:
        call: the call.
        request: what every receive is asked for; its package is filled in.
        deposits: only these; all that wait by default.
        peer: only what is from this peer.
        every: do not ask which.
        world: the world to receive into; default: the one around us.
        only_fetch: only fetch into the inbox, and leave it in the relay.
        auto: receive what needs no person, without asking, and leave the rest.

    Raises:
        AliveP2PError: the relay cannot be read, or there is no world to receive into.
    """
    screen = call.screen
    place = find_world(call.runtime.cwd / world) if world is not None else find_world(call.runtime.cwd)
    if place is None:
        raise UsageError(
            "no-world", "this is not inside a world, so there is no inbox to receive into", hint="add `--world PATH`"
        )
    if auto:
        require_switched_on(place)
    desk = Desk(call)
    desk.confirm()
    if peer is not None:
        desk.we.config.peer(peer)
    with screen.working("looking"):
        looking = _Looking.at(desk, load_preferences(place), deposits)
        found = looking.waiting(None if peer is None else [peer])
    picked = _picked(call, found, deposits, is_everything=every or call.yes, only_fetch=only_fetch)

    runtime = call.runtime if world is None else _at(call, place)
    with screen.working("fetching") as progress:
        how = Pulling(
            inbox_of(place),
            replace(request, is_agreed=call.yes and not auto),
            _approval(call, auto=auto),
            only_fetch=only_fetch,
            limit=looking.quota.most_bytes,
            progress=progress,
        )
        done = looking.pull(picked, how, runtime)
    for one in done:
        _show(call, one)
    _show_held(call, [one for one in done if one.status == "held"])
    try:
        with screen.working("compacting"):
            compacting.count(sum(map(_received, done)), looking.relay, runtime)
    except AliveP2PError as error:
        call.remember(f"your relay could not be compacted: {error.message}")
    screen.document({"status": _status(done), "packages": [_document(one) for one in done]})
    if any(one.status in {"failed", "refused"} or (deposits and one.status == "held") for one in done):
        screen.exit_code = 1
    try:  # at the end: what we receive does not wait for the relays of others
        desk.deliver(wait_seconds=0)
    except AliveP2PError as error:
        call.remember(f"what is in the outbox could not be sent: {error.message}")
    call.finish(())


def _approval(call: Call, *, auto: bool) -> Callable[[ReceivePlan], None]:
    """What looks at each plan: a person, or the rules for when nobody does."""

    def approve(plan: ReceivePlan) -> None:
        if not call.yes:
            call.screen.lines(preview_lines(plan), result=False, is_asked_about=call.screen.can_ask)
        call.approve("receive it?")

    def without_person(plan: ReceivePlan) -> None:
        signer = plan.verdict.signer  # that it is who has delivered it, and to us, was looked at before
        noted = Arrival(Way.DELIVERED, signer, plan.manifest.import_id)
        refuse_without_person(plan, standing(signer, call.keyring(), read_state(call.runtime)), noted)

    return without_person if auto else approve


@dataclass(frozen=True)
class _Looking:
    """Our relay, as one pull has found it.

    Attributes:
        desk: the command.
        relay: ours.
        listing: what lay there.
        quota: how much of one peer is taken.
        names: only packages of these names, where some are named.
    """

    desk: Desk
    relay: Transport
    listing: Listing
    quota: Quota
    names: Sequence[str]

    @classmethod
    def at(cls, desk: Desk, preferences: Preferences, names: Sequence[str]) -> "_Looking":
        """Look into our relay. Raises `AliveP2PError`."""
        relay = desk.reach(desk.we.url)
        listing = settling.tidy(desk.we, relay, relay.list(), desk.call.runtime)
        for odd in listing.oddities[:_ODD_SHOWN]:
            desk.call.remember(f"passed over in your relay: {odd}")
        most_files = preferences.inbox_files or collecting.MOST_FILES
        quota = Quota(most_files, preferences.inbox_bytes or collecting.MOST_BYTES)
        return cls(desk, relay, listing, quota, names)

    def waiting(self, peers: Sequence[str] | None) -> list[Waiting]:
        """The packages there, of these peers or of everybody. Raises `AliveP2PError`."""
        we = self.desk.we
        seen = settling.seen_before(we, self.desk.call.runtime)
        return collecting.waiting(
            we, self.relay, self.listing, peers=peers, names=self.names or None, quota=self.quota, seen=seen
        )

    def pull(self, picked: Sequence[Waiting], how: Pulling, runtime: Runtime) -> list[Pulled]:
        """Receive packages; those of peers who have a new key once more, where a person follows it."""
        done = self._pull(picked, how, runtime)
        # Only now, so that what the old key has signed was received while it counted.
        unknown = [one for one in picked if one.has_unknown_key and one.peer is not None]
        followed = follow(self.desk, [one.peer.name for one in unknown if one.peer is not None])
        if again := {one.deposit.name for one in unknown if one.peer is not None and one.peer.name in followed}:
            signed_anew = [one for one in self.waiting(followed) if one.deposit.name in again]
            done = [one for one in done if one.waiting.deposit.name not in again]
            done += self._pull(signed_anew, how, runtime)
        pulling.note_waiting(self.listing, pulling.taken(done), self.desk.we, self.desk.call.runtime)
        return done

    def _pull(self, picked: Sequence[Waiting], how: Pulling, runtime: Runtime) -> list[Pulled]:
        found = pulling.pull(picked, how, self.desk.we, self.relay, self.listing, runtime)
        if found.untold is not None:
            self.desk.call.remember(f"what stays is told to its senders with the next pull: {found.untold}")
        return list(found.packages)


def _picked(
    call: Call, found: Sequence[Waiting], names: Sequence[str], *, is_everything: bool, only_fetch: bool
) -> Sequence[Waiting]:
    """What is received: what was named, or everything, or what a person chooses of what can be received.

    What cannot be is not offered; it comes along, so that it is told.
    """
    picked = pulling.chosen(found, names) if names else found
    offered = [one for one in found if one.problem is None or (only_fetch and one.peer is not None)]
    if not found:
        call.screen.say("nothing waits in your relay")
    elif not offered and not names:
        call.screen.say("nothing that can be received waits in your relay")
    elif not (is_everything or names) and len(offered) > 1:
        wanted = _choose(call, offered)
        picked = [one for one in found if one in wanted or one not in offered]
    return picked


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
        screen.note(f"  {name_of(one)}", is_asked_about=True)
    if not screen.can_ask:
        raise RelayError(
            "which",
            "there is more than one package, and it is not said which to receive",
            untouched="everything",
            hint="add `--all`, or name what you want",
        )
    return [one for one in found if screen.confirm(f"fetch what is from {name_of(one)}?")]


def name_of(one: Waiting) -> str:
    """A package in words: who it is from, when it was sent, and where it lies."""
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
        for warning in (
            one.result.warnings if one.result is not None else ()
        ):  # what was interrupted and is finished now
            call.remember(warning)
    elif one.status == "fetched":
        screen.say(f"fetched {one.file}")
        if one.error is not None:
            call.remember(f"look before you receive it: {one.error}")
    elif one.status == "failed":
        screen.note(f"not received: {name_of(one.waiting)} stays in the relay: {one.error}", is_asked_about=True)
    elif one.status == "refused":
        screen.note(f"refused for good: {name_of(one.waiting)}: {one.error}", is_asked_about=True)
        if one.waiting.sender is not None:
            screen.note(f"  {_from(one)} learns of it; `alive-p2p relay decline` takes it out of the relay")
    if one.status in {"received", "here"} and one.error is not None:
        call.remember(one.error)


def _show_held(call: Call, held: Sequence[Pulled]) -> None:
    """What is not received by itself, and why; the same about many of one folder in one line."""
    groups: dict[tuple[str, str | None], list[Pulled]] = {}
    for one in held:
        groups.setdefault((one.waiting.deposit.folder, one.error), []).append(one)
    for (folder, why), members in groups.items():
        if len(members) > _HELD_SHOWN:
            call.remember(f"{plural(len(members), 'package')} in the folder '{folder}' of your relay stay there: {why}")
        else:
            for one in members:
                call.remember(f"{name_of(one.waiting)} stays in the relay: {one.error}")


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
        "reason": one.reason,
    }
    if one.result is not None:
        document["received"] = receive_document(one.result.plan, one.result)
    return document
