"""`relay peers`: confirming, trusting, renaming, parting."""

import click

from alive_p2p.cli.groups import Group
from alive_p2p.cli.options import Call, common
from alive_p2p.cli.relay_rotating import show_successor, successor_of, take
from alive_p2p.cli.relaying import Desk
from alive_p2p.cli.screen import field_line, grouped
from alive_p2p.errors import AliveP2PError
from alive_p2p.keys.public import PublicKey
from alive_p2p.relay import peers as by_hand
from alive_p2p.relay.answers import pin_answer
from alive_p2p.relay.config import read_config
from alive_p2p.relay.pairing import require_fingerprint
from alive_p2p.relay.renaming import rename as call_otherwise
from alive_p2p.relay.status import status


@click.group(
    cls=Group,
    epilog="\b\nExample:\n  alive-p2p relay peers list",
    context_settings={"help_option_names": ["-h", "--help"]},
)
def peers() -> None:
    """Your peers: who they are, and what you trust them with."""


@peers.command("list", epilog="\b\nExample:\n  alive-p2p relay peers list")
@common
def list_(call: Call, /) -> None:
    """List your peers with their keys."""
    found = status(call.runtime, call.keyring())
    for peer in found.peers:
        call.screen.say(f"{peer.name}: {peer.state}")
        if peer.fingerprint is not None:
            call.screen.say(field_line("fingerprint", grouped(peer.fingerprint)))
    if not found.peers:
        call.screen.say("you have no peers yet; invite somebody with `alive-p2p relay invite NAME`")
    call.screen.document(
        {
            peer.name: {
                "state": peer.state,
                "url": peer.url,
                "pubkey_id": peer.pubkey_id,
                "fingerprint": peer.fingerprint,
            }
            for peer in found.peers
        }
    )
    call.finish(())


@peers.command(epilog="\b\nExample:\n  alive-p2p relay peers confirm ben")
@click.argument("name")
@click.option("--fingerprint", metavar="F", help="The fingerprint that they have told you.")
@common
def confirm(call: Call, /, *, name: str, fingerprint: str | None) -> None:
    """Confirm somebody who has answered your invitation, and whose answer does not prove itself."""
    desk = Desk(call)
    known = desk.we.config.peers.get(name)
    was_begun = known is not None and bool(known.unfinished)
    if any(one.peer.name == name for one in desk.confirm()) or was_begun:
        call.screen.say(f"you and {name} are paired")
        call.screen.document({"status": "ok", "peer": name})
        desk.flush()
        call.finish(())
        return
    relay = desk.reach(desk.we.url)
    with call.screen.working("looking"):
        answer = by_hand.answer_of(name, desk.we, relay)
    call.screen.note(f"somebody who calls themselves '{answer.handle}' has answered as '{name}'", is_asked_about=True)
    call.screen.note(field_line("relay", answer.url), is_asked_about=True)
    _compare(call, answer.public, fingerprint, may_be_typed=True)
    pin_answer(answer, desk.we, call.runtime)
    desk.anew()
    desk.confirm()  # does the rest of it
    call.screen.say(f"you and {name} are paired")
    call.screen.document({"status": "ok", "peer": name, "pubkey_id": answer.public.pubkey_id})
    desk.flush()
    call.finish(())


@peers.command(epilog="\b\nExample:\n  alive-p2p relay peers trust ben")
@click.argument("name")
@click.option("--fingerprint", metavar="F", help="The fingerprint that they have told you.")
@common
def trust(call: Call, /, *, name: str, fingerprint: str | None) -> None:
    """Count a key as a peer's: one that was only imported, or another one that lies in their relay now.

    Only at a terminal: nobody's agent can make a stranger a peer.
    """
    keyring, config = call.keyring(), read_config(call.runtime)
    pinned = keyring.peers.get(name)
    public: PublicKey
    if pinned is not None and (name not in config.peers or config.peers[name].url is None):
        public = pinned.public
    else:
        desk = Desk(call)
        we = desk.we
        with call.screen.working("looking"):
            public = by_hand.other_key(name, we, desk.reach)
        if fingerprint is None and pinned is not None and _follow(desk, name):
            return
    if pinned is not None and pinned.public != public:
        call.screen.note(f"this key would take the place of {pinned.public.pubkey_id}", is_asked_about=True)
    _compare(call, public, fingerprint, may_be_typed=False)
    peer = by_hand.trust(name, public, call.runtime)
    call.screen.say(f"the key {peer.public.pubkey_id} counts as the key of {name}")
    call.screen.document({"status": "ok", "peer": name, "pubkey_id": peer.public.pubkey_id})
    call.finish(())


