"""The demo: its story is true, it can be read everywhere, and it leaves nothing behind."""

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from alive_p2p.cli.demo_stage import Stage
from alive_p2p.cli.demo_worlds import (
    ALICES_DRAFT,
    ALICES_LINE,
    BENS_DRAFT,
    BENS_LINE,
    COSTS,
    NOVA,
    REVIEW,
    SECRET,
    SEGMENTS,
    TABLES,
    table,
)
from alive_p2p.cli.screen import Screen
from alive_p2p.errors import AliveP2PError
from alive_p2p.runtime import Runtime
from worlds import plant, tree_of

Run = Callable[..., Any]


@dataclass(frozen=True)
class Told:
    """A demo that was told once: where its worlds are, and every command with what it printed."""

    folder: Path
    steps: list[dict[str, Any]]
    text: str
    around: Path

    def walnut(self, person: str) -> Path:
        """The walnut of a person."""
        return self.folder / person / "world" / NOVA

    def output(self, person: str, command: str) -> str:
        """What the last command of a person that begins so has printed."""
        found = [one for one in self.steps if one["person"] == person and one["command"].startswith(command)]
        return str(found[-1]["output"])

    def relay(self, person: str) -> set[str]:
        """What lies in the relay of a person."""
        return set(tree_of(self.folder / f"relay-of-{person}"))


