"""Looking at many relays: at the same time, no longer than allowed, and only at what may have changed (relay.md §6)."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from alive_p2p.errors import RelayError
from alive_p2p.relay import receipts
from alive_p2p.relay.at_once import MOST_AT_ONCE, Outcome, at_once
from alive_p2p.relay.config import change_config
from alive_p2p.relay.following import forget
from alive_p2p.relay.pulling import note_waiting
from alive_p2p.relay.reach import Reach
from alive_p2p.relay.state import change_state, read_state
from alive_p2p.relay.transports.base import Entry, Listing, Progress, Put, Transport
from alive_p2p.relay.transports.git import GitTransport
from alive_p2p.relay.transports.memory import MemoryTransport, Store
from alive_p2p.runtime import Runtime
from alive_p2p.sharing.sent import SentRegister
from relay.github import GitHub
from relay.people import Person
from relay.people_in_git import AtGitHub, InGit
from relay.wire import Wire, wait_until

LONG = 60.0
"""Seconds that no test takes."""


# --- at once, and no longer than allowed ----------------------------------------------------------------------


def know(person: Person, peers: Mapping[str, str]) -> None:
    """Let somebody know peers by their relays' addresses, without a key of theirs."""
    for name, url in peers.items():
        fields = {"url": url, "inbox": person.name, "accepted": True}
        change_config(person.runtime, lambda config, name=name, fields=fields: config.with_peer(name, fields))  # type: ignore[misc]


def test_fifty_peers_are_looked_at_together(tmp_path: Path) -> None:
    """Each answers only once everybody has been asked."""
    everybody = threading.Barrier(51)

    class Waiting(MemoryTransport):
        def list(self, folder: str = "") -> Listing:
            everybody.wait(LONG)
            return super().list(folder)

    alice = Person("alice", tmp_path).set_up()
    know(alice, {f"peer-{number}": f"memory:{number}" for number in range(50)})
    alice.reach = lambda _: Waiting(Store())
    found = alice.probe(timeout_seconds=LONG)
    assert [fields["error"] for fields in found.peers.values()] == [None] * 50


@pytest.mark.slow
def test_the_connections_of_a_probe_overlap(github: GitHub, tmp_path: Path) -> None:
    """With git over HTTP: every host answers only once there is a request at each."""
    names = [f"peer-{number}" for number in range(5)]
    ada = AtGitHub("ada", github, tmp_path).set_up()
    for name in names:
        github.create(f"{name}/relay", ["ada"])
    know(ada, {name: github.clone_url(f"{name}/relay") for name in names})
    everybody = threading.Barrier(6)
    for name in (*names, "ada"):
        github.wire.meanwhile("GET", rf"/{name}/relay.git/info/refs", lambda: everybody.wait(LONG))
    found = ada.probe(timeout_seconds=LONG)
    assert [fields["error"] for fields in found.peers.values()] == [None] * 5


def outcomes(actions: Mapping[str, Callable[[Reach], Any]], seconds: float = LONG) -> dict[str, Outcome[Any]]:
    return at_once(actions, lambda _: MemoryTransport(Store()), Runtime({}, Path()), seconds=seconds)


def test_each_has_its_own_outcome(tmp_path: Path) -> None:
    """A value, an error, or nothing within its time; in the order asked for, also of more than run at once."""

    def fails(_: Reach) -> None:
        raise RelayError("relay-missing", "it is not there")

    hanging = threading.Event()
    actions: dict[str, Callable[[Reach], Any]] = {"late": lambda _: hanging.wait(), "fails": fails}
    actions |= {str(number): lambda _, number=number: number for number in range(MOST_AT_ONCE + 10)}  # type: ignore[misc]
    found = outcomes(actions, seconds=0.3)
    hanging.set()
    assert list(found) == list(actions)
    assert found["late"] == Outcome(error="no answer within 0.3 seconds")
    assert found["fails"] == Outcome(error="it is not there")
    assert [found[str(number)].value for number in range(MOST_AT_ONCE + 10)] == [*range(MOST_AT_ONCE + 10)]


def test_what_nobody_foresaw_is_not_hidden() -> None:
    """It is a mistake of ours, and no answer of a relay."""
    with pytest.raises(ZeroDivisionError):
        outcomes({"a": lambda _: 1 / 0})


class Stopping(MemoryTransport):
    """A relay that hangs until it is stopped."""

    def __init__(self) -> None:
        super().__init__(Store())
        self.stopped = threading.Event()

    def list(self, folder: str = "") -> Listing:
        if not self.stopped.wait(LONG):
            return super().list(folder)
        raise RelayError("relay-unreachable", "stopped")

    def stop(self) -> None:
        self.stopped.set()


