"""`relay_pull` and `relay_push`: packages out of our relay, and into a peer's (relay.md §6)."""

from typing import Any

from alive_p2p.api.data import Pulled
from alive_p2p.api.looking import inbox_of
from alive_p2p.api.relays import Relay
from alive_p2p.mcp.asking import Question
from alive_p2p.mcp.borders import real, same
from alive_p2p.mcp.calling import Call
from alive_p2p.mcp.outside import NOTICE, in_words, name, outside
from alive_p2p.mcp.sharing import PUSH, Push


async def relay_pull(call: Call, options: dict[str, Any]) -> dict[str, Any]:
    """Fetch what waits into the inbox. Nothing is received by that, and nothing removed from the relay."""
    borders = await call.borders()
    world = borders.world(options["world"])
    inbox = borders.check(inbox_of(world))
    found = await call.run(
        lambda progress: Relay(call.runtime).fetch(
            world,
            peer=options["peer"] or None,
            deposits=options["deposits"],
            may_write=borders.check,
            progress=progress,
        )
    )
    is_whole = found.untold is None and all(one.status == "fetched" for one in found.packages)
    untold = [] if found.untold is None else [f"senders are told with the next pull: {found.untold}"]
    return {
        "status": "noop" if not found.packages else "ok" if is_whole else "warn",
        "inbox": name(inbox),
        "packages": [_document(one) for one in found.packages],
        "warnings": [outside(one) for one in untold],
        "notice": NOTICE,
    }


def _document(one: Pulled) -> dict[str, Any]:
    waiting = one.waiting
    return {
        "deposit": outside(waiting.deposit.name),
        "peer": outside(waiting.peer.name) if waiting.peer is not None else None,
        "status": one.status,
        "package": name(real(one.file)) if one.file is not None else None,
        "sent_at": outside(waiting.note.sent_at) if waiting.note is not None else None,
        "problem": outside(one.error) if one.error is not None else None,
    }


async def relay_push(call: Call, options: dict[str, Any]) -> dict[str, Any]:
    """Leave exactly the package that was shown in the relay of exactly that peer, after the person's yes."""
    borders = await call.borders()
    about = {"package": same(options["package"]), "peer": options["peer"]}
    shown: Push = call.take(PUSH, options["token"], about)
    push = shown.planned
    if not push.is_ours:
        borders.check(push.package)
    command = ("alive-p2p", "relay", "push", "--peer", push.peer, str(push.package))
    await call.agree("sending this package", _question(shown), command)
    done = await call.run(lambda progress: Relay(call.runtime).push(push, progress, is_last=shown.is_last))
    return {
        "status": "ok" if done.error is None else "queued",
        "peer": outside(push.peer),
        "deposit": outside(done.outgoing.deposit),
        "import_id": done.outgoing.import_id,
        "bytes_sent": done.bytes_sent,
        "problem": None if done.error is None else outside(done.error.message),
        "notice": NOTICE,
    }


_AGREE = "send this package"


def _question(shown: Push) -> Question:
    push = shown.planned
    lines = {
        "to": f"{outside(push.peer, limit=80)} ({push.pubkey_id}), by their relay",
        "walnut": in_words([push.walnut]),
        "what": f"{push.scope}: {in_words(push.bundles)}" if push.bundles else push.scope,
        "sensitivity": outside(push.sensitivity) if push.sensitivity else "",
        "size": f"{push.size:,} bytes",
        "file": outside(push.package),
        "sealed": "for them" if push.is_sealed else "it is not; it will be signed by you and sealed for them",
    }
    text = [
        "An agent wants to send a package to somebody:",
        *(f"  {label}: {value}" for label, value in lines.items() if value),
        "What they have fetched cannot be taken back.",
    ]
    return Question("\n".join(text), _AGREE)
