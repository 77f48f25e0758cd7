"""The command group, and the one `except` of the program.

Exit codes (cli.md): 0 done, 1 refused or failed, 2 wrong usage or a path that does not exist, 130 interrupted.
"""

import os
import sys
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import cast

import click

from alive_p2p import __version__
from alive_p2p.cli.interrupts import is_interrupt, mind_signals
from alive_p2p.cli.screen import Screen, silence
from alive_p2p.errors import AliveP2PError, FileSystemError, UsageError
from alive_p2p.runtime import Runtime
from alive_p2p.text import escape, nearest

COMMANDS = {
    "share": ("alive_p2p.cli.share", "share", "Share a walnut step by step."),
    "create": ("alive_p2p.cli.create", "create", "Pack a walnut, some bundles or a snapshot into a .walnut file."),
    "receive": ("alive_p2p.cli.receive", "receive", "Bring a package into a world, all of it or nothing."),
    "info": ("alive_p2p.cli.look", "info", "Show what a package says of itself."),
    "verify": ("alive_p2p.cli.look", "verify", "Check a package without receiving it."),
    "relay": ("alive_p2p.cli.relay", "relay", "Your relay, a mailbox for packages, and those of your peers."),
    "pair": ("alive_p2p.cli.pair", "pair", "Become peers with somebody you are talking to, by a short code."),
    "keys": ("alive_p2p.cli.keys", "keys", "Your own key, your peers' keys, and their fingerprints."),
    "list-bundles": ("alive_p2p.cli.maintenance", "list_bundles", "List a walnut's bundles and their tasks."),
    "migrate": ("alive_p2p.cli.migrate", "migrate", "Bring an unpacked package of an older layout forward."),
    "log-import": ("alive_p2p.cli.maintenance", "log_import", "Write a missing log entry of a receive."),
    "project": ("alive_p2p.cli.maintenance", "project", "Make a walnut's now.json anew."),
    "doctor": ("alive_p2p.cli.doctor", "doctor", "Look whether everything is there, and how to mend what is not."),
    "recover": ("alive_p2p.cli.recover", "recover", "Finish or take back what was interrupted."),
    "undo": ("alive_p2p.cli.undo", "undo", "Take back the last receive, all of it or nothing."),
    "unlock": ("alive_p2p.cli.maintenance", "unlock", "Say whether a walnut is locked, and tidy up if not."),
    "hook": ("alive_p2p.cli.hook", "hook", "What an agent's plugin runs by itself."),
    "mcp": ("alive_p2p.cli.mcp", "mcp", "Serve agents by MCP on standard input and output."),
    "completion": ("alive_p2p.cli.completion", "completion", "Complete commands and names when you press TAB."),
    "demo": ("alive_p2p.cli.demo", "demo", "Show the whole road between two worlds in a temporary folder."),
}
"""Every command: its module, its name there, and its line in `--help`."""

SECTIONS = {
    "Share": ("share", "create"),
    "Receive": ("receive", "info", "verify", "undo"),
    "People": ("relay", "pair", "keys"),
    "Look and mend": ("doctor", "recover", "unlock", "list-bundles", "log-import", "migrate", "project"),
    "Agents": ("hook", "mcp"),
}
"""The headings in `--help`; what is under none of them comes last."""


class LazyGroup(click.Group):
    """A group that imports a command only when it is used, and suggests the nearest one for a mistyped name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all commands, in the order they are shown."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        if cmd_name not in COMMANDS:
            return None
        module, attribute, _ = COMMANDS[cmd_name]
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command of a command line, or suggest one."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            guess = nearest(args[0], list(COMMANDS))
            raise click.UsageError(f"there is no command '{args[0]}'" + (f"; did you mean '{guess}'?" if guess else ""))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands under their headings, without importing any."""
        placed = {name for names in SECTIONS.values() for name in names}
        rest = tuple(name for name in COMMANDS if name not in placed)
        width = max(map(len, COMMANDS))
        for heading, names in {**SECTIONS, "More": rest}.items():
            with formatter.section(heading):
                formatter.write_dl([(f"{name:<{width}}", COMMANDS[name][2]) for name in names])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, message="alive-p2p %(version)s")
