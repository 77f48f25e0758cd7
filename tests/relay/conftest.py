"""Hosts for relays, each test's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from relay.github import GitHub


@pytest.fixture
def github(tmp_path: Path) -> Iterator[GitHub]:
    """A GitHub without anybody."""
    with GitHub(tmp_path) as site:
        yield site
