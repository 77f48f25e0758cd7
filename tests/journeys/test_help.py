"""Help is true: every command has it, it names the command's line, and its examples work as printed."""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from alive_p2p.cli.completion import completion
from alive_p2p.cli.keys import keys
from alive_p2p.cli.program import COMMANDS
from alive_p2p.cli.relay import relay
from alive_p2p.cli.relay_peers import peers
from relay.people import Person
from worlds import NOVA, make_world, plant

Run = Callable[..., "object"]


@pytest.mark.parametrize("command", list(COMMANDS))
def test_every_command_has_help_with_its_line(command: str, run: Run) -> None:
    """The line in the overview is the first line of the command's own help."""
    ran = run(command, "--help")
    assert ran.code == 0
    assert COMMANDS[command][2] in re.sub(r"\s+", " ", ran.out)


def test_the_overview_names_every_command(run: Run) -> None:
    """Nothing is hidden."""
    out = run("--help").out
    assert all(re.search(rf"^  {re.escape(name)} ", out, re.MULTILINE) for name in COMMANDS)


_RELAY = [
    "relay",
    *(f"relay {name}" for name in relay.commands),
    *(f"relay peers {name}" for name in peers.commands),
]
_ALL = [
    *(name for name in COMMANDS if name not in {"relay", "pair"}),
    *(f"keys {name}" for name in keys.commands),
    *(f"completion {name}" for name in completion.commands),
    "hook session-start",
]


def _examples(text: str) -> list[str]:
    """The examples in a help, without the name of the program; what a backslash breaks is one line."""
    return re.findall(r"^\s+alive-p2p (.+)$", re.sub(r" *\\\n +", " ", text), re.MULTILINE)


_EVERY_HELP = """
import sys
import click
from alive_p2p.cli.program import cli

def paths(command, *path):
    yield path
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            yield from paths(command.get_command(click.Context(command), name), *path, name)

for path in paths(cli):
    print("$", *path)
    cli.main([*path, "--help"], prog_name="alive-p2p", standalone_mode=False, terminal_width=int(sys.argv[1]))
"""
"""Prints the help of everything that has one, in a process of its own: click keeps what it has once shown."""


@pytest.mark.parametrize("columns", [60, 80, 200])
def test_no_help_is_wider_than_the_terminal(columns: int) -> None:
    """No line of any; an example that is longer goes on in the next line, in the shell's manner."""
    script = [sys.executable, "-c", _EVERY_HELP, str(columns)]
    lines = subprocess.run(script, capture_output=True, check=True, text=True).stdout.splitlines()
    assert {"$ share", "$ relay peers list", "$ hook session-start"} <= set(lines)
    assert [line for line in lines if len(line) > columns] == []


def _shell(example: str, program: str, home: Path, cwd: Path, **environ: str) -> subprocess.CompletedProcess[bytes]:
    """Run an example as it stands, in a shell whose `alive-p2p` says yes where a person would."""
    stand_in = home / "bin" / "alive-p2p"
    stand_in.parent.mkdir(exist_ok=True)
    stand_in.write_text(f"#!/bin/sh\nexec '{program}' \"$@\"\n", encoding="utf-8")
    stand_in.chmod(0o755)
    env = {"PATH": f"{stand_in.parent}:{os.environ['PATH']}", "HOME": str(home), **environ}
    env["TMPDIR"] = str(stand_in.parent)  # what an example leaves for a look goes with the test
    return subprocess.run(
        ["sh", "-euc", f"alive-p2p {example}"],
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )


