"""The program as a client starts it: only protocol on standard output, an end when it is told, its configuration."""

import json
import os
import select
import signal
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from alive_p2p.errors import UsageError
from alive_p2p.installer import how_to_install
from alive_p2p.mcp.clients import CLIENTS, snippet
from alive_p2p.mcp.server import serve
from alive_p2p.mcp.tools import TOOLS
from alive_p2p.runtime import Runtime
from relay.people import Person

DOCS = Path(__file__).resolve().parents[2] / "docs" / "agents.md"
HELLO = [
    {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}},
    },
    {"jsonrpc": "2.0", "method": "notifications/initialized"},
]
LIST = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "list_walnuts", "arguments": {}}}

NOISY = """
import os, subprocess, sys
from pathlib import Path
from alive_p2p.mcp import looking, server, tools
from alive_p2p.runtime import Runtime
import dataclasses

async def noisy(call, options):
    print("printed")
    os.write(1, b"written\\n")
    subprocess.run(["sh", "-c", "echo from a child; cat; echo end of its input"])
    return await looking.list_walnuts(call, options)

loud = tuple(dataclasses.replace(t, handler=noisy) if t.name == "list_walnuts" else t for t in tools.TOOLS)
server._BY_NAME.update({t.name: t for t in loud})
server.serve(Runtime.from_process())
print("printed after the end", file=sys.stderr)
"""


def lines_of(*messages: Any) -> bytes:
    return b"".join(json.dumps(one).encode() + b"\n" for one in messages)


