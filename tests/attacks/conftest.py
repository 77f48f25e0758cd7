"""What the attacks share: a fresh arena, and a key for what is sealed."""

from pathlib import Path

import pytest
from arena import Arena
from seals import Receiver


@pytest.fixture
def arena(tmp_path: Path) -> Arena:
    """A receiver's world with canaries around it."""
    return Arena(tmp_path)


@pytest.fixture(scope="session")
def receiver() -> Receiver:
    """A receiver with a key of 2,048 bits, which is quickly made."""
    return Receiver()
