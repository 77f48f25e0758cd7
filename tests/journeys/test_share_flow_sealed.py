"""The interactive flow in a pseudo-terminal, for people at a git host and with a passphrase (share.md §8)."""

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_ssh_public_key
from flow import CTRL_C, DOWN, ENTER, SECRET, Host, Run, Terminal, ended, press, public_half, world_to_share
from people import make_ssh_key

from worlds import NOVA, tree_of

if sys.platform == "win32":
    pytest.skip("pseudo-terminals are POSIX", allow_module_level=True)

if TYPE_CHECKING:
    import pexpect


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """A world with one walnut and a preset."""
    return world_to_share(tmp_path)


def _in_fours(public: bytes) -> str:
    """The fingerprint of a key as two people compare it: the SHA-256 of its DER, in groups of four."""
    der = load_ssh_public_key(public).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    digits = hashlib.sha256(der).hexdigest()
    return " ".join(digits[at : at + 4] for at in range(0, 64, 4))


# -- somebody by their name at a git host ------------------------------------------------------------------------------


def _for_carla(terminal: Terminal, world: Path, output: Path, **environ: str) -> "pexpect.spawn[str]":
    """Everything, for somebody at GitHub; their name is asked for next."""
    nova = world / "04_Ventures" / "nova"
    child = terminal("share", "--walnut", nova, "--scope", "full", "--preset", "outside", "-o", output, **environ)
    press(child, "for whom", ENTER)
    press(child, "where", ENTER)
    return child


@pytest.mark.parametrize(
    ("word", "keys", "login"), [("github", (), "carla-9"), ("gitlab", (DOWN,), "_carla.d")], ids=["GitHub", "GitLab"]
)
def test_for_somebody_by_their_name_at_a_git_host(
    word: str,
    keys: tuple[str, ...],
    login: str,
    terminal: Terminal,
    run: Run,
    world: Path,
    tmp_path: Path,
    home: Path,
    host: Host,
) -> None:
    """Every key that can be used is shown; after a yes it opens with each of them, and with nobody else's."""
    address, answers = host
    theirs = [make_ssh_key(tmp_path / "theirs", kind) for kind in ("ed25519", "rsa")]
    unusable = public_half(make_ssh_key(tmp_path / "theirs", "ecdsa"))  # a kind that age does not encrypt to
    stranger = make_ssh_key(tmp_path / "stranger", "ed25519")
    answers[f"/{login}.keys"] = (200, unusable + b"".join(map(public_half, theirs)))
    variables = {"ALIVE_P2P_GITHUB_URL": "http://127.0.0.1:1", "ALIVE_P2P_GITLAB_URL": "http://127.0.0.1:1"}
    variables[f"ALIVE_P2P_{word.upper()}_URL"] = address
    child = terminal("share", "--walnut", world / "04_Ventures" / "nova", "-o", tmp_path / "out", **variables)
    press(child, "what of it", DOWN, ENTER)
    child.expect("for whom")
    child.expect("somebody by their name at GitHub or GitLab")
    child.send(ENTER)
    press(child, "where", *keys, ENTER)
    press(child, f"their name at {'GitHub' if word == 'github' else 'GitLab'}", login, ENTER)
    press(child, "a preset", DOWN, ENTER)
    child.expect(f"{word}:{login} publishes:")
    child.expect(rf"seal it for {word}:{login}\? \[y/N\]")
    shown = [line.split(maxsplit=1) for line in (child.before or "").splitlines() if line.startswith("  ")]
    assert shown == [[kind, _in_fours(public_half(one))] for kind, one in zip(("ed25519", "rsa"), theirs, strict=True)]
    assert list((tmp_path / "out").iterdir()) == []
    child.sendline("y")
    child.expect("would pack 'nova'")
    child.expect(rf"sealed +for {word}:{login} \([0-9a-f]{{16}}\), {word}:{login} \([0-9a-f]{{16}}\)")
    press(child, "and now", ENTER)
    code, said = ended(child)
    assert code == 0, said
    assert "to open it they need one of these lines" in said
    (made,) = (tmp_path / "out").iterdir()
    assert made.read_bytes().startswith(b"age-encryption.org/v1\n")
    outside = json.loads(run("info", made, "--json").out)
    assert (outside["encryption"], "walnut" in outside) == ("age", False)
    for number, private in enumerate(theirs):
        there = tmp_path / f"there-{number}"
        opened = run("receive", made, "--target", there, "--yes", "--private-key", private)
        assert opened.code == 0, opened.err
        assert (there / "notes.md").read_bytes() == NOVA["notes.md"]
        assert not (there / "engineering").exists()
    refused = run("receive", made, "--target", tmp_path / "t", "--yes", "--private-key", stranger)
    assert (refused.code, (tmp_path / "t").exists()) == (1, False)
    sent = json.loads((home / ".alive" / "relay" / "sent.json").read_text(encoding="utf-8"))
    assert [one["name"] for one in sent["shares"][0]["recipients"]] == [f"{word}:{login}"] * 2


