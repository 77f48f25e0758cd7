"""`undo` with the installed program: what it says, what it asks, and what it refuses."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from worlds import NOVA, pack, plant, tree_of

Run = Callable[..., Any]


@pytest.fixture
def received(tmp_path: Path, run: Run) -> Path:
    """A walnut that came as a package, and then took an update."""
    source = plant(tmp_path / "alice" / "nova", NOVA)
    first, second, target = tmp_path / "1.walnut", tmp_path / "2.walnut", tmp_path / "ben" / "nova"
    target.parent.mkdir()
    run("create", "--scope", "full", "--walnut", source, "-o", first, "--yes")
    assert run("receive", first, "--target", target, "--yes").code == 0
    plant(source, {"shielding-review/draft.md": b"theirs\n", "shielding-review/plan.md": b"new\n"})
    run("create", "--scope", "bundle", "--bundle", "shielding-review", "--walnut", source, "-o", second, "--yes")
    assert run("receive", second, "--target", target, "--update", "--yes").code == 0
    return target


def test_a_look_and_then_the_deed(received: Path, run: Run) -> None:
    """What the dry run names is what is done; then the walnut itself goes."""
    looked = run("undo", "--walnut", received, "--dry-run")
    assert looked.code == 0
    assert "shielding-review/draft.md: as it was before" in looked.out
    assert "shielding-review/plan.md: removed" in looked.out
    done = run("undo", "--walnut", received, "--yes")
    assert done.code == 0
    assert "changes       1 removed, 1 as before" in done.out
    assert (received / "shielding-review/draft.md").read_bytes() == NOVA["shielding-review/draft.md"]
    gone = run("undo", "--walnut", received, "--yes")
    assert gone.code == 0
    assert "the walnut came with it, and is gone" in gone.out
    assert not received.exists()


def test_as_data(received: Path, run: Run) -> None:
    """One document: the plan, then what was done, then the refusal."""
    plan = json.loads(run("undo", "--walnut", received, "--dry-run", "--json").out)
    assert plan["status"] == "dry-run"
    assert plan["bundles"] == ["shielding-review"]
    assert {one["path"]: one["fate"] for one in plan["changes"]} == {
        "shielding-review/draft.md": "put-back",
        "shielding-review/plan.md": "removed",
    }
    kept = json.loads(run("info", "--walnut", received, "--json").out)["undo"]
    assert kept["updates"] == 1
    assert kept["bytes"] > 0
    assert json.loads(run("undo", "--walnut", received, "--yes", "--json").out) == {**plan, "status": "ok"}
    assert json.loads(run("undo", "--walnut", received, "--yes", "--json").out)["takes_walnut"] is True
    refused = run("undo", "--walnut", received, "--yes", "--json")
    assert (refused.code, json.loads(refused.out)["error"]["code"]) == (2, "no-such-path")


def test_without_a_yes_nothing_happens(received: Path, run: Run) -> None:
    """Without a terminal it shows what it would do, and stops."""
    before = tree_of(received)
    ran = run("undo", "--walnut", received)
    assert ran.code == 1
    assert "would take back what was received" in ran.err
    assert "add `--yes`" in ran.err
    assert tree_of(received) == before


def test_what_was_done_since_is_listed(received: Path, run: Run) -> None:
    """Also when nobody asked for a look."""
    plant(received, {"shielding-review/draft.md": b"mine\n"})
    ran = run("undo", "--walnut", received, "--yes")
    assert ran.code == 0
    assert "shielding-review/draft.md: changed since: yours stays" in ran.err
    assert "shielding-review/draft.before-" in ran.err


@pytest.mark.parametrize(
    ("where", "code", "said"),
    [("made", 1, "nothing was received into 'made'"), ("none", 2, "there is nothing at"), (".", 1, "is not a walnut")],
)
def test_where_there_is_nothing_to_take_back(where: str, code: int, said: str, tmp_path: Path, run: Run) -> None:
    """It says why, and what was left untouched."""
    plant(tmp_path / "made", NOVA)
    ran = run("undo", "--walnut", tmp_path / where, "--yes")
    assert (ran.code, said in ran.err) == (code, True), ran.err


def test_names_from_a_package_reach_the_terminal_escaped(tmp_path: Path, run: Run, runtime: Any) -> None:
    """A file whose name holds what a terminal would obey was refused; one that is merely odd is shown whole."""
    source = plant(tmp_path / "alice" / "nova", {**NOVA, "shielding-review/o'd \u202fname.md": b"x\n"})
    package = pack(source, tmp_path / "1.walnut", runtime)
    target = tmp_path / "nova"
    assert run("receive", package, "--target", target, "--yes").code == 0
    plant(target, {"shielding-review/\x1b[31mred.md": b"mine\n"})
    ran = run("undo", "--walnut", target, "--yes")
    assert ran.code == 0
    assert "\x1b" not in ran.out + ran.err
    assert "red.md" in ran.err
