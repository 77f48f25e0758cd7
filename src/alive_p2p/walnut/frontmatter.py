"""The YAML block between two `---` lines at the top of a Markdown file.

Reading is tolerant: a file without frontmatter, or with one that is not YAML, is still a file. Editing changes
the values that are asked for and leaves every other byte alone: order, comments, quoting, line endings, the
byte-order mark.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from alive_p2p import safe_yaml
from alive_p2p.safe_yaml import UnsafeYamlError, Value

_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Frontmatter:
    """A Markdown file, taken apart.

    Attributes:
        start: offset in bytes at which the YAML begins; -1 where there is no frontmatter.
        end: offset just behind the YAML.
        body: offset of the first byte after the closing line.
        fields: the parsed fields; empty where there are none or they cannot be parsed.
        problem: why the YAML could not be parsed, or None.
    """

    start: int
    end: int
    body: int
    fields: Mapping[str, Value]
    problem: str | None = None

    @property
    def is_present(self) -> bool:
        """Whether the file has a frontmatter block, readable or not."""
        return self.start >= 0

    def yaml_of(self, data: bytes) -> bytes:
        """The YAML itself, from the bytes of the file; empty where there is no block."""
        return data[self.start : self.end] if self.is_present else b""


def read(data: bytes) -> Frontmatter:
    """Find and parse the frontmatter of a Markdown file. Never raises; see `Frontmatter.problem`."""
    at = len(_BOM) if data.startswith(_BOM) else 0
    line, following = _line(data, at)
    if line.rstrip() != b"---":
        return Frontmatter(-1, -1, at, {}, _hidden_block(data[at:]))
    start = following
    position = start
    while position < len(data):
        line, following = _line(data, position)
        if line.rstrip() in (b"---", b"..."):
            return _parsed(data, start, position, following)
        position = following
    return Frontmatter(-1, -1, at, {}, "the block that `---` opens is never closed")


_LOOKS_LIKE_FIELD = re.compile(
    rb"(?:^|[\r\n])[^\r\n\w]{0,8}(?:sensitivity|people|links|tags|goal|type)['\"]?[ \t]*:|(?:^|[\r\n])---",
    re.IGNORECASE,
)
_SEARCHED = 1 << 16


def _hidden_block(body: bytes) -> str | None:
    """Why a file may have frontmatter that a reader like this one does not find, or None where it has none."""
    if b"\0" in body[:4096]:
        return "it is not UTF-8"
    if _LOOKS_LIKE_FIELD.search(body[:_SEARCHED]):
        return "it has lines like those of frontmatter, but no `---` block that begins at its first byte"
    return None


def _parsed(data: bytes, start: int, end: int, body: int) -> Frontmatter:
    try:
        document = safe_yaml.load_mapping(data[start:end])
    except UnsafeYamlError as error:
        return Frontmatter(start, end, body, {}, error.message)
    fields = document.value
    return Frontmatter(start, end, body, fields if isinstance(fields, dict) else {})


def _line(data: bytes, position: int) -> tuple[bytes, int]:
    """The line at an offset without its ending, and the offset of the next one."""
    newline = data.find(b"\n", position)
    if newline < 0:
        return data[position:], len(data)
    return data[position:newline].removesuffix(b"\r"), newline + 1


def set_scalar(data: bytes, key: str, value: str) -> bytes | None:
    """Replace the value of one top-level scalar in place, keeping its quotes and a comment behind it.

    Returns:
        The edited file, or None where there is no such key or its value is not a plain one-line scalar.
    """
    block = read(data)
    if not block.is_present:
        return None
    start_of_line = re.compile(rb"(['\"]?)" + re.escape(key.encode()) + rb"\1[ \t]*:(?=[ \t]|$)")
    position = block.start
    while position < block.end:
        line, following = _line(data, position)
        match = start_of_line.match(line)
        if match and not _continues(data, following, block.end):
            found = _scalar_span(line, match.end())
            if found is None:
                return None
            edited = _replaced(data, position + found[0], position + found[1], value)
            # Certain only if a reader sees this field changed and nothing else.
            return edited if read(edited).fields == {**block.fields, key: _as_read(value, edited, key)} else None
        position = following
    return None


def _as_read(value: str, edited: bytes, key: str) -> Value:
    """What a reader makes of a value that was put in: text, or a number where it stands without quotes."""
    now = read(edited).fields.get(key)
    return now if now is not None and str(now) == value else value


def _replaced(data: bytes, start: int, end: int, value: str) -> bytes:
    old = data[start:end]
    quote = old[:1] if old[:1] in (b'"', b"'") else b""
    gap = b"" if old else b" "
    return data[:start] + gap + quote + value.encode() + quote + data[end:]


def _scalar_span(line: bytes, after_colon: int) -> tuple[int, int] | None:
    """Where the value of a one-line scalar begins and ends, its quotes included; None for any other value."""
    comment = re.search(rb"[ \t]#", line[after_colon:])
    is_quoted = line[after_colon:].lstrip(b" \t")[:1] in (b'"', b"'")
    stop = after_colon + comment.start() if comment and not is_quoted else len(line)
    text = line[after_colon:stop]
    start = after_colon + len(text) - len(text.lstrip(b" \t"))
    if is_quoted:
        quote = line[start : start + 1]
        closing = line.find(quote, start + 1)
        rest = line[closing + 1 :].strip(b" \t")
        is_simple = closing > 0 and b"\\" not in line[start:closing] and (not rest or rest.startswith(b"#"))
        return (start, closing + 1) if is_simple else None
    value = text.strip(b" \t")
    if value[:1] in _INDICATORS:
        return None
    return (start, start + len(value)) if value else (after_colon, after_colon)


_INDICATORS = {b"#", b"&", b"*", b"!", b"|", b">", b"%", b"@", b"`", b"[", b"]", b"{", b"}", b",", b"?"}
"""What a value begins with that is not a plain scalar."""


def _continues(data: bytes, position: int, end: int) -> bool:
    """Whether the value of the line before goes on: the next line that is not blank is indented, or a list item."""
    while position < end:
        line, position = _line(data, position)
        if line.strip():
            return line[:1] in (b" ", b"\t") or line.startswith((b"- ", b"-\n"))
    return False
