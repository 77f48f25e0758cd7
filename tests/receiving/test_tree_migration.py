"""`migrate` on trees that were tampered with, on walnuts, and killed in between (receive.md §8)."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from alive_p2p import files
from alive_p2p.errors import AliveP2PError, BusyError, FileSystemError, UsageError, WalnutError
from alive_p2p.locks import walnut_lock
from alive_p2p.receiving.plan import MigrationResult
from alive_p2p.receiving.tree_migration import migrate_tree
from alive_p2p.runtime import Runtime
from worlds import KEY, NOVA, plant, tree_of

MANIFEST = b"goal: x\n"
TREE = {
    "_kernel/key.md": KEY,
    "_kernel/_generated/now.json": b"{}",
    "_kernel/_generated/deep/x.json": b"{}",
    "bundles/a/context.manifest.yaml": MANIFEST,
    "bundles/a/tasks.md": b"# T\n- [ ] one @abc\n",
    "bundles/b/context.manifest.yaml": MANIFEST,
    "bundles/b/tasks.md": b"- [x] two\n",
    "bundles/b/raw/": b"",
    "bundles/z-imported/": b"",
    "bundles/loose.md": b"loose\n",
    "bundles/z.md": b"z\n",
    "b/mine.md": b"mine\n",
    "z.md": b"mine\n",
    "c/context.manifest.yaml": MANIFEST,
    "c/tasks.md": b"- [ ] three\nremark\n",
}


@pytest.mark.parametrize("kind", [KeyboardInterrupt, OSError])
@pytest.mark.parametrize("mark", ["projection", "bundles", "nothing"])
def test_stopped_anywhere_and_run_again_it_ends_the_same(
    kind: type[BaseException], mark: str, tmp_path: Path, make_runtime: Callable[..., Runtime]
) -> None:
    """Before every operation once; what is there after the next run is what an undisturbed run makes."""
    tree = dict(TREE)
    if mark != "projection":
        tree = {path: content for path, content in tree.items() if "_generated" not in path}
    if mark == "nothing":
        tree = {path: content for path, content in tree.items() if "context.manifest" not in path}
    whole = plant(tmp_path / "whole", tree)
    migrate_tree(whole, make_runtime())
    for n in range(1, 100):
        root = plant(tmp_path / f"{mark}-{n}", tree)
        count = [0]

        def disturb(
            _operation: str, paths: tuple[Path, ...], root: Path = root, count: list[int] = count, n: int = n
        ) -> None:
            if any(root in (path, *path.parents) for path in paths):
                count[0] += 1
                if count[0] == n:
                    raise kind(errno.EIO, "disturbed")

        files.watch(disturb)
        try:
            migrate_tree(root, make_runtime())
        except (KeyboardInterrupt, FileSystemError):
            pass
        finally:
            files.watch(None)
        migrate_tree(root, make_runtime())
        assert tree_of(root) == tree_of(whole), f"at {n}"
        assert migrate_tree(root, make_runtime())[0].actions == ()
        if count[0] < n:
            return
    raise AssertionError("it never came to an end")


def test_what_appears_meanwhile_is_never_replaced(tmp_path: Path, runtime: Runtime) -> None:
    """A folder that takes a name between looking and doing stays as it is."""
    root = plant(tmp_path / "tree", TREE)

    def appear(operation: str, paths: tuple[Path, ...]) -> None:
        if operation == "rename" and paths[1] == root / "a":
            plant(root / "a", {"somebody.md": b"else"})

    files.watch(appear)
    try:
        with pytest.raises(FileSystemError):
            migrate_tree(root, runtime)
    finally:
        files.watch(None)
    assert (root / "a" / "somebody.md").read_bytes() == b"else"
    assert (root / "bundles" / "a" / "tasks.md").is_file()
    assert migrate_tree(root, runtime)[0].bundles_migrated == ("a-imported", "b-imported")


def test_two_names_taken_is_an_error_that_touches_nothing(tmp_path: Path, runtime: Runtime) -> None:
    """Every one of them is named, with both places."""
    root = plant(
        tmp_path / "tree",
        {**TREE, "b-imported": b"f", "A/x": b"x", "a-IMPORTED/x": b"x", "bundles/_kernel/key.md": KEY},
    )
    before = tree_of(root)
    result, _ = migrate_tree(root, runtime)
    assert result == MigrationResult(
        errors=(
            "'bundles/_kernel' would become part of the kernel",
            "'bundles/a' cannot be moved to the root: 'a' and 'a-imported' are there already",
            "'bundles/b' cannot be moved to the root: 'b' and 'b-imported' are there already",
        )
    )
    assert tree_of(root) == before


# --- links and what belongs elsewhere -----------------------------------------------------------------------------


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder that links of hostile trees lead to."""
    return plant(
        tmp_path / "outside",
        {
            "a/context.manifest.yaml": MANIFEST,
            "a/tasks.md": b"- [ ] one\n",
            "tasks.md": b"- [ ] one\n",
            "context.manifest.yaml": MANIFEST,
            "_generated/now.json": b"{}",
            f".alive-p2p-{'0' * 16}.tmp": b"t",
        },
    )


