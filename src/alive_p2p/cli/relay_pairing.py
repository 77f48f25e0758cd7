"""`relay setup`, `relay invite`, `relay accept`."""

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click

from alive_p2p.cli.credentials import PassphraseFrom, ask, ask_for_key, passphrase_options
from alive_p2p.cli.options import FOLDER, Call, common
from alive_p2p.cli.relay_adopting import adopt
from alive_p2p.cli.relaying import Desk
from alive_p2p.cli.screen import field_line, grouped
from alive_p2p.errors import AliveP2PError, RelayError, UsageError
from alive_p2p.keys.peers import check_name
from alive_p2p.relay import own_relay, pairing
from alive_p2p.relay.code import Code, decode
from alive_p2p.relay.config import change_config, read_config
from alive_p2p.relay.granting import grant_for
from alive_p2p.relay.moving import Belongings
from alive_p2p.relay.own_relay import SetupResult
from alive_p2p.relay.reach import address_of, bucket_address, folder_address, git_address

_DEFAULT_REPOSITORY = "alive-relay"


def where_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add where a relay of one's own is to be."""
    for option in (
        click.option("--username", metavar="NAME", help="What your peers will know you as; default: your login."),
        click.option("--folder", type=FOLDER, metavar="PATH", help="A folder that something else carries."),
        click.option("--s3", metavar="URL", help="A bucket: s3://bucket/prefix?endpoint=https://host&region=name."),
        click.option("--git", metavar="URL", help="A git repository, by its address or its path."),
        click.option("--repo-name", metavar="NAME", help=f"Its name at GitHub; default: {_DEFAULT_REPOSITORY}."),
        click.option("--github", is_flag=True, help="A private repository at GitHub, made if it is not there."),
    ):
        command = option(command)
    return command


@click.command(epilog="\b\nExample:\n  alive-p2p relay setup --folder mailbox --username alice")
@click.option(
    "--adopt",
    "belongings",
    type=FOLDER,
    metavar="FILE",
    help="Be who you are on another machine: what `keys export --private` has printed there.",
)
@passphrase_options
@where_options
@common
def setup(
    call: Call,
    /,
    *,
    belongings: Path | None,
    passphrase_env: str | None,
    passphrase_file: Path | None,
    **where: Any,
) -> None:
    """Make a relay of your own, or repair what is missing of it.

    It lies in a private git repository (at GitHub with everything done for you), in a folder, or in a bucket. Run
    again, it changes nothing that is right.
    """
    desk = Desk(call)
    adopted = None
    if belongings is not None:
        adopted = adopt(desk, belongings, PassphraseFrom(passphrase_env, passphrase_file))
    result = set_up(desk, **where, adopted=adopted)
    screen = call.screen
    screen.say(f"your relay is {'ready' if result.made else 'as it should be'}: {result.url}")
    screen.say(field_line("you are", result.handle))
    screen.say(field_line("fingerprint", grouped(result.public.fingerprint)))
    if result.made:
        screen.say(field_line("made", ", ".join(result.made)))
        screen.note("invite somebody with `alive-p2p relay invite NAME`")
    screen.document(
        {
            "status": "ok" if result.made else "noop",
            "relay": {"url": result.url, "username": result.handle, "pubkey_id": result.public.pubkey_id},
            "made": list(result.made),
            "warnings": list(result.warnings),
        }
    )
    call.finish(result.warnings)