@pytest.mark.parametrize("answer", ["n", "", "no"])
def test_only_a_yes_to_the_fingerprints_goes_on(
    answer: str, terminal: Terminal, world: Path, tmp_path: Path, home: Path, host: Host
) -> None:
    """No, and an empty line, stop it before there is anything to look at; no file is made."""
    address, answers = host
    answers["/carla.keys"] = (200, public_half(make_ssh_key(tmp_path / "carla", "ed25519")))
    before = tree_of(world)
    child = _for_carla(terminal, world, tmp_path / "out", ALIVE_P2P_GITHUB_URL=address)
    press(child, "their name at GitHub", "carla", ENTER)
    child.expect(r"seal it for github:carla\? \[y/N\]: ")
    child.sendline(answer)
    code, said = ended(child)
    assert (code, "stopped, as you asked" in said) == (1, True)
    assert "would pack" not in said
    assert tree_of(world) == before
    assert list((tmp_path / "out").iterdir()) == []
    assert not (home / ".alive" / "relay" / "sent.json").exists()


@pytest.mark.parametrize(
    ("answer", "code", "piece"),
    [
        ((200, b"<!DOCTYPE html>"), 1, "what GitHub gives as the keys of 'carla' cannot be used: it is a web page"),
        ((200, b"ssh-ed25519 AAAA\x1b[2J\n"), 1, "what GitHub gives as the keys of 'carla' cannot be used: line 1"),
        ((503, b""), 1, "the keys could not be fetched from GitHub: it answered 503"),
    ],
    ids=["web page", "damaged", "down"],
)
def test_a_host_that_gives_no_key_ends_it(
    answer: tuple[int, bytes],
    code: int,
    piece: str,
    terminal: Terminal,
    world: Path,
    tmp_path: Path,
    host: Host,
) -> None:
    """Whose login and which host is said; nobody is asked whether to seal it for nothing, and no file is made."""
    address, answers = host
    answers["/carla.keys"] = answer
    child = _for_carla(terminal, world, tmp_path / "out", ALIVE_P2P_GITHUB_URL=address)
    press(child, "their name at GitHub", "carla", ENTER)
    exit_code, said = ended(child)
    assert (exit_code, piece in said) == (code, True), said
    assert "left untouched: everything" in said
    assert "seal it for" not in said
    assert "\x1b[2J" not in said
    assert list((tmp_path / "out").iterdir()) == []


def _pasted(text: str) -> str:
    """As a terminal hands on what was pasted: no key of it does anything."""
    return f"\x1b[200~{text}\x1b[201~"


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("../x", "../x"),
        ("carla/../carla", "carla/../carla"),
        ("carla d", "carla d"),
        ("carla🚀", "carla🚀"),
        ("-carla", "-carla"),
        ("%2e%2e", "%2e%2e"),
        ("carla?x#y", "carla?x#y"),
        ("github:carla", "github:carla"),
        ("c" * 40, "c" * 40),
        (_pasted("\x1b[31mcarla\x07"), r"\x1b[31mcarla\x07"),
        (_pasted("carla\u202eslrac"), r"carla\u{202e}slrac"),
    ],
)
def test_what_cannot_be_a_login_is_told(
    typed: str, shown: str, terminal: Terminal, world: Path, tmp_path: Path
) -> None:
    """Before anybody is asked for its keys, and with what does not belong on a terminal written as escapes."""
    child = _for_carla(terminal, world, tmp_path / "out", ALIVE_P2P_GITHUB_URL="http://127.0.0.1:1")
    press(child, "their name at GitHub", typed, ENTER)
    child.expect_exact(f"'{shown}' cannot be a login at GitHub; type another name")
    press(child, "their name at GitHub", CTRL_C)
    code, said = ended(child)
    assert (code, "Traceback" in said) == (130, False), said
    assert list((tmp_path / "out").iterdir()) == []


