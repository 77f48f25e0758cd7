"""What the suites that trace the installed program need."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from crash import strace
from crash.system_calls import quick_folder


@pytest.fixture
def _traceable() -> None:
    strace.require()


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Path]:
    """A folder with room for thousands of runs."""
    with quick_folder(tmp_path) as folder:
        yield folder
