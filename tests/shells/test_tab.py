"""What TAB is answered, below the shells: quickly, safely, and with nothing where anything fails."""

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.shell_completion import CompletionItem
from hypothesis import given, settings
from hypothesis import strategies as st

from alive_p2p.cli import shells
from alive_p2p.cli.completing import OUTLINE, SHELLS, VARIABLE, Bash, _answer
from alive_p2p.runtime import Runtime
from release.outline import ELSEWHERE, KINDS, outline, parameters
from worlds import NOVA, make_world, plant

Tab = Callable[..., list[str]]


def _words(*words: str) -> dict[str, str]:
    return {"COMP_WORDS": "\n".join(["alive-p2p", *words]), "COMP_CWORD": str(len(words))}


@pytest.fixture
def tab(tmp_path: Path) -> Tab:
    """What is proposed for the last of some words, without its kind; the current folder is `tmp_path`."""

    def ask(*words: str, shell: str = "zsh", cwd: Path = tmp_path, **environ: str) -> list[str]:
        environ = {"HOME": str(tmp_path / "home"), VARIABLE: f"{shell}_complete", **_words(*words), **environ}
        lines = _answer(Runtime(environ=environ, cwd=cwd)).splitlines()
        return [line.split("\t")[1] if line.startswith("plain\t") else line for line in lines]

    return ask


def test_commands_and_options_and_choices(tab: Tab) -> None:
    """At every depth, and behind `=`."""
    assert tab("cr") == ["create"]
    assert {"invite", "accept", "peers"} <= set(tab("relay", ""))
    assert "rename" in tab("relay", "peers", "")
    assert tab("create", "--incl") == ["--include", "--include-full-history", "--include-nested"]
    assert tab("create", "--scope", "b") == ["bundle"]
    assert tab("create", "--scope=b") == ["bundle"]
    assert tab("completion", "install", "z") == ["zsh"]
    assert tab("create", "--no-s") == ["--no-sign"]


def test_files_are_left_to_the_shell(tab: Tab) -> None:
    """It is told which: packages, folders or any."""
    assert tab("receive", "no") == ["package\tno\t"]
    assert tab("relay", "push", "--package", "") == ["package\t\t"]
    assert tab("list-bundles", "--walnut", "04") == ["folder\t04\t"]
    assert tab("keys", "import", "be") == ["file\tbe\t"]


def test_names_of_bundles_peers_and_presets(tab: Tab, tmp_path: Path) -> None:
    """Those of the walnut that is named or around us, those in relay.json and the keyring, and the world's."""
    world = make_world(tmp_path / "world")
    nova = plant(world / "04_Ventures" / "nova-station", {**NOVA, "bundles/older/context.manifest.yaml": b"goal: x\n"})
    plant(world / ".alive", {"preferences.yaml": b"p2p: {share_presets: {press: {exclude_patterns: []}}}"})
    folder = tmp_path / "home" / ".alive" / "relay"
    plant(folder, {"relay.json": json.dumps({"version": 1, "peers": {"ben": {}}}).encode(), "keys/peers/ada.pem": b""})
    bundles = ["launch-window", "older", "shielding-review"]
    assert tab("create", "--walnut", str(nova), "--bundle", "") == bundles
    assert tab("create", "--bundle", "", cwd=nova / "engineering") == bundles
    assert tab("create", "--acknowledge", "", cwd=nova) == sorted([*bundles, "walnut", "key", "history"])
    assert tab("create", "--preset", "", cwd=nova) == ["press"]
    for words in (("create", "--to"), ("relay", "push", "--peer"), ("relay", "peers", "remove")):
        assert tab(*words, "") == ["ada", "ben"]
    assert tab("relay", "peers", "rename", "ben", "") == []


@pytest.mark.parametrize("broken", [b"not json", b"[]", b'{"peers": [1]}', b'{"peers": {"x": 1}}', b"\xff" * 100])
def test_nothing_where_a_file_is_broken(broken: bytes, tab: Tab, tmp_path: Path) -> None:
    """Peers and presets, whatever lies there."""
    world = make_world(tmp_path / "world")
    plant(tmp_path / "home" / ".alive" / "relay", {"relay.json": broken})
    plant(world / ".alive", {"preferences.yaml": b"p2p: &a [*a" + broken})
    assert set(tab("create", "--to", "")) <= {"x"}
    assert tab("create", "--preset", "", cwd=world) == []


def test_what_cannot_be_typed_is_not_proposed(tab: Tab, tmp_path: Path) -> None:
    """No control characters, nothing invisible, nothing that would be an option, nothing endless."""
    hostile = ["\x1b[31mred", "two\nlines", "tab\there", "-rf", "\u202eevil", "\u200b", "x" * 201, "good"]
    plant(tmp_path / "nova", {f"{name}/context.manifest.yaml": b"" for name in hostile})
    assert tab("create", "--walnut", "nova", "--bundle", "") == ["good"]


