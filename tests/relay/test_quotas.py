"""How much of one peer a pull takes (relay.md §4): the rest is told and left, and others are received."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from alive_p2p.relay.collecting import Quota
from alive_p2p.relay.transports.base import Entry, Listing
from relay.people import Person


@pytest.fixture
def alice(tmp_path: Path) -> Person:
    return Person("alice", tmp_path).set_up()


@pytest.fixture
def ben(tmp_path: Path, alice: Person) -> Person:
    made = Person("ben", tmp_path).set_up()
    alice.pair(made)
    return made


class WithoutSizes:
    """A relay whose host tells no sizes, as with git; counts what is fetched of packages."""

    def __init__(self, relay: Any) -> None:
        self._relay = relay
        self.fetched: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._relay, name)

    def list(self, folder: str = "") -> Listing:
        listing = self._relay.list(folder)
        return Listing({name: replace(one, size=None) for name, one in listing.entries.items()}, listing.oddities)

    def read(self, entry: Entry, output: Any, *, limit: int, progress: Any = None) -> None:
        if entry.name.endswith(".walnut"):
            self.fetched.append(entry.name)
        self._relay.read(entry, output, limit=limit, progress=progress)


def send(alice: Person, count: int) -> int:
    """Send the same package so often, each a minute after the other; the size that all have."""
    package = alice.packed()
    for _ in range(count):
        alice.clock.moment = alice.clock.moment.replace(minute=alice.clock.moment.minute + 1)
        (sent,) = alice.push("ben", package)
    return sent.outgoing.size


def blind(person: Person) -> WithoutSizes:
    """From now on their relay tells no sizes."""
    relay = WithoutSizes(person.relay)
    person.reach = lambda _: relay  # type: ignore[return-value,assignment]
    return relay


def test_so_many_files_of_one_peer_are_taken(alice: Person, ben: Person) -> None:
    """The oldest first; the others when those are gone."""
    send(alice, 3)
    done = ben.pull(quota=Quota(most_files=2))
    assert [one.status for one in done] == ["received", "here", "held"]
    assert "more than 2 of theirs" in str(done[2].error)
    assert [one.status for one in ben.pull(quota=Quota(most_files=2))] == ["here"]


@pytest.mark.parametrize("are_sizes_known", [True, False])
def test_so_many_bytes_of_one_peer_are_taken(alice: Person, ben: Person, are_sizes_known: bool) -> None:
    """All that a pull takes of a peer is counted together, and not package by package."""
    size = send(alice, 3)
    if not are_sizes_known:
        blind(ben)
    limit = 2 * size + size // 2
    done = ben.pull(quota=Quota(most_bytes=limit), limit=limit)
    assert [one.status for one in done] == ["received", "here", "held"]
    assert f"more than {limit:,} bytes of theirs at once" in str(done[2].error)
    assert [one.status for one in ben.pull(quota=Quota(most_bytes=limit), limit=limit)] == ["here"]


def test_what_is_named_is_taken_however_many_wait(alice: Person, ben: Person) -> None:
    """Only what is named counts then."""
    size = send(alice, 3)
    last = ben.waiting()[-1].deposit.name
    done = ben.pull(names=[last], quota=Quota(1, size), limit=size)
    assert [one.status for one in done] == ["received"]


def test_the_quota_of_one_is_not_that_of_another(alice: Person, ben: Person, tmp_path: Path) -> None:
    """Whoever fills the relay keeps nobody else's packages away."""
    carol = Person("carol", tmp_path).set_up()
    ben.pair(carol)
    size = send(alice, 2)
    carol.push("ben")
    limit = size + size // 2
    done = ben.pull(quota=Quota(most_bytes=limit), limit=limit)
    by_folder = [(one.waiting.deposit.folder, "at once" in str(one.error)) for one in done]
    assert by_folder == [("alice", False), ("alice", True), ("carol", False)]


def test_what_is_too_large_is_fetched_in_vain_once(alice: Person, ben: Person) -> None:
    """The host tells no size, so it is seen when too much has come; from then on it is known."""
    size = send(alice, 1)
    relay = blind(ben)
    for _ in range(3):
        (done,) = ben.pull(quota=Quota(most_bytes=size - 1), limit=size - 1)
        assert done.status == "held"
        assert f"{size - 1:,} bytes" in str(done.error)
    assert len(relay.fetched) == 1
    assert [one.status for one in ben.pull()] == ["received"]


def test_what_came_in_vain_is_counted(alice: Person, ben: Person) -> None:
    """Bytes that were thrown away are bytes that were fetched: nobody gets as many as they like by sending junk."""
    size = send(alice, 3)
    relay = blind(ben)
    for note in sorted((ben.relay_folder / "inbox" / "alice").glob("*.walnut"))[:2]:
        note.write_bytes(b"x" * size)  # not what its note says
    limit = 2 * size
    done = ben.pull(quota=Quota(most_bytes=limit), limit=limit)
    assert [one.status for one in done] == ["failed", "failed", "held"]
    assert "at once" in str(done[2].error)
    assert len(relay.fetched) == 2