def exchange(command: list[str], person: Person, sent: bytes, last: int) -> tuple[list[Any], bytes]:
    """Start a server, send it something, and end its input when the answer of this number has come.

    Returns:
        Everything it wrote: the answers, and what was on standard error.
    """
    with subprocess.Popen(
        command,
        cwd=person.world,
        env=environ_of(person),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        server.stdin.write(sent)
        server.stdin.flush()
        answers = []
        for line in server.stdout:
            answers.append(json.loads(line))
            if answers[-1].get("id") == last:
                break
        rest, told = server.communicate(timeout=60)
        assert server.returncode == 0, told
    return [*answers, *map(json.loads, rest.splitlines())], told


def environ_of(person: Person) -> dict[str, str]:
    return {**person.runtime.environ, "PATH": os.environ["PATH"]}


RUBBISH = [b"\n", b"{\n", b"\xff\xfe\n", b'{"jsonrpc":"2.0","id":9,"method":"x/y"}\n', b"[1]\n"]


@pytest.mark.skipif(os.name != "posix", reason="the child is a POSIX shell")
def test_nothing_but_the_protocol_goes_to_standard_output(alice: Person) -> None:
    """Whatever a tool, a library or a child prints; and a child finds no protocol on its standard input.

    What is no request, or comes before the greeting, is answered or passed over, and then all is as if it had not been.
    """
    sent = b"".join(RUBBISH) + lines_of({**LIST, "id": 7}, *HELLO, LIST)
    messages, told = exchange([sys.executable, "-c", NOISY], alice, sent, last=2)
    assert all(one["jsonrpc"] == "2.0" for one in messages)
    answers = {one.get("id"): one for one in messages}
    assert "error" in answers[9]
    assert "error" in answers[7]
    assert answers[2]["result"]["structuredContent"]["walnuts"]
    for text in (b"printed\n", b"written\n", b"from a child\nend of its input\n", b"printed after the end\n"):
        assert text in told


@pytest.mark.skipif(os.name != "posix", reason="signals as on POSIX")
def test_a_signal_ends_it_although_nobody_says_anything(alice: Person, program: str) -> None:
    """Its input stays open; it ends all the same, with the code of an interruption and without a traceback."""
    with subprocess.Popen(
        [program, "mcp"],
        cwd=alice.world,
        env=environ_of(alice),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        assert server.stderr is not None
        server.stdin.write(lines_of(*HELLO))
        server.stdin.flush()
        assert select.select([server.stdout], [], [], 60)[0]
        server.send_signal(signal.SIGTERM)
        assert server.wait(60) == 130
        assert (
            server.stderr.read().lstrip() == b"error: interrupted\n  left untouched: everything that was not finished\n"
        )


# --- configuration --------------------------------------------------------------------------------------------


def parsed(client: str, text: str) -> dict[str, Any]:
    """The server's entry in a client's configuration."""
    document = tomllib.loads(text) if client == "codex" else json.loads(text)
    (servers,) = document.values()
    entry: dict[str, Any] = servers["alive-p2p"]
    return entry


def test_every_client_gets_a_configuration_that_parses(tmp_path: Path, program: str) -> None:
    """It starts this very program, with the worlds that were named, whatever they are called."""
    world = tmp_path / 'a "world" \\ of mine, ä'
    runtime = Runtime(environ={"PATH": os.environ["PATH"]}, cwd=tmp_path)
    for client in CLIENTS:
        found = snippet(client, [world], beyond_roots=True, runtime=runtime)
        entry = parsed(client, found.text)
        assert entry["command"] == program
        assert entry["args"] == ["mcp", "--world", str(world.resolve()), "--beyond-roots"]


def test_the_configuration_is_all_that_is_printed(alice: Person, program: str) -> None:
    """So that it can go straight into a file; where it goes is said beside it."""
    arguments = [program, "mcp", "--print-config", "vscode"]
    done = subprocess.run(arguments, cwd=alice.world, env=environ_of(alice), capture_output=True, check=True)
    assert parsed("vscode", done.stdout.decode())["args"] == ["mcp"]
    assert b".vscode/mcp.json" in done.stderr


def test_the_page_shows_what_is_printed() -> None:
    """Every snippet on the page is the one that `--print-config` gives."""
    page = DOCS.read_text(encoding="utf-8")
    for client, one in CLIENTS.items():
        if client != "other":
            shown = one.write(
                "alive-p2p", ["mcp", *(["--world", "/Users/me/world"] if client == "claude-desktop" else [])]
            )
            assert shown in page, client
            assert f"--print-config {client}" in page
    assert all(f"`{tool.name}`" in page for tool in TOOLS)


def test_a_missing_library_is_named_with_the_way_to_install_it(alice: Person, tmp_path: Path) -> None:
    """And `--print-config` does without it."""
    blocker = (
        "import sys\n"
        "class Missing:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] in ('mcp', 'mcp_types', 'anyio', 'pydantic'):\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Missing())\n"
        "from alive_p2p.cli.main import run\n"
        "run()\n"
    )
    for arguments, code, piece in (
        ([], 2, f"try: install it with {how_to_install('mcp')}".encode()),
        (["--print-config", "other"], 0, b"goes into"),
    ):
        done = subprocess.run(
            [sys.executable, "-c", blocker, "mcp", *arguments],
            cwd=alice.world,
            env=environ_of(alice),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        assert (done.returncode, piece in done.stderr) == (code, True), done.stderr


def test_what_is_no_world_is_refused_at_the_start(alice: Person, tmp_path: Path) -> None:
    """Before a client is answered, as an error of the command line."""
    for worlds, beyond, piece in (
        ((Path("nowhere"),), False, "is not a world"),
        ((alice.world, tmp_path), False, "is not a world"),
        ((), True, "`--beyond-roots` goes with `--world`"),
    ):
        with pytest.raises(UsageError, match=piece):
            serve(alice.runtime, worlds=worlds, beyond_roots=beyond)


def test_the_rest_of_the_program_does_not_wait_for_the_library(program: str) -> None:
    """No other command imports it: starting up would take a second more."""
    script = (
        "import sys\n"
        "from alive_p2p.cli.program import COMMANDS, cli\n"
        "import click\n"
        "for name in COMMANDS:\n"
        "    cli.get_command(click.Context(cli), name)\n"
        "import alive_p2p, alive_p2p.api.relays\n"
        "print(sorted({name.partition('.')[0] for name in sys.modules} & {'mcp', 'mcp_types', 'anyio', 'pydantic'}))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert done.stdout == b"[]\n"
