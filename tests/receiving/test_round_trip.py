"""What is shared arrives as it was."""

import os
import string
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alive_p2p.package.paths import refusal
from alive_p2p.receiving.pipeline import receive
from alive_p2p.receiving.plan import ReceiveRequest
from alive_p2p.runtime import Runtime
from alive_p2p.sharing.names import BUILD_OUTPUT, CLUTTER, CREDENTIALS, NEVER_ANYWHERE
from alive_p2p.text import fold
from alive_p2p.walnut.agent_files import disarmed
from worlds import KEY, LOG, NOVA, OPEN_KEY, ledger_of, nothing_left, pack, plant, tree_of

_IGNORED = {"_kernel/now.json", "_kernel/imports.json", "_kernel/log.md"}


def _is_ordinary(name: str) -> bool:
    """A name that no rule of share.md §2 leaves out, and that means nothing special in a walnut."""
    special = {*NEVER_ANYWHERE, *CLUTTER, *BUILD_OUTPUT, "bundles", "_core", "_kernel", "manifest.yaml", "tasks.md"}
    return (
        refusal(name) is None
        and "/" not in name
        and not name.startswith(".")
        and name.lower() not in special
        and fold(name) not in special
        and not CREDENTIALS.fullmatch(name)
        and not name.lower().endswith(".walnut")
        and name not in {"context.manifest.yaml", "companion.md"}
    )


_names = (
    st.one_of(
        st.text(alphabet=string.ascii_letters + string.digits + " -_#'\"&%$()+,;=@~", min_size=1, max_size=12),
        st.text(min_size=1, max_size=8),
        st.sampled_from(
            ["CLAUDE.md", "run.sh", "README.md", "日本語 ノート.md", "ملاحظة.md", "-rf", "--help", "a" * 200]
        ),
    )
    .map(lambda name: unicodedata.normalize("NFC", name))
    .filter(_is_ordinary)
)
_contents = st.one_of(
    st.binary(max_size=300),
    st.sampled_from(
        [b"", b"\r\nwindows\r\n", b"\xef\xbb\xbfbom\n", b"---\na: 1\n---\ntext\n", b"\0" * 700, b"x" * 70_000]
    ),
)


@st.composite
def _walnuts(draw: st.DrawFn) -> tuple[dict[str, bytes], set[str], set[str]]:
    """A tree of live context and bundles: files, executables, empty folders."""
    files: dict[str, bytes] = {}
    taken: set[str] = set()
    folders: set[str] = set()

    def free(path: str) -> bool:
        parts = path.split("/")
        prefixes = ["/".join(parts[:n]) for n in range(1, len(parts) + 1)]
        if fold(path) in taken or any(fold(p) in taken for p in prefixes[:-1]) or fold(path) in folders:
            return False
        return len(path.encode()) < 700

    for _ in range(draw(st.integers(0, 12))):
        path = "/".join(draw(st.lists(_names, min_size=1, max_size=4)))
        if free(path):
            files[path] = draw(_contents)
            taken.add(fold(path))
            folders |= {fold("/".join(path.split("/")[:n])) for n in range(1, path.count("/") + 1)}
    for name in draw(st.lists(_names, max_size=3, unique_by=fold)):
        path = f"{name}/context.manifest.yaml"
        if fold(name) not in taken and fold(name) not in folders:
            files[path] = draw(
                st.sampled_from([b"goal: x\n", b"", b"goal: y\r\nsensitivity: open\r\n", b"\xef\xbb\xbfgoal: z\n"])
            )
            taken.add(fold(path))
            folders.add(fold(name))
    executables = {path for path in files if draw(st.booleans()) and not path.endswith("context.manifest.yaml")}
    empty: set[str] = set()
    for path in draw(st.lists(st.lists(_names, min_size=1, max_size=3).map("/".join), max_size=3)):
        if free(path) and not any(fold(path + "/").startswith(e) or e.startswith(fold(path + "/")) for e in empty):
            empty.add(fold(path + "/") and path)
            taken.add(fold(path))
    return files, executables, empty


def _installed(tree: dict[str, str]) -> dict[str, str]:
    return {disarmed(path.rstrip("/")) + ("/" if path.endswith("/") else ""): what for path, what in tree.items()}


