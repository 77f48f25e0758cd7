"""Reading YAML that somebody else wrote, without being hurt by it.

A YAML parser as it comes hangs on a few hundred bytes of merge keys and crashes the process on deep nesting. Here
the parser's *events* are walked first, and values are built from them under explicit limits: no aliases, anchors,
tags or merge keys, no duplicate keys, bounded depth, size and number of scalars. Nothing else in the program
touches the YAML library.

Two dialects:

- `STRICT` is the manifest's (format.md §2): block style, strings and whole numbers only, each on one line.
- `RELAXED` is for files that people write by hand: every quoting style, lists and mappings in flow style, block
  scalars, null, booleans and numbers. Dates stay text.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import cast

import yaml

from alive_p2p.errors import AliveP2PError

Value = str | int | float | bool | None | list["Value"] | dict[str, "Value"]
KeyPath = tuple[str | int, ...]

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_DIRECTIVE = re.compile("(?:^|[\n\r\x85\u2028\u2029])%")
"""A percent sign at the start of a line, which is where YAML has its directives and nothing else that we read."""

_INTEGER = re.compile(r"0|[1-9][0-9]{0,18}")
MAX_INTEGER = 2**63 - 1
"""The largest whole number in a manifest: what every language can hold."""

MAX_KEY = 255
"""The longest name of a field in a manifest; YAML itself cannot read plain ones beyond 1,024."""

_RELAXED_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
_RELAXED_FLOAT = re.compile(r"[-+]?(?:[0-9]{1,18}\.[0-9]{0,18}|\.[0-9]{1,18})(?:[eE][-+]?[0-9]{1,3})?")
_NULLS = frozenset(["", "~", "null", "Null", "NULL"])
_TRUE = frozenset(["true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"])
_FALSE = frozenset(["false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"])


class UnsafeYamlError(AliveP2PError):
    """The text is not YAML, or is YAML of a kind that is refused. `line` counts from 1; 0 where unknown."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__("bad-yaml", message)
        self.line = line


@dataclass(frozen=True)
class Dialect:
    """What is allowed in a document.

    Attributes:
        max_size: length of the text, in characters.
        max_depth: how many collections may be nested.
        max_scalars: how many keys and values together; a collection counts as one.
        strict: the manifest's dialect; otherwise the one for hand-written files.
    """

    max_size: int
    max_depth: int
    max_scalars: int
    strict: bool


RELAXED = Dialect(max_size=1 << 20, max_depth=16, max_scalars=50_000, strict=False)
"""For hand-written files: a megabyte and sixteen levels are far above anything a person keeps in them."""


@dataclass(frozen=True)
class Document:
    """A parsed document: its value, and in the relaxed dialect for every key path the line (from 1) it is on."""

    value: Value
    lines: dict[KeyPath, int] = field(default_factory=dict)


def decode(data: bytes) -> str:
    """Decode UTF-8, dropping one leading byte-order mark. Raises `UnsafeYamlError` where it is not UTF-8."""
    try:
        return data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise UnsafeYamlError("it is not UTF-8", data.count(b"\n", 0, error.start) + 1) from None


def load(text: str, dialect: Dialect) -> Document:
    """Parse one YAML document.

    Raises:
        UnsafeYamlError: not YAML, or outside the dialect; with the line.
    """
    if len(text) > dialect.max_size:
        raise UnsafeYamlError(f"it is longer than {dialect.max_size:,} characters", 0)
    if directive := _DIRECTIVE.search(text):
        # Refused before the parser sees them: it takes quadratic time for many.
        raise UnsafeYamlError("directives (`%…`) are not allowed", text.count("\n", 0, directive.end()) + 1)
    builder = _Builder(dialect)
    try:
        for event in _events(text):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise UnsafeYamlError(
            f"it is not valid YAML ({error.problem or 'syntax error'})", mark.line + 1 if mark else 0
        ) from None
    except (yaml.YAMLError, UnicodeEncodeError):
        raise UnsafeYamlError("it is not valid YAML (a character that YAML does not allow)", 0) from None
    return Document(builder.root, builder.lines)