def test_a_name_is_asked_for_until_there_is_one(terminal: Terminal, world: Path, tmp_path: Path, host: Host) -> None:
    """Nothing, or blanks, is no name; blanks around one are not part of it."""
    address, answers = host
    answers["/carla.keys"] = (200, public_half(make_ssh_key(tmp_path / "carla", "ed25519")))
    child = _for_carla(terminal, world, tmp_path / "out", ALIVE_P2P_GITHUB_URL=address)
    for typed in ("", "   ", "  carla "):
        press(child, r"\?2004h[^\n]*their name at GitHub", typed, ENTER)  # the mode is set for each new question
    child.expect("github:carla publishes:")
    child.expect(r"seal it for github:carla\?")
    child.send(CTRL_C)
    assert ended(child)[0] == 130


# -- whoever has a passphrase ------------------------------------------------------------------------------------------


def _with_a_passphrase(terminal: Terminal, world: Path, output: Path) -> "pexpect.spawn[str]":
    """Everything, for whoever has the passphrase, which is asked for next."""
    nova = world / "04_Ventures" / "nova"
    child = terminal("share", "--walnut", nova, "--scope", "full", "--preset", "outside", "-o", output)
    press(child, "for whom", DOWN, ENTER)
    return child


@pytest.mark.parametrize("secret", [SECRET, " blanks around ", "naïve 🐴"])
def test_for_whoever_has_a_passphrase(
    secret: str, terminal: Terminal, run: Run, world: Path, tmp_path: Path, home: Path
) -> None:
    """Asked for twice and never shown; what is made opens with it, and with nothing else."""
    child = _with_a_passphrase(terminal, world, tmp_path / "out")
    for question in ("passphrase for the package: ", "the same passphrase again: "):
        child.expect(question)
        assert secret not in (child.before or "")
        assert list((tmp_path / "out").iterdir()) == []
        child.sendline(secret)
    child.expect("would pack 'nova'")
    assert secret not in (child.before or "")
    child.expect("sealed +with a passphrase")
    press(child, "and now", ENTER)
    code, said = ended(child)
    assert code == 0, said
    assert secret not in said
    (made,) = (tmp_path / "out").iterdir()
    assert made.read_bytes().startswith(b"Salted__")
    outside = json.loads(run("info", made, "--json").out)
    assert (outside["encryption"], "walnut" in outside) == ("passphrase", False)
    receive = ("receive", made, "--target", tmp_path / "there", "--yes")
    wrong = run(*receive, "--passphrase-env", "P", P=secret + "x")
    assert (wrong.code, "wrong passphrase or key" in wrong.err) == (1, True)
    assert not (tmp_path / "there").exists()
    assert json.loads(run("info", made, "--passphrase-env", "P", "--json", P=secret).out)["walnut"] == "nova"
    child = terminal(*receive)
    child.expect("passphrase of the package: ")
    child.sendline(secret)
    code, said = ended(child)
    assert (code, "received 'nova'" in said, secret in said) == (0, True, False)
    assert (tmp_path / "there" / "notes.md").read_bytes() == NOVA["notes.md"]
    assert secret not in (home / ".alive" / "relay" / "sent.json").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("typed", "piece"),
    [
        ((SECRET, SECRET.upper()), "the two passphrases are not the same"),
        ((SECRET, ""), "the two passphrases are not the same"),
        (("",), "the passphrase is empty"),
    ],
    ids=["another", "none the second time", "none"],
)
def test_a_passphrase_that_will_not_do_ends_it(
    typed: tuple[str, ...], piece: str, terminal: Terminal, world: Path, tmp_path: Path, home: Path
) -> None:
    """Why is said, and no file is made."""
    before = tree_of(world)
    child = _with_a_passphrase(terminal, world, tmp_path / "out")
    for question, answer in zip(("passphrase for the package: ", "the same passphrase again: "), typed, strict=False):
        child.expect(question)
        child.sendline(answer)
    code, said = ended(child)
    assert (code, piece in said) == (1, True), said
    assert "left untouched: everything" in said
    assert "Traceback" not in said
    assert tree_of(world) == before
    assert list((tmp_path / "out").iterdir()) == []
    assert not (home / ".alive" / "relay" / "sent.json").exists()


