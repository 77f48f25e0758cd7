"""Finding a walnut by its path, or saying why there is none (share.md §1)."""

import os
from pathlib import Path

import pytest

from alive_p2p.errors import AliveP2PError, FileSystemError, UsageError, WalnutError
from alive_p2p.walnut.walnut import open_walnut
from alive_p2p.walnut.world import looks_like_walnut


def make(root: Path) -> Path:
    (root / "_kernel").mkdir(parents=True)
    (root / "_kernel" / "key.md").write_text("---\ntype: venture\n---\n")
    return root


def refusal(path: Path) -> AliveP2PError:
    with pytest.raises(AliveP2PError) as refused:
        open_walnut(path)
    assert refused.value.hint
    return refused.value


def test_a_walnut_is_found_by_its_real_path(tmp_path: Path) -> None:
    """Also through a link, with `..` on the way, and with a name in any script."""
    root = make(tmp_path / "ノヴァ")
    (tmp_path / "link").symlink_to(root)
    assert open_walnut(root).root == root
    assert open_walnut(tmp_path / "link").root == root
    assert open_walnut(root / "_kernel" / "..").root == root
    assert open_walnut(root).name == "ノヴァ"
    assert open_walnut(root).key.fields == {"type": "venture"}
    assert open_walnut(root).read_kernel("_kernel/log.md") is None


def test_nothing_there_is_wrong_usage(tmp_path: Path) -> None:
    """Exit code 2, with the path as it was given."""
    (tmp_path / "file").touch()
    for path in (tmp_path / "missing", tmp_path / "file" / "below", tmp_path / "missing" / ".."):
        error = refusal(path)
        assert isinstance(error, UsageError)
        assert error.code == "no-such-path"
        assert str(path) in error.message


def test_a_link_that_leads_in_a_circle_or_nowhere_is_wrong_usage(tmp_path: Path) -> None:
    """Without a traceback, on every version of Python."""
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    (tmp_path / "nowhere").symlink_to("missing")
    for name in ("loop", "a", "nowhere", "loop/below"):
        assert refusal(tmp_path / name).code == "no-such-path"
    assert refusal(tmp_path / ("n" * 5_000)).code == "no-such-path"


def test_a_path_with_a_nul_is_wrong_usage(tmp_path: Path) -> None:
    """A program that calls us may pass any text."""
    assert refusal(tmp_path / "a\0b").code == "no-such-path"


def test_a_file_is_no_walnut(tmp_path: Path) -> None:
    """Neither is a package."""
    (tmp_path / "nova.walnut").touch()
    error = refusal(tmp_path / "nova.walnut")
    assert isinstance(error, WalnutError)
    assert "is a file" in error.message


def test_a_world_is_no_walnut(tmp_path: Path) -> None:
    """The hint says to name one inside it."""
    (tmp_path / ".alive").mkdir()
    (tmp_path / "04_Ventures").mkdir()
    error = refusal(tmp_path)
    assert error.code == "is-a-world"
    assert "inside" in (error.hint or "")


def test_a_folder_without_a_key_is_no_walnut(tmp_path: Path) -> None:
    """Nor is one whose key is a folder, a FIFO, or a link that leads nowhere."""
    assert refusal(tmp_path).code == "not-a-walnut"
    (tmp_path / "a" / "_kernel" / "key.md").mkdir(parents=True)
    for name in ("b", "c"):
        (tmp_path / name / "_kernel").mkdir(parents=True)
    os.mkfifo(tmp_path / "b" / "_kernel" / "key.md")
    (tmp_path / "c" / "_kernel" / "key.md").symlink_to("nowhere")
    for name in ("a", "b", "c"):
        assert not looks_like_walnut(tmp_path / name)
        assert refusal(tmp_path / name).code == "not-a-walnut"


def test_a_key_of_the_oldest_layout_is_explained(tmp_path: Path) -> None:
    """Where it lies, and where it should."""
    (tmp_path / "_core").mkdir()
    (tmp_path / "_core" / "key.md").touch()
    assert refusal(tmp_path).code == "old-kernel"


def test_an_archived_walnut_is_not_shared(tmp_path: Path) -> None:
    """It has to be taken out of the archive first; a command that may look at it can."""
    root = make(tmp_path / "01_Archive" / "2025" / "nova")
    (tmp_path / "link").symlink_to(root)
    for path in (root, tmp_path / "link"):
        error = refusal(path)
        assert error.code == "archived"
        assert "01_Archive" in (error.hint or "")
    assert open_walnut(root, allow_archived=True).root == root


def test_a_key_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    """What it leads to could be anything."""
    (tmp_path / "_kernel").mkdir()
    (tmp_path / "elsewhere").write_text("---\n---\n")
    (tmp_path / "_kernel" / "key.md").symlink_to("../elsewhere")
    with pytest.raises(FileSystemError) as refused:
        open_walnut(tmp_path)
    assert refused.value.code == "symbolic-link"
