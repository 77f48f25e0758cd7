"""What a person reads when something is wrong: the cause, what was left untouched, and what to do next."""

import json
import os
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from pyrage import x25519

from alive_p2p.cli.screen import Screen
from alive_p2p.runtime import Runtime
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
    "nothing at the path": ("create --scope full --walnut {tmp}/nowhere", 2, "no-such-path", "there is nothing at"),
    "a file": ("create --scope full --walnut {p}", 1, "not-a-walnut", "is a file, not a walnut"),
    "a folder": ("create --scope full --walnut {tmp}/folder", 1, "not-a-walnut", "it has no `_kernel/key.md`"),
    "a world": ("create --scope full --walnut {world}", 1, "is-a-world", "is a world, not a walnut"),
    "an archived walnut": ("create --scope full --walnut {world}/01_Archive/old", 1, "archived", "is archived"),
    "no scope": ("create --walnut {nova}", 2, "usage", "--scope"),
    "an unknown scope": ("create --scope some --walnut {nova}", 2, "usage", "'some'"),
    "no bundle": ("create --scope bundle --walnut {nova}", 2, "no-bundle", "--bundle NAME"),
    "no bundle in it": (
        "share --scope bundle --walnut {tmp}/bare --to-nobody",
        2,
        "no-bundle",
        "'bare' has no bundles",
    ),
    "a bundle with scope full": (
        "create --scope full --walnut {nova} --bundle x",
        2,
        "bundle-without-scope",
        "goes with `--scope bundle`",
    ),
    "an unknown bundle": (
        "create --scope bundle --bundle lanch-window --walnut {nova}",
        2,
        "unknown-bundle",
        "there are:",
    ),
    "a bad pattern": ("create --scope full --walnut {nova} --exclude '{{a,b}}'", 2, "bad-pattern", "cannot be used"),
    "an unknown preset": (
        "create --scope full --walnut {nova} --preset x",
        2,
        "unknown-preset",
        "there is no preset 'x'",
    ),
    "an unknown peer": (
        "create --scope full --walnut {nova} --exclude-from ben",
        2,
        "unknown-peer",
        "there is no peer 'ben'",
    ),
    "a note of two lines": ("create --scope full --walnut {nova} --note 'a\nb'", 2, "not-one-line", "one line"),
    "a missing output folder": (
        "create --scope full --walnut {nova} -o {tmp}/no/x.walnut",
        2,
        "no-output-folder",
        "does not exist",
    ),
    "an output inside the walnut": (
        "create --scope full --walnut {nova} -o {nova}/x.walnut",
        1,
        "output-inside-walnut",
        "inside the walnut",
    ),
    "too many files": ("create --scope full --walnut {nova} --max-files 2", 1, "over-limit", "would hold"),
    "no such package": ("receive {tmp}/no.walnut", 2, "no-such-file", "there is no file"),
    "an empty package": ("receive {tmp}/empty.walnut", 1, "not-a-package", "an empty file"),
    "a web page": ("info {tmp}/page.walnut", 1, "not-a-package", "a web page that a browser saved"),
    "a zip": ("verify {tmp}/zip.walnut", 1, "not-a-package", "a zip file"),
    "a folder as a package": ("receive {tmp}/folder", 1, "not-a-package", "is a folder"),
    "no world to receive into": ("receive {p}", 2, "no-target", "no world is around"),
    "no parent": ("receive {p} --target {tmp}/no/way --yes", 2, "no-parent", "does not exist"),
    "a target that exists": ("receive {p} --target {tmp}/folder --yes", 1, "target-exists", "exists already"),
    "another scope": ("receive {p} --scope bundle --target {tmp}/t --yes", 2, "other-scope", "has scope full"),
    "bundles of a full package": ("receive {p} --bundle x --target {tmp}/t", 2, "bundle-without-scope", "chooses from"),
    "nobody to ask": ("receive {p} --target {tmp}/t", 1, "needs-yes", "has to be confirmed"),
    "a test option": ("receive {p} --source-layout v2 --target {tmp}/t", 2, "testing-only", "for tests"),
    "verify of nothing": ("verify", 2, "usage", "name one package"),
    "unlock of nothing": ("unlock --walnut {tmp}/nowhere", 2, "no-such-path", "there is no folder"),
    "two sources of a passphrase": (
        "create --scope full --walnut {nova} --encrypt passphrase --passphrase-env A --passphrase-file {tmp}/long",
        2,
        "usage",
        "not both",
    ),
    "a passphrase without end": (
        "create --scope full --walnut {nova} --encrypt passphrase --passphrase-file {tmp}/long",
        1,
        "long-passphrase",
        "longer than",
    ),
    "people, and no envelope for them": (
        "create --scope full --walnut {nova} --encrypt passphrase --to-keys {tmp}/ben.pub",
        2,
        "usage",
        "does not seal for people",
    ),
    "a key that the envelope cannot use": (
        "create --scope full --walnut {nova} --encrypt rsa --to-keys {tmp}/ben.pub",
        2,
        "bad-recipient",
        "which the RSA envelope cannot use",
    ),
    "a page inside the walnut": (
        "create --scope full --walnut {nova} --html {nova}/p.html",
        1,
        "output-inside-walnut",
        "the page would lie inside",
    ),
    "a page in the package's place": (
        "create --scope full --walnut {nova} -o {tmp}/x --html {tmp}/x --yes",
        2,
        "same-file",
        "the place of the package",
    ),
    "a signature of nobody": ("create --scope full --walnut {nova} --sign", 2, "no-sender", "who you are"),
    "nobody's key": ("keys export", 1, "no-key", "you have no key yet"),
    "differences of something that happens": ("receive {p} --diff", 2, "diff-without-dry-run", "goes with `--dry-run`"),
    "two things to receive": ("receive {p} --inbox", 2, "usage", "do not go together"),
    "nothing to receive": ("receive", 2, "usage", "name the package"),
    "a relay without doing it": ("receive --from-relay --dry-run", 2, "usage", "goes without a dry run"),
    "decisions that nobody takes": ("receive --inbox --auto --rename", 2, "usage", "would be one"),
    "no inbox": ("receive --inbox", 2, "no-world", "not inside a world"),
    "recovery of nothing": ("recover {tmp}/no/where", 2, "no-such-path", "there is no folder"),
    "recovery of two places": ("recover {nova} --adopt {tmp}/folder", 2, "usage", "goes without a path"),
    "nothing to adopt": ("recover --adopt {tmp}/nowhere", 2, "no-such-path", "there is no folder"),
    "something else to adopt": ("recover --adopt {tmp}/folder", 2, "not-staging", "is not a folder that a receive"),
    "an import that nobody knows": (
        "log-import --walnut {nova} --import-id 0123456789abcdef",
        2,
        "unknown-import",
        "knows no import",
    ),
    "an import without an id": ("log-import --walnut {nova} --import-id x", 2, "bad-import-id", "64 hex digits"),
    "two packages to push": ("relay push {p} --package {p} --peer ben", 2, "usage", "name the package"),
    "everybody, and one": ("relay probe --all-peers --peer ben", 2, "usage", "not both"),
    "another relay.json": ("relay probe --relay-config {tmp}/folder/x", 2, "usage", "names a relay.json"),
    "a relay in two places": ("relay setup --folder {tmp}/a --git {tmp}/b", 2, "usage", "lies in one place"),
    "a relay nowhere": ("relay setup --folder {tmp}/no/way --username alice", 2, "no-such-path", "none can be made"),
    "no world to pull into": ("relay pull", 2, "no-world", "no inbox to receive into"),
    "a relay of nobody": ("relay setup --folder {tmp}/a", 2, "no-username", "nobody says what you are called"),
    "a repository that is none": ("relay setup --git {tmp}/nowhere --username a", 2, "bad-address", "neither"),
    "no code": ("relay accept -", 2, "no-code", "there is no code"),
    "no relay": ("relay pull --world {world}", 1, "no-relay", "you have no relay yet"),
    "a new key for nobody": ("relay rotate --yes", 1, "no-relay", "nobody would learn"),
    "a mistyped command": ("recieve {p}", 2, "usage", "did you mean 'receive'"),
    "a mistyped option": ("create --scop full", 2, "usage", "--scope"),
}
"""Wrong calls by name: the command, its exit code, the code of the error, and a piece of the message."""


