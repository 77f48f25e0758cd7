"""Whether everything is there that a share or a receive needs (cli.md, "Commands", `doctor`).

Looks, and changes nothing: neither here nor in any relay. Every check has a time limit of its own, and one that fails
in a way that nobody has foreseen says so and stops none of the others.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Never

from alive_p2p.api.doctor import here, identity, machine, relays
from alive_p2p.api.doctor.check import Check, Level, problem
from alive_p2p.errors import AliveP2PError
from alive_p2p.relay.at_once import at_once
from alive_p2p.relay.reach import Reach
from alive_p2p.runtime import Runtime

__all__ = ["DEFAULT_SECONDS", "Check", "Level", "examine"]

DEFAULT_SECONDS = 10.0
"""How long a check may wait for somebody else: a host, or another program."""

_Look = Callable[[Runtime], Iterator[Check]]

_MORE_SECONDS = 5.0
"""So much longer a check may take in all, so that it can say itself what it has waited for."""


def examine(runtime: Runtime, *, seconds: float = DEFAULT_SECONDS) -> tuple[Check, ...]:
    """Look at everything.

    Args:
        runtime: the surroundings; also the current folder, around which a world is looked for.
        seconds: how long a check may wait for a host or another program.
    """
    before: dict[str, _Look] = {
        "python": machine.program,
        "libraries": machine.libraries,
        "extras": machine.extras,
        "git": machine.git,
        "gh": partial(machine.gh, seconds=seconds),
        "disk": machine.disk,
        "clock": machine.clock,
        "home": identity.home,
        "permissions": identity.permissions,
        "key": identity.own_key,
        "sender": partial(identity.sender, seconds=seconds),
        "peers": identity.keyring,
        "world": here.world,
        "preferences": here.preferences,
        "inbox": here.inbox,
        "relay": relays.settings,
    }
    after: dict[str, _Look] = {
        "outbox": relays.waiting,
        "interrupted": here.interrupted,
        "locks": here.locks,
    }
    return (
        *_one_by_one(before, runtime, seconds),
        *_found("own-relay", partial(relays.answers, seconds=seconds), runtime),  # limits itself, by relay
        *_one_by_one(after, runtime, seconds),
    )


def _one_by_one(looks: Mapping[str, _Look], runtime: Runtime, seconds: float) -> Iterator[Check]:
    """What looks find, each within its time: a drive that has gone away keeps whoever looks at it for ever."""
    for name, look in looks.items():

        def action(_: Reach, name: str = name, look: _Look = look) -> list[Check]:
            return _found(name, look, runtime)

        outcome = at_once({name: action}, _no_relay, runtime, seconds=seconds + _MORE_SECONDS)[name]
        yield from [problem(name, outcome.error, _NOT_LOOKED)] if outcome.error is not None else outcome.value or []


def _found(name: str, look: _Look, runtime: Runtime) -> list[Check]:
    """What a look finds; that it could not go on is found as well."""
    found: list[Check] = []
    try:
        found += look(runtime)
    except AliveP2PError as error:
        found.append(problem(name, error.message, _NOT_LOOKED, error.hint))
    except OSError as error:
        found.append(problem(name, f"the system refused: {error.strerror or type(error).__name__}", _NOT_LOOKED))
    except Exception as error:  # noqa: BLE001  (what nobody has foreseen is told like everything else)
        found.append(problem(name, f"something that was not foreseen ({type(error).__name__})", _NOT_LOOKED))
    return found


def _no_relay(_: str) -> Never:
    raise AssertionError("a look reaches relays by itself")


_NOT_LOOKED = "this could not be looked at to its end"
