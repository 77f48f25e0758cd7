"""What a person reads when something is wrong: the cause, what was left untouched, and what to do next."""

import json
import os
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from worlds import KEY, NOVA, make_world, plant, tree_of

Run = Callable[..., "object"]


@pytest.fixture
def nova(tmp_path: Path) -> Path:
    """A walnut in a world."""
    return plant(make_world(tmp_path / "world") / "04_Ventures" / "nova", NOVA)


@pytest.fixture
def package(run: Run, nova: Path, tmp_path: Path) -> Path:
    """A package of it."""
    run("create", "--yes", "--scope", "full", "--walnut", nova, "-o", tmp_path / "p.walnut")
    return tmp_path / "p.walnut"


_PROBLEMS = {
    "nothing at the path": ("create --scope full --walnut {tmp}/nowhere", 2, "there is nothing at"),
    "a file": ("create --scope full --walnut {p}", 1, "is a file, not a walnut"),
    "a folder": ("create --scope full --walnut {tmp}/folder", 1, "it has no `_kernel/key.md`"),
    "a world": ("create --scope full --walnut {world}", 1, "is a world, not a walnut"),
    "an archived walnut": ("create --scope full --walnut {world}/01_Archive/old", 1, "is archived"),
    "no scope": ("create --walnut {nova}", 2, "--scope"),
    "an unknown scope": ("create --scope some --walnut {nova}", 2, "'some'"),
    "no bundle": ("create --scope bundle --walnut {nova}", 2, "--bundle NAME"),
    "a bundle with scope full": ("create --scope full --walnut {nova} --bundle x", 2, "goes with `--scope bundle`"),
    "an unknown bundle": ("create --scope bundle --bundle lanch-window --walnut {nova}", 2, "there are:"),
    "a bad pattern": ("create --scope full --walnut {nova} --exclude '{{a,b}}'", 2, "cannot be used"),
    "an unknown preset": ("create --scope full --walnut {nova} --preset x", 2, "there is no preset 'x'"),
    "an unknown peer": ("create --scope full --walnut {nova} --exclude-from ben", 2, "there is no peer 'ben'"),
    "a note of two lines": ("create --scope full --walnut {nova} --note 'a\nb'", 2, "one line"),
    "a missing output folder": ("create --scope full --walnut {nova} -o {tmp}/no/x.walnut", 2, "does not exist"),
    "an output inside the walnut": ("create --scope full --walnut {nova} -o {nova}/x.walnut", 1, "inside the walnut"),
    "too many files": ("create --scope full --walnut {nova} --max-files 2", 1, "would hold"),
    "no such package": ("receive {tmp}/no.walnut", 2, "there is no file"),
    "an empty package": ("receive {tmp}/empty.walnut", 1, "an empty file"),
    "a web page": ("info {tmp}/page.walnut", 1, "a web page that a browser saved"),
    "a zip": ("verify {tmp}/zip.walnut", 1, "a zip file"),
    "a folder as a package": ("receive {tmp}/folder", 1, "is a folder"),
    "no world to receive into": ("receive {p}", 2, "no world is around"),
    "no parent": ("receive {p} --target {tmp}/no/way --yes", 2, "does not exist"),
    "a target that exists": ("receive {p} --target {tmp}/folder --yes", 1, "exists already"),
    "another scope": ("receive {p} --scope bundle --target {tmp}/t --yes", 2, "has scope full"),
    "bundles of a full package": ("receive {p} --bundle x --target {tmp}/t", 2, "chooses from"),
    "nobody to ask": ("receive {p} --target {tmp}/t", 1, "has to be confirmed"),
    "a test option": ("receive {p} --source-layout v2 --target {tmp}/t", 2, "for tests"),
    "verify of nothing": ("verify", 2, "name one package"),
    "unlock of nothing": ("unlock --walnut {tmp}/nowhere", 2, "there is no folder"),
    "a mistyped command": ("recieve {p}", 2, "did you mean 'receive'"),
    "a mistyped option": ("create --scop full", 2, "--scope"),
}
"""Wrong calls by name: the command, its exit code, and a piece of the message."""


@pytest.fixture
def workplace(tmp_path: Path, package: Path) -> dict[str, Path]:
    """Everything the wrong calls name."""
    world = tmp_path / "world"
    plant(tmp_path, {"empty.walnut": b"", "page.walnut": b"<!DOCTYPE html><p>", "zip.walnut": b"PK\x03\x04zip"})
    plant(tmp_path, {"folder/x": b""})
    plant(world / "01_Archive" / "old", {"_kernel/key.md": KEY})
    return {"tmp": tmp_path, "world": world, "nova": world / "04_Ventures" / "nova", "p": package}