@pytest.fixture
def workplace(tmp_path: Path, package: Path) -> dict[str, Path]:
    """Everything the wrong calls name."""
    world = tmp_path / "world"
    plant(tmp_path, {"empty.walnut": b"", "page.walnut": b"<!DOCTYPE html><p>", "zip.walnut": b"PK\x03\x04zip"})
    plant(tmp_path, {"folder/x": b"", "long": b"x" * 70_000})
    (tmp_path / "ben.pub").write_text(f"{x25519.Identity.generate().to_public()}\n", encoding="utf-8")
    for walnut in (world / "01_Archive" / "old", tmp_path / "bare"):
        plant(walnut, {"_kernel/key.md": KEY})
    return {"tmp": tmp_path, "world": world, "nova": world / "04_Ventures" / "nova", "p": package}


@pytest.mark.parametrize("name", list(_PROBLEMS))
def test_every_mistake_has_a_message_and_changes_nothing(
    name: str, run: Run, tmp_path: Path, workplace: dict[str, Path]
) -> None:
    """One `error:` line that names the cause, the right exit code, and not a byte changed; the same as JSON."""
    command, exit_code, code, piece = _PROBLEMS[name]
    arguments = shlex.split(command.format(**workplace))
    before = {p: w for p, w in tree_of(tmp_path).items() if not p.startswith("home")}
    ran = run(*arguments)
    assert ran.code == exit_code, ran.err
    errors = [line for line in ran.err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert piece in errors[0]
    assert not errors[0].endswith(".")
    as_json = run(*arguments, "--json")
    assert as_json.code == exit_code
    document = json.loads(as_json.out)
    assert document["status"] == "error"
    assert set(document["error"]) >= {"code", "message", "hint"}
    assert document["error"]["code"] == code
    assert document["error"]["hint"]
    assert {p: w for p, w in tree_of(tmp_path).items() if not p.startswith("home")} == before


_WARNINGS = {
    "a finding that is none": ("create --scope full --walnut {nova} --allow-finding x --dry-run", "no such finding"),
    "a pattern for what is made": (
        "create --scope full --walnut {nova} --exclude README.md --dry-run",
        "matches only what is generated",
    ),
    "a manifest that is none": ("list-bundles --walnut {nova}", "cannot be parsed"),
    "a bundle with a name of Windows": ("create --scope full --walnut {nova} --dry-run", "be received on Windows"),
}
"""Calls that do what they are asked for, and a piece of the warning that goes with it."""


@pytest.mark.parametrize("name", list(_WARNINGS))
def test_a_warning_says_what_is_unusual_and_changes_nothing(name: str, run: Run, nova: Path, tmp_path: Path) -> None:
    """The command does what it was asked for; with --strict it ends with 1."""
    plant(nova, {"odd/context.manifest.yaml": b"goal: [\n", "con/notes.md": b"x"})
    command, piece = _WARNINGS[name]
    arguments = shlex.split(command.format(nova=nova, tmp=tmp_path))
    ran = run(*arguments)
    assert ran.code == 0, ran.err
    assert [line for line in ran.err.splitlines() if line.startswith("warning: ") and piece in line], ran.err
    assert run(*arguments, "--strict").code == 1


def test_the_projection_is_not_made_where_it_is_switched_off(run: Run, nova: Path) -> None:
    """And that is said, because it was asked for."""
    ran = run("project", "--walnut", nova, "--json", ALIVE_P2P_SKIP_REGEN="1")
    assert (ran.code, json.loads(ran.out)["error"]["code"]) == (1, "projection-off")


def test_an_inbox_is_not_received_by_itself(run: Run, package: Path, tmp_path: Path) -> None:
    """Which, is asked on a terminal; and nothing is received without being asked unless that is switched on."""
    world = tmp_path / "world"
    package.rename(world / "03_Inbox" / package.name)
    ran = run("receive", "--inbox", "--json", cwd=world)
    assert (ran.code, json.loads(ran.out)["error"]["code"]) == (1, "which")
    ran = run("receive", "--inbox", "--auto", "--json", cwd=world)
    assert (ran.code, json.loads(ran.out)["error"]["code"]) == (1, "auto-receive-off")


def test_bundles_need_a_walnut_to_go_to(run: Run, nova: Path, tmp_path: Path) -> None:
    """Outside a world there is none to be found."""
    plant(nova, {"odd/context.manifest.yaml": b"goal: x\n"})
    run("create", "--yes", "--scope", "bundle", "--bundle", "odd", "--walnut", nova, "-o", tmp_path / "b.walnut")
    ran = run("receive", tmp_path / "b.walnut", "--json")
    assert (ran.code, json.loads(ran.out)["error"]["code"]) == (2, "no-target")


def test_a_key_to_sign_with_has_to_be_there_and_of_the_kind_that_signs(run: Run, nova: Path, tmp_path: Path) -> None:
    """The preferences name it; a package is not left unsigned instead."""
    preferences = nova.parents[1] / ".alive" / "preferences.yaml"
    preferences.write_text(f"p2p:\n  signing_key_path: {tmp_path}/key.pem\n", encoding="utf-8")
    sign = ("create", "--yes", "--scope", "full", "--walnut", nova, "--sign", "--json")
    ran = run(*sign, GH_USER="alice")
    assert (ran.code, json.loads(ran.out)["error"]["code"]) == (2, "no-such-file")
    form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    pem = ed25519.Ed25519PrivateKey.generate().private_bytes(serialization.Encoding.PEM, *form)
    (tmp_path / "key.pem").write_bytes(pem)
    ran = run(*sign, GH_USER="alice")
    assert (ran.code, json.loads(ran.out)["error"]["code"]) == (1, "bad-key")
    ran = run(*sign[:-2], "--dry-run")
    assert "nothing says who you are" in ran.err


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

    source = plant(tmp_path / "nova", {**NOVA, "big.txt": os.urandom(60_000_000).hex().encode()})  # deflates slowly
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


def test_an_error_after_the_document_is_told_in_it(capsys: pytest.CaptureFixture[str]) -> None:
    """One document, of the error, with what was done before it; warnings stand in it once, wherever they stood."""
    screen = Screen.for_process(Runtime(environ={}, cwd=Path()), as_json=True, debug=False)
    screen.document({"status": "ok", "code": "xyz", "plan": {"warnings": ["known"]}})
    screen.warn(["known", "new"])
    screen.error("interrupted", "interrupted")
    screen.warn(["late"])
    screen.end()
    said = capsys.readouterr()
    document = json.loads(said.out)
    assert (document["status"], document["error"]["code"], document["code"]) == ("error", "interrupted", "xyz")
    assert document["warnings"] == ["new"]
    assert said.err == "error: interrupted\nwarning: late\n"
