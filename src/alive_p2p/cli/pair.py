"""`pair`: becoming peers with somebody who is there at the same moment, by a short spoken code (relay.md §5)."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import click

from alive_p2p.cli.options import Call, common
from alive_p2p.cli.relay_pairing import remember_login, remember_to_grant, set_up_first, where_options
from alive_p2p.cli.relaying import Desk
from alive_p2p.cli.screen import field_line, grouped
from alive_p2p.errors import AliveP2PError, RelayError
from alive_p2p.keys.peers import check_name
from alive_p2p.relay import answers, mailbox, rendezvous, whisper
from alive_p2p.relay.answers import Introduction
from alive_p2p.relay.meeting import Meeting, as_answer
from alive_p2p.relay.ourselves import Ourselves
from alive_p2p.relay.own_relay import is_stated
from alive_p2p.relay.pairing import proposed_name, refuse_name
from alive_p2p.relay.rendezvous import Rendezvous
from alive_p2p.relay.spoken import SpokenCode, new_code, read_code
from alive_p2p.walnut.preferences import load_preferences
from alive_p2p.walnut.world import find_world

_WAIT_SECONDS = 600.0
_JOIN_SECONDS = 30.0
"""Whoever has the code finds the other there: they have come first."""
_MOST_CODE = 1 << 10


@dataclass(frozen=True)
class _How:
    """What the options say."""

    via: str | None
    name: str | None
    login: str | None
    wait: float


@click.command(
    epilog="\b\nExamples:\n  alive-p2p pair\n  alive-p2p pair --join\n  alive-p2p pair 7-crossover-clockwork --name ben"
)
@click.argument("code", required=False, metavar="[CODE|-]")
@click.option("--join", is_flag=True, help="You were told a code: it is asked for.")
@click.option("--via", metavar="URL", help="The rendezvous server to meet at; the same on both sides.")
@click.option("--name", metavar="NAME", help="What you call them; default: what they call themselves.")
@click.option("--login", metavar="LOGIN", help="Their login at the host of your relay, where they do not say it.")
@click.option(
    "--wait",
    type=click.FloatRange(min=1, max=86_400),
    default=_WAIT_SECONDS,
    metavar="SECONDS",
    help=f"How long to wait for the other; default: {_WAIT_SECONDS:g}.",
)
@where_options
@common
def pair(
    call: Call,
    /,
    *,
    code: str | None,
    join: bool,
    via: str | None,
    name: str | None,
    login: str | None,
    wait: float,
    **where: Any,
) -> None:
    """Become peers with somebody you are talking to, by a short code.

    One runs it and tells the other the code; the other types it. Both keys are proven by that, and nothing is left to
    confirm. The two meet at a rendezvous server, which is asked about first: it learns that two people meet, and
    nothing of what they say. Where you have no relay yet, it is made first; say where, as with `relay setup`.
    """
    desk, how = Desk(call), _How(via, name, login, wait)
    server = _server(call, how)
    if name is not None:
        check_name(name)
    whisper.require_libraries()
    spoken = _code(call, code) if join or code is not None else None
    was_made = set_up_first(desk, **where)
    screen, we = call.screen, desk.we
    with screen.working("looking"):
        desk.reach(we.url).list()  # what cannot be written to in the end is better known now
    screen.note(f"you meet at the rendezvous server {server}", is_asked_about=True)
    screen.note("  it learns from where and when two people meet, and nothing of what they say", is_asked_about=True)
    call.approve("meet there?", untouched="everything; your relay stays" if was_made else "everything")
    with rendezvous.at_server(server, call.runtime) as box, _leaving(box) as moods:
        met = _meet(desk, box, spoken, how, server)
        moods.append("errory")
        meeting = Meeting(met, desk.we, call.runtime)
        with _telling(meeting):
            _become_peers(desk, meeting, how)
        moods.append("happy")
    call.finish(())


def _server(call: Call, how: _How) -> str:
    """Where to meet: as said, as the world's preferences say, else a proposal, which only a person can take.

    Raises:
        AliveP2PError: `needs-rendezvous`: nobody is there to be asked, and it was not named.
    """
    if how.via is None and (call.yes or not call.screen.can_ask):
        raise AliveP2PError(
            "needs-rendezvous",
            "it is not said where to meet, and no server is used without being named",
            untouched="everything",
            hint="name it with `--via URL`, and add `--yes`",
        )
    server = how.via or load_preferences(find_world(call.runtime.cwd)).pair_mailbox or rendezvous.PUBLIC
    rendezvous.refuse_bad_server(server)
    return server


def _code(call: Call, said: str | None) -> SpokenCode:
    """The code: as given, from standard input, or asked for; it may be seen, because it is used up at once."""
    if said == "-":
        return read_code(sys.stdin.read(_MOST_CODE))
    if said is not None:
        return read_code(said)
    if not call.screen.can_ask:
        raise AliveP2PError(
            "no-terminal",
            "there is no terminal to ask on for the code",
            untouched="everything",
            hint="give it as `-`, on standard input",
        )
    while True:
        try:
            return read_code(call.screen.ask("the code that you were told"))
        except RelayError as error:
            call.screen.note(f"  {error.message}; {error.hint}", is_asked_about=True)


def _meet(desk: Desk, box: Rendezvous, spoken: SpokenCode | None, how: _How, server: str) -> whisper.Whisper:
    """Come first and tell the code, or come second and use it."""
    seconds, alone, hint = how.wait, "nobody came", "begin again with a new code"
    if spoken is not None:
        box.claim(spoken.number)
        seconds, alone = min(seconds, _JOIN_SECONDS), "nobody waits with this code"
        hint = "ask whether they are still there, and at the same server"
    else:
        spoken = new_code(box.allocate())
        box.claim(spoken.number)
        _show(desk.call, spoken, how, server)
    try:
        with desk.call.screen.working("waiting"):
            return whisper.meet(box, spoken, desk.call.runtime.monotonic, seconds=seconds)
    except RelayError as error:
        if error.code == "nobody-came":
            raise RelayError(error.code, alone, untouched="everything", hint=hint) from None
        raise


def _show(call: Call, code: SpokenCode, how: _How, server: str) -> None:
    """Show the code, and what is to be done with it; where standard output is a document's, beside it."""
    screen = call.screen
    at = "" if server == rendezvous.PUBLIC else f" --via {server}"
    screen.note(f"tell them this code, by voice or by any channel; they run `alive-p2p pair --join{at}`")
    screen.note("and type it there. It is good for one try:")
    screen.note()
    (screen.tell if screen.as_json else screen.say)(str(code))
    screen.note()
    screen.note(f"waiting for them, {_duration(how.wait)} at most; Ctrl-C stops")


