"""What pressing TAB asks for (cli.md, "Conventions").

The scripts in `completions/` start the program with `_ALIVE_P2P_COMPLETE=SHELL_complete` and the words of the line, one
a line, in `COMP_WORDS`; the word to complete is number `COMP_CWORD`. The answer has a line for each proposal, `KIND TAB
VALUE TAB HELP`, or one that says what kind of file the shell is to look for.

Which word stands where is for click to say, but not by the real commands: importing one takes half a second. It is
asked about the picture of them in `outline.json`, which `make pages` draws.

Whatever fails, fails without a word: somebody is typing. Names out of files are proposed where a person could type them
(nothing invisible, no control character, no option), and for bash they are quoted here, since it takes them as they
come: a bundle called `$(…)` is a name, not a command.
"""

import json
import os
import re
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem, ShellComplete, split_arg_string

from alive_p2p.runtime import Runtime
from alive_p2p.text import has_unsafe_character

if TYPE_CHECKING:
    _ParamType = click.ParamType[str]
else:  # not generic in every click that we work with; nor is CompletionItem
    _ParamType = click.ParamType

VARIABLE = "_ALIVE_P2P_COMPLETE"
OUTLINE = Path(__file__).with_name("outline.json")

FILES = ("file", "folder", "package")
"""Kinds of values that the shell itself looks for."""

_MOST_SECONDS = 5.0
"""After so long on a slow disk nobody waits for a proposal any more."""
_MOST = 500
_MOST_LENGTH = 200


def main() -> int:
    """Answer the shell on standard output. Never fails, and never says why not."""
    watch = threading.Timer(_MOST_SECONDS, os._exit, [0])
    watch.daemon = True
    watch.start()
    try:
        sys.stdout.buffer.write(_answer(Runtime.from_process()).encode("utf-8", "surrogateescape"))
        sys.stdout.buffer.flush()
    except Exception:  # noqa: BLE001  (a shell that completes has nobody to tell)
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115  (nothing complains at the end)
    return 0


def _answer(runtime: Runtime) -> str:
    shell, _, _ = runtime.environ[VARIABLE].partition("_")
    outline = json.loads(OUTLINE.read_bytes())
    completion = SHELLS[shell](_Group(outline, runtime), {}, "alive-p2p", VARIABLE)
    completion.words = runtime.environ["COMP_WORDS"].split("\n")
    completion.at = int(runtime.environ["COMP_CWORD"])
    answer = completion.complete()
    return answer + "\n" if answer else ""


# -- the commands, as the outline draws them -------------------------------------------------------------------


class _Group(click.Group):
    """A group of the outline; its commands are made when they are asked for."""

    def __init__(self, outline: Mapping[str, Any], runtime: Runtime, name: str = "alive-p2p") -> None:
        super().__init__(name, context_settings=_SETTINGS, params=_parameters(outline["parameters"], runtime))
        self._outline: Mapping[str, Any] = outline["commands"]
        self._runtime = runtime

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of its commands."""
        return list(self._outline)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """One command, as it is drawn."""
        drawn = self._outline.get(cmd_name)
        if drawn is None:
            return None
        if "commands" in drawn:
            return _Group(drawn, self._runtime, cmd_name)
        parameters = _parameters(drawn["parameters"], self._runtime)
        return click.Command(cmd_name, params=parameters, context_settings=_SETTINGS)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem[str]]":
        """The commands and options that begin like this, without making any."""
        names = [
            CompletionItem(name, help=drawn["help"])
            for name, drawn in self._outline.items()
            if name.startswith(incomplete)
        ]
        return [*names, *click.Command.shell_complete(self, ctx, incomplete)]


_SETTINGS = {"help_option_names": ["-h", "--help"]}


def _parameters(drawn: Sequence[Mapping[str, Any]], runtime: Runtime) -> list[click.Parameter]:
    return [_parameter(one, runtime) for one in drawn]


def _parameter(drawn: Mapping[str, Any], runtime: Runtime) -> click.Parameter:
    kind = drawn.get("kind")
    kind_of = click.Choice(kind) if isinstance(kind, list) else _Value(kind or "", runtime)
    if "argument" in drawn:
        return click.Argument([drawn["argument"]], nargs=-1 if drawn.get("many") else 1, required=False, type=kind_of)
    if kind is None:
        return click.Option(drawn["option"], is_flag=True, help=drawn["help"])
    return click.Option(drawn["option"], multiple=drawn.get("many", False), help=drawn["help"], type=kind_of)


class _Value(_ParamType):
    """A value of one of the outline's kinds."""

    name = "text"

    def __init__(self, kind: str, runtime: Runtime) -> None:
        self._kind = kind
        self._runtime = runtime

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> "list[CompletionItem[str]]":
        """The values that begin like this, or what kind of file the shell is to look for."""
        if self._kind in FILES:
            return [CompletionItem(incomplete, type=self._kind)]
        from alive_p2p.cli.completing_names import names

        known = names(self._kind, ctx.params.get("walnut"), self._runtime)
        return [CompletionItem(name) for name in known if name.startswith(incomplete) and _can_be_typed(name)][:_MOST]


