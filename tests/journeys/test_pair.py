"""`pair`: two people on the telephone, each at a terminal, with a real rendezvous server between them (relay.md §5)."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pexpect
import pytest
from flow import CTRL_C, ended

from alive_p2p.cli.pair import pair
from alive_p2p.keys.keyring import Keyring
from alive_p2p.relay import mailbox
from alive_p2p.relay.config import read_config
from relay.people import Person, key_of
from relay.rendezvous_server import real_server
from worlds import NOVA, plant, tree_of

if sys.platform == "win32":
    pytest.skip("pseudo-terminals are POSIX", allow_module_level=True)
for _library in ("spake2", "nacl", "websockets"):
    pytest.importorskip(_library, reason="the extra [pair] is not installed")

Run = Callable[..., Any]
CODE = r"(\d+-[a-z]+-[a-z]+)\r?\n"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A real rendezvous server."""
    with real_server() as address:
        yield address


class At:
    """Somebody who types commands at a terminal, or has a program type them."""

    def __init__(self, person: Person, terminal: Callable[..., Any], run: Run) -> None:
        self.person = person
        self.environ = {"HOME": str(person.world.parent), "GH_USER": person.name}
        self._terminal, self._run = terminal, run

    def types(self, *arguments: object, server: str = "") -> Any:
        """A command that goes on, in a pseudo-terminal; a server may be named in the world's preferences."""
        settings = f"p2p:\n  pair:\n    mailbox: {server}\n" if server else ""
        (self.person.world / ".alive" / "preferences.yaml").write_text(settings, encoding="utf-8")
        return self._terminal(*arguments, cwd=self.person.world, **self.environ)

    def __call__(self, *arguments: object, **environ: str) -> Any:
        """A command that ends, without a terminal."""
        return self._run(*arguments, cwd=self.person.world, **self.environ, **environ)

    @property
    def everything(self) -> dict[str, str]:
        """All that pairing could change."""
        return {
            **{f"home/{name}": what for name, what in tree_of(self.person.runtime.alive_home).items()},
            **{f"relay/{name}": what for name, what in tree_of(self.person.relay_folder).items()},
        }