def _duration(seconds: float) -> str:
    return f"{seconds / 60:g} minutes" if seconds >= 120 else f"{seconds:g} seconds"


@contextmanager
def _leaving(box: Rendezvous) -> Iterator[list[str]]:
    """Leave the place where the two have met, however it went; the last of the moods is told to the server."""
    moods = ["lonely"]
    try:
        yield moods
    except RelayError as error:
        moods += ["scary"] if error.code == "wrong-code" else []
        raise
    finally:
        box.close(moods[-1])


@contextmanager
def _telling(meeting: Meeting) -> Iterator[None]:
    """Where we go no further the other is told, and not left waiting."""
    try:
        yield
    except BaseException as error:
        is_interrupted = isinstance(error, KeyboardInterrupt | click.Abort)
        is_no = isinstance(error, AliveP2PError) and error.code == "declined"
        if not (isinstance(error, AliveP2PError) and error.code == "they-stopped"):
            with suppress(RelayError):
                meeting.stop("interrupted" if is_interrupted else "declined" if is_no else "refused")
        raise


def _become_peers(desk: Desk, meeting: Meeting, how: _How) -> None:
    """Everything from the first word of the other to what is said in the end."""
    call, screen, we = desk.call, desk.call.screen, desk.we
    with screen.working("waiting"):
        other = meeting.introduce()
    name = _name(desk, other, how)
    folder = we.config.peers[name].folder if name in we.config.peers else name
    screen.note("waiting until they have said yes as well")
    with screen.working("waiting"):
        consent = meeting.consent(folder, _own_login(desk, other.url), seconds=how.wait)
    peer = answers.pin_answer(as_answer(name, other, consent), we, call.runtime)
    try:
        with screen.working("publishing"):
            answers.leave_copies(desk.reach(we.url), call.runtime)
    except RelayError as error:
        call.remember(f"their key could not be put into your relay; the next command does it ({error.message})")
    lets_in = _let_them_in(desk, name, how.login or consent.login)
    screen.note("waiting until they have finished as well")
    try:
        with screen.working("waiting"):
            meeting.finish(lets_in=lets_in)
    except RelayError as error:
        call.remember(
            f"whether '{name}' has finished is not known ({error.message}); if not, run it together once more"
        )
    desk.let_in(other.url, name)
    _look_at_theirs(desk, other)
    screen.say(f"you and {name} are paired")
    screen.say(field_line("relay", other.url))
    screen.say(field_line("fingerprint", grouped(peer.public.fingerprint)))
    screen.document(
        {
            "status": "ok",
            "peer": name,
            "handle": other.handle,
            "url": other.url,
            "pubkey_id": peer.public.pubkey_id,
            "fingerprint": peer.public.fingerprint,
        }
    )


