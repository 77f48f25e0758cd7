"""Bundles into an existing walnut: lineage, what is here already, names that are taken."""

import json
from pathlib import Path

import pytest

from alive_p2p.errors import AliveP2PError, UsageError, WalnutError
from alive_p2p.receiving.pipeline import preview, receive
from alive_p2p.receiving.plan import Fate, Lineage, ReceiveRequest
from alive_p2p.runtime import Runtime
from worlds import BUNDLE, KEY, LOG, NOVA, ledger_of, make_world, nothing_left, pack, plant, tree_of

_EMPTY = {path: content for path, content in NOVA.items() if path.startswith("_kernel/")}


@pytest.fixture
def pair(tmp_path: Path, runtime: Runtime) -> tuple[Path, Path]:
    """Alice's walnut, and Ben's, which was made from a snapshot of it."""
    alice = plant(tmp_path / "alice" / "nova", NOVA)
    (tmp_path / "ben").mkdir()
    snapshot = pack(alice, tmp_path / "s.walnut", runtime, scope="snapshot")
    receive(ReceiveRequest(snapshot, target=tmp_path / "ben" / "nova"), runtime)
    return alice, tmp_path / "ben" / "nova"


def _bundle(alice: Path, output: Path, runtime: Runtime, *names: str) -> Path:
    return pack(alice, output, runtime, scope="bundle", bundles=names or ("shielding-review",))


def test_bundles_go_on_after_both_sides_edited_their_key(
    pair: tuple[Path, Path], tmp_path: Path, runtime: Runtime
) -> None:
    """The id, and not the key, says that it is the same walnut."""
    alice, ben = pair
    (alice / "_kernel" / "key.md").write_bytes(KEY + b"\nAlice's line\n")
    (ben / "_kernel" / "key.md").write_bytes(KEY + b"\nBen's line\n")
    result = receive(ReceiveRequest(_bundle(alice, tmp_path / "p.walnut", runtime), target=ben), runtime)
    assert result.status == "ok"
    assert result.plan.lineage is Lineage.SAME_ID
    assert (ben / "shielding-review" / "raw" / "dose.csv").is_file()


def test_nothing_of_the_kernel_changes_but_log_ledger_and_projection(
    pair: tuple[Path, Path], tmp_path: Path, runtime: Runtime
) -> None:
    """Receiving a bundle leaves key, insights, tasks and every other file as they were."""
    alice, ben = pair
    before = tree_of(ben)
    receive(ReceiveRequest(_bundle(alice, tmp_path / "p.walnut", runtime), target=ben), runtime)
    after = tree_of(ben)
    changed = {path for path in before if before[path] != after.get(path)}
    assert changed == {"_kernel/log.md", "_kernel/imports.json", "_kernel/now.json"}
    new = {path for path in after if path not in before}
    assert all(path.startswith("shielding-review/") for path in new)
    assert nothing_left(ben.parent, ben)


def test_the_same_package_twice_is_a_no_op(pair: tuple[Path, Path], tmp_path: Path, runtime: Runtime) -> None:
    """Exit 0, nothing touched, also after the bundle was edited here."""
    alice, ben = pair
    package = _bundle(alice, tmp_path / "p.walnut", runtime)
    receive(ReceiveRequest(package, target=ben), runtime)
    (ben / "shielding-review" / "draft.md").write_bytes(b"edited here\n")
    before = tree_of(ben)
    assert receive(ReceiveRequest(package, target=ben), runtime).status == "noop"
    assert tree_of(ben) == before


def test_a_bundle_that_was_deleted_comes_back(pair: tuple[Path, Path], tmp_path: Path, runtime: Runtime) -> None:
    """What the ledger records but is no longer there does not count."""
    import shutil

    alice, ben = pair
    package = _bundle(alice, tmp_path / "p.walnut", runtime)
    receive(ReceiveRequest(package, target=ben), runtime)
    shutil.rmtree(ben / "shielding-review")
    assert receive(ReceiveRequest(package, target=ben), runtime).status == "ok"
    assert (ben / "shielding-review" / "draft.md").is_file()