_NAMES = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FFF, exclude_categories=["C", "Z"]) | st.just(" "))


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
@settings(max_examples=10)
@given(st.lists(_NAMES, min_size=1, max_size=40))
def test_bash_reads_a_proposal_as_the_name_it_is(names: list[str]) -> None:
    """Whatever it consists of: nothing is expanded, split or run."""
    shell = Bash(None, {}, "alive-p2p", VARIABLE)  # type: ignore[arg-type]  # the commands are not asked
    quoted = [shell.format_completion(CompletionItem(name)).removeprefix("plain\t") for name in names if name]
    done = subprocess.run(
        ["bash", "-c", 'eval "set -- $1"; printf \'%s\\n\' "$@"', "-", " ".join(quoted)],
        capture_output=True,
        check=True,
        env={"LC_ALL": "C.UTF-8", "PATH": os.environ["PATH"]},
    )
    assert done.stdout.decode().split("\n")[:-1] == ([name for name in names if name] or [""])
    assert not done.stderr


def test_bash_gets_its_words_whole_again(tab: Tab) -> None:
    """It breaks them at `=` and `:`, and leaves quotes and backslashes in."""
    assert tab("create", "--scope", "=", "f", shell="bash") == ["full"]
    assert tab("create", "--scope", "=", shell="bash") == ["full", "bundle", "snapshot"]
    assert tab("create", "--scope", "'f", shell="bash") == ["full"]
    assert tab("create", "--note", "it\\'s", "--scope", "f", shell="bash") == ["full"]
    assert tab("create", "--to", "github", ":", "b", shell="bash") == []


def test_inside_quotes_bash_gets_only_what_stands_there_for_itself(tab: Tab, tmp_path: Path) -> None:
    """A quote that the person has opened is not closed by a name."""
    hostile = ["a b", "a$(x)", 'a"x', "a'x", "a`x`", "a\\x", "a!x"]
    plant(tmp_path / "nova", {f"{name}/context.manifest.yaml": b"" for name in hostile})
    for quote in "\"'":
        assert tab("create", "--walnut", "nova", "--bundle", f"{quote}a", shell="bash") == ["a b"]


@pytest.mark.parametrize(
    "environ",
    [
        {VARIABLE: "tcsh_complete"},
        {VARIABLE: ""},
        {"COMP_CWORD": "x"},
        {"COMP_CWORD": "-7"},
        {"COMP_CWORD": "7000"},
        _words("no-such-command", "--x", ""),
        _words("create", "--max-files", "many", "--scope", "neither", "--", "--x"),
        _words("create", "--walnut", "/dev/null", "--bundle", ""),
        _words("receive", "\udcff", "--wa"),
    ],
)
def test_whatever_is_asked_there_is_no_word_of_failure(environ: dict[str, str], program: str, tmp_path: Path) -> None:
    """Nobody who types wants to read an error, or to find a report of one in a temporary folder."""
    asked = {VARIABLE: "bash_complete", **_words("cr"), **environ}
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "TMPDIR": str(tmp_path), **asked}
    done = subprocess.run([program], env=env, cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0
    assert done.stderr == b""
    assert b"rror" not in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_no_command_is_imported_for_it(tmp_path: Path) -> None:
    """Nor what they stand on: importing takes ten times as long as answering."""
    code = (
        "import sys; from alive_p2p.cli.completing import main; main(); "
        "print(*[m for m in sys.modules if m.startswith('alive_p2p') or m in ('yaml', 'cryptography', 're2')])"
    )
    for words in (("",), ("relay", ""), ("create", "--")):
        env = {**os.environ, VARIABLE: "zsh_complete", **_words(*words)}
        done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
        *proposed, modules = done.stdout.splitlines()
        assert len(proposed) > 5
        assert {name.rpartition(".")[2] for name in modules.split()} == {
            "alive_p2p", "cli", "completing", "runtime", "errors", "text",
        }  # fmt: skip


def test_the_outline_is_a_true_picture_of_the_commands() -> None:
    """`make pages` draws it anew."""
    assert OUTLINE.read_text(encoding="utf-8") == outline(), "run `make pages`"


def test_what_is_proposed_for_parameters_names_parameters_that_exist() -> None:
    """A parameter that is renamed would silently lose its proposals."""
    kinds = OUTLINE.read_text(encoding="utf-8")
    for kind in {*KINDS.values(), *filter(None, ELSEWHERE.values())}:
        assert f'"kind": "{kind}"' in kinds
    known = parameters()
    assert set(ELSEWHERE) <= known
    assert set(KINDS) <= {name for _, name in known}


def test_every_shell_that_can_be_named_has_a_script_and_an_answer() -> None:
    """The three of them."""
    assert set(SHELLS) == set(shells.SHELLS)
    for shell in SHELLS:
        assert shells.MARK in shells.script(shell)
        assert f"{VARIABLE}={shell}_complete".encode() in shells.script(shell)
    assert shlex.split(shells.script("bash").decode(), comments=True)[-1] == "alive-p2p"
