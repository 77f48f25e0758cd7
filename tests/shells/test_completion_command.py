"""`completion`: what it writes, that it says so, and that it takes away what it has written and nothing else."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from alive_p2p.cli import shells
from alive_p2p.runtime import Runtime
from worlds import plant, tree_of

Run = Callable[..., subprocess.CompletedProcess[str]]
PLACES = {
    "bash": ".local/share/bash-completion/completions/alive-p2p",
    "zsh": ".local/share/alive-p2p/completion.zsh",
    "fish": ".config/fish/completions/alive-p2p.fish",
}

pytestmark = pytest.mark.skipif(os.name != "posix", reason="these shells are POSIX")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture
def run(program: str, home: Path) -> Run:
    """Runs `alive-p2p completion …` without a terminal."""

    def call(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        env = {"PATH": os.environ["PATH"], "HOME": str(home), **environ}
        return subprocess.run(
            [program, "completion", *arguments],
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )

    return call


@pytest.mark.parametrize("shell", list(PLACES))
def test_one_command_installs_and_one_takes_everything_away(shell: str, run: Run, home: Path) -> None:
    """The shell is found, the file is named, doing it again changes nothing, and afterwards all is as before."""
    start_file = home / f".{shell}rc"
    start_file.write_bytes(b"# mine\nalias ll='ls -l'")
    start_file.chmod(0o640)
    done = run("install", "--yes", SHELL=f"/usr/bin/{shell}")
    assert done.returncode == 0
    assert str(home / PLACES[shell]) in done.stdout
    assert (home / PLACES[shell]).read_bytes() == shells.script(shell)
    assert start_file.read_bytes().startswith(b"# mine\nalias ll='ls -l'")
    installed = tree_of(home)
    again = json.loads(run("install", shell, "--json", "--yes").stdout)
    assert (again["status"], again["path"]) == ("noop", str(home / PLACES[shell]))
    assert tree_of(home) == installed
    assert run("remove", shell, "--yes").returncode == 0
    assert [path for path in home.rglob("*") if path.is_file()] == [start_file]
    assert not list(home.rglob("alive-p2p"))
    assert start_file.read_bytes().rstrip(b"\n") == b"# mine\nalias ll='ls -l'"
    assert start_file.stat().st_mode & 0o777 == 0o640
    assert json.loads(run("remove", shell, "--json").stdout)["status"] == "noop"


def test_a_start_file_is_changed_only_after_a_yes(run: Run, home: Path) -> None:
    """Without somebody to ask, the lines are shown and the file stays."""
    start_file = home / ".zshrc"
    start_file.write_bytes(b"# mine\n")
    done = run("install", "zsh")
    assert done.returncode == 1
    assert str(start_file) in done.stderr
    assert shells.place("zsh", Runtime(environ={"HOME": str(home)}, cwd=home)).block in done.stderr
    assert "left untouched" in done.stderr
    assert start_file.read_bytes() == b"# mine\n"
    assert (home / PLACES["zsh"]).is_file()
    assert run("install", "zsh", "--yes").returncode == 0
    assert b"alive-p2p" in start_file.read_bytes()
    assert run("remove", "zsh").returncode == 1
    assert b"alive-p2p" in start_file.read_bytes()


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are POSIX")
@pytest.mark.parametrize("answer", ["y", "n"])
def test_at_a_terminal_it_asks(answer: str, program: str, home: Path) -> None:
    """No leaves the start file as it is, and is no failure: the lines can be put elsewhere."""
    import pexpect

    env = {"PATH": os.environ["PATH"], "HOME": str(home), "SHELL": "/bin/zsh", "TERM": "dumb"}
    child = pexpect.spawn(program, ["completion", "install"], env=env, encoding="utf-8", timeout=30)
    child.expect_exact("[y/N]")
    child.sendline(answer)
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
    assert (home / ".zshrc").exists() == (answer == "y")


def test_a_start_file_that_is_a_link_stays_one(run: Run, home: Path) -> None:
    """As those have it who keep their settings in a repository."""
    kept = plant(home / "dotfiles", {"zshrc": b"# mine\n"}) / "zshrc"
    (home / ".zshrc").symlink_to(kept)
    assert run("install", "zsh", "--yes").returncode == 0
    assert (home / ".zshrc").is_symlink()
    assert b"alive-p2p" in kept.read_bytes()


def test_lines_of_an_earlier_place_are_replaced(run: Run, home: Path, tmp_path: Path) -> None:
    """There is one block, whatever was installed before, in the middle of what somebody wrote later."""
    (tmp_path / "data").mkdir()
    run("install", "zsh", "--yes", XDG_DATA_HOME=str(tmp_path / "data"))
    start_file = home / ".zshrc"
    start_file.write_bytes(start_file.read_bytes() + b"# later\n")
    run("install", "zsh", "--yes")
    assert start_file.read_bytes().count(b">>> alive-p2p") == 1
    assert start_file.read_bytes().startswith(b"# later\n")


@pytest.mark.parametrize("shell", list(PLACES))
def test_what_somebody_else_has_put_there_is_not_touched(shell: str, run: Run, home: Path) -> None:
    """Neither overwritten nor removed."""
    plant(home, {PLACES[shell]: b"# somebody else's\n"})
    before = tree_of(home)
    for command in ("install", "remove"):
        done = run(command, shell, "--yes")
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        assert "move it away" in done.stderr
    assert tree_of(home) == before


@pytest.mark.parametrize("shell", ["/bin/tcsh", "", "/bin/\x1b[31m"])
def test_a_shell_that_is_not_known_is_asked_for(shell: str, run: Run, home: Path) -> None:
    """With the names of those that are."""
    done = run("install", SHELL=shell)
    assert done.returncode == 2
    assert "completion install bash" in done.stderr
    assert "\x1b" not in done.stderr
    assert list(home.iterdir()) == []


def test_a_folder_that_no_shell_should_be_given_is_refused(run: Run, home: Path) -> None:
    """Its name would be written into a file that a shell runs."""
    done = run("install", "zsh", "--yes", XDG_DATA_HOME=f"{home}/a\nb")
    assert done.returncode == 2
    assert list(home.iterdir()) == []


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_the_lines_work_with_every_name_and_do_no_harm_alone(shell: str, home: Path) -> None:
    """The shell reads its start file without a word, with the script and without."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    data = home / "it's $(touch pwned) data"
    place = shells.place(shell, Runtime(environ={"HOME": str(home), "XDG_DATA_HOME": str(data)}, cwd=home))
    text = place.block + "echo done\n"
    for is_there in (False, True):
        if is_there:
            plant(place.path.parent, {place.path.name: shells.script(shell)})
        done = subprocess.run(
            [shell, "-c", text], env={"PATH": os.environ["PATH"], "HOME": str(home)}, capture_output=True, check=False
        )
        assert (done.stdout, done.stderr, done.returncode) == (b"done\n", b"", 0)
    assert not (home / "pwned").exists()
    assert not Path("pwned").exists()
