"""What a client's configuration needs, so that it starts the server. Needs nothing but the standard library."""

import json
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alive_p2p.runtime import Runtime

_NAME = "alive-p2p"


@dataclass(frozen=True)
class Snippet:
    """What to write, and where it goes."""

    text: str
    where: str


def _servers(command: str, arguments: list[str]) -> str:
    """The form that most clients share."""
    return _json({"mcpServers": {_NAME: {"command": command, "args": arguments}}})


def _claude_code(command: str, arguments: list[str]) -> str:
    return _json({"mcpServers": {_NAME: {"type": "stdio", "command": command, "args": arguments}}})


def _vscode(command: str, arguments: list[str]) -> str:
    return _json({"servers": {_NAME: {"type": "stdio", "command": command, "args": arguments}}})


def _zed(command: str, arguments: list[str]) -> str:
    return _json({"context_servers": {_NAME: {"source": "custom", "command": command, "args": arguments}}})


def _codex(command: str, arguments: list[str]) -> str:
    """TOML, whose basic strings are written like JSON's as long as nothing is beyond ASCII's control characters."""
    listed = ", ".join(_quoted(one) for one in arguments)
    return f"[mcp_servers.{_NAME}]\ncommand = {_quoted(command)}\nargs = [{listed}]\n"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


@dataclass(frozen=True)
class Client:
    """A client: how its configuration is written, and where it lies."""

    write: Callable[[str, list[str]], str]
    where: str


CLIENTS = {
    "claude-code": Client(_claude_code, "`.mcp.json` in the project (or `claude mcp add --scope user`)"),
    "claude-desktop": Client(
        _servers,
        "claude_desktop_config.json: Settings, Developer, Edit Config. It has no folder of its own: give `--world`",
    ),
    "cursor": Client(_servers, "`.cursor/mcp.json` in the project, or `~/.cursor/mcp.json`"),
    "codex": Client(_codex, "`~/.codex/config.toml`"),
    "vscode": Client(_vscode, "`.vscode/mcp.json` in the workspace, or `MCP: Open User Configuration`"),
    "gemini": Client(_servers, "`.gemini/settings.json` in the project, or `~/.gemini/settings.json`"),
    "windsurf": Client(_servers, "`~/.codeium/windsurf/mcp_config.json`"),
    "zed": Client(_zed, "Zed's `settings.json`"),
    "other": Client(_servers, "the configuration of your client; most have this form, some another name for the list"),
}
"""The clients by the name that `--print-config` takes."""


def snippet(client: str, worlds: Sequence[Path], *, beyond_roots: bool, runtime: Runtime) -> Snippet:
    """What to put into a client's configuration; added to what is there already.

    Args:
        client: one of `CLIENTS`.
        worlds: the only worlds that the server may touch; those that its roots show, where there are none.
        beyond_roots: let `worlds` count whatever folder the client has open.
        runtime: for the current folder.
    """
    arguments = ["mcp", *(word for world in worlds for word in ("--world", str((runtime.cwd / world).resolve())))]
    arguments += ["--beyond-roots"] * beyond_roots
    known = CLIENTS[client]
    return Snippet(known.write(_program(runtime), arguments), f"goes into {known.where}")


def _program(runtime: Runtime) -> str:
    """The whole path of this program: what a desktop starts does not look where a shell does."""
    beside = Path(sys.executable).with_name("alive-p2p.exe" if os.name == "nt" else "alive-p2p")
    found = shutil.which("alive-p2p", path=runtime.environ.get("PATH"))
    return str(beside) if beside.is_file() else found or "alive-p2p"