def _can_be_typed(name: str) -> bool:
    return len(name) <= _MOST_LENGTH and not name.startswith("-") and not has_unsafe_character(name)


# -- the shells ------------------------------------------------------------------------------------------------


class _Shell(ShellComplete):
    """What every shell's script and this program say to each other.

    Attributes:
        words: the line, as the script has sent it.
        at: which of them is to be completed.
    """

    words: Sequence[str] = ()
    at: int = 0

    def get_completion_args(self) -> tuple[list[str], str]:
        """The words before the one to complete, and that one."""
        return list(self.words[1 : self.at]), self.words[self.at] if self.at < len(self.words) else ""

    def format_completion(self, item: "CompletionItem[Any]") -> str:
        """One line of the answer."""
        return f"{item.type}\t{item.value}\t{item.help or ''}"


class Bash(_Shell):
    """Bash sends words as they were typed, broken at `=` and `:`, and takes values as they come."""

    name = "bash"
    _quote = ""
    _is_broken = False

    def get_completion_args(self) -> tuple[list[str], str]:
        """The words before the one to complete, and that one."""
        whole: list[str] = []
        for word in self.words[: self.at + 1]:
            if whole and (word in {"=", ":"} or _ENDS_AT_A_BREAK.search(whole[-1])):
                whole[-1] += word
            else:
                whole.append(word)
        self._quote = whole[-1][:1] if whole[-1][:1] in {'"', "'"} else ""
        self._is_broken = ":" in whole[-1].replace("\\:", "") and not self._quote
        typed = [_unquoted(word) for word in whole]
        return typed[1:-1], typed[-1]

    def get_completions(self, args: list[str], incomplete: str) -> "list[CompletionItem[str]]":
        """What bash can take."""
        if self._is_broken:
            return []  # bash would put what is proposed behind the colon
        found = super().get_completions(args, incomplete)
        return [one for one in found if not (self._quote and _SPECIAL_IN_QUOTES.search(one.value))]

    def format_completion(self, item: "CompletionItem[Any]") -> str:
        """One line of the answer."""
        is_quoted_here = item.type == "plain" and not self._quote
        return f"{item.type}\t{_SPECIAL.sub(_BACKSLASHED, item.value) if is_quoted_here else item.value}"


_ENDS_AT_A_BREAK = re.compile(r"^--[a-z0-9-]+=$|(?<!\\):$")
_SPECIAL = re.compile(r"[^\w@%+,./-]")
_BACKSLASHED = r"\\\g<0>"
_SPECIAL_IN_QUOTES = re.compile(r"""["'$`\\!]""")


def _unquoted(word: str) -> str:
    return "".join(split_arg_string(word))


class Zsh(_Shell):
    """Zsh sends words without their quotes, and quotes values itself."""

    name = "zsh"


class Fish(_Shell):
    """Fish does the same, and takes a value with the option it stands behind."""

    name = "fish"
    _before = ""

    def get_completion_args(self) -> tuple[list[str], str]:
        """The words before the one to complete, and that one."""
        args, incomplete = super().get_completion_args()
        option, equals, _ = incomplete.partition("=")
        self._before = option + equals if equals and option.startswith("--") else ""
        return args, incomplete

    def format_completion(self, item: "CompletionItem[Any]") -> str:
        """One line of the answer."""
        before = self._before if item.type == "plain" else ""
        return super().format_completion(CompletionItem(before + item.value, item.type, item.help))


SHELLS: Mapping[str, type[_Shell]] = {"bash": Bash, "zsh": Zsh, "fish": Fish}