@pytest.mark.parametrize(
    "link",
    [
        "bundles",
        "bundles/l",
        "l",
        "bundles/a/tasks.md",
        "bundles/a/tasks.json",
        "bundles/a/tasks.md.migrated",
        "bundles/a/context.manifest.yaml",
        "_kernel/_generated",
    ],
)
@pytest.mark.parametrize("to", [".", "a", "tasks.md", "nothing"])
def test_no_link_is_followed(link: str, to: str, outside: Path, tmp_path: Path, runtime: Runtime) -> None:
    """Wherever it lies and whatever it leads to: nothing outside changes, and nothing of it comes in."""
    tree = {path: content for path, content in TREE.items() if path.split("/")[0] != link and path != link}
    tree = {path: content for path, content in tree.items() if not path.startswith(f"{link}/")}
    root = plant(tmp_path / "tree", tree)
    (root / link).symlink_to(outside / to)
    before = tree_of(outside)
    result, _ = migrate_tree(root, runtime)
    assert tree_of(outside) == before
    assert result.errors == ()
    links = [path for path in root.rglob("*") if path.is_symlink()]
    assert len(links) == (0 if link == "_kernel/_generated" else 1)
    after = tree_of(root)
    migrate_tree(root, runtime)
    assert tree_of(root) == after


def test_a_kernel_that_is_a_link_is_refused(outside: Path, tmp_path: Path, runtime: Runtime) -> None:
    """Nothing is swept or dropped where it leads."""
    root = plant(tmp_path / "tree", {"bundles/a/context.manifest.yaml": MANIFEST})
    (root / "_kernel").symlink_to(outside)
    before = tree_of(outside), tree_of(root)
    with pytest.raises(WalnutError, match="symbolic link"):
        migrate_tree(root, runtime)
    assert (tree_of(outside), tree_of(root)) == before


def test_what_is_no_file_stays(tmp_path: Path, runtime: Runtime) -> None:
    """A pipe in the container is told of, and nobody waits for it."""
    root = plant(tmp_path / "tree", TREE)
    os.mkfifo(root / "bundles" / "pipe")
    result, _ = migrate_tree(root, runtime)
    assert "'bundles/pipe' is neither a file nor a folder and stays where it is" in result.warnings
    assert [path.name for path in (root / "bundles").iterdir()] == ["pipe"]
    assert migrate_tree(root, runtime)[0].actions == ()


def test_nothing_becomes_a_repository_a_world_or_an_instruction(tmp_path: Path, runtime: Runtime) -> None:
    """What would be obeyed at the root is inert there, or stays."""
    hostile = {
        "bundles/.git/config": b"x",
        "bundles/.ALIVE/x": b"x",
        "bundles/CLAUDE.md": b"obey",
        "bundles/.claude/x": b"x",
    }
    root = plant(tmp_path / "tree", {**TREE, **hostile})
    result, _ = migrate_tree(root, runtime)
    names = {path.name for path in root.iterdir()}
    assert {"CLAUDE.md.received", ".claude.received", "bundles"} <= names
    assert not {"CLAUDE.md", ".claude", ".git", ".ALIVE"} & names
    assert sum("belongs to a world, a repository" in warning for warning in result.warnings) == 2


def test_a_folder_that_is_only_called_bundles_is_left_alone(tmp_path: Path, runtime: Runtime) -> None:
    """In a tree of the present layout it is live context."""
    root = plant(
        tmp_path / "tree", {"_kernel/key.md": KEY, "a/context.manifest.yaml": MANIFEST, "bundles/list.md": b"x"}
    )
    before = tree_of(root)
    assert migrate_tree(root, runtime)[0] == MigrationResult()
    assert tree_of(root) == before


# --- what it is not for -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mark", ["_kernel/imports.json", "_kernel/.p2p/", ".alive/"])
def test_walnuts_in_use_and_worlds_are_refused(mark: str, tmp_path: Path, runtime: Runtime) -> None:
    """Whatever lies there keeps its place."""
    root = plant(tmp_path / "tree", {**NOVA, **TREE, mark: b"{}"})
    before = tree_of(root)
    with pytest.raises(WalnutError) as refused:
        migrate_tree(root, runtime)
    assert refused.value.untouched == "everything"
    assert tree_of(root) == before


@pytest.mark.parametrize("place", ["nothing", "file"])
def test_a_tree_that_is_not_there_is_wrong_usage(place: str, tmp_path: Path, runtime: Runtime) -> None:
    """Exit code 2."""
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(UsageError):
        migrate_tree(tmp_path / place, runtime)


def test_one_at_a_time(tmp_path: Path, runtime: Runtime) -> None:
    """The lock is that of every command."""
    root = plant(tmp_path / "tree", TREE)
    before = tree_of(root)
    with walnut_lock(root, "receive", runtime), pytest.raises(BusyError):
        migrate_tree(root, runtime)
    assert tree_of(root) == before


@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_tree_that_may_not_be_changed_is_our_error(tmp_path: Path, runtime: Runtime) -> None:
    """With its name; nothing has happened."""
    root = plant(tmp_path / "tree", TREE)
    root.chmod(0o500)
    before = tree_of(root)
    try:
        with pytest.raises(AliveP2PError, match="permission denied"):
            migrate_tree(root, runtime)
        assert tree_of(root) == before
    finally:
        root.chmod(0o700)
