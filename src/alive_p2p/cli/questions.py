"""Questions that have several answers, on a real terminal: menus, lists to tick, lines of text.

Every text is escaped here, as on the screen: a bundle's name is not to reach the terminal as it is.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from alive_p2p.cli.columns import cut, fitted, isolated
from alive_p2p.cli.options import Call
from alive_p2p.cli.screen import columns_of
from alive_p2p.errors import AliveP2PError
from alive_p2p.text import escape

if TYPE_CHECKING:
    from prompt_toolkit.key_binding import KeyBindingsBase
    from prompt_toolkit.key_binding.key_processor import KeyPressEvent
    from prompt_toolkit.output import Output


Value = TypeVar("Value")

_STYLE = {"qmark": "fg:default", "answer": "fg:default bold", "pointer": "bold", "highlighted": "bold"}
"""No colours: the library's own orange cannot be read on a light terminal."""

_LISTED = "an option: `alive-p2p share --help` lists them"
_NARROWEST = 20
_MARGIN = 5
"""What stands before an answer: an arrow, and in a list a circle."""


@dataclass(frozen=True)
class Answer(Generic[Value]):
    """One of the answers: what is shown, what it stands for, and whether a list has it ticked beforehand."""

    text: str
    value: Value
    is_ticked: bool = False


class Questions:
    """Asks on standard error; Ctrl-C and the end of input stop the program, which leaves nothing behind.

    Args:
        call: the call.
    """

    def __init__(self, call: Call) -> None:
        self._call = call

    def choose(self, question: str, answers: Sequence[Any], *, flag: str = _LISTED, default: object = None) -> Any:
        """One of several answers; the first, or the default, is where the arrow stands.

        Args:
            question: what is asked.
            answers: what can be answered.
            flag: the option that answers it, where there is nobody to ask.
            default: the value of the answer where the arrow stands.

        Raises:
            AliveP2PError: there is nobody to ask.
            KeyboardInterrupt: Ctrl-C.
        """
        import questionary

        choices = [questionary.Choice(self._shown(one.text), value=one) for one in answers]
        start = next((choice for choice, one in zip(choices, answers, strict=True) if one.value == default), None)
        chosen = self._ask(
            questionary.select, question, flag, choices=choices, default=start, instruction="(arrows, Enter)"
        )
        return chosen.value

    def tick(self, question: str, answers: Sequence[Any], *, flag: str = _LISTED) -> list[Any]:
        """Any number of the answers, at least one. Raises as `choose`."""
        import questionary

        choices = [questionary.Choice(self._shown(one.text), value=one, checked=one.is_ticked) for one in answers]
        chosen = self._ask(
            questionary.checkbox,
            question,
            flag,
            choices=choices,
            validate=lambda ticked: bool(ticked) or "tick at least one with the space bar",
            instruction="(space ticks, Enter goes on)",
        )
        return [one.value for one in chosen]

    def text(self, question: str, *, default: str = "") -> str:
        """A line of text, without the blanks around it. Raises as `choose`."""
        import questionary

        return str(self._ask(questionary.text, question, _LISTED, default=default)).strip()

    def tell(self, text: str) -> None:
        """A line about an answer that will not do."""
        self._call.screen.note(f"  {text}")

    def _shown(self, text: str) -> str:
        """An answer as the terminal shows it: a menu cuts what is wider, so it is broken here."""
        safe = isolated(escape(text))
        columns = columns_of(self._call.screen.err)
        if columns is None or columns <= _MARGIN + _NARROWEST:
            return safe
        room = columns - _MARGIN - 1
        return f"\n{' ' * _MARGIN}".join(part for line in fitted(safe, room, indent=0) for part in cut(line, room))

    def _ask(self, kind: Any, question: str, flag: str, **options: Any) -> Any:
        if not self._call.screen.can_ask:
            raise AliveP2PError(
                "no-terminal",
                f"there is no terminal to ask on: {question}",
                untouched="everything",
                hint=f"answer it with {flag}",
            )
        from questionary import Style

        self._call.screen.err.flush()
        try:
            style = Style(list(_STYLE.items()))
            asked = kind(isolated(escape(question)), output=_output(), qmark="", style=style, **options)
            asked.application.key_bindings = _with_end_of_input(asked.application.key_bindings)
            with self._call.screen.without_bar():
                return asked.unsafe_ask()
        except EOFError:
            raise KeyboardInterrupt from None


def _output() -> "Output":
    from prompt_toolkit.output import create_output

    return create_output(sys.stderr)


def _with_end_of_input(bindings: "KeyBindingsBase | None") -> "KeyBindingsBase":
    """Ctrl-D ends a menu too, as it ends a line of text."""
    from prompt_toolkit.key_binding import KeyBindings, merge_key_bindings

    ours = KeyBindings()

    @ours.add("c-d")
    def _(event: "KeyPressEvent") -> None:
        event.app.exit(exception=EOFError)

    return merge_key_bindings([bindings, ours]) if bindings is not None else ours
