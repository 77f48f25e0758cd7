"""Where each shell looks for completions, and what it has to be told to find them.

Bash (with the package bash-completion) and fish load what lies in a folder of the user's by themselves. Zsh does not,
nor does bash without that package: there a few lines have to stand in the file that the shell reads when it starts.
They stand between two marks, so that they can be taken out again, and harm nothing when what they load is gone.
"""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from alive_p2p import files
from alive_p2p.errors import UsageError
from alive_p2p.runtime import Runtime
from alive_p2p.text import has_unsafe_character

SHELLS = ("bash", "zsh", "fish")

MARK = b"`alive-p2p completion install` writes this file"
"""By this a script is known to be one of ours."""

_SCRIPTS = Path(__file__).with_name("completions")
_BEGIN = "# >>> alive-p2p completion >>>"
_END = "# <<< alive-p2p completion <<<"
_BLOCK = re.compile(
    rb"(?:(?<=\n)|\A)" + re.escape(_BEGIN.encode()) + rb"\n.*?\n" + re.escape(_END.encode()) + rb"(?:\n|\Z)", re.DOTALL
)
_BASH_COMPLETION = (
    "/usr/share/bash-completion/bash_completion",
    "/usr/local/share/bash-completion/bash_completion",
    "/opt/homebrew/share/bash-completion/bash_completion",
    "/opt/local/share/bash-completion/bash_completion",
)


def script(shell: str) -> bytes:
    """The completion script for a shell."""
    return (_SCRIPTS / f"alive-p2p.{shell}").read_bytes()


@dataclass(frozen=True)
class Place:
    """Where a shell's completion goes.

    Attributes:
        shell: `bash`, `zsh` or `fish`.
        path: the script.
        start_file: the file the shell reads when it starts, where it may have to be told of the script; else None.
        load: how it is told there, a line or two; empty where it never is.
    """

    shell: str
    path: Path
    start_file: Path | None = None
    load: str = ""

    @property
    def block(self) -> str:
        """The lines for the start file, with their marks; empty where there are none."""
        if not self.load:
            return ""
        inside = self.load.replace("\n", "\n    ")
        return f"{_BEGIN}\nif [[ -r {shlex.quote(str(self.path))} ]]; then\n    {inside}\nfi\n{_END}\n"


def place(shell: str, runtime: Runtime) -> Place:
    """Where the completion of a shell goes for this user.

    Raises:
        UsageError: the folder has a name that cannot be written into a shell's start file.
    """
    environ, home = runtime.environ, runtime.home
    data = _folder(environ.get("XDG_DATA_HOME"), home / ".local" / "share")
    if shell == "fish":
        settings = _folder(environ.get("XDG_CONFIG_HOME"), home / ".config")
        return Place(shell, settings / "fish" / "completions" / "alive-p2p.fish")
    if shell == "bash":
        chosen = environ.get("BASH_COMPLETION_USER_DIR", "").partition(":")[0]
        path = _folder(chosen, data / "bash-completion") / "completions" / "alive-p2p"
        return Place(shell, path, home / ".bashrc", f"source {_quoted(path)}")
    path = data / "alive-p2p" / "completion.zsh"
    load = f"(( $+functions[compdef] )) || {{ autoload -Uz compinit && compinit }}\nsource {_quoted(path)}"
    return Place(shell, path, _folder(environ.get("ZDOTDIR"), home) / ".zshrc", load)


def loads_by_itself(shell: str) -> bool:
    """Whether a shell finds its script without being told: fish, and bash where bash-completion is installed."""
    return shell == "fish" or (shell == "bash" and any(files.is_file(Path(one)) for one in _BASH_COMPLETION))


def without_block(text: bytes) -> bytes:
    """What a start file says besides our lines."""
    return _BLOCK.sub(b"", text)


def with_block(text: bytes, block: str) -> bytes:
    """The same start file with our lines at its end, and only there."""
    rest = without_block(text)
    return rest + (b"" if not rest or rest.endswith(b"\n") else b"\n") + block.encode()


def find_shell(runtime: Runtime) -> str:
    """The user's shell, by `SHELL`.

    Raises:
        UsageError: it is none of those that can complete.
    """
    name = Path(runtime.environ.get("SHELL", "")).name
    if name in SHELLS:
        return name
    raise UsageError(
        "no-such-shell",
        f"there is no completion for your shell ('{name}')" if name else "SHELL does not say which shell you use",
        untouched="everything",
        hint="name one: `alive-p2p completion install bash`, or zsh, or fish",
    )


def _folder(chosen: str | None, default: Path) -> Path:
    """A folder that a variable names, if it names one that is the same from everywhere."""
    return Path(chosen) if chosen and Path(chosen).is_absolute() else default


def _quoted(path: Path) -> str:
    if has_unsafe_character(str(path)):
        raise UsageError(
            "bad-folder",
            f"the folder for completions has a name that no shell should be given: '{path}'",
            untouched="everything",
            hint="unset XDG_DATA_HOME and BASH_COMPLETION_USER_DIR",
        )
    return shlex.quote(str(path))
