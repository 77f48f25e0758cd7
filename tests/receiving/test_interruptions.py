"""A receive that is disturbed: by an interrupt, by an editor, by what the package holds."""

import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from alive_p2p import files, hashing
from alive_p2p.errors import AliveP2PError, FileSystemError, PackageError
from alive_p2p.receiving.pipeline import receive
from alive_p2p.receiving.plan import ReceiveRequest
from alive_p2p.runtime import Runtime
from alive_p2p.transactions.journal import JOURNAL
from crash.scenarios import SCENARIOS
from worlds import LOG, NOVA, OPEN_KEY, craft, ledger_of, nothing_left, pack, plant, tree_of

_KERNEL = {path: content for path, content in NOVA.items() if path.startswith("_kernel/")}


@pytest.fixture
def pair(tmp_path: Path, runtime: Runtime) -> tuple[Path, Path]:
    """A package with two bundles, and the walnut it goes into."""
    source = plant(tmp_path / "source" / "nova", NOVA)
    bundles = ("launch-window", "shielding-review")
    package = pack(source, tmp_path / "p.walnut", runtime, scope="bundle", bundles=bundles, key="full")
    return package, plant(tmp_path / "place" / "nova", _KERNEL)


def _watching(watcher: Callable[[str, tuple[Path, ...]], None], run: Callable[[], object]) -> None:
    files.watch(watcher)
    try:
        run()
    finally:
        files.watch(None)


def test_an_interrupt_at_any_moment_puts_everything_back(pair: tuple[Path, Path], runtime: Runtime) -> None:
    """Ctrl-C before the n-th operation, for every n: as before, or as after, and nothing is left."""
    package, target = pair
    before = tree_of(target)
    for n in range(1, 200):
        count = [0]

        def interrupt(_operation: str, paths: tuple[Path, ...], count: list[int] = count, n: int = n) -> None:
            if any(target.parent in path.parents for path in paths):
                count[0] += 1
                if count[0] == n:
                    raise KeyboardInterrupt

        try:
            _watching(interrupt, lambda: receive(ReceiveRequest(package, target=target), runtime))
        except KeyboardInterrupt:
            after = tree_of(target)
            if "launch-window/" in after:  # it came after the commit
                assert "shielding-review/" in after
                assert len(ledger_of(target)["imports"]) == 1  # type: ignore[arg-type]
                break
            assert after == before, f"at {n}"
        else:
            break
    assert n > 8


def test_a_second_interrupt_while_putting_back_leaves_the_journal(pair: tuple[Path, Path], runtime: Runtime) -> None:
    """Half a change is never left without the journal that says how to finish it."""
    package, target = pair
    renames = [0]

    def interrupt(operation: str, paths: tuple[Path, ...]) -> None:
        if operation in {"rename", "replace"} and target in paths[-1].parents:
            renames[0] += 1
            if renames[0] >= 3:
                raise KeyboardInterrupt

    with pytest.raises(FileSystemError, match="could not be put back") as caught:
        _watching(interrupt, lambda: receive(ReceiveRequest(package, target=target), runtime))
    assert "alive-p2p recover" in (caught.value.hint or "")
    staging = [path for path in target.parent.iterdir() if path.name.startswith(".alive-receive")]
    assert len(staging) == 1
    assert json.loads((staging[0] / JOURNAL).read_bytes())["state"] == "committing"


def test_an_edit_of_the_log_between_reading_and_renaming_is_not_lost(pair: tuple[Path, Path], runtime: Runtime) -> None:
    """The entry is made again on what is there then."""
    package, target = pair
    done = [False]

    def edit(operation: str, paths: tuple[Path, ...]) -> None:
        if operation == "flush-tree" and target.parent in paths[0].parents and not done[0]:
            done[0] = True
            log = target / "_kernel" / "log.md"
            log.write_bytes(log.read_bytes() + b"written meanwhile\n")

    _watching(edit, lambda: receive(ReceiveRequest(package, target=target), runtime))
    text = (target / "_kernel" / "log.md").read_bytes()
    assert b"written meanwhile" in text
    assert text.count(b"Imported package") == 1
    assert nothing_left(target.parent)


