"""`relay rotate`, and following peers that have rotated (relay.md §6)."""

from collections.abc import Iterable
from pathlib import Path

import click

from alive_p2p.cli.credentials import PassphraseFrom, new_passphrase, passphrase_options
from alive_p2p.cli.options import Call, common
from alive_p2p.cli.relaying import Desk
from alive_p2p.cli.screen import field_line, grouped, plural
from alive_p2p.errors import AliveP2PError, RelayError
from alive_p2p.relay import following, mailbox, outbox, own_relay, rotating
from alive_p2p.relay.answers import leave_copies
from alive_p2p.relay.config import read_config
from alive_p2p.relay.following import Successor
from alive_p2p.relay.own_relay import SetupResult
from alive_p2p.relay.state import change_state, read_state


@click.command(epilog="\b\nExample:\n  alive-p2p relay rotate --yes")
@click.option("--with-passphrase", is_flag=True, help="Protect the new key with a passphrase, asked for twice.")
@passphrase_options
@common
def rotate(call: Call, /, *, with_passphrase: bool, passphrase_env: str | None, passphrase_file: Path | None) -> None:
    """Take a new key in the place of yours, and tell your peers.

    The old key names the new one, and both sign it; your peers are asked once before they follow. The old private key
    is kept, for what is still under way to it.
    """
    desk = Desk(call)
    url = read_config(call.runtime).url
    if url is None:
        raise RelayError(
            "no-relay",
            "you have no relay, so nobody would learn of a new key",
            untouched="everything",
            hint="make one with `alive-p2p relay setup`",
        )
    # A rotation that was begun is finished first, and one that was done on another machine is noticed.
    with call.screen.working("looking"):
        begun = own_relay.setup(url, call.runtime, desk.reach, ask=desk.ask)
    if begun.has_told_key:
        _finish(call, begun, "a rotation that was begun before is finished")
        return
    desk.try_to_confirm()
    old = desk.we.key.public
    call.screen.note(f"a new key would take the place of {old.pubkey_id}", is_asked_about=True)
    call.approve("take a new key?")
    desk.deliver()
    passphrase = _passphrase(call, PassphraseFrom(passphrase_env, passphrase_file), is_wanted=with_passphrase)
    with call.screen.working("making a key"):
        rotating.rotate(desk.we, call.runtime, passphrase=passphrase)
    call.forget_keyring()
    ask = desk.ask if passphrase is None else lambda _: passphrase
    try:
        with call.screen.working("publishing"):
            done = own_relay.setup(url, call.runtime, desk.reach, ask=ask)
    except AliveP2PError as error:
        raise RelayError(
            error.code,
            f"your new key is here, and could not be published: {error.message}",
            untouched="your relay; your peers still know you by the old key, which is kept",
            hint="run `alive-p2p relay rotate` again: it publishes this key, and takes no other",
        ) from error
    _finish(call, done, f"your key is a new one; {old.pubkey_id} has named it")


def _passphrase(call: Call, source: PassphraseFrom, *, is_wanted: bool) -> bytes | None:
    """The new key's: as the options say; and where the old key has one, the new one is not left without."""
    if source.is_given():
        return source.read(call)
    if is_wanted or call.keyring().own_has_passphrase():
        return new_passphrase(call, "your new key")
    return None


def _finish(call: Call, done: SetupResult, what: str) -> None:
    screen = call.screen
    config = read_config(call.runtime)
    paired = [name for name, peer in config.peers.items() if peer.is_accepted]
    invited = [name for name, peer in config.peers.items() if peer.invitation is not None]
    waiting = outbox.waiting(call.runtime)
    screen.say(what)
    screen.say(field_line("key", f"{done.public.kind} {done.public.pubkey_id}"))
    screen.say(field_line("fingerprint", grouped(done.public.fingerprint)))
    if paired:
        screen.note(f"told to {', '.join(paired)}: they are asked, once, whether to follow")
    for name in invited:
        call.remember(f"the code that '{name}' has names your old key; `alive-p2p relay invite {name}` gives a new one")
    if waiting:
        call.remember(
            f"{plural(len(waiting), 'package')} in the outbox, signed with your old key: who has followed by then does"
            " not receive them by itself; share them again"
        )
    screen.document(
        {
            "status": "ok",
            "kind": done.public.kind,
            "pubkey_id": done.public.pubkey_id,
            "fingerprint": done.public.fingerprint,
            "told": paired,
            "invited": invited,
        }
    )
    call.finish(done.warnings)


