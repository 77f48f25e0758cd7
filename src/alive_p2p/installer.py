"""How this program has come onto this machine, and the command that installs a part of it besides.

What has installed it leaves a mark beside its Python (`uv tool` and `pipx`; else it was that Python's own pip), and
where from is written down with it (`direct_url.json`, PEP 610): a clone, a repository, a file, or nothing where it came
from a package index.
"""

import json
import shlex
import sys
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

_NAME = "alive-p2p"

EXTRAS = {
    "mcp": (("mcp",), "the server for agents"),
    "pair": (("nacl", "spake2", "websockets"), "pairing by a spoken code"),
    "s3": (("obstore",), "relays in buckets"),
    "scan": (("kingfisher_sdk",), "the deep scan for secrets"),
}
"""What can be installed besides, by the name of the extra: what is imported of it, and what it is for."""


def present_extras() -> list[str]:
    """The extras that are installed."""
    return [name for name, (modules, _) in EXTRAS.items() if all(map(_is_there, modules))]


def how_to_install(*extras: str, prefix: str | None = None, origin: str | None = None) -> str:
    """The command that installs this program once more, with these extras and those that are here already.

    Args:
        extras: the names of extras; none for the program alone.
        prefix: where Python says that it is; by default this one.
        origin: what is written down of where it came from; by default of this program.

    Returns:
        The command in backticks, and behind it where to run it if that is not the same everywhere.
    """
    installer, _ = installed_by(prefix)
    wanted = sorted({*extras, *present_extras()})
    options, what, where = _source(_origin() if origin is None else origin, f"[{','.join(wanted)}]" if wanted else "")
    return f"`{installer}{options} {_quoted(what)}`{where}"


def installed_by(prefix: str | None = None) -> tuple[str, str]:
    """How this program is installed again, and how the PATH is made to lead to it: by what has installed it.

    Args:
        prefix: where Python says that it is; by default this one.
    """
    here = Path(prefix or sys.prefix)
    if (here / "uv-receipt.toml").exists():
        return "uv tool install --force", "uv tool update-shell"
    if (here / "pipx_metadata.json").exists():
        return "pipx install --force", "pipx ensurepath"
    folder = here / ("Scripts" if sys.platform == "win32" else "bin")
    return f"{_quoted(str(folder / 'pip'))} install", f"add '{folder}' to the PATH"


def _source(origin: str, more: str) -> tuple[str, str, str]:
    """Options of the installer, what it is to install, and where."""
    document: Any = None
    with suppress(ValueError):
        document = json.loads(origin)
    if not isinstance(document, dict) or not isinstance(url := document.get("url"), str):
        return "", f"{_NAME}{more}", ""
    vcs, folder = document.get("vcs_info"), document.get("dir_info")
    if isinstance(vcs, dict):
        revision = vcs.get("requested_revision")
        return "", f"{_NAME}{more} @ {vcs.get('vcs', 'git')}+{url}" + (f"@{revision}" if revision else ""), ""
    if not isinstance(folder, dict):
        return "", f"{_NAME}{more} @ {url}", ""
    from urllib.parse import urlsplit
    from urllib.request import url2pathname

    path = url2pathname(urlsplit(url).path)
    options = " --editable" if folder.get("editable") else ""
    return (
        (options, f"{path}{more}", "") if Path(path).is_dir() else (options, f".{more}", " in a clone of the project")
    )


def _origin() -> str:
    from importlib import metadata

    with suppress(metadata.PackageNotFoundError, OSError):
        return metadata.distribution(_NAME).read_text("direct_url.json") or ""
    return ""


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def _quoted(text: str) -> str:
    """As the shell of this system takes it for one word."""
    if sys.platform == "win32":
        return f'"{text}"' if any(char in text for char in " [],") else text
    return shlex.quote(text)
