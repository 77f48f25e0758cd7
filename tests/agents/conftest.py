"""People whose agents are let loose."""

import shutil
from pathlib import Path

import pytest

from relay.people import Person


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