def _made_ready(example: str, alice: Person, ben: Person) -> str:
    """Bring two people as far as an example of alice's takes them to be; the example as she would type it then."""
    world = alice.world
    if "setup" in example:
        return example
    alice.set_up()
    ben.set_up()
    if "accept" in example:
        (world / "code.txt").write_text(ben.invite("alice").encode(), encoding="ascii")
        return example if "code.txt" in example else f"{example} - < code.txt"  # pasted at the prompt
    if "invite" in example:
        return example
    ben.accept(alice.invite("ben"))
    if "confirm" not in example:
        alice.confirm()
    if "nova-station.walnut" in example:
        alice.packed().rename(world / "nova-station.walnut")
    if any(word in example for word in ("pull", "decline")):
        ben.push("alice")
    if "recall" in example:
        alice.push("ben")
    if match := re.search(r"\d{8}-\d{6}-[0-9a-f]{8}\.walnut", example):
        folder = (ben if "recall" in example else alice).relay_folder / "inbox"
        (deposit,) = folder.glob("*/*.walnut")
        example = example.replace(match.group(), deposit.name)
    return f"{example} --yes" if example.endswith("relay pull") else example  # what a person answers at the prompt


@pytest.mark.skipif(os.name != "posix", reason="the examples are for a POSIX shell")
@pytest.mark.parametrize("command", [one for one in _RELAY if one != "relay peers trust"])  # only at a terminal
def test_the_examples_of_relays_work_as_printed(command: str, run: Run, program: str, tmp_path: Path) -> None:
    """Each with two people who are as far as the example takes them to be."""
    examples = _examples(run(*command.split(), "--help").out)
    assert examples, "a command without an example"
    for number, example in enumerate(examples):
        alice, ben = (Person(name, tmp_path / str(number)) for name in ("alice", "ben"))
        typed = _made_ready(example, alice, ben)
        done = _shell(typed, program, alice.world.parent, alice.world, GH_USER="alice")
        assert done.returncode == 0, f"{typed}: {done.stderr.decode()}"


@pytest.mark.parametrize("command", _ALL)
def test_the_examples_in_help_work_as_printed(command: str, run: Run, tmp_path: Path) -> None:
    """Each example is run in a world that has what it names."""
    examples = _examples(run(*command.split(), "--help").out)
    assert examples, "a command without an example"
    for number, example in enumerate(examples):
        world = make_world(tmp_path / str(number))
        nova = plant(world / "04_Ventures" / "nova-station", NOVA)
        run("create", "--scope", "full", "--walnut", nova, "--yes", "-o", world / "nova-station.walnut")
        run(
            "create",
            "--scope",
            "bundle",
            "--bundle",
            "launch-window",
            "--yes",
            "--walnut",
            nova,
            "-o",
            world / "review.walnut",
        )
        arguments = shlex.split(example)
        if example.startswith(("receive", "completion install")):
            arguments.append("--yes")  # what a person answers at the prompt
        if "nova-station.walnut" in example and "--target" in example:
            nova.rename(world / "moved")
        if example.startswith("migrate"):
            plant(world / "unpacked", {"_kernel/key.md": b"", "bundles/a/context.manifest.yaml": b"goal: x\n"})
        if example.startswith("log-import"):
            entry = {"import_id": "a1b2c3d4e5f67890" + "0" * 48, "scope": "full", "sender": "alice"}
            (nova / "_kernel" / "imports.json").write_text(json.dumps({"imports": [entry]}), encoding="utf-8")
        if example.startswith("undo"):
            nova.rename(world / "moved")
            assert run("receive", world / "nova-station.walnut", "--target", nova, "--yes").code == 0
        if example.startswith(("keys export", "keys import")):
            assert run("keys", "generate").code == 0
            (world / "ben.pem").write_text(json.loads(run("keys", "export", "--json").out)["pem"], encoding="ascii")
        cwd = nova if "--walnut ." in example else world
        if cwd == nova and "--dry-run" not in example:
            # A package does not go into the walnut it is made from.
            arguments += [] if "--output" in arguments else ["--output", str(world / "x.walnut")]
            arguments = [str(world / a) if a == "review.walnut" else a for a in arguments]
        ran = run(*arguments, cwd=cwd, TMPDIR=str(tmp_path))  # what is left for a look goes with the test
        expected = 2 if command == "unlock" and "never was" in ran.out else 0
        assert ran.code == expected, f"{example}: {ran.err}"
