"""What a walnut remembers of a share."""

from pathlib import Path

from alive_p2p.package.limits import DEFAULT_LIMITS
from alive_p2p.package.reader import PackageReader
from alive_p2p.receiving.pipeline import receive
from alive_p2p.receiving.plan import ReceiveRequest
from alive_p2p.runtime import Runtime
from alive_p2p.sharing.pipeline import share
from alive_p2p.sharing.plan import ShareRequest
from alive_p2p.walnut.states import SENT_FOLDER, read_sent
from worlds import NOVA, pack, plant, tree_of


def _based_on(package: Path) -> tuple[str, ...]:
    with PackageReader(package, DEFAULT_LIMITS) as reader:
        return reader.check().manifest.based_on


def test_a_share_is_remembered_by_its_hashes(tmp_path: Path, runtime: Runtime) -> None:
    """Per bundle the files, and none of their content but the tasks."""
    alice = plant(tmp_path / "nova", NOVA)
    pack(alice, tmp_path / "p.walnut", runtime, scope="bundle", bundles=("shielding-review",))
    (state,) = read_sent(alice)
    folder, rows = state.groups["shielding-review"]
    assert folder == "shielding-review"
    assert "draft.md" in rows
    assert "context.manifest.yaml" in rows


def test_the_next_package_names_the_last(tmp_path: Path, runtime: Runtime) -> None:
    """And the same content gives the same package, however often it is packed."""
    alice = plant(tmp_path / "nova", NOVA)
    options = {"scope": "bundle", "bundles": ("shielding-review",)}
    first = pack(alice, tmp_path / "1.walnut", runtime, **options)
    again = pack(alice, tmp_path / "2.walnut", runtime, **options)
    assert _based_on(first) == _based_on(again) == ()
    (alice / "shielding-review" / "draft.md").write_bytes(b"more\n")
    third = pack(alice, tmp_path / "3.walnut", runtime, **options)
    assert set(_based_on(third)) == set(read_sent(alice)[0].ids)


def test_what_cannot_be_remembered_is_told_and_leaves_all_the_same(tmp_path: Path, runtime: Runtime) -> None:
    """Something of the walnut's owner is in the place of our records: it stays, and the package is none the worse."""
    alice = plant(tmp_path / "nova", {**NOVA, SENT_FOLDER: b"mine\n"})
    result = share(ShareRequest(alice, "full"), runtime, output=tmp_path / "p.walnut", agreed=True)
    (told,) = [one for one in result.warnings if one.startswith("what was sent is not remembered")]
    assert "an answer to it cannot be merged by itself" in told
    assert SENT_FOLDER in told
    assert (alice / SENT_FOLDER).read_bytes() == b"mine\n"
    assert receive(ReceiveRequest(result.path, target=tmp_path / "ben"), runtime).status == "ok"


def test_what_is_remembered_never_leaves(tmp_path: Path, runtime: Runtime) -> None:
    """Neither in a package nor in the walnut that is made of one."""
    alice = plant(tmp_path / "nova", NOVA)
    pack(alice, tmp_path / "1.walnut", runtime, scope="full")
    assert (alice / SENT_FOLDER).is_dir()
    second = pack(alice, tmp_path / "2.walnut", runtime, scope="full")
    receive(ReceiveRequest(second, target=tmp_path / "ben"), runtime)
    assert not any(".p2p" in path for path in tree_of(tmp_path / "ben"))


def test_a_snapshot_is_not_remembered(tmp_path: Path, runtime: Runtime) -> None:
    """It holds nothing that anybody updates."""
    alice = plant(tmp_path / "nova", NOVA)
    pack(alice, tmp_path / "s.walnut", runtime, scope="snapshot")
    assert not (alice / SENT_FOLDER).exists()
