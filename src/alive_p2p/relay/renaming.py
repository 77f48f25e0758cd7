"""Calling a peer by another name, in all of our files or in none (relay.md §2).

A name stands in the keyring, in `relay.json`, `state.json`, `sent.json` and the outbox, and no file system changes
several files at once. So `relay.json` says first what is to happen, and the peer stands there under both names until
it has: whatever is kept from it counts under either. What was interrupted is finished by the next command.
"""

from contextlib import AbstractContextManager
from dataclasses import replace

from alive_p2p.errors import RelayError, UsageError
from alive_p2p.keys.keyring import Keyring
from alive_p2p.keys.peers import check_name
from alive_p2p.keys.public import KeyProblem
from alive_p2p.locks import walnut_lock
from alive_p2p.relay import outbox
from alive_p2p.relay.config import change_config, read_config
from alive_p2p.relay.pairing import refuse_folder
from alive_p2p.relay.state import change_state
from alive_p2p.runtime import Runtime
from alive_p2p.sharing.sent import SentRegister, change_register
from alive_p2p.text import fold

_WAIT_SECONDS = 30.0


def rename(name: str, new: str, runtime: Runtime) -> None:
    """Call a peer by another name; in relays nothing changes.

    Args:
        name: as it is called now.
        new: as it is to be called.
        runtime: the surroundings.

    Raises:
        UsageError: there is no such peer, or the name cannot be one.
        RelayError: `name-taken`.
        AliveP2PError: one of our files cannot be used, or not be written; what is left to do, the next command does.
    """
    check_name(new)
    with _alone(runtime):
        _finish(runtime)
        _refuse(name, new, runtime)
        change_config(runtime, lambda now: now.with_renaming(name, new))
        _finish(runtime)


def finish_renaming(runtime: Runtime) -> None:
    """Finish what a rename had begun, where one had; every step looks first whether it is needed.

    Raises:
        AliveP2PError: one of our files cannot be used, or not be written; it is tried again the next time.
    """
    if read_config(runtime).renaming is not None:
        with _alone(runtime):
            _finish(runtime)


def _alone(runtime: Runtime) -> AbstractContextManager[None]:
    return walnut_lock(runtime.alive_home / "relay" / "renaming", "relay", runtime, wait_seconds=_WAIT_SECONDS)


def _refuse(name: str, new: str, runtime: Runtime) -> None:
    config, keyring = read_config(runtime), Keyring.load(runtime)
    keyring.refuse_broken_index()
    if name not in config.peers and name not in keyring.peers:
        config.peer(name)  # says who is known
    if new in config.peers or new in keyring.peers:
        raise RelayError(
            "name-taken", f"somebody is called '{new}' already", untouched="everything", hint="choose another name"
        )
    if (invited := config.peers.get(name)) is not None and invited.invitation is not None:
        raise UsageError(
            "still-invited",
            f"'{name}' has not answered yet, and the code that was sent names them so",
            untouched="everything",
            hint="remove the peer, and invite them by the other name",
        )
    refuse_folder(new, config)
    if fold(new) == fold(name):
        raise UsageError(
            "same-name",
            "the two names differ only in case, which some systems do not tell apart",
            untouched="everything",
            hint="choose another name",
        )


def _finish(runtime: Runtime) -> None:
    """Do what `relay.json` says is to happen; that it was said goes last."""
    renaming = read_config(runtime).renaming
    if renaming is None:
        return
    name, new = renaming
    keyring = Keyring.load(runtime)
    if {name, new} & keyring.peers.keys():
        try:
            keyring.rename(name, new)
        except KeyProblem as problem:
            if problem.code == "name-taken":  # somebody got the name meanwhile; nothing has happened yet
                change_config(runtime, lambda now: now.without_renaming(keeps=name))
            raise
    change_state(runtime, lambda state: state.renamed(name, new))
    outbox.rename(name, new, runtime)
    change_register(runtime, lambda register: _renamed(register, name, new))
    change_config(runtime, lambda now: now.without_renaming(keeps=new))


def _renamed(register: SentRegister, name: str, new: str) -> SentRegister:
    deliveries = ({**one, "peer": new} if one.get("peer") == name else one for one in register.deliveries)
    return replace(register, deliveries=tuple(deliveries))
