"""Writing a package: bundles of every layout, outputs, limits, and walnuts that change meanwhile."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from alive_p2p.errors import AliveP2PError, FileSystemError, UsageError, WalnutError
from alive_p2p.package.reader import PackageReader
from alive_p2p.package.writer import ChangedError
from alive_p2p.receiving.pipeline import receive
from alive_p2p.receiving.plan import ReceiveRequest
from alive_p2p.runtime import Runtime
from alive_p2p.sharing import pipeline
from alive_p2p.sharing.pipeline import plan_share, share, write_share
from alive_p2p.sharing.plan import Reason, SharePlan, ShareRequest
from worlds import BUNDLE, KEY, NOVA, nothing_left, pack, plant, tree_of


def _paths(package: Path) -> set[str]:
    with PackageReader(package) as reader:
        return {entry.path for entry in reader.check().manifest.files}


def test_bundles_of_a_v2_walnut_are_packed_flat(tmp_path: Path, runtime: Runtime) -> None:
    """`bundles/alpha` becomes `alpha`; loose files beside it stay and are listed."""
    source = plant(
        tmp_path / "old",
        {
            "_kernel/key.md": KEY,
            "bundles/alpha/context.manifest.yaml": BUNDLE,
            "bundles/alpha/tasks.md": b"- [ ] one\n",
            "bundles/loose.md": b"loose",
            "docs/a.md": b"a",
        },
    )
    plan = plan_share(ShareRequest(source, "full"), runtime)
    paths = {one.entry.path for one in plan.files}
    assert {"alpha/context.manifest.yaml", "alpha/tasks.md", "docs/a.md"} <= paths
    assert not [path for path in paths if path.startswith("bundles")]
    assert ("bundles/loose.md", Reason.LOOSE_FILE) in {(one.path, one.reason) for one in plan.left_out}
    brought = plan_share(ShareRequest(source, "full", includes=("loose.md",)), runtime)
    assert "loose.md" in {one.entry.path for one in brought.files}


def test_bundles_of_a_v1_walnut_get_a_manifest(tmp_path: Path, runtime: Runtime) -> None:
    """`_core/_capsules/alpha/companion.md` travels with a generated `context.manifest.yaml`, and is received."""
    source = plant(
        tmp_path / "older",
        {
            "_kernel/key.md": KEY,
            "_core/_capsules/alpha/companion.md": b"---\ngoal: Old work\nsensitivity: open\n---\n\n# Alpha\n",
            "_core/_capsules/alpha/raw/x.txt": b"x",
            "_core/notes.md": b"n",
        },
    )
    package = pack(source, tmp_path / "p.walnut", runtime, scope="bundle", bundles=("alpha",))
    assert {"alpha/companion.md", "alpha/context.manifest.yaml", "alpha/raw/x.txt"} <= _paths(package)
    target = plant(tmp_path / "new", {**NOVA, "_kernel/key.md": KEY})
    receive(ReceiveRequest(package, target=target, into_other_walnut=True), runtime)
    text = (target / "alpha" / "context.manifest.yaml").read_text(encoding="utf-8")
    assert "Old work" in text
    assert "open" in text


def test_one_bundle_name_at_two_places_is_refused(tmp_path: Path, runtime: Runtime) -> None:
    """Both places are named."""
    source = plant(tmp_path / "nova", {**NOVA, "bundles/shielding-review/context.manifest.yaml": BUNDLE})
    with pytest.raises(WalnutError, match="'bundles/shielding-review' and 'shielding-review'"):
        plan_share(ShareRequest(source, "full"), runtime)


def test_a_flattened_bundle_must_not_mix_with_live_context(tmp_path: Path, runtime: Runtime) -> None:
    """`bundles/docs` and a folder `docs` would become one."""
    source = plant(tmp_path / "nova", {**NOVA, "bundles/docs/context.manifest.yaml": BUNDLE, "docs/a.md": b"a"})
    with pytest.raises(WalnutError, match="same place"):
        plan_share(ShareRequest(source, "full"), runtime)


def test_a_nested_bundle_says_where_it_is(tmp_path: Path, runtime: Runtime) -> None:
    """A bundle inside another cannot be shared alone; the parent is named."""
    source = plant(tmp_path / "nova", {**NOVA, "shielding-review/sub/context.manifest.yaml": BUNDLE})
    with pytest.raises(UsageError) as caught:
        plan_share(ShareRequest(source, "bundle", ("sub",)), runtime)
    assert "shielding-review/sub" in caught.value.message
    assert "'shielding-review'" in (caught.value.hint or "")


def test_an_unknown_bundle_suggests_the_closest(tmp_path: Path, runtime: Runtime) -> None:
    """The names there are, the closest first."""
    source = plant(tmp_path / "nova", NOVA)
    with pytest.raises(UsageError, match="there are: launch-window, shielding-review") as caught:
        plan_share(ShareRequest(source, "bundle", ("launch-windw",)), runtime)
    assert "launch-window" in (caught.value.hint or "")


# --- outputs --------------------------------------------------------------------------------------------------


def test_an_existing_file_is_never_overwritten(tmp_path: Path, runtime: Runtime) -> None:
    """`-2`, `-3` and so on; with force the named file is replaced."""
    source = plant(tmp_path / "nova", NOVA)
    (tmp_path / "p.walnut").write_bytes(b"mine")
    assert pack(source, tmp_path / "p.walnut", runtime).name == "p-2.walnut"
    assert pack(source, tmp_path / "p.walnut", runtime).name == "p-3.walnut"
    assert (tmp_path / "p.walnut").read_bytes() == b"mine"
    forced = share(ShareRequest(source, "full"), runtime, agreed=True, output=tmp_path / "p.walnut", force=True)
    assert forced.path.name == "p.walnut"
    assert forced.path.read_bytes() != b"mine"


@pytest.mark.skipif(os.name != "posix", reason="links need no privilege here")
def test_output_is_never_written_through_a_link(tmp_path: Path, runtime: Runtime) -> None:
    """A link at the output's name, dangling or not, is left alone; with force it is replaced, not followed."""
    source = plant(tmp_path / "nova", NOVA)
    (tmp_path / "victim").write_bytes(b"victim")
    (tmp_path / "a.walnut").symlink_to(tmp_path / "victim")
    (tmp_path / "b.walnut").symlink_to(tmp_path / "nowhere")
    assert pack(source, tmp_path / "a.walnut", runtime).name == "a-2.walnut"
    assert pack(source, tmp_path / "b.walnut", runtime).name == "b-2.walnut"
    share(ShareRequest(source, "full"), runtime, agreed=True, output=tmp_path / "a.walnut", force=True)
    assert (tmp_path / "victim").read_bytes() == b"victim"
    assert not (tmp_path / "a.walnut").is_symlink()
    assert not (tmp_path / "nowhere").exists()