@pytest.fixture(scope="module")
def beginning(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Alice and Ben, with a relay each: where they are, and a copy of it."""
    base = tmp_path_factory.mktemp("people")
    for name in ("alice", "ben"):
        Person(name, base).set_up()
    return base, Path(shutil.copytree(base, base.with_name(f"{base.name}-copy")))


@pytest.fixture
def two(beginning: tuple[Path, Path], terminal: Callable[..., Any], run: Run) -> dict[str, At]:
    """Both as they were in the beginning; making them anew takes a second."""
    base, copy = beginning
    shutil.rmtree(base)
    shutil.copytree(copy, base)
    return {name: At(Person.at(name, base), terminal, run) for name in ("alice", "ben")}


@pytest.fixture
def alice(two: dict[str, At]) -> At:
    return two["alice"]


@pytest.fixture
def ben(two: dict[str, At]) -> At:
    return two["ben"]


def without_relay(at: At) -> None:
    """Somebody who has a key, and nothing else yet."""
    shutil.rmtree(at.person.relay_folder)
    (at.person.runtime.alive_home / "relay" / "relay.json").unlink()


def examples() -> list[list[str]]:
    """What the help shows: to begin, to join, to join with the code."""
    return [shlex.split(one) for one in re.findall(r"^\s+alive-p2p (pair.*)$", pair.epilog or "", re.MULTILINE)]


def told(child: Any) -> str:
    """The code that somebody is shown."""
    child.expect(CODE)
    return str(child.match.group(1))


def are_paired(alice: At, ben: At) -> bool:
    """Whether each has the other's real key, and knows them by it."""
    for at, other in ((alice, ben), (ben, alice)):
        peer = Keyring.load(at.person.runtime).peers.get(other.person.name)
        known = read_config(at.person.runtime).peers.get(other.person.name)
        if peer is None or peer.public != key_of(other.person.name).public or known is None or not known.is_accepted:
            return False
    return True


def test_two_on_the_telephone(alice: At, ben: At, server: str, tmp_path: Path) -> None:
    """Nothing is asked but where, and under which name; what is shared then is received without anything to confirm."""
    without_relay(ben)
    begin, join, _ = examples()
    her = alice.types(*begin, server=server)
    her.expect(re.escape(server))
    her.expect(r"meet there\? \[y/N\]")
    her.sendline("y")
    code = told(her)
    his = ben.types(*join, "--folder", ben.person.relay_folder, server=server)
    his.expect("the code that you were told")
    his.sendline(code.replace("-", " ")[:-1])  # a slip of the finger
    his.expect("did they say")
    his.expect("the code that you were told")
    his.sendline(code.upper().replace("-", " "))
    his.expect("made your relay first")
    his.expect(r"meet there\? \[y/N\]")
    his.sendline("y")
    for child, other in ((her, "ben"), (his, "alice")):
        child.expect(f"calls themselves '{other}'")
        child.expect("fingerprint +" + key_of(other).public.fingerprint[:4])
        child.expect(rf"under the name \[{other}\]")
        child.sendline("")
    for child, other in ((her, "ben"), (his, "alice")):
        code_, said = ended(child)
        assert (code_, f"you and {other} are paired" in said) == (0, True), said
    assert are_paired(alice, ben)
    plant(alice.person.world / "04_Ventures" / "nova", NOVA)
    shared = alice("share", "--walnut", "04_Ventures/nova", "--scope", "full", "--to", "ben", "--yes", "--json")
    assert [one["queued"] for one in json.loads(shared.out)["deliveries"]] == [False]
    (pulled,) = json.loads(ben("relay", "pull", "--yes", "--json").out)["packages"]
    assert (pulled["status"], pulled["peer"]) == ("received", "alice")
    states = json.loads(alice("relay", "status", "--json").out)["peers"]
    assert {name: one["state"] for name, one in states.items()} == {"ben": "mutual"}


def begun(at: At, program: str, *options: str) -> tuple["subprocess.Popen[str]", str]:
    """Somebody begins without a terminal, such as an agent; the process, and the code."""
    process = subprocess.Popen(
        [program, "pair", *options],
        cwd=at.person.world,
        env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **at.environ},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    stream = process.stderr if "--json" in options else process.stdout
    assert stream is not None
    return process, stream.readline().strip()


def test_two_programs_pair_without_anybody_to_ask(alice: At, ben: At, server: str, program: str) -> None:
    """With a server that is named, and `--yes`; one JSON document each, and the code beside it."""
    hers, code = begun(alice, program, "--via", server, "--yes", "--json")
    join = [{"7-crossover-clockwork": code, "ben": "boss"}.get(one, one) for one in examples()[2]]
    assert code in join
    his = ben(*join, "--via", server, "--yes", "--json")
    assert his.code == 0, his.err
    out, _ = hers.communicate(timeout=60)
    assert hers.returncode == 0
    made = [json.loads(text) for text in (out, his.out)]
    assert [(one["status"], one["peer"], one["handle"]) for one in made] == [
        ("warn", "ben", "ben"),
        ("warn", "boss", "alice"),
    ]
    assert made[0]["fingerprint"] == key_of("ben").public.fingerprint
    assert read_config(alice.person.runtime).peers["ben"].inbox == "boss"


def test_a_wrong_code_ends_it_for_both(alice: At, ben: At, server: str, program: str) -> None:
    """Both are told, the code is used up, and neither has changed anything."""
    before = [alice.everything, ben.everything]
    hers, code = begun(alice, program, "--via", server, "--yes")
    wrong = re.sub("-.*", "-crossover-zulu", code)
    his = ben("pair", wrong, "--via", server, "--yes")
    _, said = hers.communicate(timeout=60)
    for ending, text in ((hers.returncode, said), (his.code, his.err)):
        assert (ending, "the two codes are not the same" in text, "left untouched: everything" in text) == (
            1,
            True,
            True,
        )
    again = ben("pair", code, "--via", server, "--yes", "--wait", "1")
    assert (again.code, "nobody waits with this code" in again.err) == (1, True)
    assert [alice.everything, ben.everything] == before


def test_no_server_is_asked_that_nobody_has_named(alice: At, ben: At) -> None:
    """Without a terminal, or with `--yes`; on a terminal the proposal is shown, and no is the default."""
    before = alice.everything
    for options in (["--yes"], ["--json"]):
        ran = alice("pair", *options)
        assert (ran.code, "needs-rendezvous" in ran.out or "no server is used without being named" in ran.err) == (
            1,
            True,
        )
    child = alice.types("pair")
    child.expect("ws://relay.magic-wormhole.io:4000/v1")
    child.expect(r"\[y/N\]")
    child.sendline("")
    ending, said = ended(child)
    assert (ending, "stopped, as you asked" in said) == (1, True)
    assert alice.everything == before
    without_relay(ben)
    child = ben.types("pair", "--folder", ben.person.relay_folder)
    child.expect(r"\[y/N\]")
    child.sendline("n")
    assert "left untouched: everything; your relay stays" in ended(child)[1]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["7-crosover-clockwork"], 1, "did they say 'crossover'"),
        (["--join"], 1, "no terminal"),
        (["-"], 1, "a number and two words"),
        (["--via", "http://example.org"], 2, "is not the address of a rendezvous server"),
        (["--via", "ws://127.0.0.1:9/v1"], 1, "cannot be reached"),
        (["--name", "../x"], 2, "cannot be a peer's name"),
        (["--folder", "a", "--git", "b"], 1, "cannot be reached"),  # there is a relay already
    ],
)
def test_what_cannot_be_is_told_at_once(arguments: list[str], code: int, said: str, alice: At) -> None:
    """And changes nothing."""
    before = alice.everything
    via = [] if "--via" in arguments else ["--via", "ws://127.0.0.1:9/v1"]
    ran = alice("pair", *arguments, *via, "--yes")
    assert (ran.code, said in ran.err) == (code, True), ran.err
    assert alice.everything == before


