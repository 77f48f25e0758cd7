"""The tools that only look: walnuts, bundles, packages, the relay, and receipts."""

from pathlib import Path
from typing import Any

from alive_p2p.api.data import PeerStatus
from alive_p2p.api.looking import bundles_of, packages_in, walnuts_of
from alive_p2p.api.relays import PlannedPush, Relay
from alive_p2p.api.roads import inspect, verify
from alive_p2p.errors import AliveP2PError
from alive_p2p.mcp.borders import real, same
from alive_p2p.mcp.calling import Call
from alive_p2p.mcp.outside import NOTICE, name, outside
from alive_p2p.mcp.packages import package_document, signature
from alive_p2p.mcp.sharing import PUSH, Push

_MOST_WALNUTS = 200
_MOST_PACKAGES = 50
_MOST_RECEIPTS = 100


async def list_walnuts(call: Call, options: dict[str, Any]) -> dict[str, Any]:
    """The walnuts of the worlds that may be touched."""
    borders = await call.borders()
    worlds = [borders.world(options["world"])] if options["world"] else borders.worlds()
    found = await call.run(
        lambda _: [(world, one) for world in worlds for one in walnuts_of(world) if borders.let_in(real(one.root))]
    )
    return {
        "status": "ok",
        "worlds": [name(world) for world in worlds],
        "walnuts": [
            {
                "path": name(one.root),
                "world": name(world),
                "sensitivity": one.sensitivity,
                "from_outside": {"goal": outside(one.goal), "type": outside(one.kind, limit=60)},
            }
            for world, one in found[:_MOST_WALNUTS]
        ],
        "more": max(0, len(found) - _MOST_WALNUTS),
        "notice": NOTICE,
    }


async def list_bundles(call: Call, options: dict[str, Any]) -> dict[str, Any]:
    """A walnut's bundles, with their tasks."""
    borders = await call.borders()
    walnut = borders.path(options["walnut"], "walnut")
    found = await call.run(lambda _: bundles_of(walnut))
    return {
        "status": "ok",
        "walnut": name(walnut),
        "bundles": [
            {
                "name": name(one.bundle.name),
                "path": name(one.bundle.relpath),
                "can_be_shared": one.bundle.is_top_level,
                "sensitivity": one.sensitivity,
                "pii": one.bundle.has_pii,
                "tasks": one.bundle.tasks.as_dict(),
                "from_outside": {"goal": outside(one.goal)},
            }
            for one in found[:_MOST_WALNUTS]
        ],
        "more": max(0, len(found) - _MOST_WALNUTS),
        "notice": NOTICE,
    }


async def inspect_package(call: Call, options: dict[str, Any]) -> dict[str, Any]:
    """One package, checked; or, where none is named, what lies in the inboxes."""
    borders = await call.borders()
    if not options["package"]:
        paths = [path for world in borders.worlds() for path in packages_in(world) if borders.let_in(real(path))]
        shown = await call.run(lambda _: [_in_short(path, call) for path in paths[:_MOST_PACKAGES]])
        more = max(0, len(paths) - _MOST_PACKAGES)
        return {"status": "ok", "packages": shown, "more": more, "notice": NOTICE}
    path = borders.path(options["package"], "package")
    document = await call.run(lambda _: _in_full(path, call))
    if options["for_peer"]:
        push = await call.run(lambda _: Relay(call.runtime).plan_push(path, options["for_peer"]))
        token = call.give(PUSH, {"package": same(path), "peer": push.peer}, Push(push))
        document["push"] = {**_push_document(push), "token": token}
    return {"status": "ok" if document.pop("passed", True) else "refused", **document, "notice": NOTICE}


def _in_full(path: Path, call: Call) -> dict[str, Any]:
    found = inspect(path, runtime=call.runtime)
    if found.manifest is None:
        return package_document(found, None)
    checked = verify(path, runtime=call.runtime)
    return {**package_document(found, checked), "passed": checked.passed}


def _in_short(path: Path, call: Call) -> dict[str, Any]:
    """What an inbox lists of a package (receive.md §11); a file that is none is listed as that."""
    try:
        found = inspect(path, runtime=call.runtime)
    except AliveP2PError as error:
        return {"package": name(path), "problem": outside(error.message)}
    manifest = found.manifest
    short: dict[str, Any] = {"package": name(path), "size_bytes": found.size, "is_open": manifest is not None}
    if manifest is None or found.verdict is None:
        return short
    said = {"walnut": outside(manifest.walnut), "sender": outside(manifest.sender)}
    return {
        **short,
        "scope": manifest.scope,
        "created": manifest.created,
        "signature": signature(found.verdict),
        "from_outside": said,
    }


