"""People whose agents are let loose."""

import functools
import shutil
from pathlib import Path

import pytest

from alive_p2p.keys import own, private
from relay.people import Person

_read_once = functools.cache(private.load_private_key)
"""Reading a private key takes a quarter of a second, and gives the same every time."""


@pytest.fixture(autouse=True)
def _keys_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """In this process; the installed program reads them as it does."""
    monkeypatch.setattr(own, "load_private_key", _read_once)


@pytest.fixture
def alice(tmp_path: Path) -> Person:
    """Somebody with a world and a walnut, and without a key."""
    person = Person("alice", tmp_path)
    shutil.rmtree(person.runtime.alive_home / "relay" / "keys")
    person.walnut()
    return person


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Person, Person]:
    """Two people with keys and relays, who are peers; the first has a walnut."""
    ben = Person("ben", tmp_path).set_up()
    alice = Person("alice", tmp_path).set_up()
    alice.walnut()
    alice.pair(ben)
    return alice, ben