def test_without_the_extra_it_says_how_to_get_it(alice: At, tmp_path: Path) -> None:
    """Before anything is asked or made."""
    stand_in = plant(tmp_path / "without", {"spake2.py": b"raise ImportError('not here')\n"})
    before = alice.everything
    ran = alice("pair", "--via", "ws://127.0.0.1:9/v1", "--yes", PYTHONPATH=str(stand_in))
    assert (ran.code, re.search(r"install .*[\[,]pair[\],]", ran.err) is not None) == (2, True), ran.err
    assert alice.everything == before


def _at_the_question(alice: At, ben: At, server: str) -> tuple[Any, Any]:
    """Both as far as the last question."""
    her = alice.types("pair", "--via", server)
    her.expect(r"\[y/N\]")
    her.sendline("y")
    his = ben.types("pair", told(her), "--via", server)
    his.expect(r"\[y/N\]")
    his.sendline("y")
    for child in (her, his):
        child.expect("under the name")
    return her, his


def test_whoever_stops_tells_the_other(alice: At, ben: At, server: str) -> None:
    """Ctrl-C at the last question leaves nothing on either side."""
    before = [alice.everything, ben.everything]
    her, his = _at_the_question(alice, ben, server)
    his.send(CTRL_C)
    assert ended(his)[0] == 130
    her.sendline("")
    ending, said = ended(her)
    assert (ending, "the other side has stopped: they stopped it" in said) == (1, True), said
    assert [alice.everything, ben.everything] == before


def test_a_taken_name_is_asked_for_again(alice: At, ben: At, server: str) -> None:
    """The one that is proposed, and one that is typed."""
    Keyring.load(alice.person.runtime).import_peer("ben", key_of("mallory").public.pem())
    her = alice.types("pair", "--via", server)
    her.expect(r"\[y/N\]")
    her.sendline("y")
    his = ben.types("pair", told(her), "--via", server, "--name", "alice")
    for _ in range(2):
        his.expect(r"\[y/N\]")
        his.sendline("y")
    her.expect("'ben' has a different key")
    for name, problem in (("BEN", "differs only in case"), ("../b", "cannot be a peer's name"), ("ben2", "waiting")):
        her.expect("under the name")
        her.sendline(name)
        her.expect(problem)
    assert [ended(child)[0] for child in (her, his)] == [0, 0]
    assert set(read_config(alice.person.runtime).peers) == {"ben2"}


def test_killed_it_is_put_right_by_running_it_again(alice: At, ben: At, server: str) -> None:
    """Ben has said yes when his computer dies: Alice has all that she needs, and he has nothing."""
    before = ben.everything
    her, his = _at_the_question(alice, ben, server)
    his.sendline("")
    his.expect("waiting until they have said yes")
    his.kill(signal.SIGKILL)
    ended(his)
    her.sendline("")
    her.expect(pexpect.TIMEOUT, timeout=1)  # she waits until he has finished
    her.send(CTRL_C)
    assert ended(her)[0] == 130
    assert ben.everything == before
    her, his = _at_the_question(alice, ben, server)
    for child in (her, his):
        child.sendline("")
    assert [ended(child)[0] for child in (her, his)] == [0, 0]
    assert are_paired(alice, ben)


def test_what_cannot_be_seen_of_the_other_side_is_told(alice: At, ben: At, server: str) -> None:
    """Ben's records break at the last moment, and his relay does not say whose it is: Alice has all that she needs."""
    her, his = _at_the_question(alice, ben, server)
    plant(ben.person.runtime.alive_home / "relay", {"relay.json": b"{"})
    shutil.rmtree(ben.person.relay_folder / mailbox.ABOUT)
    for child in (her, his):
        child.sendline("")
    ending, said = ended(his)
    assert (ending, "relay.json" in said) == (1, True), said
    assert (ben.person.runtime.alive_home / "relay" / "relay.json").read_bytes() == b"{"
    assert Keyring.load(ben.person.runtime).peers == {}
    ending, said = ended(her)
    assert (ending, "you and ben are paired" in said) == (0, True), said
    assert "whether 'ben' has finished is not known (the other side has stopped" in said
    assert f"nothing in {ben.person.url} shows that it is theirs; ask them to run `alive-p2p relay setup`" in said


def test_a_relay_that_is_away_for_a_moment_does_not_undo_it(alice: At, ben: At, server: str) -> None:
    """Both are paired and told; what is missing in the relay comes with the next command."""
    her, his = _at_the_question(alice, ben, server)
    away = alice.person.relay_folder.rename(alice.person.base / "away")
    for child in (her, his):
        child.sendline("")
    for child, told_ in ((her, "the next command does it"), (his, "their relay cannot be reached yet")):
        ending, said = ended(child)
        assert (ending, told_ in said) == (0, True), said
    away.rename(alice.person.relay_folder)
    assert are_paired(alice, ben)
    assert alice("relay", "pull", "--yes").code == 0
    assert (alice.person.relay_folder / "keys" / "peers" / "ben.pem").is_file()