def _push_document(push: PlannedPush) -> dict[str, Any]:
    return {
        "peer": outside(push.peer),
        "pubkey_id": push.pubkey_id,
        "goes": "as it is" if push.is_sealed else "signed by you and sealed for them",
        "import_id": push.import_id,
    }


async def relay_status(call: Call, options: dict[str, Any]) -> dict[str, Any]:
    """What is known of our relay and our peers; with `look` the relays are asked first."""
    relay = Relay(call.runtime)
    looked = await call.run(lambda _: relay.probe()) if options["look"] else None
    found = await call.run(lambda _: relay.status())
    problems = [looked.error] if looked is not None and looked.error is not None else []
    return {
        "status": "ok",
        "relay": {
            "url": outside(found.url) if found.url is not None else None,
            "username": outside(found.username) if found.username is not None else None,
            "pubkey_id": found.pubkey_id,
        },
        "peers": [_peer(one) for one in found.peers],
        "outbox": [
            {
                "peer": outside(one.peer),
                "walnut": outside(one.walnut),
                "since": outside(one.queued_at),
                "size_bytes": one.size,
            }
            for one in found.outbox
        ],
        "last_look": outside(found.last_probe) if found.last_probe is not None else None,
        "is_old": found.is_old,
        "next": _next(found.url, found.peers),
        "warnings": [outside(one) for one in problems],
        "notice": NOTICE,
    }


def _peer(one: PeerStatus) -> dict[str, Any]:
    seen, last = one.seen, one.last_delivery
    held = seen.get("held")
    return {
        "name": outside(one.name),
        "state": one.state,
        "pubkey_id": one.pubkey_id,
        "reachable": seen.get("reachable"),
        "pending_packages": seen.get("pending_packages"),
        "undelivered": seen.get("undelivered"),
        "problem": outside(seen["error"]) if seen.get("error") else None,
        "has_another_key": bool(seen.get("other_key")),
        "has_new_key": bool(seen.get("successor")),
        "is_disputed": bool(seen.get("rivals")),
        "held": [outside(f"{key}: {why}") for key, why in list(held.items())[:20]] if isinstance(held, dict) else [],
        "last_delivery": _delivery(last) if last is not None else None,
    }


def _next(url: str | None, peers: tuple[PeerStatus, ...]) -> list[str]:
    """What only the person can do now, in a terminal."""
    if url is None:
        return ["alive-p2p relay setup"]
    found = [f"alive-p2p relay peers confirm {outside(one.name)}" for one in peers if one.state == "to-confirm"]
    found += [f"alive-p2p relay peers trust {outside(one.name)}" for one in peers if one.seen.get("rivals")]
    follows = [one for one in peers if one.seen.get("successor") and not one.seen.get("rivals")]
    return [*found, *(f"alive-p2p relay pull --peer {outside(one.name)}" for one in follows)]


async def list_receipts(call: Call, options: dict[str, Any]) -> dict[str, Any]:
    """What was sent, and what became of it; with `look` new receipts are fetched first."""
    relay = Relay(call.runtime)
    if options["look"]:
        await call.run(lambda _: relay.probe())
    every = await call.run(lambda _: relay.deliveries())
    wanted = [one for one in reversed(every) if not options["peer"] or one.get("peer") == options["peer"]]
    return {
        "status": "ok",
        "receipts": [_delivery(one) for one in wanted[:_MOST_RECEIPTS]],
        "more": max(0, len(wanted) - _MOST_RECEIPTS),
        "notice": NOTICE,
    }


def _delivery(one: Any) -> dict[str, Any]:  # noqa: ANN401  (an entry of a file of ours)
    bundles = one.get("bundles")
    names = bundles if isinstance(bundles, list) else []
    texts = {key: outside(one.get(key) or "") for key in ("peer", "walnut", "import_id", "at", "status", "status_at")}
    said = {"bundles_there": [outside(each) for each in names[:50]], "note": outside(one.get("note") or "")}
    return {**texts, "reason": outside(one.get("reason") or ""), "from_outside": said}