def test_a_walnut_that_never_holds_still_is_left_alone(pair: tuple[Path, Path], runtime: Runtime) -> None:
    """After some attempts the receive gives up; every edit is there and nothing else."""
    package, target = pair
    count = [0]

    def edit(operation: str, paths: tuple[Path, ...]) -> None:
        if operation == "flush-tree" and target.parent in paths[0].parents:
            count[0] += 1
            (target / "_kernel" / "log.md").write_bytes(LOG + b"%d\n" % count[0])

    with pytest.raises(AliveP2PError, match="changed while you were looking"):
        _watching(edit, lambda: receive(ReceiveRequest(package, target=target), runtime))
    assert (target / "_kernel" / "log.md").read_bytes() == LOG + b"%d\n" % count[0]
    assert not (target / "launch-window").exists()
    assert nothing_left(target.parent)


@pytest.mark.parametrize("name", ["raw/dose.csv", "draft.md"], ids=["removes", "replaces"])
def test_an_edit_of_what_an_update_changes_is_found_in_time(name: str, tmp_path: Path) -> None:
    """Log and ledger were changed already: they are put back, the edit stays, and nothing is left for a recovery."""
    place = SCENARIOS["update"].prepare(tmp_path / "made").begin(tmp_path / "run")
    before = place.state()

    def edit(operation: str, _paths: tuple[Path, ...]) -> None:
        if operation == "flush-tree":
            (place.walnut / "shielding-review" / name).write_bytes(b"edited")

    with pytest.raises(AliveP2PError, match="changed while you were looking"):
        _watching(edit, lambda: receive(place.request(), place.runtime()))
    assert place.state() == {**before, f"shielding-review/{name}": hashing.sha256(b"edited")}
    assert place.left_over() == []


def test_a_log_too_large_to_edit_does_not_stop_the_receive(tmp_path: Path, runtime: Runtime) -> None:
    """The walnut arrives, with a warning that names the command."""
    huge = LOG + b"x" * (17 << 20)
    source = plant(tmp_path / "nova", {**NOVA, "_kernel/key.md": OPEN_KEY, "_kernel/log.md": huge})
    package = pack(source, tmp_path / "p.walnut", runtime, full_history=True)
    result = receive(ReceiveRequest(package, target=tmp_path / "there"), runtime)
    assert result.status == "warn"
    assert any("alive-p2p log-import" in warning for warning in result.warnings)
    assert (tmp_path / "there" / "_kernel" / "log.md").read_bytes() == huge


def test_a_walnut_that_is_a_mount_point_takes_bundles(pair: tuple[Path, Path], runtime: Runtime) -> None:
    """Staging goes inside it, because renaming does not leave a file system."""
    import subprocess

    package, target = pair
    mounted = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(target)], capture_output=True, check=False)
    if mounted.returncode != 0:
        pytest.skip("mounting needs root")
    try:
        plant(target, _KERNEL)
        assert receive(ReceiveRequest(package, target=target), runtime).status == "ok"
        assert (target / "launch-window" / "windows.md").is_file()
        assert nothing_left(target)
    finally:
        subprocess.run(["umount", str(target)], check=True)


# --- what a package claims ------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["evil/_generated/CODE.md", "docs/now.json", "imports.json", "notes.md"])
def test_a_snapshot_holds_nothing_more(path: str, tmp_path: Path, runtime: Runtime) -> None:
    """Names that are dropped in the kernel are not welcome elsewhere."""
    package = craft(tmp_path / "p.walnut", {"_kernel/key.md": b"---\na: 1\n---\n", path: b"x"}, scope="snapshot")
    with pytest.raises(PackageError, match="snapshot cannot hold"):
        receive(ReceiveRequest(package, target=tmp_path / "there"), runtime)
    assert not (tmp_path / "there").exists()


