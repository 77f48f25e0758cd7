"""The whole story with the installed program at a host of one's own: real ssh and sshd, and the hook from the docs."""

import json
from pathlib import Path
from typing import Any

import pytest

from alive_p2p.keys.keyring import Keyring
from alive_p2p.runtime import Runtime
from relay.people import key_of
from relay.persons import Done
from relay.strict import StrictHost
from worlds import NOVA, make_world, plant


class At:
    """Somebody with a key at the host and a world, who types commands."""

    def __init__(self, host: StrictHost, login: str, folder: Path, program: str) -> None:
        self.person = host.person(login, folder)
        self.program = program
        self.world = make_world(self.person.home / "world")
        self.relay_json = self.person.home / ".alive" / "relay" / "relay.json"
        Keyring.load(Runtime(self.person.environ, self.world)).install(key_of(login))

    def __call__(self, *arguments: str, code: int | None = 0, data: str = "") -> Done:
        done = self.person.run(self.program, *arguments, cwd=self.world, code=code, data=data)
        assert "Traceback" not in done.err
        return done

    def told(self, *arguments: str, code: int | None = 0) -> Any:
        return json.loads(self(*arguments, "--json", code=code).out)

    def share(self, to: str, code: int | None = 0) -> Any:
        """Share a walnut of one's own; what is told of its delivery."""
        nova = self.world / "04_Ventures" / "nova"
        if not nova.exists():
            plant(nova, NOVA)
        done = self.told("share", "--walnut", "04_Ventures/nova", "--scope", "full", "--to", to, "--yes", code=code)
        return done["deliveries"][0]

    def lies(self, change: Any) -> None:
        """Make this person's own files say something else than pairing has written there."""
        document = json.loads(self.relay_json.read_bytes())
        change(document)
        self.relay_json.write_text(json.dumps(document), encoding="utf-8")


@pytest.fixture
def two(strict: StrictHost, tmp_path: Path, program: str) -> tuple[At, At]:
    """Ada, who owns the host's relay, and Ben, who may come in: they are peers."""
    ada, ben = (At(strict, login, tmp_path, program) for login in ("ada", "ben"))
    made = ada("relay", "setup", "--git", strict.url, "--username", "ada")
    assert f"your relay is ready: {strict.url}" in made.out
    invited = ada("relay", "invite", "ben")
    assert "'ben' needs to be able to write to" in invited.err
    ben("relay", "accept", "-", "--folder", str(tmp_path / "mailbox"), "--username", "ben", data=invited.out)
    return ada, ben


@pytest.mark.slow
def test_from_setup_to_a_receipt_and_to_parting(two: tuple[At, At], strict: StrictHost) -> None:
    """The peer writes into its own folder and nowhere else, the owner everywhere; parted with, nobody gets in."""
    ada, ben = two
    assert ben.share("ada")["queued"] is False
    pulled = ada("relay", "pull", "--yes")
    assert "'ben' has answered: you are paired" in pulled.err
    assert "received 'nova' from ben" in pulled.out
    assert (ada.world / "03_Inbox" / "nova" / "notes.md").read_bytes() == NOVA["notes.md"]
    assert "'nova': applied by ada" in ben("relay", "probe").out
    assert ben.told("relay", "status")["peers"]["ada"]["last_receipt"]["status"] == "applied"

    misbehaves(ben, strict)
    assert "nothing waits" in ada("relay", "pull", "--yes").out
    assert ada.told("relay", "setup")["status"] == "noop"

    ada("relay", "compact")
    assert strict.git("rev-list", "--count", "main") == "1"
    parted = ada("relay", "peers", "remove", "ben", "--yes")
    assert "is for you to see to" in parted.err
    strict.forbid("ben")
    refused = ben.share("ada")
    assert refused["queued"] is True
    assert "does not take any of your ssh keys" in refused["error"]


def misbehaves(ben: At, strict: StrictHost) -> None:
    """Neither another's folder nor the past is Ben's to change: he is told so in the host's words, and nothing is."""
    before, honest = strict.git("rev-parse", "main"), ben.relay_json.read_bytes()
    ben.lies(lambda document: document["peers"]["ada"].update(inbox="cleo"))
    refused = ben.share("ada")
    assert refused["queued"] is True
    assert "127.0.0.1 refuses it" in refused["error"]
    assert "is not directly in 'inbox/ben/'" in refused["error"]
    waiting = ben.told("relay", "status")["outbox"]
    assert [one["peer"] for one in waiting] == ["ada"]
    ben("relay", "recall", waiting[0]["deposit"], "--yes")
    ben.lies(lambda document: document["relay"].update(url=strict.url))
    assert "only the owner rewrites history" in ben("relay", "compact", code=1).err
    assert "relay: " in ben("relay", "setup", code=1).err
    assert strict.git("rev-parse", "main") == before
    ben.relay_json.write_bytes(honest)
