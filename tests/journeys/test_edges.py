"""The program in odd surroundings: no folder, no streams, no room, no patience."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from worlds import NOVA, plant, tree_of

Run = Callable[..., "object"]
posix = pytest.mark.skipif(os.name != "posix", reason="shell and signals as on POSIX")


@pytest.fixture
def nova(tmp_path: Path) -> Path:
    """A walnut."""
    return plant(tmp_path / "nova", NOVA)


def _shell(command: str, program: str, home: Path, cwd: Path) -> subprocess.CompletedProcess[bytes]:
    env = {"PATH": os.environ["PATH"], "HOME": str(home), "A": program}
    return subprocess.run(["sh", "-c", command], cwd=cwd, env=env, capture_output=True, check=False, timeout=60)


@posix
def test_a_current_folder_that_was_deleted_is_an_error_of_ours(program: str, home: Path, tmp_path: Path) -> None:
    """One line, exit 2."""
    done = _shell('mkdir gone && cd gone && rmdir ../gone && "$A" info x.walnut', program, home, tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith(b"error: the current folder does not exist")


@posix
@pytest.mark.parametrize("streams", ["2>&-", ">&-", "<&-", "<&- >&- 2>&-"])
def test_closed_streams_do_not_stop_the_work(
    streams: str, program: str, home: Path, tmp_path: Path, nova: Path
) -> None:
    """The package is made."""
    done = _shell(f'"$A" create --scope full --walnut {nova} -o x.walnut --yes {streams}', program, home, tmp_path)
    assert done.returncode == 0
    assert (tmp_path / "x.walnut").is_file()


@posix
@pytest.mark.parametrize("command", ["--version", "list-bundles --walnut nova", "list-bundles --walnut nova --json"])
def test_a_full_output_is_an_error_of_ours(command: str, program: str, home: Path, tmp_path: Path, nova: Path) -> None:
    """No traceback, exit 1."""
    assert nova.is_dir()
    done = _shell(f'"$A" {command} > /dev/full', program, home, tmp_path)
    assert done.returncode == 1
    assert b"Traceback" not in done.stderr
    assert b"Exception ignored" not in done.stderr


@posix
def test_a_reader_that_goes_away_does_not_turn_success_into_failure(
    program: str, home: Path, tmp_path: Path, nova: Path
) -> None:
    """What was received was received."""
    _shell(f'"$A" create --scope full --walnut {nova} --yes -o x.walnut', program, home, tmp_path)
    _shell('{ "$A" receive x.walnut --target t --yes; echo $? >code; } | true', program, home, tmp_path)
    assert (tmp_path / "code").read_text(encoding="ascii").strip() == "0"
    assert (tmp_path / "t" / "notes.md").is_file()


def test_names_that_no_system_has_are_errors_of_ours(run: Run, tmp_path: Path, nova: Path) -> None:
    """Too long a name, wherever it stands."""
    long = "x" * 300
    run("create", "--yes", "--scope", "full", "--walnut", nova, "-o", tmp_path / "p.walnut")
    for arguments in (
        ("create", "--yes", "--scope", "full", "--walnut", nova, "-o", tmp_path / long),
        ("create", "--yes", "--scope", "full", "--walnut", tmp_path / long),
        ("receive", tmp_path / "p.walnut", "--target", tmp_path / long, "--yes"),
        ("receive", tmp_path / long),
        ("unlock", "--walnut", tmp_path / long),
    ):
        ran = run(*arguments)
        assert ran.code in {1, 2}
        assert "did not foresee" not in ran.err


@posix
def test_links_that_lead_nowhere_are_errors_of_ours(run: Run, tmp_path: Path) -> None:
    """A loop and a dangling link do not exist: exit 2."""
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    for name in ("loop", "dangling"):
        for command in ("info", "verify", "receive"):
            ran = run(command, tmp_path / name)
            assert ran.code == 2
            assert "there is no file" in ran.err


def test_short_options_do_what_the_long_ones_do(run: Run, tmp_path: Path, nova: Path) -> None:
    """`-q` is quiet, `-y` is yes."""
    noisy = run(
        "create", "--yes", "--scope", "full", "--walnut", nova, "--exclude", "nothing", "-o", tmp_path / "a.walnut"
    )
    quiet = run(
        "create",
        "--yes",
        "--scope",
        "full",
        "--walnut",
        nova,
        "--exclude",
        "nothing",
        "-o",
        tmp_path / "b.walnut",
        "-q",
    )
    assert "warning" in noisy.err
    assert quiet.err == ""
    assert run("receive", tmp_path / "a.walnut", "--target", tmp_path / "t", "-y").code == 0


def test_an_option_after_two_dashes_is_a_name(run: Run, tmp_path: Path) -> None:
    """`-- --json` names a file called `--json`."""
    ran = run("info", "--", "--quiet", cwd=tmp_path)
    assert ran.code == 2
    assert "there is no file" in ran.err
    assert ran.out == ""


def test_a_refused_confirmation_shows_the_plan_as_json(run: Run, tmp_path: Path, nova: Path) -> None:
    """What it would do, beside the error."""
    run("create", "--yes", "--scope", "full", "--walnut", nova, "-o", tmp_path / "p.walnut")
    ran = run("receive", tmp_path / "p.walnut", "--target", tmp_path / "t", "--json")
    document = json.loads(ran.out)
    assert document["error"]["code"] == "needs-yes"
    assert document["plan"]["target"] == str(tmp_path / "t")


def test_an_output_that_cannot_be_used_is_refused_early(run: Run, tmp_path: Path, nova: Path) -> None:
    """Also by a dry run; an empty name and a folder that is not there are not taken for files."""
    assert run("create", "--yes", "--scope", "full", "--walnut", nova, "-o", nova / "x.walnut", "--dry-run").code == 1
    assert run("create", "--yes", "--scope", "full", "--walnut", nova, "-o", "").code == 2
    assert run("create", "--yes", "--scope", "full", "--walnut", nova, "-o", f"{tmp_path}/no/").code == 2
    assert not (tmp_path / "no").exists()


def test_commands_in_hints_can_be_pasted(run: Run, tmp_path: Path) -> None:
    """A path with a space or a quote is quoted for the shell."""
    odd = plant(tmp_path / "it's mine" / "walnut", NOVA)
    ran = run("create", "--yes", "--scope", "full", "--walnut", odd, "-o", odd / "x.walnut")
    hint = next(line for line in ran.err.splitlines() if "try:" in line)
    assert "'\"'\"'" in hint


@posix
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_in_the_middle_of_a_receive_leaves_nothing(
    name: str, program: str, home: Path, tmp_path: Path, run: Run
) -> None:
    """Exit 130, no staging, no registration, no walnut."""
    many = {f"notes/{number}.md": b"%d" % number for number in range(4_000)}  # making files takes long everywhere
    source = plant(tmp_path / "big", {**NOVA, **many})
    run("create", "--yes", "--scope", "full", "--walnut", source, "-o", tmp_path / "p.walnut")
    place = tmp_path / "place"
    place.mkdir()
    process = subprocess.Popen(
        [program, "receive", tmp_path / "p.walnut", "--target", place / "t", "--yes"],
        env={"PATH": os.environ["PATH"], "HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    while process.poll() is None and not list(place.iterdir()):
        time.sleep(0.002)
    for _ in range(3):  # impatience does not make it worse
        if process.poll() is None:
            process.send_signal(getattr(signal, name))
            time.sleep(0.001)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert b"Traceback" not in err
    assert tree_of(place) == {}
    transactions = home / ".alive" / "transactions"
    assert not transactions.exists() or not list(transactions.iterdir())


def _generate(program: str, home: Path, place: Path) -> "subprocess.CompletedProcess[bytes]":
    """Run a command that loads libraries, those in `first` before the real ones."""
    return subprocess.run(
        [program, "keys", "generate"],
        env={"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": str(place / "first")},
        capture_output=True,
        check=False,
    )


@posix
@pytest.mark.parametrize("module", ["click", "cryptography"])
def test_a_signal_while_a_class_is_being_made_is_an_interrupt(
    module: str, program: str, home: Path, tmp_path: Path
) -> None:
    """Python may wrap it in another error there: in an import before the program begins, or in one that it makes."""
    (tmp_path / "first").mkdir()
    (tmp_path / "first" / f"{module}.py").write_text(
        "import os, signal\n"
        "class Part:\n"
        "    def __set_name__(self, owner, name):\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "        list(range(1000))\n"
        "class Whole:\n"
        "    part = Part()\n",
        encoding="utf-8",
    )
    ran = _generate(program, home, tmp_path)
    assert ran.returncode == 130, ran.stderr
    assert b"Traceback" not in ran.stderr


@posix
def test_a_signal_in_a_finalizer_interrupts_all_the_same(program: str, home: Path, tmp_path: Path) -> None:
    """Python cannot raise anything out of there, and would go on as if nobody had pressed Ctrl-C."""
    (tmp_path / "first").mkdir()
    (tmp_path / "first" / "cryptography.py").write_text(
        "import os, signal, time\n"
        "class Thing:\n"
        "    def __del__(self):\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "        list(range(1000))\n"
        "Thing()\n"
        "time.sleep(20)\n"
        "raise SystemExit('nobody interrupted it')\n",
        encoding="utf-8",
    )
    ran = _generate(program, home, tmp_path)
    assert ran.returncode == 130, ran.stderr
    assert b"error: interrupted" in ran.stderr


def test_what_nobody_has_foreseen_is_written_down(run: Run, home: Path, tmp_path: Path) -> None:
    """A library that is broken: one line, and a file with the details for whoever is to mend it; nothing is made."""
    plant(tmp_path, {"first/cryptography.py": b"raise RuntimeError('broken \\x1b[31mhere')\n", "tmp/": b""})
    odd = {"PYTHONPATH": str(tmp_path / "first"), "TMPDIR": str(tmp_path / "tmp"), "TEMP": str(tmp_path / "tmp")}
    ran = run("keys", "generate", "--json", **odd)
    error = json.loads(ran.out)["error"]
    assert (ran.code, error["code"]) == (1, "unforeseen")
    assert error["message"].endswith("did not foresee (RuntimeError)")
    (details,) = (tmp_path / "tmp").iterdir()
    assert f"report it with the details in {details}" in error["hint"]
    assert "RuntimeError: broken" in details.read_text(encoding="utf-8")
    assert not (home / ".alive" / "relay" / "keys").exists()


@posix
@pytest.mark.parametrize("name", ["SIGHUP", "SIGINT"])
def test_a_signal_that_is_to_be_ignored_is_ignored(name: str, program: str, home: Path, tmp_path: Path) -> None:
    """As under `nohup`, and in the background of a script; the others interrupt all the same."""
    (tmp_path / "first").mkdir()
    (tmp_path / "first" / "cryptography.py").write_text(
        "import os, signal\n"
        f"os.kill(os.getpid(), signal.{name})\n"
        "list(range(1000))\n"
        "os.write(1, b'still here')\n"
        "os.kill(os.getpid(), signal.SIGTERM)\n"
        "list(range(1000))\n",
        encoding="utf-8",
    )
    ran = subprocess.run(
        ["sh", "-c", f'trap "" {name.removeprefix("SIG")}; exec "$0" keys generate', program],
        env={"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": str(tmp_path / "first")},
        capture_output=True,
        check=False,
    )
    assert (ran.returncode, ran.stdout) == (130, b"still here"), ran.stderr


def test_several_receives_at_once_leave_one_of_each(
    run: Run, program: str, home: Path, tmp_path: Path, nova: Path
) -> None:
    """Different packages with --wait are all applied; the same one is applied once."""
    for number in range(6):
        plant(nova, {f"b{number}/context.manifest.yaml": b"goal: x\n", f"b{number}/x.md": b"x"})
    target = tmp_path / "there"
    run("create", "--yes", "--scope", "snapshot", "--walnut", nova, "-o", tmp_path / "s.walnut")
    run("receive", tmp_path / "s.walnut", "--target", target, "--yes")
    for number in range(6):
        run(
            "create",
            "--yes",
            "--scope",
            "bundle",
            "--bundle",
            f"b{number}",
            "--walnut",
            nova,
            "-o",
            tmp_path / f"{number}.walnut",
        )
    env = {"PATH": os.environ["PATH"], "HOME": str(home)}
    processes = [
        subprocess.Popen(
            [program, "receive", tmp_path / f"{n % 6}.walnut", "--target", target, "--yes", "--wait", "60"],
            env=env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        for n in range(12)
    ]
    codes = [process.wait(timeout=120) for process in processes]
    for process in processes:
        assert process.stderr is not None
        process.stderr.close()
    assert codes.count(0) >= 6
    imports = json.loads((target / "_kernel" / "imports.json").read_bytes())["imports"]
    assert sorted(name for entry in imports[1:] for name in entry["applied_bundles"]) == [f"b{n}" for n in range(6)]
    assert (target / "_kernel" / "log.md").read_bytes().count(b"\n## ") == 7
    assert sys.version_info >= (3, 11)


def test_the_page_does_not_take_the_place_of_the_package(program: str, home: Path, tmp_path: Path, nova: Path) -> None:
    """`--html` and `--output` with one name are refused, also with `--force`, and the file that is there stays."""
    (tmp_path / "one").write_bytes(b"mine")
    for force in ("", "--force"):
        command = f'"$A" create --scope full --walnut {nova} --yes -o one --html ./one {force}'
        done = _shell(command, program, home, tmp_path)
        assert done.returncode == 2
        assert b"the page would take the place of the package" in done.stderr
        assert (tmp_path / "one").read_bytes() == b"mine"


@posix
def test_a_pipe_in_the_place_of_the_ledger(program: str, home: Path, tmp_path: Path, nova: Path) -> None:
    """It is neither waited for nor a riddle: what is wrong, and what to do."""
    (nova / "_kernel" / "imports.json").unlink(missing_ok=True)
    os.mkfifo(nova / "_kernel" / "imports.json")
    done = _shell(f'"$A" create --scope full --walnut {nova} -o x.walnut --yes', program, home, tmp_path)
    assert done.returncode == 1
    assert b"imports.json': it is a folder, a pipe, a socket or a device, not a file" in done.stderr
    assert b"move it away" in done.stderr


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a place where nothing can be made, such as /proc")
def test_a_home_that_cannot_be_written(program: str, tmp_path: Path, nova: Path) -> None:
    """The error names the way out."""
    command = f'"$A" create --scope full --walnut {nova} -o x.walnut --yes'
    done = _shell(command, program, Path("/proc/none"), tmp_path)
    assert done.returncode == 1
    assert b"try: set ALIVE_HOME to a folder that can be written" in done.stderr
