"""HTML that cannot be broken out of: what is not markup already is escaped, in text and in attributes alike.

Names, reasons and excerpts come from a walnut and are hostile. They become text here in two steps: characters that
nobody can see or that turn the reading direction become visible escapes (`alive_p2p.text.escape`), and what means
something in HTML is quoted. Only this module writes `<`.
"""

import html
import re
import unicodedata
from collections.abc import Iterable, Sequence

from alive_p2p.cli.screen import plural
from alive_p2p.text import escape


class Html(str):
    """Finished markup; every other `str` is text and gets escaped."""

    __slots__ = ()


NOTHING = Html("")
_VOID = frozenset(["link", "meta"])
_WORD = r"`(?P<word>--[a-z]+(?:-[a-z]+)*(?: [a-z]+)?|key\.md|README\.md|manifest\.yaml|pii)`"
"""What our own sentences put between backticks. Any other pair belongs to a name, and is shown as it is."""
_QUOTED = r"'(?P<quoted>[^']+)'"


_MARKS = 12
"""So many combining marks on one letter no language needs; a taller pile may be cut, also over several lines."""


def plain(content: str) -> Html:
    """Text for an attribute or a title: nothing invisible, nothing that is markup."""
    return Html(html.escape(escape(content), quote=True))


def text(content: str) -> Html:
    """Text as it is shown; what is markup already stays."""
    if isinstance(content, Html):
        return content
    if content.isascii():
        return plain(content)
    return Html("<wbr>".join(map(plain, _piles(content))))


def _piles(content: str) -> Iterable[str]:
    """The text in one piece, or cut where marks are piled so high that no line could hold them."""
    start = marks = 0
    for place, char in enumerate(content):
        marks = marks + 1 if unicodedata.category(char).startswith("M") else 0
        if marks == _MARKS:
            yield content[start:place]
            start, marks = place, 1
    yield content[start:]


def join(parts: Iterable[str]) -> Html:
    """Several pieces, one after the other."""
    return Html("".join(map(text, parts)))


def element(tag: str, *children: str, **attributes: str | bool) -> Html:
    """One element.

    Args:
        tag: its name.
        children: markup, or text to escape.
        attributes: their values; True for one without a value, False and empty for none. `class_` is `class`, and
            other underscores are hyphens.
    """
    shown = "".join(
        f" {name.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{plain(str(value))}"')
        for name, value in attributes.items()
        if value not in (False, "")
    )
    return Html(f"<{tag}{shown}>") if tag in _VOID else Html(f"<{tag}{shown}>{join(children)}</{tag}>")


def name(content: str) -> Html:
    """A name or path: it keeps its own reading direction to itself."""
    return Html(f"<bdi>{text(content)}</bdi>")


def code(content: str) -> Html:
    """Something to type, or an exact value."""
    return element("code", name(content))


def command(content: str) -> Html:
    """An option with its value; the option's own hyphens are no place to break a line."""
    option, space, value = content.partition(" ")
    return element("code", Html(f"<bdi>{element('span', option)}{text(space + value)}</bdi>"))


def prose(sentence: str, *commands: str) -> Html:
    """One of our sentences: the commands in it as code, and the names it quotes kept apart from its direction.

    Args:
        sentence: as the terminal shows it.
        commands: what stands between backticks in it and holds a name, exactly.
    """
    exact = "|".join(re.escape(command) for command in commands)
    pattern = re.compile((f"`(?P<command>{exact})`|" if commands else "") + f"{_WORD}|{_QUOTED}")
    pieces: list[str] = []
    end = 0
    for found in pattern.finditer(sentence):
        pieces.append(sentence[end : found.start()])
        end = found.end()
        groups = found.groupdict()
        if quoted := groups["quoted"]:
            pieces += ["'", name(quoted), "'"]
        elif exactly := groups.get("command"):
            pieces.append(command(exactly))
        else:
            pieces.append(code(groups["word"]))
    return join([*pieces, sentence[end:]])


def facts(rows: Iterable[tuple[str, str]]) -> Html:
    """What is called what, as a description list; rows without a value are left out."""
    return element(
        "dl",
        *(element("div", element("dt", label), element("dd", value)) for label, value in rows if value),
        class_="facts",
    )


def section(anchor: str, heading: str, *content: str) -> Html:
    """A part of the page with its heading, and a place that links can name."""
    title = element("h2", heading, id=f"{anchor}-heading")
    return element(
        "section", title, element("div", *content, class_="body"), id=anchor, aria_labelledby=f"{anchor}-heading"
    )


def listed(rows: Sequence[Html], *, shown: int, what: str, **attributes: str) -> Html:
    """A list that shows its first rows and folds the rest away.

    Args:
        rows: `<li>` elements.
        shown: how many stay in sight; one or two more than that are not worth folding.
        what: what a folded row is, in the singular.
        attributes: of the list.
    """
    if len(rows) <= shown + 2:
        return element("ul", *rows, **attributes) if rows else NOTHING
    rest = rows[shown:]
    return join(
        [
            element("ul", *rows[:shown], **attributes),
            element(
                "details",
                element("summary", f"{plural(len(rest), f'more {what}')}", class_="more"),
                element("ul", *rest, **attributes),
            ),
        ]
    )


def fingerprint(digits: str) -> Html:
    """Digits in groups of four to compare by eye; copied, they are one word as in the terminal."""
    groups = (digits[start : start + 4] for start in range(0, len(digits), 4))
    return element("code", *(element("span", group) for group in groups), class_="print-of-key")
