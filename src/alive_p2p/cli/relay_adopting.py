"""`relay setup --adopt`: being on this machine who one is on another (relay.md §6)."""

from pathlib import Path

from alive_p2p import files
from alive_p2p.cli.credentials import PassphraseFrom, no_such_file
from alive_p2p.cli.relaying import Desk
from alive_p2p.cli.screen import field_line, grouped, plural
from alive_p2p.errors import RelayError
from alive_p2p.relay import moving
from alive_p2p.relay.config import read_config
from alive_p2p.relay.moving import Belongings


def adopt(desk: Desk, file: Path, source: PassphraseFrom) -> Belongings:
    """Make the key in a file our own, and take the peers over that it knows.

    Args:
        desk: the command.
        file: what `keys export --private` has printed on another machine.
        source: where its passphrase comes from; it is asked for where no option says.

    Raises:
        UsageError: there is no such file.
        KeyProblem: it is no private key, or the passphrase is wrong.
        RelayError: somebody else has a relay on this machine.
        AliveP2PError: it is damaged; or the key that is here is not to be replaced.
    """
    call = desk.call
    path = call.runtime.cwd / file
    if not files.exists(path):
        raise no_such_file(path)
    ask = (lambda _: source.read(call)) if source.is_given() else desk.ask
    found = moving.unpack(files.read_bytes(path.resolve(), limit=moving.MOST_BYTES), str(file), ask)
    config, keyring = read_config(call.runtime), call.keyring()
    if config.username is not None and found.handle is not None and config.username != found.handle:
        raise RelayError(
            "relay-exists",
            f"'{config.username}' has a relay on this machine, and the file is of '{found.handle}'",
            untouched="everything",
            hint="use another home for it: set ALIVE_HOME",
        )
    here = keyring.own_public()
    if here is not None and here != found.key.public:
        call.screen.note(f"the key of this machine ({here.pubkey_id}) would be put aside", is_asked_about=True)
        call.screen.note(f"for {found.key.public.pubkey_id}:", is_asked_about=True)
        call.screen.note(field_line("fingerprint", grouped(found.key.public.fingerprint)), is_asked_about=True)
        call.approve("take the key in the file for yours?")
    for problem in moving.install(found, keyring, call.runtime):
        call.remember(problem)
    call.screen.note(f"took your key {found.key.public.pubkey_id} and {plural(len(found.peers), 'peer')}")
    return found
