"""`relay probe` and `relay status`."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from alive_p2p import files
from alive_p2p.cli.options import FOLDER, Call, common
from alive_p2p.cli.relaying import Desk
from alive_p2p.cli.screen import field_line, grouped, plural
from alive_p2p.cli.told import delivery_text, words_of
from alive_p2p.errors import UsageError
from alive_p2p.relay import probe as probing
from alive_p2p.relay.status import PeerStatus, Status
from alive_p2p.relay.status import status as gather

_STATES = {
    "invited": "invited, and has not answered yet",
    "to-confirm": "has answered; the next `relay pull` or `relay peers confirm` pairs you",
    "mutual": "paired",
    "revoked": "revoked",
}


@click.command(epilog="\b\nExample:\n  alive-p2p relay probe")
@click.option("--all-peers", is_flag=True, help="Everybody; this is the default.")
@click.option("--peer", metavar="PEER", help="Only this peer.")
@click.option("--output", type=FOLDER, metavar="FILE", help="Write what was seen there as well, as JSON.")
@click.option("--relay-config", type=FOLDER, metavar="FILE", help="A relay.json somewhere else; only read.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0.1),
    default=probing.DEFAULT_TIMEOUT,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for one peer.",
)
@common
def probe(
    call: Call,
    /,
    *,
    all_peers: bool,
    peer: str | None,
    output: Path | None,
    relay_config: Path | None,
    timeout: float,
) -> None:
    """Look at your relay and at your peers': what waits, and what became of what you have sent.

    Exits with 0 whenever that could be written down, whatever the peers did.
    """
    if all_peers and peer is not None:
        raise UsageError("usage", "give `--all-peers` or `--peer`, not both")
    if relay_config is not None:
        config = call.runtime.cwd / relay_config
        if config.name != "relay.json" or config.parent.name != "relay":
            raise UsageError("usage", "`--relay-config` names a relay.json in the folder `relay` of another home")
        environ = {**call.runtime.environ, "ALIVE_HOME": str(config.parent.parent)}
        call = replace(call, runtime=replace(call.runtime, environ=environ))
    desk = Desk(call, timeout_seconds=timeout)
    we = desk.we
    if peer is not None:
        we.config.peer(peer)
    screen = call.screen
    peers = None if peer is None else [peer]
    with screen.working("looking"):
        found = probing.probe(we, call.runtime, desk.reach, peers=peers, timeout_seconds=timeout)
    for name, fields in found.peers.items():
        screen.say(f"{name}: {_seen(fields)}")
        _warn_of_key(call, name, fields)
    for one in found.advanced:
        screen.say(delivery_text(one))
        screen.lines(words_of(one), result=True)
    if not found.peers:
        screen.say("you have no peers yet")
    if found.error is not None:
        call.remember(f"your own relay: {found.error}")
    document = {
        "status": "ok",
        "last_probe": found.at,
        "peers": {name: _document(fields) for name, fields in found.peers.items()},
        "receipts": [dict(one) for one in found.advanced],
        "error": found.error,
    }
    if output is not None:
        files.replace_file(call.runtime.cwd / output, (json.dumps(document, indent=1) + "\n").encode(), mode=0o600)
    screen.document(document)
    if relay_config is None:  # another home's is only looked at
        desk.flush(reached=[name for name, fields in found.peers.items() if fields.get("reachable")])
    call.finish(())


def _seen(fields: Mapping[str, Any]) -> str:
    if fields.get("answer"):
        return "has answered your invitation"
    if fields.get("reachable") is None and fields.get("error") is None:
        return "has not answered yet"
    parts = []
    if fields.get("pending_packages"):
        parts.append(f"{plural(fields['pending_packages'], 'package')} from them waiting for you")
    if fields.get("undelivered"):
        parts.append(f"{fields['undelivered']} of yours waiting for them")
    if fields.get("error"):
        parts.append(f"not reached: {fields['error']}")
    return "; ".join(parts) or "nothing waits"


def _warn_of_key(call: Call, name: str, fields: Mapping[str, Any]) -> None:
    if fields.get("rivals"):
        call.remember(
            f"TWO KEYS claim to follow that of '{name}'; nothing is exchanged with them; ask them over another channel:"
            f" `alive-p2p relay peers trust {name}` decides"
        )
        return
    if fields.get("successor"):
        call.remember(
            f"'{name}' has a new key, named by the one that you know; the next pull asks whether to follow it"
        )
    other = fields.get("other_key")
    if other:
        what = "no key of theirs any more" if other == "none" else "ANOTHER KEY than the one that is pinned"
        call.remember(
            f"the relay of '{name}' holds {what}; the pinned one stays; ask them over another channel:"
            f" `alive-p2p relay peers trust {name}` replaces it on purpose"
        )


def _document(fields: Mapping[str, Any]) -> dict[str, Any]:
    seen = ("reachable", "last_probe", "pending_packages", "undelivered", "error", "answer")
    return {name: fields.get(name) for name in (*seen, "other_key", "successor", "rivals")}


@click.command(epilog="\b\nExample:\n  alive-p2p relay status")
@common
def status(call: Call, /) -> None:
    """Say what is known of your relay and your peers, without asking anybody."""
    found = gather(call.runtime, call.keyring())
    screen = call.screen
    if found.url is None:
        screen.say("you have no relay yet; make one with `alive-p2p relay setup`")
    else:
        screen.say(f"your relay: {found.url}")
        screen.say(field_line("you are", found.username or "unknown"))
        if found.fingerprint is not None:
            screen.say(field_line("fingerprint", grouped(found.fingerprint)))
    for peer in found.peers:
        screen.say()
        screen.lines(_peer_lines(peer), result=True)
        _warn_of_key(call, peer.name, peer.seen)
    if found.outbox:
        screen.say()
        screen.say(f"outbox: {plural(len(found.outbox), 'package')} still to be sent")
        for one in found.outbox:
            screen.say(f"  '{one.walnut}' for {one.peer}, since {one.queued_at}")
    if found.url is not None and found.peers and found.is_old:
        screen.note()
        when = "were never looked at" if found.last_probe is None else f"were last looked at {found.last_probe}"
        screen.note(f"the relays {when}; `alive-p2p relay probe` looks now")
    if found.failure is not None:
        call.remember(f"the last session could not look at the relays: {found.failure}")
    screen.document(_status_document(found))
    call.finish(())


def _peer_lines(peer: PeerStatus) -> list[str]:
    lines = [f"{peer.name}: {_STATES[peer.state]}"]
    if peer.url is not None:
        lines.append(field_line("relay", peer.url))
    if peer.fingerprint is not None:
        lines.append(field_line("fingerprint", grouped(peer.fingerprint)))
    if peer.seen.get("pending_packages"):
        lines.append(field_line("waiting", f"{plural(peer.seen['pending_packages'], 'package')} for you: `relay pull`"))
    if peer.seen.get("undelivered"):
        lines.append(
            field_line("undelivered", f"{plural(peer.seen['undelivered'], 'package')} of yours in their relay")
        )
    if peer.seen.get("error"):
        lines.append(field_line("not reached", str(peer.seen["error"])))
    if peer.last_delivery is not None:
        lines += [field_line("last sent", delivery_text(peer.last_delivery)), *words_of(peer.last_delivery)]
    if peer.last_told is not None and peer.last_told != peer.last_delivery:
        lines += [field_line("last receipt", delivery_text(peer.last_told)), *words_of(peer.last_told)]
    return lines


def _status_document(found: Status) -> dict[str, Any]:
    return {
        "relay": {"url": found.url, "username": found.username, "pubkey_id": found.pubkey_id},
        "peers": {
            peer.name: {
                "state": peer.state,
                "url": peer.url,
                "pubkey_id": peer.pubkey_id,
                "pending_packages": peer.seen.get("pending_packages"),
                "undelivered": peer.seen.get("undelivered"),
                "last_receipt": _plain(peer.last_told or peer.last_delivery),
                "last_sent": _plain(peer.last_delivery),
            }
            for peer in found.peers
        },
        "outbox": [
            {"peer": one.peer, "deposit": one.deposit, "import_id": one.import_id, "queued_at": one.queued_at}
            for one in found.outbox
        ],
        "last_probe": found.last_probe,
    }


def _plain(delivery: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if delivery is None else dict(delivery)