@pytest.mark.parametrize("is_interrupted", [False, True])
def test_what_is_late_is_stopped(is_interrupted: bool) -> None:
    """When its time is over, or when a person interrupts; also a relay that is reached only then."""
    made: list[Stopping] = []

    def reach(_: str) -> Transport:
        made.append(Stopping())
        return made[-1]

    def action(reach: Reach) -> None:
        for _ in range(3):
            try:
                reach("memory:x").list()
            except RelayError:
                continue

    clock = iter([0.0])

    def monotonic() -> float:
        try:
            return next(clock)
        except StopIteration:
            raise KeyboardInterrupt from None

    if is_interrupted:
        with pytest.raises(KeyboardInterrupt):
            at_once({"a": action}, reach, Runtime({}, Path(), monotonic=monotonic), seconds=LONG)
    else:
        found = at_once({"a": action}, reach, Runtime({}, Path()), seconds=0.2)
        assert found["a"].error == "no answer within 0.2 seconds"
    wait_until(lambda: len(made) == 3 and all(one.stopped.is_set() for one in made))


class Silent:
    """A host that takes every connection and says nothing."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.connections: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                self.connections.append(self._listener.accept()[0])
            except OSError:
                return

    def is_left(self) -> bool:
        """Whether whoever was here has gone: everything that was said is read, and then there is the end."""
        for connection in self.connections:
            connection.settimeout(10)
            while connection.recv(1 << 16):
                pass
        return True

    def stop(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        for connection in self.connections:
            connection.close()


@pytest.fixture
def silent() -> Iterator[Silent]:
    host = Silent()
    yield host
    host.stop()


def processes_about(text: str) -> list[str]:
    """The command lines on this machine that name something; none where the system does not tell."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if text in line:
            found.append(line)
    return found


@pytest.mark.parametrize("protocol", ["http", "ssh"])
def test_a_peer_that_says_nothing_keeps_nobody(protocol: str, silent: Silent, program: str, tmp_path: Path) -> None:
    """The command ends while the host still hangs, and everything that was started or made to reach it is gone."""
    alice = Person("alice", tmp_path).set_up()
    (tmp_path / "scratch").mkdir()
    alice.runtime.environ["TMPDIR"] = str(tmp_path / "scratch")  # type: ignore[index]
    address = {"http": f"http://127.0.0.1:{silent.port}/x.git", "ssh": f"ssh://me@127.0.0.1:{silent.port}/x.git"}
    know(alice, {"hangs": address[protocol]})
    found = alice.types(program, "relay", "probe", "--timeout", "1", "--json").told
    assert found["peers"]["hangs"]["reachable"] is False
    assert silent.connections
    assert silent.is_left()
    assert processes_about(f"127.0.0.1:{silent.port}") == []
    assert processes_about(f"-p {silent.port}") == []
    assert list((tmp_path / "scratch").iterdir()) == []


def test_whoever_leaves_the_interpreter_is_not_kept(silent: Silent, tmp_path: Path) -> None:
    """Also where nothing but the probe limits the time: no thread is waited for."""
    alice = Person("alice", tmp_path).set_up()
    know(alice, {"hangs": f"http://127.0.0.1:{silent.port}/x.git"})
    script = tmp_path / "probe.py"
    script.write_text(
        "from pathlib import Path\n"
        "from relay.people import Person\n"
        f"found = Person.at('alice', Path({str(tmp_path)!r})).probe(timeout_seconds=0.5)\n"
        "print(found.peers['hangs']['error'])\n"
    )
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])}
    done = subprocess.run([sys.executable, script], env=environ, capture_output=True, check=False, timeout=45)
    assert done.stdout.decode().strip() == "no answer within 0.5 seconds", done.stderr.decode()
    assert silent.is_left()


# --- only what may have changed -------------------------------------------------------------------------------


@pytest.mark.slow
def test_two_thousand_deposits_of_others_do_not_make_a_look_dearer(github: GitHub, tmp_path: Path) -> None:
    """In our relay and in theirs: while nothing changes a look costs next to nothing, and little when others write."""
    ada = AtGitHub("ada", github, tmp_path, ["ben"]).set_up()
    ben = AtGitHub("ben", github, tmp_path, ["ada"]).set_up()
    ada.pair(ben)

    def cost(wire: Wire) -> int:
        wire.forget()
        ada.probe()
        traffic = wire.traffic()
        return traffic.up + traffic.down

    for one in (ada, ben):
        one.fill(20, 100)
    assert cost(github.wire) < 20_000
    assert cost(github.wire) < 8_000
    ben.fill(21, 1)
    assert cost(github.wire) < 14_000
    ada.fill(22, 1)
    assert cost(github.wire) < 14_000
    assert cost(github.wire) < 8_000
    github.wire.forget()
    (delivered,) = ada.push("ben")
    traffic = github.wire.traffic()
    assert traffic.up + traffic.down < delivered.bytes_sent * 1.5 + (64 << 10)


