"""On a real terminal: questions, previews, colours."""

import os
import sys
from pathlib import Path

import pytest

from alive_p2p.runtime import Runtime
from worlds import NOVA, pack, plant, tree_of

if sys.platform == "win32":
    pytest.skip("pseudo-terminals are POSIX", allow_module_level=True)

import pexpect


@pytest.fixture
def package(tmp_path: Path, runtime: Runtime) -> Path:
    """A package to receive."""
    return pack(plant(tmp_path / "source" / "nova", NOVA), tmp_path / "p.walnut", runtime)


def _spawn(program: str, home: Path, cwd: Path, *arguments: object, **environ: str) -> "pexpect.spawn[str]":
    env = {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8", "TERM": "xterm-256color", **environ}
    return pexpect.spawn(program, [str(a) for a in arguments], cwd=str(cwd), env=env, encoding="utf-8", timeout=30)  # type: ignore[arg-type]


def test_receive_shows_the_preview_and_asks(program: str, home: Path, tmp_path: Path, package: Path) -> None:
    """A yes receives it."""
    child = _spawn(program, home, tmp_path, "receive", package, "--target", tmp_path / "there")
    child.expect("would receive 'nova'")
    child.expect("only a claim")
    child.expect(r"receive it\? \[y/N\]")
    child.sendline("y")
    child.expect("received 'nova'")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
    assert (tmp_path / "there" / "notes.md").is_file()


@pytest.mark.parametrize("answer", ["n", "", "\x03", "\x04"])
def test_anything_but_yes_changes_nothing(answer: str, program: str, home: Path, tmp_path: Path, package: Path) -> None:
    """No, an empty line, Ctrl-C and the end of input all leave everything as it was."""
    (tmp_path / "place").mkdir()
    child = _spawn(program, home, tmp_path, "receive", package, "--target", tmp_path / "place" / "there")
    child.expect(r"\[y/N\]")
    if answer in {"\x03", "\x04"}:
        child.send(answer)
    else:
        child.sendline(answer)
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == (130 if answer in {"\x03", "\x04"} else 1)
    assert tree_of(tmp_path / "place") == {}


def test_no_color_and_dumb_terminals_get_plain_text(program: str, home: Path, tmp_path: Path) -> None:
    """An error has colour on a terminal, and none with NO_COLOR or TERM=dumb."""
    for environ, coloured in (({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)):
        child = _spawn(program, home, tmp_path, "info", "nowhere", **environ)
        child.expect(pexpect.EOF)
        text = child.before or ""
        child.close()
        assert ("\x1b[" in text) is coloured
        assert child.exitstatus == 2


def test_a_passphrase_is_asked_for_twice_and_never_shown(program: str, home: Path, tmp_path: Path) -> None:
    """Twice when sealing, once when opening; two that differ make nothing."""
    nova = plant(tmp_path / "nova", NOVA)
    create = ("create", "--scope", "full", "--walnut", nova, "-o", tmp_path / "p.walnut", "--encrypt", "passphrase")
    for second, code in (("something else", 1), ("correct horse", 0)):
        child = _spawn(program, home, tmp_path, *create)
        child.expect("passphrase for the package: ")
        child.sendline("correct horse")
        child.expect("the same passphrase again: ")
        child.sendline(second)
        child.expect(pexpect.EOF)
        assert "correct horse" not in (child.before or "")
        child.close()
        assert child.exitstatus == code
        assert (tmp_path / "p.walnut").exists() is (code == 0)
    child = _spawn(program, home, tmp_path, "receive", tmp_path / "p.walnut", "--target", tmp_path / "there", "--yes")
    child.expect("passphrase of the package: ")
    child.sendline("correct horse")
    child.expect("received 'nova'")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