def set_up(
    desk: Desk,
    *,
    github: bool,
    repo_name: str | None,
    git: str | None,
    s3: str | None,
    folder: Path | None,
    username: str | None,
    adopted: Belongings | None = None,
) -> SetupResult:
    """Set up a relay where the options say, or where one is already: here, or by what was brought along.

    Raises:
        AliveP2PError: it could not be done.
    """
    runtime = desk.call.runtime
    if sum((github or repo_name is not None, git is not None, s3 is not None, folder is not None)) > 1:
        raise UsageError("usage", "a relay lies in one place: give one of `--github`, `--git`, `--s3` and `--folder`")
    known = read_config(runtime).url or (adopted.url if adopted is not None else None)
    username = username or (adopted.handle if adopted is not None else None)
    make: Callable[[], None] | None = None
    if git is not None:
        url = git_address(git, runtime)
    elif s3 is not None:
        url = bucket_address(s3, runtime)
    elif folder is not None:
        url = folder_address(folder, runtime)
        make = partial(own_relay.make_folder, folder, runtime)
    elif known is not None and not github:
        url = known
    else:
        with desk.call.screen.working("setting up"):
            hosting = desk.hosting()
        if hosting is None:
            raise RelayError(
                "no-place",
                "it is not said where your relay is to be, and there is no login at GitHub to make one with",
                untouched="everything",
                hint="log in with `gh auth login`, or add `--git URL`, `--s3 URL` or `--folder PATH`",
            )
        with desk.call.screen.working("setting up"):
            username = username or hosting.login()
            own_relay.handle_for(known, runtime, username)
            url = known or hosting.create(repo_name or _DEFAULT_REPOSITORY)
    with desk.call.screen.working("setting up"):
        return own_relay.setup(url, runtime, desk.reach_ours, username=username, ask=desk.ask, make=make)


def set_up_first(desk: Desk, **where: Any) -> bool:
    """Where there is no relay yet, it is made in the same command; whether it was."""
    if read_config(desk.call.runtime).url is not None:
        return False
    result = set_up(desk, **where)
    desk.call.screen.note(f"made your relay first: {result.url}")
    return True


@click.command(epilog="\b\nExample:\n  alive-p2p relay invite ben")
@click.argument("peer")
@click.option("--login", metavar="LOGIN", help="Their login at the host, where it is another name.")
@where_options
@common
def invite(call: Call, /, *, peer: str, login: str | None, **where: Any) -> None:
    """Invite somebody: lets them leave packages for you, and prints the code to send to them.

    The code is for them alone, and good for one answer. It can go by any channel.
    """
    check_name(peer)
    desk = Desk(call)
    set_up_first(desk, **where)
    code = pairing.invite(peer, call.runtime, ask_for_key(call))
    screen = call.screen
    with screen.working("inviting"):
        hosting = desk.hosting(code.url)
        if hosting is not None:
            hosting.grant(code.url, login or peer)
    if hosting is not None:
        remember_login(call, peer, login or peer)
    else:
        remember_to_grant(call, peer, code.url)
    word = code.encode()
    screen.note(f"send this to {peer}, and keep it between the two of you until it is used;")
    screen.note("they run `alive-p2p relay accept`, and paste it there:")
    screen.note()
    screen.say(word)
    grant = grant_for(code.url, peer)
    screen.document({"status": "ok", "code": word, "peer": peer, **({} if grant is None else {"policy": grant.policy})})
    screen.end()  # whoever waits for the code does not wait for the relays of others
    desk.flush()
    call.finish(())


@click.command(epilog="\b\nExamples:\n  alive-p2p relay accept\n  alive-p2p relay accept - < code.txt")
@click.argument("code", required=False, metavar="[CODE|-|URL]")
@click.option("--fingerprint", metavar="F", help="With an address: the fingerprint of its owner's key.")
@click.option("--name", metavar="NAME", help="What you call them; default: what they call themselves.")
@where_options
@common
def accept(call: Call, /, *, code: str | None, fingerprint: str | None, name: str | None, **where: Any) -> None:
    """Accept somebody's invitation: you are peers then.

    Without a code it is asked for, so that it does not stand in the history of your shell. Where you have no relay yet,
    it is made first; say where, as with `relay setup`.
    """
    desk = Desk(call)
    said = _code(call, code)
    address = None if said.startswith("alive1-") else address_of(said, call.runtime)
    invitation = decode(said) if address is None else None
    set_up_first(desk, **where)
    if invitation is None:
        invitation = _by_address(desk, address or said, fingerprint)
    with call.screen.working("accepting"):
        theirs = desk.hosting(invitation.url)
        is_let_in = theirs is None or theirs.accept(invitation.url)
    if not is_let_in:
        raise RelayError(
            "not-invited",
            f"the host's invitation to the relay of '{invitation.handle}' has not come yet",
            untouched="everything of theirs; nobody was pinned",
            hint="wait a minute and run it again, or ask them to run `alive-p2p relay invite` again",
        )
    with call.screen.working("accepting"):
        peer = pairing.accept(invitation, call.runtime, desk.reach, name=name, ask=ask_for_key(call))
    we = desk.anew()
    login = _login_in(invitation.url) if theirs is not None else None
    let_in = None
    with call.screen.working("accepting"):
        hosting = desk.hosting(we.url)
        if hosting is not None and login is not None and hosting.covers(invitation.url):
            hosting.grant(we.url, login)
            let_in = login
    if let_in is not None:
        remember_login(call, peer.name, let_in)
    else:
        remember_to_grant(call, peer.name, we.url)
    screen = call.screen
    screen.say(f"you and {peer.name} are peers; they see your answer with their next look at their relay")
    screen.say(field_line("relay", invitation.url))
    screen.say(field_line("fingerprint", grouped(peer.public.fingerprint)))
    if address is not None:  # no secret of theirs proves the answer
        screen.note(f"they confirm you with `alive-p2p relay peers confirm {invitation.inbox}`, once they have run")
        screen.note(f"`alive-p2p relay invite {invitation.inbox}`; tell them your fingerprint over another channel:")
        screen.note(field_line("yours", grouped(we.key.public.fingerprint)))
    screen.document(
        {
            "status": "ok",
            "peer": peer.name,
            "url": invitation.url,
            "pubkey_id": peer.public.pubkey_id,
            "fingerprint": peer.public.fingerprint,
        }
    )
    desk.flush()
    call.finish(())


