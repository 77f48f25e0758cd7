"""`hook`: what the agent plugin calls."""

import os
import threading

import click

from alive_p2p.cli import session_start as starting
from alive_p2p.cli.groups import Group
from alive_p2p.cli.options import Call, common
from alive_p2p.cli.relaying import Desk
from alive_p2p.errors import AliveP2PError, BusyError
from alive_p2p.locks import walnut_lock
from alive_p2p.relay import probe as probing
from alive_p2p.relay.glance import ATTEMPT, glance
from alive_p2p.relay.state import change_state
from alive_p2p.text import one_line

_MOST_SECONDS = 120.0
"""What looks on behalf of nobody does not stay for ever, whatever it hangs in."""


@click.group(
    cls=Group,
    epilog="\b\nExample:\n  alive-p2p hook session-start",
    context_settings={"help_option_names": ["-h", "--help"]},
)
def hook() -> None:
    """What an agent's plugin runs by itself."""


@hook.command("session-start", epilog="\b\nExample:\n  alive-p2p hook session-start")
@common
def session_start(call: Call, /) -> None:
    """Say what waits in your relay, and have it looked at once more.

    It prints one line where something waits, and returns at once: the relays are looked at by a process of their own,
    every ten minutes at most. Exits with 1 where relay.json cannot be read or state.json cannot be written.
    """
    seen, lines = starting.start(call.runtime, starting.said())
    call.screen.lines(lines, result=True)
    state = "not-set-up" if not seen.is_set_up else "probing" if seen.is_due else "cool-down"
    call.screen.document({"status": "ok", "state": state, "pending": dict(seen.pending), "lines": lines})
    call.finish(())


@hook.command(hidden=True)
@common
def probe(call: Call, /) -> None:
    """Look at the relays on behalf of a session, unless that was done meanwhile; what came of it is in state.json."""
    watch = threading.Timer(_MOST_SECONDS, os._exit, [1])
    watch.daemon = True
    watch.start()
    try:
        with walnut_lock(call.runtime.alive_home / "relay" / "probe", "relay", call.runtime):
            if glance(call.runtime).is_due:
                _probe(call)
    except BusyError:
        return  # another session's is under way


def _probe(call: Call) -> None:
    try:
        desk = Desk(call, timeout_seconds=probing.DEFAULT_TIMEOUT)
        probing.probe(desk.we, call.runtime, desk.reach)
    except AliveP2PError as problem:
        attempt = {"at": call.runtime.timestamp(), "error": one_line(problem.message)}
        change_state(call.runtime, lambda state: state.with_field(ATTEMPT, attempt))
