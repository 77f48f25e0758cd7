"""What is refused, and what is accepted as which package, does not depend on who reads (docs/format.md).

The other reader is written from the page alone, so where the two differ, the program or the page is wrong.
"""

from pathlib import Path

import pytest
from mutations import Mutant

from alive_p2p.errors import PackageError
from alive_p2p.package.reader import PackageReader
from interop.other_archive import Refused
from interop.other_envelopes import read_package
from interop.other_manifest import import_id


def _ours(path: Path) -> str | None:
    try:
        with PackageReader(path) as reader:
            return reader.check().manifest.import_id
    except PackageError:
        return None


def _theirs(data: bytes) -> str | None:
    try:
        return import_id(read_package(data)[0])
    except Refused:
        return None


@pytest.mark.parametrize("batch", range(4))
def test_two_readers_agree_about_mutants(batch: int, tmp_path: Path) -> None:
    """Refused by both, or accepted by both with the same import id."""
    accepted = 0
    for number in range(60):
        mutant = Mutant(f"two-readers-{batch}-{number}")
        path = tmp_path / "mutant.walnut"
        path.write_bytes(mutant.package)
        ours, theirs = _ours(path), _theirs(mutant.package)
        assert ours == theirs, mutant.story
        accepted += ours is not None
    assert 0 < accepted < 60  # otherwise the mutations are of no use