def remember_to_grant(call: Call, name: str, url: str) -> None:
    """Say what is left to the person, where no host does it for them."""
    known = read_config(call.runtime).peers.get(name)
    grant = grant_for(url, name if known is None else known.folder)
    if grant is None:
        call.remember(f"'{name}' needs to be able to write to {url}; that is for you to grant, where it lies")
        return
    screen = call.screen
    screen.note(f"'{name}' needs a login of their own at {grant.place}; grant it this in the bucket '{grant.bucket}':")
    screen.note(field_line("list, read", "  ".join(grant.read)))
    screen.note(field_line("write, delete", grant.write))
    screen.note("docs/relay.md has it as a policy, and so has `policy` in `relay invite --json`")
    screen.note()


def remember_login(call: Call, name: str, login: str) -> None:
    """Who was let in at the host, so that it is them who are not let in any more one day."""
    change_config(call.runtime, lambda config: config.with_peer(name, {"login": login}))


def _login_in(url: str) -> str | None:
    """Whose repository an address at a host with logins names: the owner, whom the host itself has told us."""
    path = url.partition("://")[2].partition("/")[2] or url.partition(":")[2]
    return path.partition("/")[0] or None


def _code(call: Call, said: str | None) -> str:
    """The code: as given, from standard input, or asked for."""
    if said == "-":
        said = sys.stdin.read(1 << 16)
    elif said is None:
        said = ask(call, "code of the invitation", instead="give it as `-`, on standard input").decode(
            "utf-8", "replace"
        )
    if not said.strip():
        raise UsageError(
            "no-code",
            "there is no code",
            untouched="everything",
            hint="give it behind the command, or `-` and the code on standard input",
        )
    return said.strip()


def _by_address(desk: Desk, url: str, fingerprint: str | None) -> Code:
    """An invitation without a code: the key that lies there counts if a person says so."""
    we = desk.we
    with desk.call.screen.working("looking"):
        found = pairing.look_at(url, we, desk.reach)
    if fingerprint is not None:
        pairing.require_fingerprint(found.public, fingerprint)
        return found.code
    screen = desk.call.screen
    screen.note(f"the relay at {url} says that it is of '{found.code.handle}'", is_asked_about=True)
    screen.note(field_line("fingerprint", grouped(found.public.fingerprint)), is_asked_about=True)
    if not screen.can_ask:
        raise AliveP2PError(
            "needs-fingerprint",
            "whose key that is has to be confirmed, and there is no terminal to ask on",
            untouched="everything",
            hint="compare it with them, and add `--fingerprint`",
        )
    if not screen.confirm("have you compared it with them, over another channel?"):
        raise AliveP2PError("declined", "stopped, as you asked", untouched="everything")
    return found.code
