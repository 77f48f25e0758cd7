"""What a person sees.

The rules:

- Data goes to standard output; everything else (previews, prompts, progress, warnings, errors) to standard error.
- With `--json` standard output holds exactly one JSON document, also on failure; it is plain ASCII.
- A line starts in lower case and an error has no full stop at its end.
- An error says what happened, then what was left untouched, then what to try.
- Every text is escaped here, whatever it came from: no control or bidi character reaches a terminal.
- Colour and progress only on a terminal, and not with `TERM=dumb`; with `NO_COLOR` progress has no colour.
- On a terminal lines are broken between words, and right-to-left words are isolated; a pipe gets lines as they are.
"""

import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TextIO

import click

from alive_p2p import files
from alive_p2p.cli.bar import Bar
from alive_p2p.cli.columns import fitted, isolated, padded
from alive_p2p.errors import AliveP2PError
from alive_p2p.runtime import Runtime
from alive_p2p.text import escape

if TYPE_CHECKING:
    from alive_p2p.package.reader import Progress

_MAX_TEXT = 500
"""Longer pieces of text are cut: a name or note of a hundred thousand characters hides everything else."""

_LABEL_WIDTH = 13
_SHOWN = 8


@dataclass
class Screen:
    """Where a command's words go.

    Attributes:
        as_json: one JSON document instead of words.
        quiet: no progress, previews, notes or warnings.
        debug: a traceback where something fails.
        has_bar: whether progress can be shown at all.
        exit_code: what the program ends with if no error is raised.
        beside_error: what the JSON document of an error holds besides the error, such as the plan that was refused.
    """

    runtime: Runtime
    as_json: bool
    quiet: bool
    debug: bool
    out: TextIO
    err: TextIO
    colour: bool
    is_interactive: bool
    has_bar: bool = False
    exit_code: int = 0
    beside_error: dict[str, Any] = field(default_factory=dict)
    _warned: dict[str, None] = field(default_factory=dict, repr=False)
    _document: Mapping[str, Any] | list[Any] | None = field(default=None, repr=False)
    _is_ended: bool = field(default=False, repr=False)
    _bar: "Bar | None" = field(default=None, repr=False)
    _is_working: bool = field(default=False, repr=False)

    @classmethod
    def for_process(cls, runtime: Runtime, *, as_json: bool, debug: bool) -> "Screen":
        """The screen of this process; text that an encoding cannot hold is written as escapes."""
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="backslashreplace")
        environ = runtime.environ
        plain = bool(environ.get("NO_COLOR")) or environ.get("TERM") == "dumb"
        tty = sys.stderr.isatty()
        return cls(
            runtime=runtime,
            as_json=as_json,
            quiet=False,
            debug=debug,
            out=sys.stdout,
            err=sys.stderr,
            colour=tty and not plain,
            has_bar=tty and environ.get("TERM") != "dumb",
            is_interactive=tty and sys.stdin is not None and sys.stdin.isatty(),
        )

    @property
    def can_ask(self) -> bool:
        """Whether there is somebody to ask."""
        return self.is_interactive and not self.as_json

    # -- words -------------------------------------------------------------------------------------------------

    def say(self, text: str = "") -> None:
        """One line of the result, on standard output."""
        if not self.as_json:
            self._print(_line(text), self.out)

    def strong(self, text: str) -> None:
        """A line of the result that the eye is to find first, where there are colours."""
        if not self.as_json:
            is_shown = self.colour and columns_of(self.out) is not None
            self._print(click.style(_line(text), bold=True) if is_shown else _line(text), self.out)

    @property
    def columns(self) -> int | None:
        """How wide the terminal is that the result goes to; None where it goes to none."""
        return columns_of(self.out)

    def note(self, text: str = "", *, is_asked_about: bool = False) -> None:
        """One line beside the result, on standard error; what a question is about is shown with `--quiet` as well."""
        if not (self.as_json or (self.quiet and not is_asked_about)):
            self._print(_line(text), self.err)

    def lines(self, lines: Iterable[str], *, result: bool, is_asked_about: bool = False) -> None:
        """Several lines, as the result or beside it."""
        for line in lines:
            if result:
                self.say(line)
            else:
                self.note(line, is_asked_about=is_asked_about)

    def tell(self, text: str) -> None:
        """One line that has to be seen while the command goes on, on standard error, whatever the switches."""
        self._print(_line(text), self.err)

    def warn(self, warnings: Iterable[str]) -> None:
        """Warnings, on standard error, each of them once: a preview has shown what the end would say again.

        With `--json` they stand in the document, under `warnings`, if that is not printed yet.
        """
        for warning in warnings:
            if warning not in self._warned:
                self._warned[warning] = None
                if not (self.quiet or (self.as_json and not self._is_ended)):
                    self._warn(warning)

    def _warn(self, warning: str) -> None:
        self._print(self._style("warning:", "magenta") + f" {_line(warning)}", self.err)

    def document(self, value: Mapping[str, Any] | list[Any]) -> None:
        """The JSON document; `end` prints it. An error that comes afterwards is told in it, beside what was done."""
        if self.as_json:
            self._document = value

    def end(self) -> None:
        """Print the JSON document, with what was warned of in the meantime; once."""
        value = self._document
        if value is None or self._is_ended:
            return
        if isinstance(value, Mapping):
            value = _with_warnings(value, self._warned)
        elif not self.quiet:  # a list has no place for them
            for warning in self._warned:
                self._warn(warning)
        text = json.dumps(value, indent=2, ensure_ascii=True)
        self._is_ended = True
        self._print(text, self.out, as_it_is=True)

    def _print(self, text: str, stream: TextIO, *, as_it_is: bool = False) -> None:
        """Print a line; a reader that has gone does not turn what was done into a failure."""
        try:
            with self.without_bar():
                print(text if as_it_is else _laid_out(text, stream), file=stream, flush=True)
        except BrokenPipeError:
            silence(stream)
        except OSError as error:
            silence(stream)
            raise files.file_system_error(error, "write to", "the output") from error

    # -- errors ------------------------------------------------------------------------------------------------

    def show_error(self, error: AliveP2PError) -> None:
        """An error of ours, in words or as JSON."""
        self.error(error.code, error.message, hint=error.hint, untouched=error.untouched, details=error.details)

    def error(
        self,
        code: str,
        message: str,
        *,
        hint: str | None = None,
        untouched: str | None = None,
        details: Iterable[str] = (),
    ) -> None:
        """An error, in words or as JSON (cli.md, "Conventions")."""
        details = list(details)
        document: dict[str, Any] = {"code": code, "message": message, "hint": hint}
        if untouched is not None:
            document["untouched"] = untouched
        if details:
            document["details"] = details
        done = self._document if isinstance(self._document, Mapping) else {}
        self.document({**done, "status": "error", "error": document, **self.beside_error})
        self.end()
        self._print(self._style("error:", "red") + f" {_line(message)}", self.err)
        for detail in details:
            self._print(f"  - {_line(detail)}", self.err)
        if untouched:
            self._print(f"  left untouched: {_line(untouched)}", self.err)
        if hint:
            self._print(f"  try: {_line(hint)}", self.err)

    # -- questions ---------------------------------------------------------------------------------------------

    def ask(self, question: str) -> str:
        """Ask for a line of text on the terminal; without the blanks around it, and empty where nothing was typed."""
        self.err.flush()
        try:
            with self.without_bar():
                answer = click.prompt(isolated(_line(question)), default="", show_default=False, err=True)
        except click.Abort:
            self._print("", self.err)  # what follows does not stand behind the question
            raise
        return str(answer).strip()

    def confirm(self, question: str) -> bool:
        """Ask a yes-or-no question on the terminal; no is the default."""
        while True:
            word = self.ask(f"{question} [y/N]").lower()
            if word in {"y", "yes"}:
                return True
            if word in {"", "n", "no"}:
                return False
            self._print("  answer y or n", self.err)

    # -- progress ----------------------------------------------------------------------------------------------

    def progress(self, label: str) -> "Progress | None":
        """A progress callback for something that may take a while; None where nothing is to be shown."""
        if self.quiet or self.as_json or not self.has_bar:
            return None
        if self._is_working:
            return self._bar
        self._bar = Bar(label, self.err, self.runtime.monotonic, columns_of(self.err))
        return self._bar

    @contextmanager
    def working(self, label: str) -> Iterator["Progress | None"]:
        """The same around a piece of work; a bar moves also while nothing can be counted.

        Inside another such piece of work it is that one's bar which goes on.
        """
        if self._is_working or self.progress(label) is None or self._bar is None:
            yield self._bar if self._is_working else None
            return
        self._is_working = True
        try:
            with self._bar as bar:
                yield bar
        finally:
            self._bar, self._is_working = None, False

    @contextmanager
    def without_bar(self) -> Iterator[None]:
        """Nothing is drawn meanwhile: somebody is asked, or something is printed."""
        with self._bar.hidden() if self._bar is not None else nullcontext():
            yield

    def _style(self, text: str, colour: str) -> str:
        return click.style(text, fg=colour, bold=True) if self.colour else text


