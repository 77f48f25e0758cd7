"""Bundles in walnuts of every layout (share.md §2)."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alive_p2p.errors import WalnutError
from alive_p2p.walnut.bundles import NOT_SEARCHED, containing, discover, top_level
from alive_p2p.walnut.key import Sensitivity
from alive_p2p.walnut.tasks import TaskCounts
from alive_p2p.walnut.walnut import Walnut

MANIFEST = "context.manifest.yaml"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    put(tmp_path / "nova", "_kernel/key.md", "---\ntype: venture\n---\n")
    return tmp_path / "nova"


def put(root: Path, path: str, text: str | bytes = "") -> Path:
    place = root / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(text if isinstance(text, bytes) else text.encode())
    return place


def found(root: Path) -> dict[str, bool]:
    """Path of each bundle, and whether it is top-level."""
    return {bundle.relpath: bundle.is_top_level for bundle in discover(Walnut(root))}


def test_every_layout_is_understood(root: Path) -> None:
    """Flat, in `bundles/`, and in `_core/_capsules/` with `companion.md`: all top-level, in order of their path."""
    put(root, f"flat/{MANIFEST}")
    put(root, f"bundles/second/{MANIFEST}")
    put(root, "_core/_capsules/first/companion.md")
    assert found(root) == {"_core/_capsules/first": True, "bundles/second": True, "flat": True}
    assert {bundle.name: bundle.manifest_name for bundle in discover(Walnut(root))} == {
        "first": "companion.md",
        "second": MANIFEST,
        "flat": MANIFEST,
    }
    assert list(found(root)) == sorted(found(root))


def test_a_manifest_counts_before_a_companion(root: Path) -> None:
    """A bundle that was upgraded may keep the old file."""
    put(root, f"a/{MANIFEST}", "goal: new")
    put(root, "a/companion.md", "---\ngoal: old\n---\n")
    (bundle,) = discover(Walnut(root))
    assert bundle.fields == {"goal": "new"}


def test_nested_bundles_are_found_and_are_not_top_level(root: Path) -> None:
    """Inside another, inside live context, inside `bundles/x/`: they travel with what is around them."""
    for place in ("a", "a/b", "a/b/c", "engineering/d", "bundles/e", "bundles/e/f", "bundles/g/h", "_core/i"):
        put(root, f"{place}/{MANIFEST}")
    assert found(root) == {
        "_core/i": False,
        "a": True,
        "a/b": False,
        "a/b/c": False,
        "bundles/e": True,
        "bundles/e/f": False,
        "bundles/g/h": False,
        "engineering/d": False,
    }
    inside = containing(discover(Walnut(root)), "a/b/c/notes.md")
    assert [bundle.relpath for bundle in inside] == ["a", "a/b", "a/b/c"]
    assert containing(discover(Walnut(root)), "a") == []
    assert containing(discover(Walnut(root)), "ab/c") == []


@pytest.mark.parametrize("name", [*sorted(NOT_SEARCHED), ".hidden", ".git"])
def test_a_skipped_folder_is_not_searched(root: Path, name: str) -> None:
    """Neither is it a bundle, nor is anything in it, at any depth."""
    put(root, f"{name}/{MANIFEST}")
    put(root, f"{name}/inside/{MANIFEST}")
    put(root, f"a/{name}/inside/{MANIFEST}")
    assert found(root) == {}


def test_a_nested_walnut_is_not_searched(root: Path) -> None:
    """It is a walnut of its own, and so are its bundles."""
    put(root, "child/_kernel/key.md")
    put(root, f"child/{MANIFEST}")
    put(root, f"child/inner/{MANIFEST}")
    put(root, f"a/{MANIFEST}")
    put(root, "a/child/_kernel/key.md")
    put(root, f"a/child/inner/{MANIFEST}")
    assert found(root) == {"a": True}


def test_links_are_not_followed(root: Path, tmp_path: Path) -> None:
    """Neither a linked folder nor a linked manifest makes a bundle, and a loop ends."""
    put(tmp_path, f"outside/bundle/{MANIFEST}")
    (root / "linked").symlink_to(tmp_path / "outside" / "bundle")
    (root / "loop").symlink_to(root)
    (root / "false").mkdir()
    (root / "false" / MANIFEST).symlink_to(tmp_path / "outside" / "bundle" / MANIFEST)
    (root / "folder" / MANIFEST).mkdir(parents=True)
    (root / "fifo").mkdir()
    os.mkfifo(root / "fifo" / MANIFEST)
    assert found(root) == {}


def test_the_walnut_itself_is_no_bundle(root: Path) -> None:
    """A manifest at its root is a file like others."""
    put(root, MANIFEST)
    assert found(root) == {}


def test_depth_is_bounded(root: Path) -> None:
    """A thousand folders in each other end somewhere."""
    deep = root
    for _ in range(40):
        deep = deep / "d"
    put(deep, MANIFEST)
    assert found(root) == {}
    put(root, f"d/d/d/{MANIFEST}")
    assert found(root) == {"d/d/d": False}


def test_names_that_are_not_utf_8_are_no_obstacle(root: Path) -> None:
    """They are found under the name the system gives."""
    folder = Path(os.fsdecode(os.fsencode(root) + b"/caf\xe9"))
    folder.mkdir()
    (folder / MANIFEST).touch()
    assert found(root) == {"caf\udce9": True}


def test_the_same_name_at_two_places_names_both(root: Path) -> None:
    """Which of them is meant cannot be known."""
    put(root, f"review/{MANIFEST}")
    put(root, f"bundles/review/{MANIFEST}")
    with pytest.raises(WalnutError, match=r"'bundles/review' and 'review'") as refused:
        top_level(discover(Walnut(root)))
    assert refused.value.code == "bundle-twice"


def test_a_nested_namesake_is_no_obstacle(root: Path) -> None:
    """Only top-level names have to differ."""
    put(root, f"review/{MANIFEST}")
    put(root, f"review/review/{MANIFEST}")
    put(root, f"notes/review/{MANIFEST}")
    assert list(top_level(discover(Walnut(root)))) == ["review"]


def test_what_a_bundle_says(root: Path) -> None:
    """Goal, sensitivity and tasks come from its files."""
    put(root, f"a/{MANIFEST}", "goal: review\nsensitivity: restricted\n")
    put(root, "a/tasks.json", '{"tasks": [{"status": "active"}, {"status": "done"}]}')
    (bundle,) = discover(Walnut(root))
    assert bundle.fields["goal"] == "review"
    assert bundle.problem is None
    assert bundle.sensitivity is Sensitivity.RESTRICTED
    assert bundle.tasks == TaskCounts(active=1, done=1)


@pytest.mark.parametrize("name", [MANIFEST, "companion.md"])
def test_a_manifest_that_cannot_be_parsed_says_restricted_all_the_same(root: Path, name: str) -> None:
    """The stricter reading holds, and the problem is told."""
    text = "goal: [\nsensitivity: restricted\n"
    put(root, f"a/{name}", text if name == MANIFEST else f"---\n{text}---\n# A\n")
    (bundle,) = discover(Walnut(root))
    assert bundle.fields == {}
    assert bundle.problem
    assert bundle.sensitivity is Sensitivity.RESTRICTED


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbfsensitivity: restricted\nbroken: [",
        "sensitivity: restricted\ngoal: x\n".encode("utf-16"),
        b"sensitivity: !!str restricted\n",
        b"goal: &goal x\n{sensitivity: restricted}",
    ],
    ids=["byte-order mark", "UTF-16", "a tag", "flow"],
)
def test_a_manifest_in_another_encoding_or_style_is_restricted_all_the_same(root: Path, data: bytes) -> None:
    """Where it cannot be parsed and the word is in it, it holds."""
    put(root, f"a/{MANIFEST}", data)
    (bundle,) = discover(Walnut(root))
    assert bundle.sensitivity is Sensitivity.RESTRICTED


def test_a_manifest_that_is_too_large_is_restricted(root: Path) -> None:
    """What cannot be read may say anything."""
    place = put(root, f"a/{MANIFEST}", "sensitivity: open\n")
    os.truncate(place, 17 << 20)  # sparse: no such size is written
    (bundle,) = discover(Walnut(root))
    assert bundle.sensitivity is Sensitivity.RESTRICTED
    assert bundle.problem


@given(st.binary(max_size=60), st.sampled_from([MANIFEST, "companion.md"]))
def test_a_manifest_of_any_bytes_is_read(data: bytes, name: str) -> None:
    """Reading never raises."""
    with tempfile.TemporaryDirectory() as folder:
        put(Path(folder), f"a/{name}", data)
        (bundle,) = discover(Walnut(Path(folder)))
        assert bundle.sensitivity in Sensitivity
        assert isinstance(dict(bundle.fields), dict)


def test_a_folder_that_may_not_be_entered_is_no_obstacle() -> None:
    """It is left out by whoever selects, and never ends the command with a traceback."""
    folder = Path(tempfile.mkdtemp(prefix="alive-p2p-test-"))
    as_root = os.geteuid() == 0
    try:
        put(folder, "_kernel/key.md", "---\n---\n")
        put(folder, f"a/{MANIFEST}")
        (folder / "closed").mkdir()
        if as_root:
            for place in (folder, folder / "closed"):
                os.chown(place, 65534, 65534)
            os.seteuid(65534)
        (folder / "closed").chmod(0)
        assert found(folder) == {"a": True}
    finally:
        if as_root:
            os.seteuid(0)
        (folder / "closed").chmod(0o700)
        shutil.rmtree(folder)
