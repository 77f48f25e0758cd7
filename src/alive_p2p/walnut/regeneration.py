"""Making `now.json` anew, by the ALIVE plugin or by the built-in projection (receive.md §10)."""

import shlex
import sys
from pathlib import Path

from alive_p2p import files
from alive_p2p.errors import AliveP2PError
from alive_p2p.runtime import Runtime
from alive_p2p.text import one_line
from alive_p2p.walnut import kernel
from alive_p2p.walnut.projection import project
from alive_p2p.walnut.walnut import Walnut

_PLUGIN_SECONDS = 30


def write_projection(walnut: Walnut, runtime: Runtime) -> None:
    """Make `now.json` anew: by the ALIVE plugin where one is installed, else by the built-in projection (§10).

    Raises:
        AliveP2PError: it could not be made; the old one is as it was.
    """
    if runtime.is_set("ALIVE_P2P_SKIP_REGEN"):
        return
    script = _plugin_script(runtime)
    if script is None:
        write_built_in_projection(walnut, runtime)
        return
    import subprocess

    try:
        done = subprocess.run(
            [sys.executable, str(script), "--walnut", str(walnut.root)],
            env=dict(runtime.environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PLUGIN_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise _projection_failed(f"it took longer than {_PLUGIN_SECONDS} seconds") from None
    except OSError as error:
        raise _projection_failed(error.strerror or "it could not be started") from error
    if done.returncode != 0:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise _projection_failed(one_line(lines[-1]) if lines else f"it ended with code {done.returncode}")


def regenerate(root: Path, runtime: Runtime) -> list[str]:
    """The same after a change has happened: a failure is a warning, with the command that mends it."""
    try:
        write_projection(Walnut(root), runtime)
    except AliveP2PError as error:
        return [f"{error.message}; mend it with `alive-p2p project --walnut {shlex.quote(str(root))}`"]
    return []


def write_built_in_projection(walnut: Walnut, runtime: Runtime) -> None:
    """Make `now.json` anew without the plugin.

    Raises:
        FileSystemError: it could not be written; the old one is as it was.
    """
    if runtime.is_set("ALIVE_P2P_SKIP_REGEN"):
        return
    now = project(walnut, at=runtime.timestamp(), session=runtime.session_id)
    files.replace_file(walnut.root / kernel.NOW, now)


def _plugin_script(runtime: Runtime) -> Path | None:
    root = runtime.environ.get("CLAUDE_PLUGIN_ROOT")
    if not root:
        return None
    script = Path(root) / "scripts" / "project.py"
    return script if files.is_file(script) else None


def _projection_failed(why: str) -> AliveP2PError:
    return AliveP2PError(
        "projection-failed",
        f"the ALIVE plugin could not make `now.json`: {why}",
        untouched="everything",
        hint="unset CLAUDE_PLUGIN_ROOT, and alive-p2p makes it without the plugin",
    )
