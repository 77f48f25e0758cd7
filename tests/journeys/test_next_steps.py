"""What `alive-p2p` alone says: one thing to do where somebody is, and where to find the rest."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from alive_p2p.cli.program import COMMANDS, SECTIONS
from alive_p2p.transactions.registry import register
from relay.people import Person
from worlds import NOVA, make_world, plant

Run = Callable[..., "object"]


def _commands(out: str) -> list[str]:
    """The commands that it proposes, without the program's name."""
    return [line.split("   ")[0].removeprefix("  alive-p2p ") for line in out.splitlines() if line.startswith("  ")]


def test_whoever_has_nothing_sees_a_few_lines(run: Run) -> None:
    """What it is, what can be tried, and where the rest is."""
    ran = run()
    assert ran.code == 0
    assert ran.err == ""
    assert len(ran.out.splitlines()) <= 10
    assert _commands(ran.out) == ["demo", "receive FILE --target FOLDER", "relay setup"]
    assert "`alive-p2p --help`" in ran.out
    assert "`alive-p2p doctor`" in ran.out


def test_it_depends_on_where_somebody_is(run: Run, tmp_path: Path) -> None:
    """Beside a world, in one, and in a walnut or below it."""
    world = make_world(tmp_path / "my world")
    nova = plant(world / "04_Ventures" / "nova-station", NOVA)
    assert "cd 'my world'" in run(cwd=tmp_path).out
    assert "you are in the world 'my world'" in run(cwd=world).out
    assert _commands(run(cwd=world).out) == ["share", "relay setup"]
    assert "you are in the walnut 'nova-station'" in run(cwd=nova / "engineering").out


def test_what_waits_and_what_was_interrupted_comes_first(tmp_path: Path, program: str) -> None:
    """With what goes on with it."""
    alice, ben = Person("alice", tmp_path).set_up(), Person("ben", tmp_path).set_up()
    assert "relay invite NAME" in _commands(alice.types(program).out)
    alice.pair(ben)
    staging = alice.world / ".alive-receive-0123456789abcdef"
    staging.mkdir()
    register("0123456789abcdef", alice.world / "nova", staging, alice.runtime).close()
    alice.packed().rename(alice.world / "03_Inbox" / "p.walnut")
    ben.push("alice")
    alice.probe()
    (tmp_path / "relay-of-ben").rename(tmp_path / "away")
    alice.push("ben")
    out = alice.types(program).out
    assert _commands(out) == ["recover", "receive --inbox", "share", "relay pull", "relay probe"]
    assert "1 package waited for you" in out
    assert alice.types(program).out == out


def test_it_changes_nothing_and_never_fails(run: Run, home: Path) -> None:
    """Not even with files of ours that are not what they should be; `doctor` is named then."""
    relay = home / ".alive" / "relay"
    relay.mkdir(parents=True)
    (relay / "relay.json").write_text("{", encoding="utf-8")
    (home / ".alive" / "transactions").mkdir()
    (home / ".alive" / "transactions" / "0123456789abcdef.json").write_text("{", encoding="utf-8")
    before = sorted(home.rglob("*"))
    ran = run()
    assert ran.code == 0
    assert "doctor" in _commands(ran.out)
    assert sorted(home.rglob("*")) == before


@pytest.mark.skipif(os.name != "posix", reason="such names there are none")
def test_names_are_escaped(run: Run, tmp_path: Path) -> None:
    """Of worlds and walnuts."""
    world = make_world(tmp_path / "w\x1b[2J\u202e")
    assert not {"\x1b", "\u202e"} & set(run(cwd=world).out + run(cwd=tmp_path).out)


def test_a_reader_that_has_gone_is_no_traceback(program: str, tmp_path: Path) -> None:
    """As for every other command."""
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as closed:
        done = subprocess.run([program], stdout=closed, stderr=subprocess.PIPE, cwd=tmp_path, check=False)
    assert done.stderr == b""
    assert done.returncode == 1


def test_nothing_is_loaded_for_it_that_takes_long(tmp_path: Path) -> None:
    """Neither the command line's library, nor cryptography, nor anything that reaches a network."""
    code = (
        "import json, sys; sys.argv = ['alive-p2p']\n"
        "from alive_p2p.cli.main import run\n"
        "try: run()\n"
        "except SystemExit: pass\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, check=True)
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert not loaded & {"click", "cryptography", "yaml", "re2", "subprocess", "socket", "urllib.request", "tempfile"}


def test_every_heading_in_help_is_over_commands_that_there_are() -> None:
    """And no command stands under two."""
    names = [name for section in SECTIONS.values() for name in section]
    assert len(names) == len(set(names))
    assert set(names) <= set(COMMANDS)