def test_a_package_does_not_go_into_its_own_walnut(tmp_path: Path, runtime: Runtime) -> None:
    """Neither directly nor through a link; by default it goes beside the walnut when that is the current folder."""
    source = plant(tmp_path / "nova", NOVA)
    (tmp_path / "door").symlink_to(source / "engineering")
    for output in (source / "p.walnut", tmp_path / "door" / "p.walnut"):
        with pytest.raises(WalnutError, match="inside the walnut"):
            pack(source, output, runtime)
    inside = Runtime(environ=runtime.environ, cwd=source / "engineering", clock=runtime.clock)
    assert share(ShareRequest(source, "full"), inside, agreed=True).path == tmp_path / "nova-full-2026-04-07.walnut"


def test_the_default_output_is_on_the_desktop(tmp_path: Path, runtime: Runtime) -> None:
    """`<walnut>-<scope>-<date>.walnut` on the Desktop where there is one, else in the current folder."""
    source = plant(tmp_path / "nova", NOVA)
    assert share(ShareRequest(source, "full"), runtime, agreed=True).path == tmp_path / "nova-full-2026-04-07.walnut"
    (tmp_path / "home" / "Desktop").mkdir()
    desktop = tmp_path / "home" / "Desktop" / "nova-full-2026-04-07.walnut"
    assert share(ShareRequest(source, "full"), runtime, agreed=True).path == desktop


def test_a_package_is_private_to_its_owner(tmp_path: Path, runtime: Runtime) -> None:
    """Mode 0600, whatever the umask."""
    source = plant(tmp_path / "nova", NOVA)
    assert pack(source, tmp_path / "p.walnut", runtime).stat().st_mode & 0o777 == 0o600


def test_a_missing_output_folder_is_wrong_usage(tmp_path: Path, runtime: Runtime) -> None:
    """Nothing is made for it."""
    source = plant(tmp_path / "nova", NOVA)
    with pytest.raises(UsageError, match="does not exist"):
        pack(source, tmp_path / "no" / "p.walnut", runtime)


# --- limits ---------------------------------------------------------------------------------------------------


def test_what_a_receiver_would_refuse_is_not_made(tmp_path: Path, runtime: Runtime) -> None:
    """Over a limit the share names it, the flag, and other ways on."""
    source = plant(tmp_path / "nova", NOVA)
    for option in ({"max_files": 3}, {"max_bytes": 30}):
        with pytest.raises(WalnutError) as caught:
            plan_share(ShareRequest(source, "full", **option), runtime)  # type: ignore[arg-type]
        assert caught.value.code == "over-limit"
        assert "--max-" in (caught.value.hint or "")


# --- a walnut that changes ------------------------------------------------------------------------------------


def _changing(monkeypatch: pytest.MonkeyPatch, change: Callable[[], None], times: int) -> None:
    """Let something happen to the walnut after it was planned and before it is written."""
    real = pipeline._refuse_changes
    left = [times]

    def first(plan: SharePlan, runtime: Runtime) -> None:
        real(plan, runtime)
        if left[0]:
            left[0] -= 1
            change()

    monkeypatch.setattr(pipeline, "_refuse_changes", first)


