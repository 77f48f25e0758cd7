"""Relays: what is written down of ours and our peers', whether they answer, and what waits (relay.md §2, §6).

Relays are only read: a look at them that is written down is the business of `relay probe`.
"""

import shlex
from collections.abc import Callable, Iterator
from functools import partial

from alive_p2p.api.doctor.check import Check, failed, note, ok, problem
from alive_p2p.api.doctor.identity import told_key
from alive_p2p.errors import AliveP2PError
from alive_p2p.keys.public import PublicKey
from alive_p2p.relay import mailbox, outbox
from alive_p2p.relay.at_once import at_once
from alive_p2p.relay.config import RelayConfig, read_config
from alive_p2p.relay.glance import glance
from alive_p2p.relay.own_relay import key_at
from alive_p2p.relay.reach import Reach, reach, refuse_bad_address
from alive_p2p.relay.state import read_state
from alive_p2p.relay.transports.base import Watchable
from alive_p2p.runtime import Runtime
from alive_p2p.sharing.sent import SentRegister

_SHOWN = 20


def settings(runtime: Runtime) -> Iterator[Check]:
    """What is written down: `relay.json`, `state.json`, `sent.json`, and the addresses."""
    try:
        config = read_config(runtime)
    except AliveP2PError as error:
        yield failed("relay", error, "nothing can be sent or pulled, and nothing be kept from a peer")
        config = RelayConfig(runtime.alive_home)
    else:
        if config.url is None:
            means = "packages go by hand, as files; a relay carries them, and tells what became of them"
            yield note("relay", "you have no relay", means, "alive-p2p relay setup")
        else:
            yield _address("relay", "your relay", config.url)
    for name, peer in config.peers.items():
        if peer.url is not None and (check := _address("relay", f"the relay of '{name}'", peer.url)).level != "ok":
            yield check
    for read in (read_state, SentRegister.read):
        try:
            read(runtime)
        except AliveP2PError as error:
            yield failed("records", error, "what was sent and what has come cannot be told")


def _address(name: str, whose: str, url: str) -> Check:
    try:
        refuse_bad_address(url)
    except AliveP2PError as error:  # its words hold no password, and the address itself may
        return failed(name, error, f"{whose} cannot be reached", "mend relay.json")
    return ok(name, f"{whose} is {url}")


def _is_carried(url: str) -> bool:
    """Whether an address is one; where it is not, `settings` has told."""
    return _address("relay", "it", url).level == "ok"


def answers(runtime: Runtime, seconds: float) -> Iterator[Check]:
    """Whether our relay and those of our peers answer, all at the same time.

    Args:
        runtime: the surroundings.
        seconds: how long each may take.
    """
    try:
        config = read_config(runtime)
    except AliveP2PError:
        return  # told by `settings`
    urls: dict[str | None, str | None] = {None: config.url, **{name: peer.url for name, peer in config.peers.items()}}
    good = {who: url for who, url in urls.items() if url is not None and _is_carried(url)}
    actions: dict[str | None, Callable[[Reach], Check]] = {
        who: partial(_ours, url, config.username, told_key(runtime)) if who is None else partial(_theirs, url, who)
        for who, url in good.items()
    }
    found = at_once(actions, lambda url: reach(url, runtime, timeout_seconds=seconds), runtime, seconds=seconds)
    checks = {who: one.value or _silent(who, str(one.error)) for who, one in found.items()}
    if None in checks:
        yield checks.pop(None)
    yield from [one for one in checks.values() if one.level != "ok"][:_SHOWN]
    if answered := sum(1 for one in checks.values() if one.level == "ok"):
        yield ok("peer-relay", f"{answered:,} of {len(checks):,} answer")


def _ours(url: str, username: str | None, public: PublicKey | None, reach: Reach) -> Check:
    """Whether our relay answers, and holds our key."""
    try:
        relay = reach(url)
        entry = relay.list(mailbox.KEYS).entries.get(mailbox.owner_key(username or ""))
        there = None if entry is None else key_at(relay, entry)
    except AliveP2PError as error:
        return _silent(None, error.message, error.hint)
    if public is None or there == public:
        return ok("own-relay", "your relay answers" + (", and holds your key" if public is not None else ""))
    what = "no key of yours" if there is None else f"another key than yours: {there.pubkey_id}"
    return problem(
        "own-relay", f"your relay holds {what}", "your peers do not take it for yours", "alive-p2p relay setup"
    )


def _theirs(url: str, name: str, reach: Reach) -> Check:
    """Whether a peer's relay answers."""
    try:
        relay = reach(url)
        if isinstance(relay, Watchable):
            relay.tip()
        else:
            relay.list(mailbox.KEYS)
    except AliveP2PError as error:
        return _silent(name, error.message, error.hint)
    return ok("peer-relay", f"the relay of '{name}' answers")


def _silent(who: str | None, why: str, hint: str | None = None) -> Check:
    if who is None:
        means = "nothing can be pulled, and your peers may not be able to leave anything"
        return problem(
            "own-relay", f"your relay: {why}", means, hint or "look at the connection, then: alive-p2p doctor"
        )
    means = "what you send waits in the outbox, and goes out with a later command"
    return note("peer-relay", f"the relay of '{who}': {why}", means, hint)


def waiting(runtime: Runtime) -> Iterator[Check]:
    """What is still to be sent, and what waited for us when the relays were last looked at."""
    try:
        queued = outbox.waiting(runtime)
    except AliveP2PError as error:
        yield failed("outbox", error, "nothing more is sent until that is mended")
    else:
        if queued:
            peers = ", ".join(dict.fromkeys(one.peer for one in queued[:_SHOWN]))
            what = f"{len(queued):,} still to be sent: to {peers}"
            yield note("outbox", what, "it goes out with the next relay command", "alive-p2p relay probe")
        else:
            yield ok("outbox", "nothing waits in it")
    try:
        pending = glance(runtime).pending
    except AliveP2PError:
        return  # told by `settings`, or by what looks at our own folder
    for name, count in pending[:_SHOWN]:
        what = f"{count:,} from '{name}', when the relays were last looked at"
        yield note(
            "waiting", what, "packages that were not pulled yet", f"alive-p2p relay pull --peer {shlex.quote(name)}"
        )