def _follow(desk: Desk, name: str) -> bool:
    """Where the pinned key has named its successor, ask about that; whether there was one to ask about."""
    found = successor_of(desk, name)
    if found is None:
        return False
    call = desk.call
    show_successor(call, found)
    _ask_a_person(call, "follow it?")
    take(desk, found)
    call.screen.say(f"the key {found.public.pubkey_id} counts as the key of {name}")
    call.screen.document({"status": "ok", "peer": name, "pubkey_id": found.public.pubkey_id})
    call.finish(())
    return True


def _compare(call: Call, public: PublicKey, fingerprint: str | None, *, may_be_typed: bool) -> None:
    """Have a person compare a fingerprint.

    Args:
        call: the call.
        public: the key.
        fingerprint: what they say it is, if they do.
        may_be_typed: whether saying it is enough, without a terminal.
    """
    if fingerprint is not None:
        require_fingerprint(public, fingerprint)
        if may_be_typed:
            return
    call.screen.note(field_line("fingerprint", grouped(public.fingerprint)), is_asked_about=True)
    instead = "compare it with them, and add `--fingerprint`" if may_be_typed else None
    _ask_a_person(call, "have you compared it with them, over another channel?", instead)


def _ask_a_person(call: Call, question: str, instead: str | None = None) -> None:
    """Ask what `--yes` does not answer. Raises `AliveP2PError`."""
    if not call.screen.can_ask:
        raise AliveP2PError(
            "needs-terminal",
            "whose key that is has to be confirmed by a person, and there is no terminal to ask on",
            untouched="everything",
            hint=instead or "run it in a terminal",
        )
    if not call.screen.confirm(question):
        raise AliveP2PError("declined", "stopped, as you asked", untouched="everything")


@peers.command(epilog="\b\nExample:\n  alive-p2p relay peers rename ben benjamin")
@click.argument("name")
@click.argument("new")
@common
def rename(call: Call, /, *, name: str, new: str) -> None:
    """Call a peer by another name; nothing changes for them."""
    call_otherwise(name, new, call.runtime)
    call.screen.say(f"'{name}' is called '{new}' from now on")
    call.screen.document({"status": "ok", "peer": new})
    call.finish(())


@peers.command(epilog="\b\nExample:\n  alive-p2p relay peers remove ben --yes")
@click.argument("name")
@click.option("--login", metavar="LOGIN", help="Their login at the host, where it is another name.")
@common
def remove(call: Call, /, *, name: str, login: str | None) -> None:
    """Part with a peer: they are let in no longer, and what their key signs is refused."""
    keyring, config = call.keyring(), read_config(call.runtime)
    if name not in keyring.peers:
        config.peer(name)  # says who is known
    call.screen.note(
        f"'{name}' would be let in no longer, and what they have left in your relay would go", is_asked_about=True
    )
    call.approve("part with them?")
    desk = Desk(call)
    warnings: list[str] = []
    told = config.peers[name].raw.get("login") if name in config.peers else None
    handle = login or (told if isinstance(told, str) else _handle(call, name))
    with call.screen.working("parting"):
        relay = None if config.url is None else desk.reach(config.url)
        hosting = None if config.url is None else desk.hosting(config.url)
        if hosting is not None and config.url is not None:
            try:
                hosting.revoke(config.url, handle)
            except AliveP2PError as error:
                warnings.append(f"'{handle}' may still be let in: {error.message}")
        elif config.url is not None:
            warnings.append(f"whether '{name}' can still write to {config.url} is for you to see to, where it lies")
        warnings += by_hand.remove(name, call.runtime, relay)
    call.screen.say(f"{name} is not your peer any more; what their key signs is refused")
    call.screen.document({"status": "warn" if warnings else "ok", "peer": name, "warnings": warnings})
    call.finish(tuple(warnings))


def _handle(call: Call, name: str) -> str:
    peer = call.keyring().peers.get(name)
    return peer.handle or name if peer is not None else name
