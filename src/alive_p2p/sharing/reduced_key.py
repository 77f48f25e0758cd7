"""The `key.md` for people it is not addressed to: what it is about, and nobody it names (share.md §4).

A pure function of the key: the same bytes for the same key. Every doubt is decided towards keeping less.
"""

import re
import unicodedata
from collections.abc import Iterator

from alive_p2p import safe_yaml
from alive_p2p.safe_yaml import Value
from alive_p2p.text import one_line
from alive_p2p.walnut.key import Key
from alive_p2p.walnut.markdown import headings

KEPT_FIELDS = ("type", "name", "goal", "created", "rhythm", "tags", "sensitivity")
"""What a reduced `key.md` keeps of its frontmatter."""

REDUCED_MARK = "<!-- reduced: other fields, sections and comments of this key stayed with its owner -->"

_MAX_FIELD = 2_000


def reduced_key(key: Key, walnut: str) -> bytes:
    """The `key.md` for people it is not addressed to: who it is about, and nobody it names (share.md §4).

    Of the frontmatter the fields of `KEPT_FIELDS` are kept, written anew so that no comment slips through; of the
    body the title and the text before the first line that could be a heading below it, without comments. E-mail
    addresses are left out of both. Where the frontmatter cannot be parsed nothing of it is kept but the sensitivity;
    where it cannot even be told from the body, nothing of that either. Reducing the result gives the same bytes.
    """
    lines = ["---"]
    for name in KEPT_FIELDS:
        value = _without_addresses(key.fields.get(name))
        rendered = _spelling(key, name, value) or on_one_line(value)
        if name == "name" and rendered in (None, '""', "[]"):
            rendered = on_one_line(_without_addresses(walnut))
        if name == "sensitivity":
            rendered = on_one_line(key.sensitivity.word)
        if rendered is not None:
            lines.append(f"{name}: {rendered}")
    lines += ["---", "", REDUCED_MARK, ""]
    # Where the block was not found for certain, its lines may lie anywhere in what looks like the body.
    is_certain = key.block.is_present or key.block.problem is None
    opening = _opening(key.data[key.block.body :]) if is_certain else ""
    return ("\n".join(lines) + "\n" + opening).encode()


_MAX_PASSES = 16


def _opening(body: bytes) -> str:
    """What is kept of a body, ending in one line feed; nothing where taking away never comes to an end."""
    text = body.decode("utf-8", "replace")
    for _ in range(_MAX_PASSES):
        reduced = _reduced_once(text)
        if reduced == text:
            return text
        text = reduced
    return ""


def _reduced_once(text: str) -> str:
    """One pass: what it takes away may uncover more, so that it is repeated until nothing changes."""
    # Every character that ends a line for somebody ends one here.
    lines = _without_comments(text).splitlines()
    lines = list(_without_definitions(lines[: _end_of_opening(lines)]))
    first = next((line for line in lines if _visible(line).strip()), "")
    if _begins_a_block(first):
        return ""
    kept = _without_addresses_in("\n".join(lines)).strip("\n")
    return kept + "\n" if kept else ""


_LEAD = re.compile(r"(?:[\s>*+\-|:~]|\d+[.)]|\[[ xX]\])*")
"""What a heading may stand in: blanks, quotes, lists of any kind, tables."""

_UNDERLINE = re.compile(r"[\s>]*(?:(=+)|-+)\s*$")
_HTML_TITLE = re.compile(r"<h1\b", re.IGNORECASE)
_HTML_SECTION = re.compile(r"<h[2-6]", re.IGNORECASE)
_UNSEEN = frozenset(["Cf", "Cc", "Cn", "Co", "Cs", "Mn", "Me"])
_BLANK_LETTERS = frozenset("\u115f\u1160\u3164\uffa0\u2800")


def _visible(line: str) -> str:
    """A line as a reader sees it: without unseen characters and marks, every blank a space."""
    if line.isascii() and line.isprintable():
        return line
    blanks = (" " if char.isspace() or char in _BLANK_LETTERS else char for char in line)
    return "".join(char for char in blanks if unicodedata.category(char) not in _UNSEEN)


def _rank(visible: str) -> int:
    """1 for a line that could be a title, 2 for one that could be a heading below it, 0 for others.

    Code blocks make no difference: who is wrong about where one ends would give a section away.
    """
    rest = visible[_leading(visible) :]
    if rest.startswith("##") or _HTML_SECTION.search(visible):
        return 2
    return 1 if rest == "#" or rest.startswith("# ") or _HTML_TITLE.search(visible) else 0


def _leading(visible: str) -> int:
    match = _LEAD.match(visible)
    return match.end() if match else 0


def _end_of_opening(lines: list[str]) -> int:
    """The index of the first line that could be a heading below the title, or a second title, or an open fence."""
    end = len(lines)
    for found in (headings(lines), _possible_headings(lines)):
        title_seen = False
        for index, level in found:
            if level != 1 or title_seen:
                end = min(end, index)
                break
            title_seen = True
    return end