def test_the_rest_of_a_package_that_was_received_in_part(
    pair: tuple[Path, Path], tmp_path: Path, runtime: Runtime
) -> None:
    """Subset of union: what earlier receives applied is not applied again, the rest is."""
    alice, ben = pair
    package = _bundle(alice, tmp_path / "p.walnut", runtime, "shielding-review", "launch-window")
    first = receive(ReceiveRequest(package, target=ben, bundles=("launch-window",)), runtime)
    assert [fate.name for fate in first.plan.applied] == ["launch-window"]
    second = receive(ReceiveRequest(package, target=ben), runtime)
    assert [fate.name for fate in second.plan.applied] == ["shielding-review"]
    assert receive(ReceiveRequest(package, target=ben), runtime).status == "noop"


def test_the_same_content_packed_again_is_a_no_op(pair: tuple[Path, Path], tmp_path: Path, runtime: Runtime) -> None:
    """Another import id with the same bundle counts as applied while the files are as they were put."""
    alice, ben = pair
    receive(ReceiveRequest(_bundle(alice, tmp_path / "p.walnut", runtime), target=ben), runtime)
    again = pack(alice, tmp_path / "q.walnut", runtime, scope="bundle", bundles=("shielding-review",), note="again")
    plan = preview(ReceiveRequest(again, target=ben), runtime)
    assert plan.is_noop
    assert plan.bundles[0].fate is Fate.SAME_CONTENT
    (ben / "shielding-review" / "draft.md").write_bytes(b"edited here\n")
    with pytest.raises(WalnutError, match="shielding-review"):
        receive(ReceiveRequest(again, target=ben), runtime)


def test_taken_names_are_all_listed_and_nothing_is_touched(
    pair: tuple[Path, Path], tmp_path: Path, runtime: Runtime
) -> None:
    """Also where the name is taken in a container of an older layout."""
    alice, ben = pair
    plant(ben, {"shielding-review/mine.md": b"mine", "bundles/launch-window/mine.md": b"mine"})
    package = _bundle(alice, tmp_path / "p.walnut", runtime, "shielding-review", "launch-window")
    before = tree_of(ben)
    with pytest.raises(WalnutError) as caught:
        receive(ReceiveRequest(package, target=ben), runtime)
    assert caught.value.code == "name-taken"
    assert str(ben / "shielding-review") in caught.value.message
    assert str(ben / "bundles" / "launch-window") in caught.value.message
    assert tree_of(ben) == before


def test_rename_chains_and_is_remembered(pair: tuple[Path, Path], tmp_path: Path, runtime: Runtime) -> None:
    """`-imported-<date>`, then `-2`; the ledger knows the bundle by its name in the package."""
    alice, ben = pair
    plant(ben, {"shielding-review/mine.md": b"mine", "shielding-review-imported-20260407/mine.md": b"mine"})
    package = _bundle(alice, tmp_path / "p.walnut", runtime)
    result = receive(ReceiveRequest(package, target=ben, rename=True), runtime)
    assert [fate.folder for fate in result.plan.applied] == ["shielding-review-imported-20260407-2"]
    assert (ben / "shielding-review-imported-20260407-2" / "draft.md").is_file()
    assert (ben / "shielding-review" / "mine.md").read_bytes() == b"mine"
    entry = ledger_of(ben)["imports"][-1]  # type: ignore[index]
    assert entry["bundle_renames"] == {"shielding-review": "shielding-review-imported-20260407-2"}
    assert receive(ReceiveRequest(package, target=ben, rename=True), runtime).status == "noop"


def test_receiving_ones_own_bundle_back_is_a_no_op(tmp_path: Path, runtime: Runtime) -> None:
    """A folder with exactly this content is not a collision, though the ledger knows nothing of it."""
    source = plant(tmp_path / "nova", NOVA)
    package = _bundle(source, tmp_path / "p.walnut", runtime)
    assert receive(ReceiveRequest(package, target=source), runtime).status == "noop"


# --- lineage --------------------------------------------------------------------------------------------------


def test_a_bundle_of_another_walnut_is_refused(tmp_path: Path, runtime: Runtime) -> None:
    """Both names are said; `--into-other-walnut` overrides and is asked only once."""
    nova = plant(tmp_path / "nova", NOVA)
    other = plant(tmp_path / "other", {**_EMPTY, "_kernel/key.md": b"---\ntype: person\n---\n# Other\n"})
    package = _bundle(nova, tmp_path / "p.walnut", runtime)
    before = tree_of(other)
    with pytest.raises(WalnutError, match="from 'nova', the target is 'other'"):
        receive(ReceiveRequest(package, target=other), runtime)
    assert tree_of(other) == before
    result = receive(ReceiveRequest(package, target=other, into_other_walnut=True), runtime)
    assert result.plan.lineage is Lineage.OVERRIDDEN
    second = _bundle(nova, tmp_path / "q.walnut", runtime, "launch-window")
    assert receive(ReceiveRequest(second, target=other), runtime).status == "ok"


