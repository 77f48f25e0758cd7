"""Hints: a line about something that is there and not yet used (share.md §8).

Each is shown at most once in a session, on a terminal only, and no more once the thing is set up. `discovery_hints:
false` in a world's preferences switches all of them off.
"""

import json
from contextlib import suppress

from alive_p2p import files
from alive_p2p.cli.options import Call
from alive_p2p.errors import AliveP2PError
from alive_p2p.package.envelopes.base import Envelope
from alive_p2p.sharing.plan import SharePlan
from alive_p2p.walnut.preferences import load_preferences
from alive_p2p.walnut.world import find_world

_LIMIT = 1 << 16
_MANUAL = "manual"


def show_hints_after_sharing(call: Call, plan: SharePlan) -> None:
    """What somebody who has just shared something may want to know; what goes wrong here never matters."""
    if not call.screen.can_ask or call.screen.quiet:
        return
    with suppress(AliveP2PError):
        if not load_preferences(find_world(plan.root)).discovery_hints:
            return
        keyring = call.keyring()
        if keyring.own_public() is None:
            _once(call, "sign", "`alive-p2p keys generate` makes a key, and what you share is signed from then on")
        elif plan.request.seal.envelope is Envelope.PLAIN and not keyring.peers:
            _once(call, "seal", "`--to github:LOGIN` seals a package for somebody who has set up nothing")


def _once(call: Call, name: str, text: str) -> None:
    """Show a hint, unless it was shown in this session; without one a session is a day."""
    runtime = call.runtime
    session = runtime.session_id
    if session == _MANUAL:
        session = f"{_MANUAL} {runtime.timestamp()[:10]}"
    path = runtime.alive_home / "hints.json"
    shown: list[str] = []
    with suppress(ValueError, RecursionError, TypeError, KeyError):
        document = json.loads(files.read_bytes_if_present(path, limit=_LIMIT) or b"{}")
        if document["session"] == session:
            shown = [str(one) for one in document["shown"]]
    if name in shown:
        return
    files.ensure_private_folder(path.parent)
    files.replace_file(path, json.dumps({"session": session, "shown": [*shown, name]}).encode())
    call.screen.note(f"hint: {text}")
