"""Any tree of layout v2, received and brought forward in place (receive.md §8)."""

import string
import tempfile
import unicodedata
from collections.abc import Callable
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from old_packages import KERNEL, MANIFEST, TASKS, assert_nothing_lost, contents

from alive_p2p.package.paths import refusal
from alive_p2p.receiving.pipeline import preview, receive
from alive_p2p.receiving.plan import ReceiveRequest
from alive_p2p.receiving.tree_migration import migrate_tree
from alive_p2p.runtime import Runtime
from alive_p2p.text import fold
from alive_p2p.walnut.agent_files import disarmed
from worlds import craft, plant, tree_of

_names = (
    st.one_of(
        st.text(alphabet=string.ascii_letters + " -_#'", min_size=1, max_size=6),
        st.text(min_size=1, max_size=5),
        st.sampled_from(
            ["CLAUDE.md", "日本語", "ملاحظة", "a", "A", "a-imported", "bundles", "tasks.md", "tasks.json", "é"]
        ),
    )
    .map(lambda name: unicodedata.normalize("NFC", name))
    .filter(lambda name: refusal(name) is None and "/" not in name and not name.startswith("."))
    .filter(lambda name: fold(name) not in {"_kernel", "__macosx", "manifest.yaml", "readme.md"})
)
_bodies = st.sampled_from([b"", b"one line\n", TASKS, b"- [ ] a task\n", b"\xff\xfe\n", b"# T\r\n* [x] y @z\r\n"])


@st.composite
def _trees(draw: st.DrawFn) -> dict[str, bytes]:
    """A tree of layout v2: bundles, loose files and folders in the container, and live context."""
    tree: dict[str, bytes] = {}
    used: dict[str, str] = {}

    def put(path: str, content: bytes) -> None:
        parts = path.split("/")
        ways = ["/".join(parts[: n + 1]) for n in range(len(parts))]
        if any(used.get(fold(way), f"{way}/") != f"{way}/" for way in ways[:-1]) or fold(path) in used:
            return
        for way in ways[:-1]:
            used[fold(way)] = f"{way}/"
        used[fold(path)] = path
        tree[path] = content

    for name in draw(st.lists(_names, max_size=4)):
        put(f"bundles/{name}/context.manifest.yaml", MANIFEST)
        for inner in draw(st.lists(st.lists(_names, min_size=1, max_size=3), max_size=4)):
            put(f"bundles/{name}/{'/'.join(inner)}", draw(_bodies))
    for parts in draw(st.lists(st.lists(_names, min_size=1, max_size=2), max_size=4)):
        put(f"bundles/{'/'.join(parts)}", draw(_bodies))
    for parts in draw(st.lists(st.lists(_names, min_size=1, max_size=3), max_size=4)):
        put("/".join(parts), draw(_bodies))
    return tree


@settings(max_examples=60)
@given(tree=_trees())
def test_any_old_tree_is_brought_forward_without_loss(
    tree: dict[str, bytes], make_runtime: Callable[[], Runtime]
) -> None:
    """Received or in place: shown is done, nothing is lost, twice is once; or it is refused and everything kept."""
    runtime = make_runtime()
    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        package = craft(base / "p.walnut", {**KERNEL, **tree}, source_layout="v2")
        unpacked = plant(base / "tree", {**KERNEL, **tree})
        before = contents(unpacked)
        shown = preview(ReceiveRequest(package, target=base / "there"), runtime)
        done, _ = migrate_tree(unpacked, runtime)
        if done.errors:
            assert contents(unpacked) == before
            return
        after = tree_of(unpacked)
        assert_nothing_lost(before, contents(unpacked))
        assert migrate_tree(unpacked, runtime)[0].actions == ()
        assert tree_of(unpacked) == after
        result = receive(ReceiveRequest(package, target=base / "there"), runtime)
        assert result.plan.migration == shown.migration
        assert_nothing_lost(tree, contents(base / "there"))
        here = {p: c for p, c in contents(base / "there").items() if not p.startswith("_kernel/")}
        alone = {disarmed(p): c for p, c in contents(unpacked).items() if not p.startswith("_kernel/")}
        assert here == alone