def test_a_walnut_without_an_id_is_recognised_by_its_key_and_takes_the_senders_id(
    tmp_path: Path, runtime: Runtime
) -> None:
    """A copy made by hand: the whole key's hash is the same, and from then on the id counts."""
    nova = plant(tmp_path / "nova", NOVA)
    copy = plant(tmp_path / "copy", _EMPTY)
    package = pack(nova, tmp_path / "p.walnut", runtime, scope="bundle", bundles=("shielding-review",), key="full")
    assert receive(ReceiveRequest(package, target=copy), runtime).plan.lineage is Lineage.SAME_KEY_HASH
    assert ledger_of(copy)["walnut_id"] == ledger_of(nova)["walnut_id"]


def test_a_package_cannot_bring_its_own_ledger(tmp_path: Path, runtime: Runtime) -> None:
    """A sender's `imports.json` never leaves, and the receiver's knows one import."""
    nova = plant(tmp_path / "nova", {**NOVA, "_kernel/imports.json": b'{"imports": [{"import_id": "planted"}]}'})
    package = pack(nova, tmp_path / "p.walnut", runtime)
    receive(ReceiveRequest(package, target=tmp_path / "there"), runtime)
    assert len(ledger_of(tmp_path / "there")["imports"]) == 1  # type: ignore[arg-type]


def test_unknown_fields_of_the_ledger_survive(pair: tuple[Path, Path], tmp_path: Path, runtime: Runtime) -> None:
    """Another program's fields, in the ledger and in its entries, are kept."""
    alice, ben = pair
    ledger = ledger_of(ben)
    ledger["other"] = {"kept": True}
    ledger["imports"][0]["theirs"] = [1, 2]  # type: ignore[index]
    (ben / "_kernel" / "imports.json").write_text(json.dumps(ledger), encoding="utf-8")
    receive(ReceiveRequest(_bundle(alice, tmp_path / "p.walnut", runtime), target=ben), runtime)
    after = ledger_of(ben)
    assert after["other"] == {"kept": True}
    assert after["imports"][0]["theirs"] == [1, 2]  # type: ignore[index]


def test_a_broken_ledger_is_set_aside_and_never_overwritten(
    pair: tuple[Path, Path], tmp_path: Path, runtime: Runtime
) -> None:
    """One brace is missing: the bytes are kept under another name, and a warning says so."""
    alice, ben = pair
    broken = (ben / "_kernel" / "imports.json").read_bytes()[:-3]
    (ben / "_kernel" / "imports.json").write_bytes(broken)
    package = pack(alice, tmp_path / "p.walnut", runtime, scope="bundle", bundles=("shielding-review",), key="full")
    (ben / "_kernel" / "key.md").write_bytes(KEY)
    result = receive(ReceiveRequest(package, target=ben), runtime)
    assert result.status == "warn"
    aside = [path for path in (ben / "_kernel").iterdir() if path.name.startswith("imports.json.broken-")]
    assert [path.read_bytes() for path in aside] == [broken]
    assert len(ledger_of(ben)["imports"]) == 1  # type: ignore[arg-type]


# --- where to -------------------------------------------------------------------------------------------------


def test_the_worlds_walnut_of_the_same_lineage_is_found(tmp_path: Path, runtime: Runtime) -> None:
    """Without a target, from anywhere inside the world."""
    nova = plant(tmp_path / "nova", NOVA)
    world = make_world(tmp_path / "world")
    inside = Runtime(environ=runtime.environ, cwd=world / "03_Inbox", clock=runtime.clock)
    assert receive(ReceiveRequest(pack(nova, tmp_path / "s.walnut", runtime, scope="snapshot")), inside).status == "ok"
    plant(world / "04_Ventures" / "decoy", _EMPTY | {"_kernel/key.md": b"---\nname: decoy\n---\n"})
    (world / "03_Inbox" / "nova").rename(world / "04_Ventures" / "my-nova")
    result = receive(ReceiveRequest(_bundle(nova, tmp_path / "p.walnut", runtime)), inside)
    assert result.plan.target == world / "04_Ventures" / "my-nova"
    other = plant(tmp_path / "other", {**NOVA, "_kernel/key.md": b"---\nname: other\n---\n"})
    package = _bundle(other, tmp_path / "q.walnut", runtime)
    with pytest.raises(WalnutError) as caught:
        receive(ReceiveRequest(package), inside)
    assert caught.value.code == "no-target"