def cli() -> None:
    """Hand context to people and to their agents.

    Pack a walnut or some of its bundles into one file, see exactly what leaves, and receive it safely.

    \b
    alive-p2p create --scope full --walnut . --yes
    alive-p2p receive nova-station.walnut
    """  # noqa: D301  (click takes a real backspace as the mark of a paragraph that is not wrapped)


def main(arguments: list[str]) -> int:
    """Run the program and return its exit code."""
    mind_signals()
    as_json = "--json" in arguments
    debug = "--debug" in arguments
    screen = Screen.for_process(_NOWHERE, as_json=as_json, debug=debug)
    try:
        screen.runtime = Runtime.from_process()
        screen = Screen.for_process(screen.runtime, as_json=as_json, debug=debug)
        cli.main(arguments, prog_name="alive-p2p", standalone_mode=False, obj=screen)
        screen.end()
    except click.exceptions.Exit as exit_:
        return int(exit_.exit_code)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return 2
    except click.UsageError as error:
        return _wrong_usage(screen, error)
    except (KeyboardInterrupt, click.Abort):
        return _interrupted(screen)
    except AliveP2PError as error:
        if screen.debug:
            _show_traceback(screen)
        error.hint = error.hint or _next_step(error, arguments)
        screen.show_error(error)
        return error.exit_code
    except BrokenPipeError:
        silence(sys.stdout)
        return 1
    except Exception as error:  # noqa: BLE001  (the one except of the program)
        if is_interrupt(error):
            return _interrupted(screen)
        if isinstance(error.__context__, KeyboardInterrupt) and screen.is_interactive and not sys.stderr.isatty():
            silence(sys.stderr)  # the terminal was closed, and takes no word of it
            return 130
        if screen.debug:
            _show_traceback(screen)
        _unforeseen(screen, error)
        return 1
    return screen.exit_code


def _interrupted(screen: Screen) -> int:
    screen.error("interrupted", "interrupted", untouched="everything that was not finished")
    return 130


def _show_traceback(screen: Screen) -> None:
    """A traceback quotes what a package said, so it is escaped like everything else."""
    import traceback

    for line in traceback.format_exc().splitlines():
        screen.err.write(escape(line) + "\n")


_NOWHERE = Runtime(environ={}, cwd=Path())
"""Surroundings until the real ones are known; enough to show an error."""


def _next_step(error: AliveP2PError, arguments: list[str]) -> str | None:
    """What to do where the error itself does not say it: it was made where nobody knows which command was called."""
    if isinstance(error, UsageError):
        return f"{_command_of(arguments)} --help"
    return "check the path, and what lies there" if isinstance(error, FileSystemError) else None


def _command_of(arguments: list[str]) -> str:
    """The command that was called, without what was given to it."""
    words, command = ["alive-p2p"], cast("click.Command", cli)
    for argument in arguments:
        inner = command.get_command(click.Context(command), argument) if isinstance(command, click.Group) else None
        if inner is None:
            break
        words.append(argument)
        command = inner
    return " ".join(words)


def _wrong_usage(screen: Screen, error: click.UsageError) -> int:
    message = error.format_message()
    command = error.ctx.command_path if error.ctx else "alive-p2p"
    screen.error("usage", message[:1].lower() + message[1:].rstrip("."), hint=f"{command} --help")
    return 2


def _unforeseen(screen: Screen, error: Exception) -> None:
    """Say that something happened that nobody foresaw, and where the details are."""
    import tempfile
    import traceback

    where = "they could not be written down"
    with suppress(OSError):
        descriptor, path = tempfile.mkstemp(prefix="alive-p2p-error-", suffix=".txt")
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as stream:
            traceback.print_exception(error, file=stream)
        where = path
    screen.error(
        "unforeseen",
        f"something went wrong that alive-p2p did not foresee ({type(error).__name__})",
        hint=f"report it with the details in {where}; run it again with --debug to see them here",
    )
