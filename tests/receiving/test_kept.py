"""A package that cannot be brought forward without loss is kept unpacked beside its target (receive.md §2, row 6)."""

import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from alive_p2p import files
from alive_p2p.errors import PackageError, WalnutError
from alive_p2p.receiving.pipeline import preview, receive
from alive_p2p.receiving.plan import ReceivePlan, ReceiveRequest
from alive_p2p.receiving.tree_migration import migrate_tree
from alive_p2p.runtime import Runtime
from alive_p2p.transactions.recovery import Outcome, settle, unregistered
from worlds import KEY, NOVA, craft, nothing_left, plant, tree_of

TREE = {
    "_kernel/key.md": KEY,
    "_kernel/now.json": b"{}",
    "_kernel/imports.json": b"{}",
    "_kernel/_generated/x.json": b"{}",
    "bundles/a/context.manifest.yaml": b"goal: x\n",
    "bundles/a/tasks.md": b"# T\n- [ ] one\n",
    "bundles/a/CLAUDE.md": b"obey\n",
    "bundles/a/.git/config": b"[core]\n",
    "bundles/.alive/x": b"x",
    "a/mine.md": b"mine\n",
    "a-imported/theirs.md": b"theirs\n",
}
KEPT = {
    "_kernel/key.md": KEY,
    "bundles/a/context.manifest.yaml": b"goal: x\n",
    "bundles/a/tasks.md": b"# T\n- [ ] one\n",
    "bundles/a/CLAUDE.md.received": b"obey\n",
    "a/mine.md": b"mine\n",
    "a-imported/theirs.md": b"theirs\n",
}


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package whose bundle finds no name at the root."""
    return craft(tmp_path / "p.walnut", TREE, source_layout="v2")


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Where it is to be received."""
    (tmp_path / "place").mkdir()
    return tmp_path / "place" / "nova"


def kept_beside(target: Path) -> list[Path]:
    return sorted(target.parent.glob(".alive-receive-incomplete-*"))


def test_it_is_refused_and_kept_as_it_came(package: Path, target: Path, runtime: Runtime) -> None:
    """The folder is the tree, private; what is never installed is not in it, and what agents obey is inert."""
    with pytest.raises(PackageError, match="'a' and 'a-imported' are there already") as refused:
        receive(ReceiveRequest(package, target=target), runtime)
    (kept,) = kept_beside(target)
    assert not target.exists()
    assert kept.name == ".alive-receive-incomplete-20260407T101500Z"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o700
    assert {p.relative_to(kept).as_posix(): p.read_bytes() for p in kept.rglob("*") if p.is_file()} == KEPT
    assert f"alive-p2p migrate --staging {kept}" in str(refused.value.hint)
    assert (refused.value.code, refused.value.exit_code) == ("migration-collision", 1)
    assert [path.name for path in target.parent.iterdir()] == [kept.name]
    assert settle(runtime) == ()


def test_a_second_time_it_is_kept_beside_the_first(package: Path, target: Path, runtime: Runtime) -> None:
    """Nothing that was kept is replaced."""
    for _ in range(2):
        with pytest.raises(PackageError):
            receive(ReceiveRequest(package, target=target), runtime)
    assert [path.name[-3:] for path in kept_beside(target)] == ["00Z", "Z-2"]


def test_a_look_keeps_nothing(package: Path, target: Path, runtime: Runtime) -> None:
    """The preview says why, and nothing is written."""
    plan = preview(ReceiveRequest(package, target=target), runtime)
    assert plan.migration.errors == ("'bundles/a' cannot be moved to the root: 'a' and 'a-imported' are there already",)
    assert plan.migration.actions == ()
    assert list(target.parent.iterdir()) == []


def test_without_a_yes_nothing_is_kept(package: Path, target: Path, runtime: Runtime) -> None:
    """Whoever declines gets nothing."""

    def decline(plan: ReceivePlan) -> None:
        assert plan.migration.errors
        raise WalnutError("declined", "no")

    with pytest.raises(WalnutError):
        receive(ReceiveRequest(package, target=target), runtime, approve=decline)
    assert list(target.parent.iterdir()) == []


def test_a_target_that_is_there_is_refused_first(package: Path, target: Path, runtime: Runtime) -> None:
    """Nothing is kept of what could not be received anyway."""
    plant(target, {"mine.md": b"mine"})
    with pytest.raises(WalnutError):
        receive(ReceiveRequest(package, target=target), runtime)
    assert kept_beside(target) == []


def test_bundles_are_kept_beside_their_walnut(tmp_path: Path, target: Path, runtime: Runtime) -> None:
    """The walnut is not touched, and what is kept is nobody's walnut."""
    tree = {
        "_kernel/key.md": KEY,
        **{f"{place}/context.manifest.yaml": b"goal: x\n" for place in ("bundles/a", "a", "a-imported")},
    }
    package = craft(tmp_path / "p.walnut", tree, scope="bundle", bundles=["a", "a-imported"], source_layout="v2")
    before = tree_of(plant(target, {**NOVA, "_kernel/key.md": KEY}))
    for update in (False, True):
        with pytest.raises(PackageError, match="cannot be brought forward"):
            receive(ReceiveRequest(package, target=target, update=update), runtime)
    assert tree_of(target) == before
    assert len(kept_beside(target)) == 2
    found = unregistered(target, runtime)
    assert {(one.outcome, one.place) for one in found} == {(Outcome.FOREIGN, kept) for kept in kept_beside(target)}


def test_the_way_on_that_is_told_works(package: Path, target: Path, runtime: Runtime) -> None:
    """Rename one, bring it forward, and everything is there."""
    with pytest.raises(PackageError):
        receive(ReceiveRequest(package, target=target), runtime)
    (kept,) = kept_beside(target)
    result, _ = migrate_tree(kept, runtime)
    assert result.errors == ("'bundles/a' cannot be moved to the root: 'a' and 'a-imported' are there already",)
    (kept / "a-imported").rename(kept / "old")
    result, _ = migrate_tree(kept, runtime)
    assert result.bundles_migrated == ("a-imported",)
    assert result.tasks_converted == 1
    assert {path.name for path in kept.iterdir()} == {"_kernel", "a", "a-imported", "old"}


@pytest.mark.parametrize("raised", [KeyboardInterrupt, OSError])
def test_disturbed_at_any_moment_it_is_kept_or_nothing_is_left(
    raised: type[BaseException], package: Path, target: Path, make_runtime: Callable[..., Runtime]
) -> None:
    """An interrupt or a refusal of the disk before every operation."""
    for n in range(1, 200):
        count = [0]

        def disturb(_operation: str, paths: tuple[Path, ...], count: list[int] = count, n: int = n) -> None:
            if any(target.parent in path.parents for path in paths):
                count[0] += 1
                if count[0] == n:
                    raise raised(5, "disturbed")

        files.watch(disturb)
        try:
            receive(ReceiveRequest(package, target=target), make_runtime())
        except (KeyboardInterrupt, Exception) as error:  # noqa: BLE001
            is_whole = isinstance(error, PackageError) and count[0] < n
        finally:
            files.watch(None)
        for kept in kept_beside(target):
            assert {p.relative_to(kept).as_posix() for p in kept.rglob("*") if p.is_file()} == KEPT.keys()
            files.remove_tree(kept)
        settle(make_runtime())
        assert nothing_left(target.parent), f"at {n}"
        assert not target.exists()
        if is_whole:
            return
    raise AssertionError("it never came to an end")