def _name(desk: Desk, other: Introduction, how: _How) -> str:
    """Show who the other is, and settle what they are called here: that is the yes."""
    call, screen, we = desk.call, desk.call.screen, desk.we
    known = we.keyring.find(other.public.pubkey_id)
    screen.note(f"this is somebody who calls themselves '{other.handle}', proven by the code", is_asked_about=True)
    screen.note(field_line("fingerprint", grouped(other.public.fingerprint)), is_asked_about=True)
    screen.note(field_line("relay", other.url), is_asked_about=True)
    if known is not None and known.status == "revoked":
        screen.note("  you have parted with this key before; pairing takes it back", is_asked_about=True)
    elif known is not None:
        screen.note(f"  you know this key already, as the key of '{known.name}'", is_asked_about=True)
    name = how.name or proposed_name(other.handle, other.public, we)
    if call.yes or how.name is not None or not screen.can_ask:
        if (problem := _problem(name, other, we)) is not None:
            problem.hint = problem.hint or "`--name NAME` gives them another name"
            raise problem
        call.approve(f"pair with them, as '{name}'?")
        return name
    while True:
        problem = _problem(name, other, we)
        if problem is not None:
            screen.note(f"  {problem.message}" + (f"; {problem.hint}" if problem.hint else ""), is_asked_about=True)
        said = screen.ask("pair with them, under the name" + (f" [{name}]" if problem is None else ""))
        if problem is None and said in {"", name}:
            return name
        name = said
        if _problem(name, other, we) is None:
            return name


def _problem(name: str, other: Introduction, we: Ourselves) -> AliveP2PError | None:
    """Why they cannot be called so here, or None."""
    try:
        refuse_name(name, other.public, we)
    except AliveP2PError as error:
        return error
    return None


def _own_login(desk: Desk, url: str) -> str | None:
    """Who we are at the host of their relay, where it has logins and we have one there."""
    try:
        with desk.call.screen.working("looking"):
            hosting = desk.hosting(url)
            return None if hosting is None else hosting.login()
    except AliveP2PError as error:
        desk.call.remember(
            f"your login at the host of their relay is not known, so they cannot let you in ({error.message});"
            " log in there, and run it together once more"
        )
        return None


def _let_them_in(desk: Desk, name: str, login: str | None) -> bool:
    """Let a peer write to our relay, where the host can; else what is left to do is told. Whether it is done."""
    call, url = desk.call, desk.we.url
    with call.screen.working("inviting"):
        hosting = desk.hosting(url)
    if hosting is None or login is None:
        remember_to_grant(call, name, url)
        return False
    try:
        with call.screen.working("inviting"):
            hosting.grant(url, login)
        remember_login(call, name, login)
    except AliveP2PError as error:
        call.remember(
            f"'{name}' could not be let in at the host ({error.message}); put that right, and run it together once more"
        )
        return False
    return True


def _look_at_theirs(desk: Desk, other: Introduction) -> None:
    """Tell at once where their relay cannot be reached, or is not what they say; what was pinned counts anyway."""
    try:
        relay = desk.reach(other.url)
        with desk.call.screen.working("looking"):
            stated = is_stated(relay, relay.list(mailbox.ABOUT), other.handle, other.url, other.public)
        if not stated:
            desk.call.remember(
                f"nothing in {other.url} shows that it is theirs; ask them to run `alive-p2p relay setup` once more"
            )
    except AliveP2PError as error:
        desk.call.remember(f"their relay cannot be reached yet: {error.message}")
