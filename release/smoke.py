"""Whether an installed alive-p2p does what it is for; for any Python, without anything but the standard library.

`python -m release.smoke PYTHON` tries the one that is installed beside that Python.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

_WALNUT = {
    "_kernel/key.md": "---\ntype: venture\ngoal: A station\nsensitivity: open\n---\n\n# Nova\n",
    "_kernel/log.md": "---\nwalnut: nova\n---\n",
    "_kernel/insights.md": "---\nwalnut: nova\n---\n",
    "review/context.manifest.yaml": "goal: Choose\nsensitivity: open\n",
    "review/draft.md": "# A draft\n",
}


class Failure(Exception):  # noqa: N818  (what was checked has failed, not the check)
    """Something is not as it should be; the text says what."""


def run(command: Sequence[str], *, cwd: Path | None = None, environ: Mapping[str, str] | None = None) -> str:
    """Run something and return what it has printed.

    Raises:
        Failure: it has failed; with what it said.
    """
    done = subprocess.run(command, cwd=cwd, env=environ, capture_output=True, encoding="utf-8", check=False)
    if done.returncode != 0:
        said = (done.stdout + done.stderr)[-4000:]
        raise Failure(f"`{' '.join(map(str, command))}` ended with {done.returncode}:\n{said}")
    return done.stdout


def check(python: Path, version: str, home: Path) -> None:
    """Go the whole road with an installed alive-p2p, once as a script and once as a module.

    Args:
        python: the Python it is installed for.
        version: the one it is to say that it has.
        home: an empty folder.

    Raises:
        Failure: something did not work.
    """
    program = str(python.with_name("alive-p2p.exe" if os.name == "nt" else "alive-p2p"))
    environ = {"PATH": os.environ["PATH"], "HOME": str(home), "USERPROFILE": str(home), "PYTHONWARNINGS": "error"}
    for name in ("SYSTEMROOT", "TEMP", "TMP"):
        if name in os.environ:
            environ[name] = os.environ[name]

    def call(*arguments: str) -> str:
        return run([program, *arguments], cwd=home, environ=environ)

    for said in (call("--version"), run([str(python), "-m", "alive_p2p", "--version"], cwd=home, environ=environ)):
        _expect(said.strip() == f"alive-p2p {version}", f"it says that it is {said.strip()}")
    for path, text in _WALNUT.items():
        (home / "nova" / path).parent.mkdir(parents=True, exist_ok=True)
        (home / "nova" / path).write_text(text, encoding="utf-8")
    call("keys", "generate")
    (home / "secret").write_text("correct horse battery staple\n", encoding="utf-8")
    for name, seal in (
        ("plain.walnut", ()),
        ("sealed.walnut", ("--encrypt", "passphrase", "--passphrase-file", "secret")),
    ):
        opened = seal[2:]
        call("create", "--scope", "full", "--walnut", "nova", "--output", name, "--yes", *seal)
        call("verify", name, *opened)
        told = json.loads(call("receive", name, "--target", f"from-{name}", "--yes", "--json", *opened))
        _expect(told["status"] == "ok", f"it received {name} with {told['status']}")
        received = home / f"from-{name}" / "review" / "draft.md"
        _expect(received.read_text(encoding="utf-8") == "# A draft\n", f"{name} arrived otherwise than it left")
    run([str(python), "-m", "alive_p2p", "info", "plain.walnut"], cwd=home, environ=environ)
    _expect("alive-p2p" in call("completion", "show", "zsh"), "it has no completion")
    tab = {**environ, "_ALIVE_P2P_COMPLETE": "zsh_complete", "COMP_WORDS": "alive-p2p\nrecei", "COMP_CWORD": "1"}
    _expect(run([program], environ=tab).startswith("plain\treceive\t"), "it completes nothing")


def _expect(is_so: bool, otherwise: str) -> None:  # noqa: FBT001  (it reads as a sentence)
    if not is_so:
        raise Failure(otherwise)


if __name__ == "__main__":
    _python = Path(sys.argv[1]).absolute()
    with tempfile.TemporaryDirectory() as _home:
        _said = run([str(_python), "-c", "import alive_p2p; print(alive_p2p.__version__)"], cwd=Path(_home))
        check(_python, _said.strip(), Path(_home))
    print(f"{_said.strip()} works")
