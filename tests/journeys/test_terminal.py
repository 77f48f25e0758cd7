"""On a real terminal: questions, previews, colours."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from people import make_ssh_key

from alive_p2p.runtime import Runtime
from worlds import NOVA, pack, plant, tree_of

if sys.platform == "win32":
    pytest.skip("pseudo-terminals are POSIX", allow_module_level=True)

import pexpect

Terminal = Callable[..., "pexpect.spawn[str]"]


@pytest.fixture
def package(tmp_path: Path, runtime: Runtime) -> Path:
    """A package to receive."""
    return pack(plant(tmp_path / "source" / "nova", NOVA), tmp_path / "p.walnut", runtime)


def test_receive_shows_the_preview_and_asks(terminal: Terminal, tmp_path: Path, package: Path) -> None:
    """A yes receives it."""
    child = terminal("receive", package, "--target", tmp_path / "there")
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
def test_anything_but_yes_changes_nothing(answer: str, terminal: Terminal, tmp_path: Path, package: Path) -> None:
    """No, an empty line, Ctrl-C and the end of input all leave everything as it was."""
    (tmp_path / "place").mkdir()
    child = terminal("receive", package, "--target", tmp_path / "place" / "there")
    child.expect(r"\[y/N\]")
    if answer in {"\x03", "\x04"}:
        child.send(answer)
    else:
        child.sendline(answer)
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == (130 if answer in {"\x03", "\x04"} else 1)
    assert tree_of(tmp_path / "place") == {}


def test_no_color_and_dumb_terminals_get_plain_text(terminal: Terminal, tmp_path: Path) -> None:
    """An error has colour on a terminal, and none with NO_COLOR or TERM=dumb."""
    for environ, coloured in (({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)):
        child = terminal("info", "nowhere", **environ)
        child.expect(pexpect.EOF)
        text = child.before or ""
        child.close()
        assert ("\x1b[" in text) is coloured
        assert child.exitstatus == 2


def test_a_passphrase_is_asked_for_twice_and_never_shown(terminal: Terminal, tmp_path: Path) -> None:
    """Twice when sealing, once when opening; two that differ make nothing."""
    nova = plant(tmp_path / "nova", NOVA)
    create = (
        "create",
        "--yes",
        "--scope",
        "full",
        "--walnut",
        nova,
        "-o",
        tmp_path / "p.walnut",
        "--encrypt",
        "passphrase",
    )
    for second, code in (("something else", 1), ("correct horse", 0)):
        child = terminal(*create)
        child.expect("passphrase for the package: ")
        child.sendline("correct horse")
        child.expect("the same passphrase again: ")
        child.sendline(second)
        child.expect(pexpect.EOF)
        assert "correct horse" not in (child.before or "")
        child.close()
        assert child.exitstatus == code
        assert (tmp_path / "p.walnut").exists() is (code == 0)
    child = terminal("receive", tmp_path / "p.walnut", "--target", tmp_path / "there", "--yes")
    child.expect("passphrase of the package: ")
    child.sendline("correct horse")
    child.expect("received 'nova'")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0


def test_a_passphrase_that_is_no_text_is_refused(terminal: Terminal, tmp_path: Path) -> None:
    """From a terminal with another encoding: it could not be typed again elsewhere, and nothing is made."""
    nova = plant(tmp_path / "nova", NOVA)
    before = tree_of(tmp_path)
    child = terminal("create", "--scope", "full", "--walnut", nova, "-o", tmp_path / "p", "--encrypt", "passphrase")
    child.expect("passphrase for the package: ")
    os.write(child.child_fd, b"h\xf6lle\n")
    child.expect("what was typed is not UTF-8")
    child.expect("left untouched: everything")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 1
    assert tree_of(tmp_path) == before


def _made_for(private: Path, tmp_path: Path, run: Callable[..., Any]) -> Path:
    """A package for the public half of a key."""
    nova = plant(tmp_path / "nova", NOVA)
    sealed = tmp_path / "p.walnut"
    made = run("create", "--yes", "--scope", "full", "--walnut", nova, "-o", sealed, "--to-keys", f"{private}.pub")
    assert made.code == 0, made.err
    return sealed


@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
def test_a_locked_ssh_key_is_asked_for_only_when_the_package_is_for_it(
    kind: str, terminal: Terminal, run: Callable[..., Any], home: Path, tmp_path: Path
) -> None:
    """The one it is for is asked for, once; a wrong passphrase is told, and nothing is received."""
    sealed = _made_for(make_ssh_key(home / ".ssh", kind, "correct horse"), tmp_path, run)
    make_ssh_key(home / ".ssh", "rsa" if kind == "ed25519" else "ed25519", "another one")
    without = run("receive", sealed, "--target", tmp_path / "there", "--yes")
    assert (without.code, "no terminal" in without.err, f"id_{kind}" in without.err) == (1, True, True)
    assert "--passphrase-env" not in without.err  # that is for packages
    for given, code in (("wrong", 1), ("correct horse", 0)):
        child = terminal("receive", sealed, "--target", tmp_path / "there", "--yes")
        child.expect(rf"passphrase of '~/.ssh/id_{kind}': ")
        child.sendline(given)
        child.expect(pexpect.EOF)
        said = child.before or ""
        child.close()
        assert "correct horse" not in said
        assert said.count("passphrase of") == 0
        assert ("does not open the private key" in said) is (code == 1)
        assert (child.exitstatus, (tmp_path / "there").exists()) == (code, code == 0)


def test_a_locked_ssh_key_is_left_alone_by_packages_for_others(
    terminal: Terminal, run: Callable[..., Any], home: Path, tmp_path: Path
) -> None:
    """Nobody is asked for a passphrase that cannot help."""
    sealed = _made_for(make_ssh_key(tmp_path / "elsewhere", "ed25519"), tmp_path, run)
    make_ssh_key(home / ".ssh", "ed25519", "correct horse")
    child = terminal("receive", sealed, "--target", tmp_path / "there", "--yes")
    child.expect("none of yours can be used")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 1


def test_our_own_locked_key_is_asked_for(
    terminal: Terminal, run: Callable[..., Any], home: Path, tmp_path: Path
) -> None:
    """To sign, and to open what is sealed for it; never for what is sealed for somebody else."""
    nova = plant(tmp_path / "nova", NOVA)
    child = terminal("keys", "generate", "--with-passphrase")
    for prompt in ("passphrase for your key: ", "the same passphrase again: "):
        child.expect(prompt)
        child.sendline("correct horse")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
    public = home / ".alive" / "relay" / "keys" / "public.pem"
    mine, other = tmp_path / "mine.walnut", tmp_path / "other.walnut"
    for sealed, key in ((mine, public), (other, make_ssh_key(tmp_path / "elsewhere", "rsa").with_suffix(".pub"))):
        create = (
            "create",
            "--yes",
            "--scope",
            "full",
            "--walnut",
            nova,
            "-o",
            sealed,
            "--to-keys",
            key,
            "--encrypt",
            "rsa",
        )
        child = terminal(*create, GH_USER="carla")
        child.expect("passphrase of")
        child.sendline("correct horse")
        child.expect("signed +by carla")
        child.expect(pexpect.EOF)
    assert "you (" in run("info", mine).out
    child = terminal("verify", mine)
    child.expect("passphrase of")
    child.sendline("correct horse")
    child.expect("verified")
    child = terminal("verify", other)
    child.expect("none of yours can be used; it is for [0-9a-f]{16}")


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("n", 1), ("", 1), ("\x04", 130)])
def test_published_keys_are_used_after_a_yes(
    answer: str, code: int, terminal: Terminal, tmp_path: Path, host: tuple[str, dict[str, tuple[int, bytes]]]
) -> None:
    """The fingerprints are shown, and whatever is not a yes makes no package."""
    address, answers = host
    public = make_ssh_key(tmp_path / "carla", "ed25519").with_suffix(".pub")
    answers["/carla.keys"] = (200, public.read_bytes())
    nova = plant(tmp_path / "nova", NOVA)
    command = (
        "create",
        "--scope",
        "full",
        "--walnut",
        nova,
        "-o",
        tmp_path / "p.walnut",
        "--to",
        "github:carla",
    )
    child = terminal(*command, ALIVE_P2P_GITHUB_URL=address)
    child.expect("github:carla publishes:")
    child.expect(r"ed25519 [0-9a-f]{4} [0-9a-f]{4}")
    child.expect(r"seal it for github:carla\? \[y/N\]")
    if answer == "\x04":
        child.send(answer)
    else:
        child.sendline(answer)
    child.expect(pexpect.EOF)
    child.close()
    assert (child.exitstatus, (tmp_path / "p.walnut").exists()) == (code, code == 0)


def test_hints_come_once_and_retire(terminal: Terminal, run: Callable[..., Any], tmp_path: Path) -> None:
    """Once per session, no more once the thing is set up, and never where nobody looks or nobody wants them."""
    nova = plant(tmp_path / "nova", NOVA)
    create = ("create", "--scope", "snapshot", "--walnut", nova, "-o", tmp_path / "p.walnut", "--force", "--no-sign")

    def said(*options: str, session: str) -> str:
        child = terminal(*create, *options, ALIVE_SESSION_ID=session)
        child.expect(pexpect.EOF)
        child.close()
        assert child.exitstatus == 0
        return child.before or ""

    assert "hint: `alive-p2p keys generate`" in said(session="one")
    assert "hint:" not in said(session="one")
    assert "hint:" in said(session="two")
    assert "hint:" not in said("--quiet", session="three")
    assert "hint:" not in run(*create, ALIVE_SESSION_ID="four").err
    settings = plant(tmp_path / ".alive", {"preferences.yaml": b"discovery_hints: false\n"}) / "preferences.yaml"
    assert "hint:" not in said(session="unwanted")
    settings.unlink()
    made = run("keys", "generate")
    assert (made.code, "until you have said who you are: set GH_USER" in made.err) == (0, True)
    assert "hint: `--to github:LOGIN`" in said(session="five")
    public = make_ssh_key(tmp_path / "ben", "ed25519").with_suffix(".pub")
    assert run("keys", "import", public, "--name", "ben").code == 0
    assert "hint:" not in said(session="six")


def test_a_terminal_that_is_closed_leaves_no_report(terminal: Terminal, tmp_path: Path) -> None:
    """Whoever closes the window while they are asked has interrupted: nothing unforeseen has happened."""
    nova = plant(tmp_path / "nova", NOVA)
    (tmp_path / "tmp").mkdir()
    child = terminal("share", "--walnut", nova, "--to-nobody", TMPDIR=str(tmp_path / "tmp"))
    child.expect("what of it")
    os.close(child.child_fd)  # the kernel tells the program with a SIGHUP
    child.closed, child.child_fd = True, -1
    assert os.waitstatus_to_exitcode(os.waitpid(child.pid, 0)[1]) == 130
    child.terminated = True
    assert list((tmp_path / "tmp").iterdir()) == []