def test_a_file_that_changes_while_packing_is_packed_as_it_is_afterwards(
    tmp_path: Path, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nobody looked at a preview, it starts over by itself."""
    source = plant(tmp_path / "nova", NOVA)
    _changing(monkeypatch, lambda: (source / "notes.md").write_bytes(b"changed") and None, times=1)
    package = pack(source, tmp_path / "p.walnut", runtime)
    receive(ReceiveRequest(package, target=tmp_path / "there"), runtime)
    assert (tmp_path / "there" / "notes.md").read_bytes() == b"changed"
    assert nothing_left(tmp_path)


def test_a_file_that_changes_after_the_preview_stops_the_share(tmp_path: Path, runtime: Runtime) -> None:
    """What was shown is what leaves, or nothing does; content, new files and removed files alike."""
    for change in ("content", "new", "gone"):
        source = plant(tmp_path / change, NOVA)

        def approve(_plan: SharePlan, source: Path = source, change: str = change) -> None:
            if change == "content":
                (source / "notes.md").write_bytes(b"other!\n")
            elif change == "new":
                (source / "new.md").write_bytes(b"new")
            else:
                (source / "notes.md").unlink()

        with pytest.raises(ChangedError):
            share(ShareRequest(source, "full"), runtime, agreed=True, approve=approve, output=tmp_path / "p.walnut")
        assert not (tmp_path / "p.walnut").exists()
    assert nothing_left(tmp_path)


def test_a_file_that_keeps_changing_fails_with_its_name(
    tmp_path: Path, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After three attempts the share gives up and leaves no file."""
    source = plant(tmp_path / "nova", NOVA)
    count = [0]

    def change() -> None:
        count[0] += 1
        (source / "notes.md").write_bytes(b"%d" % count[0])

    _changing(monkeypatch, change, times=99)
    with pytest.raises(ChangedError, match=r"notes\.md"):
        pack(source, tmp_path / "p.walnut", runtime)
    assert not (tmp_path / "p.walnut").exists()
    assert nothing_left(tmp_path)


def test_declining_the_preview_writes_nothing(tmp_path: Path, runtime: Runtime) -> None:
    """Not even an id into the walnut."""
    source = plant(tmp_path / "nova", NOVA)
    before = tree_of(source)

    def decline(_plan: SharePlan) -> None:
        raise AliveP2PError("declined", "no")

    with pytest.raises(AliveP2PError):
        share(ShareRequest(source, "full"), runtime, agreed=True, approve=decline, output=tmp_path / "p.walnut")
    assert tree_of(source) == before
    assert not (tmp_path / "p.walnut").exists()


def test_planning_writes_nothing_into_the_walnut(tmp_path: Path, runtime: Runtime) -> None:
    """A dry run leaves no id, no lock, no file."""
    source = plant(tmp_path / "nova", NOVA)
    before = tree_of(source)
    plan_share(ShareRequest(source, "full"), runtime)
    assert tree_of(source) == before


def test_the_plan_is_what_is_written(tmp_path: Path, runtime: Runtime) -> None:
    """The package's manifest is the plan's, to the byte."""
    source = plant(tmp_path / "nova", NOVA)
    plan = plan_share(ShareRequest(source, "full"), runtime)
    result = write_share(plan, runtime, agreed=True, output=tmp_path / "p.walnut")
    with PackageReader(result.path) as reader:
        assert reader.check().manifest.to_yaml() == plan.manifest.to_yaml()


def test_a_full_disk_leaves_no_half_package(tmp_path: Path, runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """ENOSPC at any write becomes one clear message, and the temporary file is gone."""
    import errno

    from alive_p2p import files

    source = plant(tmp_path / "nova", {**NOVA, "big.bin": os.urandom(3_000_000)})
    plan = plan_share(ShareRequest(source, "full"), runtime)
    real = files.create_file

    def small_disk(path: Path, *, mode: int = 0o666) -> object:
        stream = real(path, mode=mode)
        if "alive-p2p" not in path.name:
            return stream

        class Full:
            """Takes a megabyte and then has no space."""

            written = 0

            def write(self, data: bytes) -> int:
                Full.written += len(data)
                if Full.written > 1_000_000:
                    raise OSError(errno.ENOSPC, "no space")
                return stream.write(data)

            def __getattr__(self, name: str) -> object:
                return getattr(stream, name)

        import io

        class Raw(io.RawIOBase):
            def writable(self) -> bool:
                return True

            def write(self, data: object) -> int:
                return full.write(bytes(data))  # type: ignore[arg-type]

            def fileno(self) -> int:
                return stream.fileno()

            def close(self) -> None:
                stream.close()
                super().close()

        full = Full()
        return Raw()

    monkeypatch.setattr(files, "create_file", small_disk)
    with pytest.raises(FileSystemError, match="disk is full"):
        write_share(plan, runtime, agreed=True, output=tmp_path / "p.walnut")
    assert not (tmp_path / "p.walnut").exists()
    assert nothing_left(tmp_path)