def tell(program: str, around: Path) -> Told:
    """Tell the demo into a pipe, from an empty home, with nothing but Python on the way to programs."""
    for name in ("home", "tmp"):
        (around / name).mkdir()
    done = subprocess.run(
        [program, "demo", "--keep", "--json"],
        cwd=around,
        env={"PATH": str(Path(sys.executable).parent), "HOME": str(around / "home"), "TMPDIR": str(around / "tmp")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    document = json.loads(done.stdout)
    return Told(Path(document["folder"]), document["steps"], done.stdout.decode(), around)


def test_every_promise_of_the_story_is_kept(program: str, tmp_path: Path) -> None:
    """What the demo tells of its worlds is so, in the folders that it leaves with --keep."""
    told = tell(program, tmp_path)
    every_step_ends_as_it_should(told)
    nothing_is_left_outside_the_folder(told)
    what_was_to_stay_has_stayed(told)
    the_gate_masks_what_it_shows_and_names_the_ways_on(told)
    what_was_shown_before_is_what_came(told)
    no_edit_is_lost(told)
    the_killed_receive_is_finished_by_the_next_command(told)
    both_know_where_they_stand(told)


def every_step_ends_as_it_should(told: Told) -> None:
    """The gate refuses, the kill kills, and everything else is done."""
    failed = [(one["person"], one["command"].split()[0], one["exit_code"]) for one in told.steps if one["exit_code"]]
    assert failed == [("alice", "share", 1), ("ben", "relay", -9 if sys.platform != "win32" else 1)]
    spoken = [one["command"] for one in told.steps]
    for word in ("relay setup", "relay invite", "relay accept", "relay push", "relay pull", "relay status", "share "):
        assert any(command.startswith(word) for command in spoken), word


def nothing_is_left_outside_the_folder(told: Told) -> None:
    """Neither in the home nor beside the folder, also with --keep."""
    assert list((told.around / "home").iterdir()) == []
    assert list((told.around / "tmp").iterdir()) == [told.folder]
    assert sorted(one.name for one in told.folder.iterdir()) == ["alice", "ben", "relay-of-alice", "relay-of-ben"]


def what_was_to_stay_has_stayed(told: Told) -> None:
    """The token, the restricted bundle, the history, the prices and the key file are nowhere at Ben's."""
    held = {path: path.read_bytes() for path in (told.folder / "ben").rglob("*") if path.is_file()}
    everything = b"\n".join(held.values())
    assert b"Six segments, one spare" in everything  # of what did come
    for secret in (SECRET, "We sell in autumn", "Nobody else knows yet", "kilo of water", "Sell water first"):
        assert secret.encode() not in everything
    names = {part for path in held for part in path.relative_to(told.folder / "ben").parts}
    assert names.isdisjoint({"board-minutes", "deploy.pem", "pricing-2026.md", "deploy.md", "suppliers"})
    assert "active_sessions" not in (told.walnut("ben") / REVIEW / "context.manifest.yaml").read_text(encoding="utf-8")


def the_gate_masks_what_it_shows_and_names_the_ways_on(told: Told) -> None:
    """The token itself is printed nowhere; the refusal says what can be done."""
    assert SECRET not in told.text
    refused = next(one["output"] for one in told.steps if one["exit_code"] == 1)
    assert "ghp_…" in refused
    for way in ("--exclude engineering/deploy.md", "--allow-finding ", "--acknowledge board-minutes"):
        assert way in refused
    assert "left untouched: everything; nothing was written" in refused


def what_was_shown_before_is_what_came(told: Told) -> None:
    """Every file that the dry run counts, less what was left out after it, is at Ben's."""
    shown = told.output("alice", "share --scope full --walnut 04_Ventures/nova-station --to ben --preset outside --dry")
    there = tree_of(told.walnut("ben"))
    for folder in ("dose-tables/", "engineering/", "shielding-review/"):
        assert f"  {folder}" in shown
        assert any(path.startswith(folder) for path in there)
    assert "engineering/ring.md" in there
    assert "engineering/deploy.md" not in there


def no_edit_is_lost(told: Told) -> None:
    """Ben's draft stays, Alice's lies beside it, what is new has come, and both keys are their owners'."""
    alice, ben = told.walnut("alice"), told.walnut("ben")
    assert (ben / REVIEW / "draft.md").read_text(encoding="utf-8") == BENS_DRAFT
    [beside] = (ben / REVIEW).glob("draft.theirs-*.md")
    assert beside.read_text(encoding="utf-8") == ALICES_DRAFT
    assert (ben / REVIEW / "costs.md").read_text(encoding="utf-8") == COSTS
    keys = {walnut: (walnut / "_kernel" / "key.md").read_text(encoding="utf-8") for walnut in (alice, ben)}
    assert (keys[alice].endswith(ALICES_LINE), keys[ben].endswith(BENS_LINE)) == (True, True)
    assert ALICES_LINE not in keys[ben]
    assert "2 removed" in told.output("ben", "undo ")
    assert "costs.md" in told.output("ben", "undo ")


def the_killed_receive_is_finished_by_the_next_command(told: Told) -> None:
    """It was half done and killed; afterwards all of it is there, and nothing of the interruption."""
    killed = next(at for at, one in enumerate(told.steps) if one["exit_code"] == -9)
    following = told.steps[killed + 1]
    assert following["command"] == told.steps[killed]["command"]
    assert "was finished" in following["output"]
    for at, name in enumerate(SEGMENTS):
        raw = told.walnut("ben") / TABLES / "raw" / f"{name}.csv"
        assert raw.read_text(encoding="utf-8") == table(at, is_corrected=True)
    left = [path for path in tree_of(told.folder / "ben") if ".alive-receive" in path]
    assert left == []
    assert list((told.folder / "ben" / ".alive" / "transactions").glob("*.json")) == []


def both_know_where_they_stand(told: Told) -> None:
    """Ben's log has an entry for each of the three; Alice has a receipt for each, and nothing waits."""
    log = (told.walnut("ben") / "_kernel" / "log.md").read_text(encoding="utf-8")
    assert log.count("Imported package from alice") == 3
    assert log.count("- Signed by: alice (") == 3
    state = told.output("alice", "relay probe")
    assert "ben: nothing waits" in state
    assert state.count("applied by ben") == 2  # the first receipt was told of before
    assert "applied by ben" in told.output("alice", "relay status")
    assert not any(path.endswith(".walnut") for path in [*told.relay("alice"), *told.relay("ben")])
    assert "changed       1 file: shielding-review/draft.md" in told.output("ben", "info ")


def test_the_story_can_be_read_in_a_narrow_terminal(terminal: Run, tmp_path: Path) -> None:
    """No line is wider, but for one word that cannot be broken; a broken command can be typed; the folder goes."""
    import pexpect

    (tmp_path / "tmp").mkdir()
    child = terminal("demo", columns=60, NO_COLOR="1", TMPDIR=str(tmp_path / "tmp"))
    child.expect(pexpect.EOF, timeout=90)
    child.close()
    assert child.exitstatus == 0
    assert list((tmp_path / "tmp").iterdir()) == []
    text = str(child.before).replace("\r\n", "\n")
    assert "\x1b" not in text
    assert SECRET not in text
    for line in text.splitlines():
        assert len(line) <= 60 or " " not in re.sub(r"'[^']*'|`[^`]*`", "x", line.strip()), line
    typed = re.findall(r"^  (?:alice|ben)\$ alive-p2p (.+)$", text.replace(" \\\n", ""), re.MULTILINE)
    assert len(typed) > 15
    assert any(shlex.split(command)[:3] == ["share", "--scope", "full"] for command in typed)
    told = " ".join(text.split())
    for words in ("Of his 8 tables 3 are new and 5 are old", "Of his 8 tables 8 are new, and no files", "signal 9"):
        assert words in told


def test_a_command_that_ends_otherwise_stops_the_story(run: Run, tmp_path: Path) -> None:
    """A library is broken: what the command said is shown, then which one it was; no more is told, the folder goes."""
    plant(tmp_path, {"first/cryptography.py": b"raise RuntimeError\n", "tmp/": b""})
    ran = run("demo", PYTHONPATH=str(tmp_path / "first"), TMPDIR=str(tmp_path / "tmp"))
    assert ran.code == 1
    assert re.findall(r"^  \w+\$ alive-p2p (.+)$", ran.out, re.MULTILINE) == [
        "relay setup --folder ../../relay-of-alice"
    ]
    assert "did not foresee (RuntimeError)" in ran.out
    assert "the demo stopped: `alive-p2p relay setup --folder ../../relay-of-alice` ended with 1, not 0" in ran.err
    assert "run it again with `--keep` and look at the folder" in ran.err
    assert [path for path in (tmp_path / "tmp").iterdir() if path.is_dir()] == []


def test_a_command_that_is_over_before_it_is_killed_stops_the_story(tmp_path: Path, runtime: Runtime) -> None:
    """Nothing was held still, so nothing was shown of a kill."""
    stage = Stage(tmp_path / "stage", Screen.for_process(runtime, as_json=True, debug=False), runtime)
    walnut = plant(stage.world("ben") / "nova", {"_kernel/key.md": b"---\ntype: venture\n---\n"})
    before = tree_of(walnut)
    with pytest.raises(AliveP2PError, match=r"`alive-p2p keys show` ended before it was killed") as caught:
        stage.run_and_kill("ben", "keys show", walnut, after=1)
    assert (caught.value.code, tree_of(walnut)) == ("demo-failed", before)
    assert [(one["command"], one["exit_code"]) for one in stage.steps] == [("keys show", 0)]


def test_it_stops_cleanly(terminal: Run, tmp_path: Path) -> None:
    """Ctrl-C ends it and what it runs, and the folder goes."""
    import pexpect

    (tmp_path / "tmp").mkdir()
    child = terminal("demo", TMPDIR=str(tmp_path / "tmp"))
    child.expect("relay invite ben")
    child.send("\x03")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 130
    assert list((tmp_path / "tmp").iterdir()) == []