def load_mapping(data: bytes, dialect: Dialect = RELAXED) -> Document:
    """Parse bytes whose top level has to be a mapping; an empty document is an empty mapping.

    Raises:
        UnsafeYamlError: not UTF-8, not YAML, outside the dialect, or not a mapping.
    """
    document = load(decode(data), dialect)
    if document.value is None:
        return Document({}, {})
    if not isinstance(document.value, dict):
        raise UnsafeYamlError("its top level is not a mapping of keys to values", 1)
    return document


def top_level_lines(text: str) -> dict[str, tuple[int, int]]:
    """For each key of a block-style top-level mapping, the lines it covers: first and last, counted from 0.

    The last line is that of the last token of its value, so comments and blank lines *inside* a value belong to
    it and those after it do not. An empty dict where the top level is anything else.

    Raises:
        UnsafeYamlError: not YAML, outside the relaxed dialect, or with lines that cannot be counted for certain.
    """
    if any(separator in text for separator in "\x85\u2028\u2029"):
        raise UnsafeYamlError("it has line separators that YAML counts and editors do not", 0)
    load(text, RELAXED)
    covered: dict[str, tuple[int, int]] = {}
    depth = 0
    key: str | None = None
    first = last = 0
    for event in _events(text):
        if isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            depth += 1
            if depth == 1 and (event.flow_style or isinstance(event, yaml.SequenceStartEvent)):
                return {}
        if isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            depth -= 1
            if depth == 1 and key is not None:
                covered[key] = (first, max(last, _last_line(event)))
                key = None
        elif isinstance(event, yaml.ScalarEvent):
            start, end = _marks(event)
            last = last if start.index == end.index else _last_line(event)  # an empty value stands nowhere
            if depth == 1 and key is None:
                key, first = event.value, _marks(event)[0].line
            elif depth == 1 and key is not None:
                covered[key] = (first, max(first, last))  # an empty key stands nowhere as well
                key = None
    return covered


def _last_line(event: yaml.Event) -> int:
    """The last line an event stands on; an end mark at column 0 means the line before it."""
    start, end = _marks(event)
    if isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)) and start.index == end.index:
        return -1  # the end of a block collection is where the next token starts: no line of its own
    return end.line - 1 if end.column == 0 and end.line > start.line else end.line


def _marks(event: yaml.Event) -> tuple[yaml.Mark, yaml.Mark]:
    """Where an event begins and ends; events that come from parsing always have both."""
    return cast("yaml.Mark", event.start_mark), cast("yaml.Mark", event.end_mark)


def _events(text: str) -> Iterator[yaml.Event]:
    return yaml.parse(text, Loader=_LOADER)