def seen(person: Person) -> dict[str, dict[str, Any]]:
    """What `state.json` says of peers, without how it is remembered."""
    peers: dict[str, dict[str, Any]] = read_state(person.runtime).raw["peers"]
    told = (
        "pending_packages",
        "undelivered",
        "reachable",
        "error",
        "answer",
        "other_key",
        "successor",
        "receipts_seen",
    )
    return {name: {field: fields.get(field) for field in told} for name, fields in peers.items()}


def test_what_is_remembered_makes_no_difference(tmp_path: Path) -> None:
    """After whatever has happened in either relay, a look that remembers sees what one sees that does not."""
    alice, ben, carol = (InGit(name, tmp_path).set_up() for name in ("alice", "ben", "carol"))
    alice.pair(ben)
    advanced: list[str] = []

    def look() -> dict[str, dict[str, Any]]:
        advanced.extend(str(one["status"]) for one in alice.probe().advanced)
        first = seen(alice)
        for name in first:
            change_state(
                alice.runtime, lambda state, name=name: state.with_peer(name, {"seen_here": 0, "seen_there": 0})
            )  # type: ignore[misc]
        advanced.extend(str(one["status"]) for one in alice.probe().advanced)
        assert seen(alice) == first
        return first

    assert look()["ben"]["pending_packages"] == 0
    ben.push("alice")
    assert look()["ben"]["pending_packages"] == 1
    alice.push("ben")
    assert look()["ben"]["undelivered"] == 1
    assert [one.status for one in ben.pull()] == ["received"]
    assert look()["ben"]["undelivered"] == 0
    assert advanced == ["applied"]
    ben.relay.change([Put("inbox/other/a.walnut", b"a"), Put(f"keys/{ben.name}.pem", b"none", replaces=True)])
    assert look()["ben"]["other_key"] == "none"
    forget("ben", alice.runtime)
    assert look()["ben"]["other_key"] == "none"
    carol.accept(alice.invite("carol"))
    assert look()["carol"]["answer"]["is_proven"] is True
    (delivered,) = alice.push("ben")
    ben.relay.change(removes=[delivered.outgoing.deposit])
    look()
    assert SentRegister.read(alice.runtime).deliveries[-1]["status"] == "gone"


def test_what_came_while_a_pull_was_under_way_is_counted(tmp_path: Path) -> None:
    """A pull counts what it has left of what it saw; what a look saw meanwhile is not forgotten for good."""
    alice, ben = (InGit(name, tmp_path).set_up() for name in ("alice", "ben"))
    alice.pair(ben)
    ben.push("alice")
    listing = alice.relay.list()
    ben.push("alice")
    assert alice.probe().peers["ben"]["pending_packages"] == 2
    note_waiting(listing, (), alice.we, alice.runtime)
    assert seen(alice)["ben"]["pending_packages"] == 1
    assert alice.probe().peers["ben"]["pending_packages"] == 2


def test_what_did_not_come_today_comes_tomorrow(tmp_path: Path) -> None:
    """A network that breaks off while receipts and answers are read loses none, although nothing changes meanwhile."""

    class Breaking(GitTransport):
        def read(self, entry: Entry, output: BinaryIO, *, limit: int, progress: Progress | None = None) -> None:
            if entry.name.startswith(("receipts/", "inbox/")):
                raise RelayError("relay-unreachable", "the connection broke off", untouched="everything")
            super().read(entry, output, limit=limit, progress=progress)

    alice, ben = (InGit(name, tmp_path).set_up() for name in ("alice", "ben"))
    alice.pair(ben)
    alice.push("ben")
    ben.pull()
    Person("carol", tmp_path).set_up().accept(alice.invite("carol"))
    whole = alice.reach
    alice.reach = lambda url: Breaking(url, alice.runtime)
    for _ in range(2):
        found = alice.probe()
        assert (found.peers["ben"]["error"], found.peers["carol"].get("answer")) == ("the connection broke off", None)
    alice.reach = whole
    found = alice.probe()
    assert [one["status"] for one in found.advanced] == ["applied"]
    assert found.peers["carol"]["answer"]["handle"] == "carol"


def test_more_receipts_than_are_read_at_once_are_read_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Although nothing has changed in the relay since."""
    monkeypatch.setattr(receipts, "_MOST", 1)
    alice, ben = (InGit(name, tmp_path).set_up() for name in ("alice", "ben"))
    alice.pair(ben)
    for name in ("a", "b"):
        alice.push("ben", alice.packed(f"{name}.walnut"))
        ben.pull()
    assert [len(alice.probe().advanced) for _ in range(3)] == [1, 1, 0]
