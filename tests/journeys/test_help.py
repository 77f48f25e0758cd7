"""Help is true: every command has it, it names the command's line, and its examples work as printed."""

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from alive_p2p.cli.keys import keys
from alive_p2p.cli.program import COMMANDS
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


_ALL = [*COMMANDS, *(f"keys {name}" for name in keys.commands)]


@pytest.mark.parametrize("command", _ALL)
def test_the_examples_in_help_work_as_printed(command: str, run: Run, tmp_path: Path) -> None:
    """Each example is run in a world that has what it names."""
    help_text = run(*command.split(), "--help").out
    examples = re.findall(r"^\s+alive-p2p (.+)$", help_text, re.MULTILINE)
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
        if example.startswith("receive"):
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
        ran = run(*arguments, cwd=cwd)
        expected = 2 if command == "unlock" and "never was" in ran.out else 0
        assert ran.code == expected, f"{example}: {ran.err}"