@pytest.mark.parametrize("path", ["_kernel/key.md", "alpha/context.manifest.yaml", "notes.md"])
def test_only_a_readme_is_taken_for_the_primer(path: str, tmp_path: Path, runtime: Runtime) -> None:
    """A package cannot make a file disappear by calling it its README."""
    tree = {"_kernel/key.md": b"---\na: 1\n---\n", "alpha/context.manifest.yaml": b"goal: x\n", "notes.md": b"n"}
    claim = [{"path": path, "reason": "package-readme"}]
    package = craft(tmp_path / "p.walnut", tree, substitutions_applied=claim)
    receive(ReceiveRequest(package, target=tmp_path / "there"), runtime)
    assert (tmp_path / "there" / path).read_bytes() == tree[path]


def test_a_migrated_bundle_is_recognised_when_it_comes_again(tmp_path: Path, runtime: Runtime) -> None:
    """The ledger knows the task file that the list was converted to."""
    tree = {
        "_kernel/key.md": b"---\na: 1\n---\n",
        "alpha/context.manifest.yaml": b"goal: x\n",
        "alpha/tasks.md": b"- [ ] one\n",
    }
    target = plant(tmp_path / "place" / "nova", {**_KERNEL, "_kernel/key.md": tree["_kernel/key.md"]})
    for note, status in (("first", "ok"), ("second", "noop")):
        package = craft(tmp_path / f"{note}.walnut", tree, scope="bundle", bundles=["alpha"], note=note)
        assert receive(ReceiveRequest(package, target=target), runtime).status == status
    assert json.loads((target / "alpha" / "tasks.json").read_bytes())["tasks"][0]["title"] == "one"


def test_a_full_package_received_again_says_what_is_missing(tmp_path: Path, runtime: Runtime) -> None:
    """It is a no-op; the bundle that was deleted is named."""
    import shutil

    package = pack(plant(tmp_path / "nova", NOVA), tmp_path / "p.walnut", runtime)
    receive(ReceiveRequest(package, target=tmp_path / "there"), runtime)
    shutil.rmtree(tmp_path / "there" / "launch-window")
    again = receive(ReceiveRequest(package, target=tmp_path / "there"), runtime)
    assert again.status == "noop"
    assert any("'launch-window'" in warning for warning in again.warnings)


def test_a_long_bundle_name_can_be_renamed(tmp_path: Path, runtime: Runtime) -> None:
    """Its stem is cut so that the new name fits."""
    name = "b" * 255
    source = plant(tmp_path / "nova", {**NOVA, f"{name}/context.manifest.yaml": b"goal: x\n"})
    package = pack(source, tmp_path / "p.walnut", runtime, scope="bundle", bundles=(name,), key="full")
    target = plant(tmp_path / "place" / "nova", {**_KERNEL, f"{name}/mine.md": b"mine"})
    result = receive(ReceiveRequest(package, target=target, rename=True), runtime)
    assert result.plan.applied[0].folder.endswith("b-imported-20260407")


def test_our_own_names_for_agent_files_count(tmp_path: Path, runtime: Runtime) -> None:
    """`p2p.agent_files` adds names that are installed inert."""
    world = tmp_path / "world"
    plant(world, {".alive/preferences.yaml": b"p2p:\n  agent_files: [RULES.md]\n", "04_Ventures/": b""})
    package = craft(tmp_path / "p.walnut", {"_kernel/key.md": b"---\na: 1\n---\n", "notes/Rules.MD": b"obey"})
    receive(ReceiveRequest(package, target=world / "04_Ventures" / "x"), runtime)
    assert (world / "04_Ventures" / "x" / "notes" / "Rules.MD.received").is_file()
    assert tarfile.is_tarfile(package)
