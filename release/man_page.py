"""The manual page, drawn from the commands: `alive-p2p(1)`, one page with everything."""

import re
from collections.abc import Iterator
from inspect import cleandoc
from pathlib import Path

import click

from alive_p2p import __version__
from alive_p2p.cli.program import cli

_EXIT = {
    "0": "It is done, or there was nothing to do.",
    "1": "It was refused or has failed; with `--strict` also where there are warnings.",
    "2": "The command was used wrongly, or names a path that does not exist.",
    "130": "It was interrupted, and has cleaned up.",
}

_ENVIRONMENT = {
    "ALIVE_HOME": "Where the program keeps its own state; default: `~/.alive`.",
    "ALIVE_RELAY_KEYS_DIR": "Where the keys lie; default: `relay/keys` in that folder.",
    "ALIVE_SESSION_ID, ALIVE_ENGINE": "The session and the agent that act, as a log names them.",
    "GH_USER": "Who you are, where no relay says it.",
    "GH_TOKEN": "The login for a relay at GitHub, where `gh` has none.",
    "ALIVE_P2P_SKIP_REGEN": "Set to 1: a walnut's now.json is not made anew.",
    "SOURCE_DATE_EPOCH": "The moment that a package names as its own, so that it can be made again byte for byte.",
    "NO_COLOR": "Set to anything: no colour and no progress.",
}

_FILES = {
    "~/.alive/relay/": "Your relay, your peers, and what has been sent; `keys/` in it holds the keys.",
    "WORLD/.alive/preferences.yaml": "The settings of a world.",
}

_CHANGES = Path(__file__).resolve().parents[1] / "CHANGELOG.md"

_Pairs = list[tuple[str, str]]


def man_page() -> str:
    """The page as roff, in ASCII."""
    return "\n".join(_page()) + "\n"


def _page() -> Iterator[str]:
    shown = list(_commands(cli, []))
    common = _in_common(shown)
    yield '.\\" Made by `make pages` from the help of the commands.'
    yield f'.TH ALIVE\\-P2P 1 "{_date()}" "alive\\-p2p {_text(__version__)}" "User Commands"'
    yield ".SH NAME"
    yield f"alive\\-p2p \\- {_text(cli.get_short_help_str(limit=200).rstrip('.'))}"
    yield ".SH SYNOPSIS"
    yield ".B alive\\-p2p\n.I COMMAND\n[\\fIOPTION\\fR]... [\\fIARGUMENT\\fR]..."
    yield ".SH DESCRIPTION"
    yield from _prose(cli.help or "")
    yield ".SH OPTIONS"
    yield "Every command takes these."
    yield from _tagged(common)
    yield ".SH COMMANDS"
    for path, command in shown:
        yield f'.SS "{_text(path)}"'
        yield from _command(path, command, common)
    for title, entries in (("EXIT STATUS", _EXIT), ("ENVIRONMENT", _ENVIRONMENT), ("FILES", _FILES)):
        yield f'.SH "{title}"'
        yield from _tagged([(f"\\fB{_text(name)}\\fR", text) for name, text in entries.items()])
    yield ".SH SEE ALSO"
    yield ".BR age (1),\n.BR gh (1),\n.BR git (1)"


def _date() -> str:
    """When this version was released, as the list of changes says; nothing as long as it was not."""
    heading = re.search(rf"^## {re.escape(__version__)} \((.*)\)$", _CHANGES.read_text(encoding="utf-8"), re.MULTILINE)
    found = heading.group(1) if heading else ""
    return found if re.fullmatch(r"\d{4}-\d\d-\d\d", found) else ""


def _commands(group: click.Group, path: list[str]) -> Iterator[tuple[str, click.Command]]:
    """Every command that is shown, groups before what they hold."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is not None and not command.hidden:
            yield " ".join([*path, name]), command
            if isinstance(command, click.Group):
                yield from _commands(command, [*path, name])


def _in_common(shown: list[tuple[str, click.Command]]) -> _Pairs:
    """The options that all commands have which are not groups."""
    lists = [_options(command) for _, command in shown if not isinstance(command, click.Group)]
    return [option for option in lists[0] if all(option in others for others in lists)]


def _command(path: str, command: click.Command, common: _Pairs) -> Iterator[str]:
    pieces = [piece for piece in command.collect_usage_pieces(click.Context(command)) if piece != "[OPTIONS]"]
    ends = "COMMAND" if isinstance(command, click.Group) else "[OPTION]..."
    pieces = [ends] if isinstance(command, click.Group) else [ends, *pieces]
    yield f"\\fBalive\\-p2p {_text(path)}\\fR {_text(' '.join(pieces))}"
    yield ".PP"
    yield from _prose(command.help or "")
    yield from _tagged([option for option in _options(command) if option not in common])
    if command.epilog:
        yield ".PP"
        yield from _prose(command.epilog)


def _options(command: click.Command) -> _Pairs:
    """The options that are shown, as tag and text."""
    found = []
    context = click.Context(command, help_option_names=["-h", "--help"])
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if isinstance(parameter, click.Option) and record is not None:
            names, _, value = record[0].partition(" ") if "," not in record[0] else _with_value(record[0])
            tag = f"\\fB{_text(names)}\\fR"
            found.append((tag + (f" \\fI{_text(value)}\\fR" if value else ""), record[1]))
    return found


def _with_value(names: str) -> tuple[str, str, str]:
    *before, last = names.split(", ")
    name, space, value = last.partition(" ")
    return ", ".join([*before, name]), space, value


def _tagged(entries: _Pairs) -> Iterator[str]:
    for tag, text in entries:
        yield ".TP"
        yield tag
        yield _text(text) if text else "\\&"


def _prose(text: str) -> Iterator[str]:
    """Paragraphs as help has them: those after a backspace keep their lines, all others are filled."""
    for number, paragraph in enumerate(re.split(r"\n\s*\n", cleandoc(text))):
        if number:
            yield ".PP"
        if not paragraph.startswith("\b"):
            yield _text(" ".join(paragraph.split()))
            continue
        yield ".nf"
        for line in paragraph.split("\n")[1:]:
            yield _text(line)
        yield ".fi"


def _text(text: str) -> str:
    """Text that roff takes for nothing else; what stands between backticks is bold."""
    plain = (
        text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("^", "\\(ha").replace("~", "\\(ti")
    )
    marked = re.sub(r"`([^`]+)`", r"\\fB\1\\fR", plain).replace('"', "\\(dq")
    ascii_only = "".join(char if char.isascii() else f"\\[u{ord(char):04X}]" for char in marked)
    return f"\\&{ascii_only}" if ascii_only.startswith(".") else ascii_only