def silence(stream: TextIO) -> None:
    """Let a stream that can no longer be written go nowhere, so that Python does not complain when it closes it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def columns_of(stream: TextIO) -> int | None:
    """How wide the terminal is that a stream goes to; None where it goes to none, or that is not known."""
    try:
        return os.get_terminal_size(stream.fileno()).columns or None if stream.isatty() else None
    except (OSError, ValueError):  # no terminal after all, or a stream of a test
        return None


def _with_warnings(document: Mapping[str, Any], warned: Iterable[str]) -> Mapping[str, Any]:
    """A document with the warnings that stand nowhere in it yet; what was `ok` is no longer without them."""
    inside = [one.get("warnings", []) for one in document.values() if isinstance(one, Mapping)]
    known = document.get("warnings", [])
    more = [one for one in warned if one not in known and not any(one in listed for listed in inside)]
    if not more:
        return document
    status = {"status": "warn"} if document.get("status") == "ok" else {}
    return {**document, **status, "warnings": [*known, *more]}


def _laid_out(text: str, stream: TextIO) -> str:
    """A line as a terminal shows it best; as it is, where it goes anywhere else."""
    columns = columns_of(stream)
    return text if columns is None else "\n".join(fitted(isolated(text), columns))


def _line(text: str) -> str:
    cut = text if len(text) <= _MAX_TEXT * 4 else text[: _MAX_TEXT * 4] + "…"
    return escape(cut)


def short(text: str, limit: int = _MAX_TEXT) -> str:
    """Cut text to a length that leaves room for the rest of the screen."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def some(lines: tuple[str, ...] | list[str]) -> list[str]:
    """The first of many lines, and how many more there are."""
    shown = [f"  {line}" for line in lines[:_SHOWN]]
    if len(lines) > _SHOWN:
        shown.append(f"  and {len(lines) - _SHOWN:,} more; `--json` lists all")
    return shown


def field_line(label: str, value: str) -> str:
    """A labelled line of a preview."""
    return f"  {padded(label, _LABEL_WIDTH)} {value}"


def plural(count: int, singular: str, several: str | None = None) -> str:
    """`1 file`, `2 files`."""
    return f"{count:,} {singular if count == 1 else several or singular + 's'}"


def grouped(fingerprint: str) -> str:
    """A fingerprint in groups of four, as two people compare it."""
    return " ".join(fingerprint[at : at + 4] for at in range(0, len(fingerprint), 4))


def human_size(size: int) -> str:
    """A size for people: `812 bytes`, `41.2 KB`, `3.0 GB` (powers of 1,000)."""
    if size < 1000:
        return plural(size, "byte")
    value = float(size)
    for unit in ("KB", "MB", "GB"):
        value /= 1000
        if value < 999.95:
            return f"{value:.1f} {unit}"
    return f"{value / 1000:.1f} TB"
