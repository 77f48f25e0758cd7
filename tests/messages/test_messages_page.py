"""Every error and warning of the program: `docs/messages.md` is true of all of them, and they speak with one voice."""

import ast
import re
from functools import cache
from pathlib import Path

import click
import pytest
from message_page import PAGE, ROOT, area_of, load_causes, make
from message_sites import WARNING, Site, sites

from alive_p2p.cli.program import cli

PLAIN = re.compile(r"<[^<>]*>")
"""What is only known when it happens."""


@cache
def every() -> tuple[Site, ...]:
    """All places that make a message."""
    return tuple(sites())


def errors() -> list[Site]:
    """Those that are errors of their own: no warnings, no parts of others."""
    return [one for one in every() if one.code != WARNING and "(part)" not in one.code]


def test_the_page_is_what_its_generator_makes() -> None:
    """`make format` writes it."""
    assert PAGE.read_text(encoding="utf-8") == make()


def test_places_are_found_at_all() -> None:
    """A reader of the source that finds nothing would agree with an empty page."""
    kinds = {area_of(one) for one in every()}
    assert len(every()) > 700
    assert len(kinds) == 15
    assert sum(one.code == WARNING for one in every()) > 80


def test_every_message_has_a_test_that_causes_it() -> None:
    """Or a reason why nothing can; nothing else is in the list, and the tests are there."""
    causes = load_causes()
    listed = [key for group in ("caused", "stays") for key in causes[group]]
    assert sorted(listed) == sorted(one.key for one in every())
    assert all(len(why) > 20 for why in causes["stays"].values())
    assert not [test for test in set(causes["caused"].values()) if not _is_there(test)]


@cache
def _functions(path: Path) -> frozenset[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return frozenset(one.name for one in ast.walk(tree) if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef))


def _is_there(test: str) -> bool:
    path, _, name = test.partition("::")
    return (
        name.startswith("test_")
        and Path(path).name.startswith("test_")
        and (ROOT / path).is_file()
        and name in _functions(ROOT / path)
    )


@pytest.mark.parametrize("kind", ["message", "hint", "untouched"])
def test_every_line_begins_in_lower_case_and_has_no_full_stop(kind: str) -> None:
    """What is written in capitals for a reason (a name, a variable) may begin a line."""
    names = ("ALIVE", "SOURCE_DATE_EPOCH", "TWO KEYS")
    for one in every():
        text = getattr(one, kind)
        assert not text.endswith("."), one.key
        assert not text[:1].isupper() or text.startswith(names), one.key
        assert not re.search(r"[a-z`>)]\. [A-Z]", text), f"{one.key}: two sentences; use `;`"


def test_every_error_has_a_next_step() -> None:
    """The next command, or what to do by hand.

    Without one are: what a person has just decided, what only ever stands inside another message, and what the door
    completes: wrong usage with the help of the command, and words of the system with the path.
    """
    decided = {"declined", "interrupted", "cancelled"}
    inside = {"bad-yaml", "cannot-unwrap", "in-the-way", "broken-journal", "not-one-line", "not-a-manifest-value"}
    told_at_the_door = {"UsageError", "FileSystemError"}
    bare = [
        one.key
        for one in errors()
        if not one.hint
        and not set(one.code.split(" / ")) & (decided | inside)
        and one.made_of not in told_at_the_door
        and one.module not in {"web.py", "files.py"}
    ]
    assert bare == []


WORDS = {
    r"\bplease\b|\bsorry\b|\boops\b": "nobody is asked or comforted",
    r"\bfailed to\b|\bunable to\b|\bcan't\b|\bcould not be able\b": "cannot, or could not",
    r"\binvalid\b|\billegal\b|\bmalformed\b(?! *$)": "not valid, and why",
    r"\bdirectory\b|\bdirectories\b": "folder",
    r"\bmailbox\b": "relay",
    r"\bsymlink\b": "symbolic link",
    r"\brepo\b": "repository",
    r"\bcontact\b|\bremote\b": "peer, or host",
    r"\barchive file\b|\btarball\b": "package",
    r"\bURL\b(?!`)": "address",
    r"\bmust\b": "has to",
}
"""Words that messages do not use, and what they use instead."""


@pytest.mark.parametrize("word", list(WORDS))
def test_the_same_thing_is_called_the_same(word: str) -> None:
    """The vocabulary of messages."""
    found = [
        f"{one.key}: {text}"
        for one in every()
        for text in (one.message, one.hint, one.untouched)
        if re.search(word, re.sub(r"`[^`]*`", "", text))
    ]
    assert found == [], f"say: {WORDS[word]}"


def test_the_same_words_have_one_code() -> None:
    """Nobody has to know two codes for one thing; where a message begins with a file, that is what differs."""
    codes: dict[str, set[str]] = {}
    for one in errors():
        if len(PLAIN.sub("", one.message)) > 15 and not one.message.startswith(
            ("'<path>' cannot", "'<folder>' cannot")
        ):
            codes.setdefault(PLAIN.sub("<>", one.message), set()).add(one.code)
    assert {message: found for message, found in codes.items() if len(found - {"of its cause"}) > 1} == {}


def test_the_same_words_have_one_next_step() -> None:
    """The same thing is to be done wherever the same thing happened; hosts and stores differ in what mends it."""
    hints: dict[tuple[str, str, str], set[str]] = {}
    for one in errors():
        if len(PLAIN.sub("", one.message)) > 15 and one.code not in {"no-terminal", "needs-terminal"}:
            what = (area_of(one), one.code, PLAIN.sub("<>", one.message))
            hints.setdefault(what, set()).add(PLAIN.sub("<>", one.hint))
    assert {message: found for message, found in hints.items() if len(found) > 1} == {}


def test_every_command_that_a_message_names_is_one() -> None:
    """With its options; and in full, so that it can be copied."""
    wrong = []
    named = 0
    for one in every():
        for text in (one.message, one.hint, one.untouched):
            commands = re.findall(r"`([^`]*)`", text) + [text] * text.startswith("alive-p2p ")
            for command in commands:
                words = PLAIN.sub("NAME", command).split()
                if words and words[0] == "alive-p2p":
                    named += 1
                    wrong += [f"{one.key}: {command}: {why}" for why in _wrong_in(words[1:])]
                elif words and len(words) > 1 and words[0] in cli.list_commands(click.Context(cli)):
                    wrong.append(f"{one.key}: `{command}` without the program's name")
    assert wrong == []
    assert named > 60


def _wrong_in(words: list[str]) -> list[str]:
    """What is wrong with a command line that a message names; placeholders are in capitals."""
    command: click.Command = cli
    context = click.Context(cli)
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        inner = command.get_command(context, words[0])
        if words[0] == "NAME":
            return []
        if inner is None:
            return [f"there is no command {words[0]}"]
        command, words = inner, words[1:]
    options = {name for one in command.params for name in (*one.opts, *one.secondary_opts)} | {"--help"}
    return [f"it has no {word}" for word in words if word.startswith("--") and word not in options]