# --- following ------------------------------------------------------------------------------------------------


def follow(desk: Desk, names: Iterable[str]) -> list[str]:
    """Ask about the new keys of peers, once for each, and pin those that a person says yes to.

    Without a terminal it is only told: nobody's agent follows a key.

    Args:
        desk: the command.
        names: whose packages were signed with a key that is not known; who was seen to have a new key is looked at
            besides.

    Returns:
        The names of those who were followed.
    """
    call, we = desk.call, desk.we
    state = read_state(call.runtime)
    noticed = [name for name in we.config.peers if state.peer(name).get("successor")]
    return [name for name in dict.fromkeys((*names, *noticed)) if name in we.config.peers and _follow_one(desk, name)]


def _follow_one(desk: Desk, name: str) -> bool:
    call = desk.call
    try:
        found = successor_of(desk, name)
    except AliveP2PError as error:
        call.remember(f"whether '{name}' has a new key could not be looked at: {error.message}")
        return False
    if found is None or following.was_asked(found, read_state(call.runtime)):
        return False
    if not call.screen.can_ask:
        call.remember(
            f"'{name}' has a new key, named by the one that you know; `alive-p2p relay peers trust {name}`, in a"
            " terminal, follows it"
        )
        return False
    show_successor(call, found)
    if not call.screen.confirm("follow it?"):
        following.note_refusal(found, call.runtime)
        call.screen.note(f"not followed, and not asked again; `alive-p2p relay peers trust {name}` does")
        return False
    take(desk, found)
    call.screen.note(f"the key {found.public.pubkey_id} counts as the key of {name} from now on")
    return True


def show_successor(call: Call, found: Successor) -> None:
    """Show a key that follows a peer's, for somebody to decide about."""
    screen = call.screen
    screen.note(f"'{found.name}' has a new key, named by the one that you know", is_asked_about=True)
    screen.note(field_line("fingerprint", grouped(found.public.fingerprint)), is_asked_about=True)
    screen.note(
        "whoever has stolen the old key could have done that too; where it matters, ask them over another channel",
        is_asked_about=True,
    )


def successor_of(desk: Desk, name: str) -> Successor | None:
    """Look in a peer's relay for the key that follows the pinned one; what is seen is written down.

    Raises:
        RelayError: the relay cannot be read; or two keys claim to follow.
        AliveP2PError: `state.json` cannot be used.
    """
    we, runtime = desk.we, desk.call.runtime
    peer, pinned = we.config.peer(name), we.keyring.peers.get(name)
    if peer.url is None or pinned is None:
        return None
    relay = desk.reach(peer.url)
    state = read_state(runtime)
    with desk.call.screen.working("looking"):
        found = following.look(pinned, state, relay, relay.list(mailbox.ABOUT))
    change_state(runtime, lambda now: now.with_peer(name, following.seen(found, now.peer(name))))
    following.refuse_disputed(name, read_state(runtime))
    return following.successor(pinned, found)


def take(desk: Desk, found: Successor) -> None:
    """Pin it, here and (where that works now) in our relay. Raises `AliveP2PError`."""
    following.follow(found, desk.call.runtime)
    desk.call.forget_keyring()
    try:
        relay = desk.reach(desk.anew().url)
        with desk.call.screen.working("publishing"):
            leave_copies(relay, desk.call.runtime)
    except AliveP2PError as error:
        desk.call.remember(f"your relay still shows the old key of '{found.name}': {error.message}")