def test_several_walnuts_of_one_lineage_are_named(tmp_path: Path, runtime: Runtime) -> None:
    """Nobody guesses for the person."""
    nova = plant(tmp_path / "nova", NOVA)
    world = make_world(tmp_path / "world")
    inside = Runtime(environ=runtime.environ, cwd=world, clock=runtime.clock)
    full = pack(nova, tmp_path / "f.walnut", runtime)
    for name in ("one", "two"):
        receive(ReceiveRequest(full, target=world / "04_Ventures" / name), inside)
    plant(nova, {"new/context.manifest.yaml": BUNDLE})
    with pytest.raises(WalnutError, match=r"'04_Ventures/one'.*'04_Ventures/two'"):
        receive(ReceiveRequest(_bundle(nova, tmp_path / "p.walnut", runtime, "new")), inside)


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        ({"_kernel/log.md": b"no frontmatter\n"}, "bad-log"),
        ({"_kernel/log.md": None}, "bad-log"),
        ({"_kernel/key.md": b"no frontmatter\n"}, "bad-key"),
        ({"_kernel/key.md": b"---\na: [\n---\n"}, "bad-key"),
    ],
)
def test_a_walnut_that_could_not_record_it_takes_nothing(
    damage: dict[str, bytes | None], code: str, pair: tuple[Path, Path], tmp_path: Path, runtime: Runtime
) -> None:
    """The target's key and log have to be in order."""
    alice, ben = pair
    for path, content in damage.items():
        (ben / path).unlink()
        if content is not None:
            (ben / path).write_bytes(content)
    before = tree_of(ben)
    with pytest.raises(WalnutError) as caught:
        receive(ReceiveRequest(_bundle(alice, tmp_path / "p.walnut", runtime), target=ben), runtime)
    assert caught.value.code == code
    assert tree_of(ben) == before


def test_a_bundle_of_the_package_that_does_not_exist_is_wrong_usage(
    pair: tuple[Path, Path], tmp_path: Path, runtime: Runtime
) -> None:
    """The names there are, and the nearest."""
    alice, ben = pair
    package = _bundle(alice, tmp_path / "p.walnut", runtime)
    with pytest.raises(UsageError, match="it has: shielding-review") as caught:
        receive(ReceiveRequest(package, target=ben, bundles=("shielding",)), runtime)
    assert "shielding-review" in (caught.value.hint or "")


# --- the walnut changes meanwhile -----------------------------------------------------------------------------


def test_a_walnut_that_changed_while_somebody_looked_takes_nothing(
    pair: tuple[Path, Path], tmp_path: Path, runtime: Runtime
) -> None:
    """The plan is made again under the lock; another outcome stops it."""
    alice, ben = pair

    def meanwhile(_plan: object) -> None:
        plant(ben, {"shielding-review/mine.md": b"mine"})

    package = _bundle(alice, tmp_path / "p.walnut", runtime)
    with pytest.raises(AliveP2PError):
        receive(ReceiveRequest(package, target=ben), runtime, approve=meanwhile)
    assert (ben / "shielding-review" / "mine.md").read_bytes() == b"mine"
    assert sorted(path.name for path in (ben / "shielding-review").iterdir()) == ["mine.md"]
    assert nothing_left(ben.parent)


def test_another_receive_in_between_makes_no_second_entry(
    pair: tuple[Path, Path], tmp_path: Path, runtime: Runtime
) -> None:
    """The same package received while a person looks at the preview of it."""
    alice, ben = pair
    package = _bundle(alice, tmp_path / "p.walnut", runtime)

    def meanwhile(_plan: object) -> None:
        receive(ReceiveRequest(package, target=ben), runtime)

    with pytest.raises(WalnutError, match="changed while you were looking"):
        receive(ReceiveRequest(package, target=ben), runtime, approve=meanwhile)
    assert len(ledger_of(ben)["imports"]) == 2  # type: ignore[arg-type]
    assert (ben / "_kernel" / "log.md").read_bytes().count(b"\n## ") == 2
    assert LOG
