"""Hosts for relays, each test's own."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from relay import bucket
from relay.github import GitHub
from relay.strict import StrictHost, require_sshd


@pytest.fixture(scope="session", autouse=True)
def _stores() -> Iterator[None]:
    """A store that was started for a test ends with the session."""
    yield
    bucket.stop()


@pytest.fixture
def github(tmp_path: Path) -> Iterator[GitHub]:
    """A GitHub without anybody."""
    if os.name != "posix":
        pytest.skip("git over HTTP is served through POSIX process groups, and gh through a socket in the file system")
    with GitHub(tmp_path) as site:
        yield site


@pytest.fixture
def strict(tmp_path: Path) -> Iterator[StrictHost]:
    """A host of Ada's own, with her relay in it."""
    require_sshd()
    with StrictHost(tmp_path, owner="ada") as host:
        yield host