@pytest.mark.parametrize("name", list(_PROBLEMS))
def test_every_mistake_has_a_message_and_changes_nothing(
    name: str, run: Run, tmp_path: Path, workplace: dict[str, Path]
) -> None:
    """One `error:` line that names the cause, the right exit code, and not a byte changed; the same as JSON."""
    command, code, piece = _PROBLEMS[name]
    arguments = shlex.split(command.format(**workplace))
    before = {p: w for p, w in tree_of(tmp_path).items() if not p.startswith("home")}
    ran = run(*arguments)
    assert ran.code == code, ran.err
    errors = [line for line in ran.err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert piece in errors[0]
    assert not errors[0].endswith(".")
    as_json = run(*arguments, "--json")
    assert as_json.code == code
    document = json.loads(as_json.out)
    assert document["status"] == "error"
    assert set(document["error"]) >= {"code", "message", "hint"}
    assert {p: w for p, w in tree_of(tmp_path).items() if not p.startswith("home")} == before


@pytest.mark.parametrize(
    ("text", "piece"),
    [
        ("p2p:\n  share_presets: 7\n", "'p2p.share_presets' has to be a group of settings"),
        ("p2p:\n  share_presets:\n    x:\n      exclude_patern: ['a']\n", "line 4"),
        ("p2p:\n  limits:\n    max_files: many\n", "'p2p.limits.max_files' has to be a whole number"),
        ("p2p: [\n", "cannot be read"),
    ],
)
def test_a_mistake_in_the_preferences_names_its_line(text: str, piece: str, run: Run, nova: Path) -> None:
    """Key, file and line; nothing is shared meanwhile."""
    (nova.parents[1] / ".alive" / "preferences.yaml").write_text(text, encoding="utf-8")
    ran = run("create", "--yes", "--scope", "full", "--walnut", nova)
    assert ran.code == 1
    assert piece in ran.err
    assert "preferences.yaml" in ran.err


def test_an_unknown_preference_is_a_warning_with_a_guess(run: Run, nova: Path, tmp_path: Path) -> None:
    """It does not stop the share, unless --strict."""
    (nova.parents[1] / ".alive" / "preferences.yaml").write_text("p2p:\n  share_preset: {}\n", encoding="utf-8")
    ran = run("create", "--yes", "--scope", "full", "--walnut", nova, "-o", tmp_path / "p.walnut")
    assert ran.code == 0
    assert "did you mean 'share_presets'" in ran.err
    assert (
        run("create", "--yes", "--scope", "full", "--walnut", nova, "-o", tmp_path / "p.walnut", "--strict").code == 1
    )


def test_a_broken_relay_config_is_named(run: Run, nova: Path, home: Path) -> None:
    """Patterns kept for a peer that cannot be read stop the share."""
    plant(home / ".alive" / "relay", {"relay.json": b'{"peers": {"ben": {"exclude_patterns": "x"}}}'})
    ran = run("create", "--yes", "--scope", "full", "--walnut", nova, "--exclude-from", "ben")
    assert ran.code == 1
    assert "relay.json" in ran.err


def test_names_from_a_package_never_reach_the_terminal_raw(run: Run, tmp_path: Path) -> None:
    """A walnut, bundle and sender full of right-to-left and wide characters is shown escaped where it is unsafe."""
    source = plant(tmp_path / "nova\u202egnp.\u2066", {**NOVA, "b\u200fc/context.manifest.yaml": b"goal: x\n"})
    ran = run(
        "create", "--yes", "--scope", "full", "--walnut", source, "-o", tmp_path / "p.walnut", GH_USER="e\u202evil"
    )
    info = run("info", tmp_path / "p.walnut")
    listed = run("list-bundles", "--walnut", source)
    dry = run("create", "--yes", "--scope", "full", "--walnut", source, "--dry-run")
    for text in (ran.out, ran.err, info.out, listed.out, dry.out):
        assert not set(text) & set("\u202e\u2066\u200f\x1b")
    assert "\\u{202e}" in info.out


def test_output_to_a_pipe_that_closes_is_not_an_error_message(program: str, home: Path, nova: Path) -> None:
    """`alive-p2p … | head -1` ends quietly."""
    import subprocess

    process = subprocess.run(
        f"'{program}' create --scope full --walnut '{nova}' --dry-run --json | head -1",
        shell=True,
        env={"PATH": os.environ["PATH"], "HOME": str(home)},
        capture_output=True,
        check=False,
    )
    assert process.stderr == b""


@pytest.mark.skipif(os.name != "posix", reason="signals as on POSIX")
def test_interrupting_ends_with_130_and_leaves_nothing(program: str, home: Path, tmp_path: Path) -> None:
    """SIGINT and SIGTERM while packing something large: one line, exit 130, no temporary file."""
    import signal
    import subprocess
    import time

    source = plant(tmp_path / "nova", {**NOVA, "big.bin": os.urandom(120_000_000)})
    for number in (signal.SIGINT, signal.SIGTERM):
        process = subprocess.Popen(
            [program, "create", "--yes", "--scope", "full", "--walnut", source, "-o", tmp_path / "p.walnut"],
            env={"PATH": os.environ["PATH"], "HOME": str(home)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        while process.poll() is None and not [p for p in tmp_path.iterdir() if p.name.endswith(".tmp")]:
            time.sleep(0.005)
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
        assert process.returncode == 130
        assert b"Traceback" not in err
        assert err.lstrip().startswith(b"error: interrupted")
        assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".alive")] == []