class _Builder:
    """Builds a value from events and refuses what the dialect does not allow, as early as it is seen."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self.root: Value = None
        self.lines: dict[KeyPath, int] = {}
        self._stack: list[tuple[list[Value] | dict[str, Value], str | None]] = []
        self._path: list[str | int] = []
        self._documents = 0
        self._scalars = 0

    def take(self, event: yaml.Event) -> None:
        line = _marks(event)[0].line + 1
        if isinstance(event, yaml.ScalarEvent):
            self._take_scalar(event, line)
        elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            self._open(event, line)
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            if self.dialect.strict:
                container = self._stack[-1][0]
                start, end = _marks(event)
                if container and end.index > start.index:
                    raise UnsafeYamlError("`[…]` and `{…}` are only allowed empty", line)
            self._close()
        elif isinstance(event, yaml.AliasEvent):
            raise UnsafeYamlError("aliases (`*name`) are not allowed", line)
        elif isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                raise UnsafeYamlError("it holds more than one document", line)
            if event.version or event.tags:
                raise UnsafeYamlError("directives (`%…`) are not allowed", line)

    def _open(self, event: yaml.MappingStartEvent | yaml.SequenceStartEvent, line: int) -> None:
        self._refuse_anchor_and_tag(event, line)
        self._count(line)
        if len(self._stack) >= self.dialect.max_depth:
            raise UnsafeYamlError(f"it is nested more than {self.dialect.max_depth} levels deep", line)
        if self._expects_key():
            raise UnsafeYamlError("a key has to be plain text", line)
        container: list[Value] | dict[str, Value] = {} if isinstance(event, yaml.MappingStartEvent) else []
        self._place(container, line)
        self._stack.append((container, None))

    def _close(self) -> None:
        self._stack.pop()
        self._path_after_value()

    def _take_scalar(self, event: yaml.ScalarEvent, line: int) -> None:
        self._refuse_anchor_and_tag(event, line)
        self._count(line)
        if self._expects_key():
            self._take_key(event, line)
            return
        self._place(self._resolve(event, line), line)
        self._path_after_value()

    def _count(self, line: int) -> None:
        self._scalars += 1
        if self._scalars > self.dialect.max_scalars:
            raise UnsafeYamlError(f"it holds more than {self.dialect.max_scalars:,} values", line)

    def _take_key(self, event: yaml.ScalarEvent, line: int) -> None:
        container, _ = self._stack[-1]
        key: str = event.value
        if key == "<<" and not event.style:
            raise UnsafeYamlError("merge keys (`<<`) are not allowed", line)
        if self.dialect.strict:
            self._refuse_more_than_one_line(event, line)
            if len(key) > MAX_KEY:
                raise UnsafeYamlError(f"a field's name is longer than {MAX_KEY} characters", line)
        if key in container:
            raise UnsafeYamlError(f"the key '{key[:MAX_KEY]}' is given twice", line)
        self._stack[-1] = (container, key)
        self._enter(key, line)

    def _place(self, value: Value, line: int) -> None:
        if not self._stack:
            self.root = value
            return
        container, key = self._stack[-1]
        if isinstance(container, dict):
            container[cast("str", key)] = value  # the parser always gives a key first
        else:
            self._enter(len(container), line)
            container.append(value)

    def _enter(self, step: str | int, line: int) -> None:
        self._path.append(step)
        if not self.dialect.strict:  # a manifest of 10,000 files has no use for 40,000 line numbers
            self.lines[tuple(self._path)] = line

    def _path_after_value(self) -> None:
        if not self._stack:
            return
        container, _ = self._stack[-1]
        self._path.pop()
        self._stack[-1] = (container, None)

    def _expects_key(self) -> bool:
        return bool(self._stack) and isinstance(self._stack[-1][0], dict) and self._stack[-1][1] is None

    @staticmethod
    def _refuse_anchor_and_tag(event: yaml.NodeEvent, line: int) -> None:
        if event.anchor is not None:
            raise UnsafeYamlError("anchors (`&name`) are not allowed", line)
        if getattr(event, "tag", None) is not None:
            raise UnsafeYamlError("tags (`!name`) are not allowed", line)

    @staticmethod
    def _refuse_more_than_one_line(event: yaml.ScalarEvent, line: int) -> None:
        start, end = _marks(event)
        if event.style in {"|", ">"} or start.line != end.line:
            raise UnsafeYamlError("every text has to stand on one line", line)

    def _resolve(self, event: yaml.ScalarEvent, line: int) -> Value:
        text: str = event.value
        if self.dialect.strict:
            return self._resolve_strict(event, text, line)
        if event.style:
            return text
        if text in _NULLS:
            return None
        if text in _TRUE or text in _FALSE:
            return text in _TRUE
        if _RELAXED_INTEGER.fullmatch(text):
            return int(text)
        return float(text) if _RELAXED_FLOAT.fullmatch(text) else text

    def _resolve_strict(self, event: yaml.ScalarEvent, text: str, line: int) -> str | int:
        if event.style in {"'", '"'}:
            self._refuse_more_than_one_line(event, line)
            return text
        if event.style is None or event.style == "":
            if _INTEGER.fullmatch(text) and int(text) <= MAX_INTEGER:
                return int(text)
            raise UnsafeYamlError("a value has to be text in quotes or a whole number", line)
        raise UnsafeYamlError("every text has to stand on one line", line)