def _possible_headings(lines: list[str]) -> Iterator[tuple[int, int]]:
    """Like `headings`, of everything that is a heading to any reader."""
    paragraph = -1
    for index, line in enumerate(lines):
        visible = _visible(line)
        underline = _UNDERLINE.match(visible) if paragraph >= 0 else None
        if rank := _rank(visible):
            yield index, rank
        elif underline:
            yield paragraph, 1 if underline[1] else 2
        if rank or underline or not visible.strip(" >"):
            paragraph = -1
        elif paragraph < 0:
            paragraph = index


_DEFINITION = re.compile(r"(?:[\s>*+\-]|\d+[.)])*\[(?:\\.|[^\]\\])*(?:\]\s*:|$)")


def _without_definitions(lines: list[str]) -> Iterator[str]:
    r"""Drop link definitions, footnotes and `[//]: # (…)`, with the rest of their paragraph and what is indented."""
    is_inside = after_blank = False
    for line in lines:
        visible = _visible(line)
        if _DEFINITION.match(visible):
            is_inside, after_blank = True, False
        elif not visible.strip():
            after_blank = True
        elif after_blank and not visible.startswith(" "):
            is_inside = False
        if not is_inside:
            yield line


_BLOCK_MARKS = ("---", "+++", ";;;", "```", "~~~", "{", "%", "?")
_FIELD = re.compile(r"[\"']?\w[\w .-]{0,80}[\"']?\s*[:=](?!//)")


def _begins_a_block(line: str) -> bool:
    """Whether a body that begins with this line begins with fields, or with a block of something, and not with text."""
    visible = _visible(line)
    if visible.lstrip().startswith(_BLOCK_MARKS):
        return True
    return _FIELD.match(visible, _leading(visible)) is not None


def _without_comments(text: str) -> str:
    """Drop `<!-- … -->`; one that is never closed, or not a comment to every reader, runs to the end."""
    kept = []
    position = 0
    may_be_code = False
    while (start := text.find("<!--", position)) >= 0:
        before = text[position:start]
        kept.append(before)
        end = text.find("-->", start + 4)
        if end < 0:
            return "".join(kept)
        may_be_code = may_be_code or any(mark in before for mark in ("`", "~~~", "\\", "\n    ", "\n\t"))
        comment = text[start:end]
        is_doubtful = may_be_code or comment.startswith(("<!-->", "<!--->")) or "--!>" in comment
        if is_doubtful and len(comment.splitlines()) > 1:
            return "".join(kept)
        position = end + 3
    return "".join(kept) + text[position:]


ADDRESS_LEFT_OUT = "(address left out)"

_LOCAL = r"[^\s@\uff20<>()\[\]{}\",;:|`*/\\=&?#]"
_ADDRESS = re.compile(
    rf"mailto:[^\s<>()\[\]\"]*|(?:(?<!{_LOCAL}){_LOCAL}+|\"[^\"\n]{{1,64}}\")"
    r"(?:@|\uff20|&#0*64;|&#x0*40;|&commat;|%40)"
    r"[^\s@\uff20<>()\[\]{}\",;:|`*/\\=&?#%]+\.[\w-]{2,}",
    re.IGNORECASE,
)


def _without_addresses_in(text: str) -> str:
    return _ADDRESS.sub(ADDRESS_LEFT_OUT, text)


def _without_addresses(value: Value) -> Value:
    """A value with its e-mail addresses left out; what is nested deeper than a list is not kept anyway."""
    if isinstance(value, str):
        return _without_addresses_in(value)
    if isinstance(value, list):
        return [_without_addresses_in(item) if isinstance(item, str) else item for item in value]
    return value


def _spelling(key: Key, name: str, value: Value) -> str | None:
    """How a number or a boolean is written in the file (`1.10`, `yes`), where that is certain."""
    if not isinstance(value, (bool, int, float)):
        return None
    block = key.data[key.block.start : key.block.end].decode("utf-8", "replace")
    found = re.search(rf"^{name}[ \t]*:[ \t]+([\w.+-]{{1,60}})[ \t\r]*(?:$|[ \t]#)", block, re.MULTILINE)
    if found is None:
        return None
    line = f"{name}: {found[1]}"
    again = safe_yaml.load_mapping(line.encode()).value
    return found[1] if isinstance(again, dict) and repr(again.get(name)) == repr(value) else None


_PLAIN_FLOAT = re.compile(r"-?[0-9]{1,18}\.[0-9]{1,18}(?:e[-+]?[0-9]{1,3})?")


def on_one_line(value: Value) -> str | None:
    """A frontmatter value on one line, or None for a mapping or a nested list, which are not kept."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and not _PLAIN_FLOAT.fullmatch(str(value)):
        return quoted(str(value))  # written without quotes it would be read as text
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, list) and not any(isinstance(item, (list, dict)) for item in value):
        return "[" + ", ".join(quoted(str(item)) for item in value if item is not None) + "]"
    return None


def quoted(text: str) -> str:
    """Text on one line in double quotes, as YAML reads it; cut where it is far too long."""
    clean = one_line(text, limit=_MAX_FIELD)
    return '"' + clean.replace("\\", "\\\\").replace('"', '\\"') + '"'
