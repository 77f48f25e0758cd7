"""Packages of the old layout, made for tests: what is in them is what the flat ones hold (format.md §6)."""

from collections.abc import Callable
from pathlib import Path

import pytest

from alive_p2p.errors import UsageError, WalnutError
from alive_p2p.package.reader import PackageReader
from alive_p2p.receiving.pipeline import receive
from alive_p2p.receiving.plan import ReceiveRequest
from alive_p2p.runtime import Runtime
from alive_p2p.sharing.pipeline import plan_share
from alive_p2p.sharing.plan import ShareRequest
from worlds import NOVA, OPEN_KEY, pack, plant, tree_of

RICH = {
    **NOVA,
    "_kernel/key.md": OPEN_KEY,
    "shielding-review/run.sh": b"#!/bin/sh\n",
    "shielding-review/hollow/": b"",
    "shielding-review/context.manifest.yaml": b"goal: x\nactive_sessions:\n  - session: abc\nstatus: draft\n",
}


@pytest.fixture
def testing(make_runtime: Callable[..., Runtime]) -> Runtime:
    """Surroundings in which test options are there, and no projection is made."""
    return make_runtime(ALIVE_P2P_TESTING="1")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A walnut with a script, an empty folder, and a manifest that is rewritten."""
    root = plant(tmp_path / "source" / "nova", RICH)
    (root / "shielding-review" / "run.sh").chmod(0o755)
    return root


@pytest.mark.parametrize("scope", ["full", "bundle"])
def test_it_arrives_as_the_flat_one_does(scope: str, source: Path, tmp_path: Path, testing: Runtime) -> None:
    """Only the container is different, and only on the way."""
    bundles = ("shielding-review", "launch-window") if scope == "bundle" else ()
    trees = []
    for layout in ("v2", "v3"):
        package = pack(
            source, tmp_path / f"{layout}.walnut", testing, scope=scope, bundles=bundles, source_layout=layout
        )
        with PackageReader(package) as reader:
            contents = reader.check()
        inside = [e.path for e in contents.manifest.files if e.path.endswith("/draft.md")]
        assert inside == [f"{'bundles/' if layout == 'v2' else ''}shielding-review/draft.md"]
        assert contents.manifest.source_layout == layout
        assert all(
            path.startswith("bundles/") == (layout == "v2") for path in contents.executables | contents.empty_dirs
        )
        target = tmp_path / layout / "nova"
        if scope == "bundle":
            plant(target, {path: content for path, content in RICH.items() if path.startswith("_kernel/")})
        target.parent.mkdir(exist_ok=True)
        result = receive(ReceiveRequest(package, target=target), testing)
        assert result.plan.installation.layout == layout
        assert result.plan.migration.bundles_migrated == (
            ("launch-window", "shielding-review") if layout == "v2" else ()
        )
        trees.append({p: s for p, s in tree_of(target).items() if p not in {"_kernel/log.md", "_kernel/imports.json"}})
    assert trees[0] == trees[1]


def test_an_answer_to_it_is_merged(source: Path, tmp_path: Path, testing: Runtime) -> None:
    """Both sides know what they have in common, whatever the layout it went in."""
    receiver = tmp_path / "ben" / "nova"
    receiver.parent.mkdir()
    receive(ReceiveRequest(pack(source, tmp_path / "1.walnut", testing, source_layout="v2"), target=receiver), testing)
    plant(receiver, {"shielding-review/draft.md": b"Ben's draft\n"})
    answer = pack(receiver, tmp_path / "2.walnut", testing, scope="bundle", bundles=("shielding-review",))
    result = receive(ReceiveRequest(answer, target=source, update=True), testing)
    assert [change.fate.value for change in result.plan.changes] == ["replaced"]
    assert (source / "shielding-review" / "draft.md").read_bytes() == b"Ben's draft\n"


def test_it_is_for_tests_only(source: Path, runtime: Runtime) -> None:
    """Nobody makes an old package by accident."""
    with pytest.raises(UsageError, match="ALIVE_P2P_TESTING"):
        plan_share(ShareRequest(source, "full", source_layout="v2"), runtime)


def test_a_folder_of_the_containers_name_is_refused(tmp_path: Path, testing: Runtime) -> None:
    """What lies in it would be taken for bundles."""
    source = plant(tmp_path / "nova", {**NOVA, "bundles/list.md": b"x"})
    with pytest.raises(WalnutError, match="`bundles` of its own"):
        plan_share(ShareRequest(source, "full", source_layout="v2"), testing)
    assert plan_share(ShareRequest(source, "full"), testing).manifest.source_layout == "v3"