def test_a_quiet_run_still_shows_what_it_asks_about(
    terminal: Terminal, world: Path, tmp_path: Path, host: Host
) -> None:
    """The fingerprints are part of the question, so `--quiet` does not take them away."""
    address, answers = host
    public = public_half(make_ssh_key(tmp_path / "carla", "ed25519"))
    answers["/carla.keys"] = (200, public)
    nova = world / "04_Ventures" / "nova"
    options = ("--scope", "full", "--preset", "outside", "--to", "github:carla", "-q", "-o", tmp_path / "out")
    child = terminal("share", "--walnut", nova, *options, ALIVE_P2P_GITHUB_URL=address)
    child.expect(r"seal it for github:carla\?")
    shown = child.before or ""
    child.send(CTRL_C)
    ended(child)
    assert _in_fours(public) in shown
    assert re.search(r"\^C\r\n(\x1b\[\d+m)*error:", child.before or "")


@pytest.mark.parametrize("way", ["--to", "--to-keys"])
def test_a_revoked_key_is_not_sealed_for_by_another_road(
    way: str, program: str, world: Path, tmp_path: Path, host: Host
) -> None:
    """Neither where a git host publishes it, nor from a file."""
    address, answers = host
    public = public_half(make_ssh_key(tmp_path / "mallory", "ed25519"))
    answers["/mallory.keys"] = (200, public)
    home, file = tmp_path / "a-home", tmp_path / "mallory.keys"
    home.mkdir()
    file.write_bytes(public)
    environ = {"PATH": os.environ["PATH"], "HOME": str(home), "ALIVE_P2P_GITHUB_URL": address}

    def run(*arguments: object) -> "subprocess.CompletedProcess[str]":
        command = [program, *map(str, arguments)]
        return subprocess.run(command, env=environ, capture_output=True, text=True, check=False, cwd=tmp_path)

    assert run("keys", "import", file, "--name", "mallory").returncode == 0
    index = home / ".alive" / "relay" / "keys" / "index.json"
    index.write_text(index.read_text(encoding="utf-8").replace('"unpaired"', '"revoked"'), encoding="utf-8")
    whom = "github:mallory" if way == "--to" else file
    nova, out = world / "04_Ventures" / "nova", tmp_path / "out.walnut"
    done = run("create", "--walnut", nova, "--scope", "full", way, whom, "--yes", "-o", out)
    assert done.returncode != 0
    assert "the key of 'mallory' is revoked" in done.stderr
    assert not out.exists()


@pytest.mark.parametrize(
    ("typed", "piece"),
    [
        ("carlla", "nobody at GitHub is called 'carlla'"),
        ("empty", "empty publishes no key at GitHub that can be used"),
    ],
)
def test_a_mistyped_name_is_asked_for_again(
    typed: str, piece: str, terminal: Terminal, world: Path, tmp_path: Path, host: Host
) -> None:
    """At once, before any other question, and the flow goes on with the right one."""
    address, answers = host
    answers["/carla.keys"] = (200, public_half(make_ssh_key(tmp_path / "carla", "ed25519")))
    answers["/empty.keys"] = (200, b"")
    child = _for_carla(terminal, world, tmp_path / "out", ALIVE_P2P_GITHUB_URL=address)
    press(child, "their name at GitHub", typed, ENTER)
    child.expect_exact(f"{piece}; type another name, or stop with Ctrl-C")
    press(child, "their name at GitHub", "carla", ENTER)
    child.expect(r"seal it for github:carla\? \[y/N\]: ")
    child.sendline("y")
    press(child, "and now", ENTER)
    code, said = ended(child)
    assert code == 0, said
