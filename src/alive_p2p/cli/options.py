"""Options that every command takes, and the context they make."""

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from alive_p2p import files
from alive_p2p.cli.screen import Screen
from alive_p2p.errors import AliveP2PError
from alive_p2p.runtime import Runtime

if TYPE_CHECKING:
    from alive_p2p.keys.keyring import Keyring

FOLDER = click.Path(path_type=Path)
"""A path; whether it exists is for the road to say, which says it better."""


class _Output(click.Path):
    """A path to write; what ends in a slash has to be a folder that exists."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Refuse an empty path, and a folder that is not there."""
        text = os.fspath(value)
        if not text:
            self.fail("it is empty", param, ctx)
        if text.endswith(("/", os.sep)) and not files.is_folder(Path(text)):
            self.fail(f"there is no folder '{text}'", param, ctx)
        return Path(text)


OUTPUT = _Output()


@dataclass(frozen=True)
class Call:
    """One call of a command: its screen, its surroundings, and the common switches."""

    screen: Screen
    runtime: Runtime
    yes: bool
    strict: bool
    _keyring: "list[Keyring]" = field(default_factory=list, repr=False)
    _remembered: list[str] = field(default_factory=list, repr=False)

    def remember(self, warning: str) -> None:
        """Keep a warning for `finish`."""
        self._remembered.append(warning)

    def keyring(self) -> "Keyring":
        """The keyring, read when it is first needed; from then on `finish` tells what is wrong with it."""
        if not self._keyring:
            from alive_p2p.keys.keyring import Keyring

            self._finish_renaming()
            self._keyring.append(Keyring.load(self.runtime))
        return self._keyring[0]

    def _finish_renaming(self) -> None:
        """Before names are looked up: a peer that is half renamed gets its one name, where that can be done now."""
        from alive_p2p.relay.config import read_config

        with suppress(AliveP2PError):
            if read_config(self.runtime).renaming is not None:
                from alive_p2p.relay.renaming import finish_renaming

                finish_renaming(self.runtime)

    def forget_keyring(self) -> None:
        """Read the keyring again when it is next needed: something has changed it."""
        self._keyring.clear()

    def approve(self, question: str, *, untouched: str = "everything") -> None:
        """Ask whether to go on; `--yes` answers.

        Args:
            question: what is asked.
            untouched: what stays as it was, where the answer is no.

        Raises:
            AliveP2PError: the answer is no, or there is nobody to ask.
        """
        if self.yes:
            return
        if not self.screen.can_ask:
            raise AliveP2PError(
                "needs-yes",
                "this has to be confirmed, and there is no terminal to ask on",
                untouched=untouched,
                hint="look at what it would do, then add `--yes`",
            )
        if not self.screen.confirm(question):
            raise AliveP2PError("declined", "stopped, as you asked", untouched=untouched)

    def finish(self, warnings: tuple[str, ...]) -> None:
        """Show warnings; with `--strict` they make the exit code 1."""
        about_keys = (warning for keyring in self._keyring for warning in keyring.warnings)
        warnings = (*warnings, *self._remembered, *about_keys)
        self.screen.warn(warnings)
        if warnings and self.strict:
            self.screen.exit_code = 1


def common(command: Callable[..., None]) -> Callable[..., None]:
    """Add `--yes`, `--json`, `--quiet`, `--strict` and `--debug`, and pass a `Call` as the first argument."""

    @click.option("-y", "--yes", is_flag=True, help="Answer every question with yes; never overrides a refusal.")
    @click.option("--json", "as_json", is_flag=True, help="Print one JSON document on standard output.")
    @click.option("-q", "--quiet", is_flag=True, help="No progress, previews or warnings.")
    @click.option("--strict", is_flag=True, help="Exit with 1 if there are warnings.")
    @click.option("--debug", is_flag=True, help="Show a traceback when something fails.")
    @click.pass_obj
    @wraps(command)
    def wrapped(
        screen: Screen,
        /,
        *,
        yes: bool,
        as_json: bool,
        quiet: bool,
        strict: bool,
        debug: bool,
        **rest: Any,
    ) -> None:
        screen.as_json, screen.quiet, screen.debug = as_json, quiet, debug
        command(Call(screen, screen.runtime, yes, strict), **rest)

    return wrapped


def wait_option(command: Callable[..., None]) -> Callable[..., None]:
    """Add `--wait SECONDS`."""
    return click.option(
        "--wait",
        type=click.FloatRange(min=0),
        default=0.0,
        metavar="SECONDS",
        help="How long to wait while another process uses the walnut.",
    )(command)


def limit_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add `--max-files` and `--max-bytes`."""
    command = click.option(
        "--max-bytes", type=click.IntRange(min=1), metavar="N", help="Raise the limit of 524,288,000 bytes."
    )(command)
    return click.option(
        "--max-files", type=click.IntRange(min=1), metavar="N", help="Raise the limit of 10,000 files."
    )(command)