@settings(max_examples=120)
@given(walnut=_walnuts())
def test_a_full_round_trip_changes_nothing(
    walnut: tuple[dict[str, bytes], set[str], set[str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """receive(share(w)) equals w, apart from what is computed, recorded, or left out by rule."""
    files, executables, empty = walnut
    base = tmp_path_factory.mktemp("trip")
    runtime = Runtime(environ={"HOME": str(base / "home")}, cwd=base)
    kernel = {path: content for path, content in NOVA.items() if path.startswith("_kernel/")}
    kernel["_kernel/key.md"] = OPEN_KEY
    source = plant(base / "nova", {**files, **kernel, **{path + "/": b"" for path in empty}})
    for path in executables:
        (source / path).chmod(0o755)
    before = tree_of(source)
    package = pack(source, base / "p.walnut", runtime, key="full", full_history=True)
    result = receive(ReceiveRequest(package, target=base / "there"), runtime)
    assert result.status in {"ok", "warn"}
    expected = {path: what for path, what in _installed(before).items() if path not in _IGNORED}
    actual = {path: what for path, what in tree_of(base / "there").items() if path not in _IGNORED}
    assert actual == expected
    assert nothing_left(base)


def test_history_arrives_with_one_entry_more(tmp_path: Path, runtime: Runtime) -> None:
    """With the real history, the log is the sender's log with one entry on top and its counters moved on."""
    source = plant(tmp_path / "nova", {**NOVA, "_kernel/key.md": OPEN_KEY})
    package = pack(source, tmp_path / "p.walnut", runtime, full_history=True, sender="alice")
    receive(ReceiveRequest(package, target=tmp_path / "there"), runtime)
    log = (tmp_path / "there" / "_kernel" / "log.md").read_bytes()
    old_entry = LOG[LOG.index(b"## ") :]
    assert log.endswith(old_entry)
    assert b"entry-count: 2\n" in log
    assert b"last-entry: 2026-04-07T10:15:00Z\n" in log
    assert log.count(b"\n## ") == 2
    assert b"Imported package from alice via P2P." in log


def test_by_default_no_history_and_nobody_in_the_key_leaves(tmp_path: Path, runtime: Runtime) -> None:
    """Without being asked, log and insights are stubs and the key names nobody."""
    source = plant(tmp_path / "nova", NOVA)
    package = pack(source, tmp_path / "p.walnut", runtime)
    receive(ReceiveRequest(package, target=tmp_path / "there"), runtime)
    everything = b"".join(path.read_bytes() for path in (tmp_path / "there").rglob("*") if path.is_file())
    for secret in (b"ben@example.org", b"Ben Okafor", b"Ben runs", b"bank said no", b"Sell water"):
        assert secret not in everything
    assert b"A crewed station" in everything


def test_a_snapshot_becomes_a_minimal_walnut(tmp_path: Path, runtime: Runtime) -> None:
    """Key, insights, a fresh log, empty work, a ledger, and nothing of the walnut's content."""
    source = plant(tmp_path / "nova", NOVA)
    package = pack(source, tmp_path / "p.walnut", runtime, scope="snapshot")
    receive(ReceiveRequest(package, target=tmp_path / "there"), runtime)
    names = {path.rstrip("/") for path in tree_of(tmp_path / "there")}
    kernel = {"key.md", "insights.md", "log.md", "tasks.json", "completed.json", "imports.json", "now.json"}
    assert names == {"_kernel", *(f"_kernel/{name}" for name in kernel)}


def test_a_walnut_with_its_own_readme_keeps_it(tmp_path: Path, runtime: Runtime) -> None:
    """The walnut's README is content and arrives; the primer steps aside and is not installed."""
    source = plant(tmp_path / "nova", {**NOVA, "README.md": b"mine\n"})
    package = pack(source, tmp_path / "p.walnut", runtime)
    receive(ReceiveRequest(package, target=tmp_path / "there"), runtime)
    assert (tmp_path / "there" / "README.md").read_bytes() == b"mine\n"
    assert not (tmp_path / "there" / "README.walnut.md").exists()


def test_the_receivers_walnut_has_the_senders_id(tmp_path: Path, runtime: Runtime) -> None:
    """Sharing gives a walnut its id, and what is made from the package has the same one."""
    source = plant(tmp_path / "nova", NOVA)
    package = pack(source, tmp_path / "p.walnut", runtime)
    receive(ReceiveRequest(package, target=tmp_path / "there"), runtime)
    assert ledger_of(source)["walnut_id"] == ledger_of(tmp_path / "there")["walnut_id"]


def test_a_second_generation_share_still_has_the_same_id(tmp_path: Path, runtime: Runtime) -> None:
    """What was received can be shared on, back to where it came from."""
    source = plant(tmp_path / "nova", NOVA)
    receive(ReceiveRequest(pack(source, tmp_path / "p.walnut", runtime), target=tmp_path / "there"), runtime)
    plant(tmp_path / "there", {"answer/context.manifest.yaml": b"goal: answer\n", "answer/text.md": b"yes\n"})
    back = pack(tmp_path / "there", tmp_path / "q.walnut", runtime, scope="bundle", bundles=("answer",))
    assert receive(ReceiveRequest(back, target=source), runtime).status == "ok"
    assert (source / "answer" / "text.md").read_bytes() == b"yes\n"


@pytest.mark.skipif(os.name != "posix", reason="only POSIX has an execute bit")
def test_the_execute_bit_is_the_only_mode_that_travels(tmp_path: Path, runtime: Runtime) -> None:
    """0777, setuid and 0600 arrive as 0755 and 0644, minus the umask."""
    source = plant(tmp_path / "nova", {**NOVA, "run.sh": b"#!/bin/sh\n", "private.txt": b"p"})
    (source / "run.sh").chmod(0o4777)
    (source / "private.txt").chmod(0o600)
    receive(ReceiveRequest(pack(source, tmp_path / "p.walnut", runtime), target=tmp_path / "there"), runtime)
    umask = os.umask(0)
    os.umask(umask)
    assert (tmp_path / "there" / "run.sh").stat().st_mode & 0o7777 == 0o755 & ~umask
    assert (tmp_path / "there" / "private.txt").stat().st_mode & 0o7777 == 0o644 & ~umask


def test_the_same_content_and_time_give_the_same_package(tmp_path: Path, make_runtime: Callable[..., Runtime]) -> None:
    """With SOURCE_DATE_EPOCH two packages of one walnut are equal byte for byte."""
    source = plant(tmp_path / "nova", NOVA)
    runtime = make_runtime(SOURCE_DATE_EPOCH="1767225600")
    one = pack(source, tmp_path / "1.walnut", runtime)
    two = pack(source, tmp_path / "2.walnut", runtime)
    assert one.read_bytes() == two.read_bytes()
    assert KEY  # the walnut's own key is not empty, or this would show little
