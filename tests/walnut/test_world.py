"""The world around a walnut (cli.md, "Environment")."""

import os
from pathlib import Path

import pytest

from alive_p2p.walnut import kernel
from alive_p2p.walnut.world import find_world, is_world, walnuts_in


def walnut(root: Path) -> Path:
    (root / "_kernel").mkdir(parents=True)
    (root / "_kernel" / "key.md").write_text("---\ntype: venture\n---\n")
    return root


def test_the_state_of_this_tool_does_not_make_the_home_folder_a_world(tmp_path: Path) -> None:
    """`~/.alive` alone, also with locks, relay and transactions inside, is no world."""
    for name in ("locks", "relay", "transactions"):
        (tmp_path / ".alive" / name).mkdir(parents=True)
    assert not is_world(tmp_path)
    assert find_world(tmp_path / "anything" / "below") != tmp_path


@pytest.mark.parametrize("mark", ["key.md", "preferences.yaml"])
def test_a_mark_with_a_key_or_preferences_makes_a_world(tmp_path: Path, mark: str) -> None:
    """An empty file is enough."""
    (tmp_path / ".alive").mkdir()
    (tmp_path / ".alive" / mark).touch()
    assert is_world(tmp_path)


def test_a_mark_with_sessions_makes_a_world(tmp_path: Path) -> None:
    """So does the folder of sessions."""
    (tmp_path / ".alive" / "_squirrels").mkdir(parents=True)
    assert is_world(tmp_path)


@pytest.mark.parametrize("name", kernel.WORLD_FOLDERS)
def test_a_mark_and_one_of_the_five_folders_make_a_world(tmp_path: Path, name: str) -> None:
    """The folder alone does not, and neither does a file of that name."""
    (tmp_path / "a" / name).mkdir(parents=True)
    assert not is_world(tmp_path / "a")
    (tmp_path / "a" / ".alive").mkdir()
    assert is_world(tmp_path / "a")
    (tmp_path / "b" / ".alive").mkdir(parents=True)
    (tmp_path / "b" / name).touch()
    assert not is_world(tmp_path / "b")


def test_a_mark_that_is_a_file_makes_no_world(tmp_path: Path) -> None:
    """`.alive` has to be a folder."""
    (tmp_path / ".alive").touch()
    (tmp_path / "02_Life").mkdir()
    assert not is_world(tmp_path)


def test_the_nearest_world_is_found(tmp_path: Path) -> None:
    """At the path or above it, the innermost one; also from a path that does not exist."""
    for world in (tmp_path, tmp_path / "04_Ventures" / "inner"):
        (world / ".alive").mkdir(parents=True)
        (world / ".alive" / "preferences.yaml").touch()
    inner = tmp_path / "04_Ventures" / "inner"
    assert find_world(inner / "a" / "b") == inner
    assert find_world(inner) == inner
    assert find_world(tmp_path / "04_Ventures") == tmp_path


def test_walnuts_are_found_in_order_and_also_inside_each_other(tmp_path: Path) -> None:
    """Hidden folders, the archive, build output and links are passed over."""
    wanted = [
        walnut(tmp_path / "02_Life" / "me"),
        walnut(tmp_path / "04_Ventures" / "nova"),
        walnut(tmp_path / "04_Ventures" / "nova" / "parts" / "engine"),
    ]
    for unwanted in (".hidden/x", "01_Archive/old", "02_Life/01_Archive/x", "a/node_modules/x", "b/__pycache__/x"):
        walnut(tmp_path / unwanted)
    walnut(tmp_path / "04_Ventures" / "nova" / "_kernel" / "inside")
    (tmp_path / "linked").symlink_to(wanted[0])
    (tmp_path / "loop").symlink_to(tmp_path)
    assert list(walnuts_in(tmp_path)) == wanted


def test_a_world_that_is_a_walnut_itself_comes_first(tmp_path: Path) -> None:
    """The folder that is asked about counts as well."""
    walnut(tmp_path)
    below = walnut(tmp_path / "a")
    assert list(walnuts_in(tmp_path)) == [tmp_path, below]


def test_depth_is_bounded(tmp_path: Path) -> None:
    """Six levels down and no further."""
    deep = tmp_path.joinpath(*"abcdef")
    assert list(walnuts_in(walnut(deep).parent.parent)) == [deep]
    walnut(deep / "g")
    assert list(walnuts_in(tmp_path)) == [deep]


def test_a_world_that_is_not_there_has_no_walnuts(tmp_path: Path) -> None:
    """No error: there is nothing to find. Names that are not UTF-8 are no obstacle."""
    assert list(walnuts_in(tmp_path / "missing")) == []
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    assert list(walnuts_in(walnut(odd).parent)) == [odd]
