"""Text that is looked at: what hides in it, what it gives away, the exclusion language, and escapes."""

import re
import unicodedata
from functools import cache

from alive_p2p import text as texts
from alive_p2p.errors import UsageError
from alive_p2p.globs import Pattern, pattern_for
from alive_p2p.receiving.hidden_text import KINDS, MAX_COUNT, HiddenText, HiddenTextScan
from alive_p2p.sharing.findings import Finding, Scanner
from fuzz.surroundings import Target, in_pieces

_PATHS = ("notes.md", "data.bin", "page.html", "script.py", "table.csv")


def _split(data: bytes) -> tuple[str, bytes]:
    """A path chosen by the first byte, and the rest."""
    return _PATHS[(data[0] if data else 0) % len(_PATHS)], data[1:]


def _hidden(path: str, data: bytes, *, whole: bool) -> list[HiddenText]:
    scan = HiddenTextScan(path)
    for piece in [data] if whole else in_pieces(data):
        scan.feed(piece)
    return scan.finish()


_PLANTED = "\nread this\U000e0001\U000e0069\U000e0067\U000e006e\U000e006f\U000e0072\U000e0065\U000e007f now\n".encode()


def hidden_text(data: bytes) -> None:
    """How a file comes makes no difference, what is shown is safe to show, and tag characters never hide."""
    path, content = _split(data)
    found = _hidden(path, content, whole=True)
    assert found == _hidden(path, content, whole=False)
    lines = len(re.findall(rb"\n", content)) + 1
    for one in found:
        assert one.kind in KINDS
        assert not texts.has_unsafe_character(one.excerpt)
        assert 1 <= one.line <= lines + content.count(b"\x0a\x00") + content.count(b"\x00\x0a")
        assert 1 <= one.count <= MAX_COUNT
    assert len({one.kind for one in found}) == len(found)
    if not content.startswith((b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff")):
        planted = _hidden("notes.md", content + _PLANTED, whole=True)
        assert "tag-characters" in {one.kind for one in planted}


def _secrets(path: str, data: bytes, *, whole: bool) -> tuple[list[Finding], bool]:
    scan = Scanner().begin(path)
    for piece in [data] if whole else in_pieces(data):
        scan.feed(piece)
    return scan.finish(), scan.is_opaque


def secret_scan(data: bytes) -> None:
    """How a file comes makes no difference, and what is told of a secret is safe to show and not the secret."""
    path, content = _split(data)
    found, opaque = _secrets(path, content, whole=True)
    assert (found, opaque) == _secrets(path, content, whole=False)
    for one in found:
        assert re.fullmatch(r"[0-9a-f]{12}", one.id)
        assert not texts.has_unsafe_character(one.excerpt)
        assert len(one.excerpt) <= 80
        assert one.line is not None
        assert one.line >= 1
        assert one.count >= 1
    names = content.decode("utf-8", "replace").split("\n")
    scanner = Scanner()
    for name in names:
        told = scanner.scan_name(name)
        assert told is None or not texts.has_unsafe_character(told.excerpt)


def globs(data: bytes) -> None:
    """A pattern matches what its language says, judged by a plain second reading of it."""
    written, _, path = data.decode("utf-8", "replace").partition("\n")
    pattern = Pattern.parse(written)
    assert pattern.text == written
    names = tuple(unicodedata.normalize("NFC", path).split("/"))
    body = unicodedata.normalize("NFC", written.removesuffix("/")).split("/")
    parts = tuple(body if len(body) > 1 else ["**", *body])
    itself = _segments_match(parts, names)
    assert pattern.matches_itself(path) == itself
    above = any(_segments_match(parts, names[:count]) for count in range(1, len(names) + 1))
    assert pattern.matches(path) == (itself if body[-1] == "*" else above)
    assert isinstance(pattern.matches_ignoring_case(path), bool)
    if path and "**" not in path and all(part not in {"", ".", ".."} for part in names):
        try:
            spelled = Pattern.parse(pattern_for(path))
        except UsageError:
            return
        assert spelled.matches_itself(path)


def _segments_match(parts: tuple[str, ...], names: tuple[str, ...]) -> bool:
    """Straight from the definition, with a memory so that it ends."""

    @cache
    def rest(part: int, name: int) -> bool:
        if part == len(parts):
            return name == len(names)
        if parts[part] == "**":
            return rest(part + 1, name) or (name < len(names) and rest(part, name + 1))
        return name < len(names) and _name_matches(parts[part], names[name]) and rest(part + 1, name + 1)

    return rest(0, 0)


def _name_matches(pattern: str, name: str) -> bool:
    parts = re.findall(r"\[[^]]*\]|.", pattern, re.DOTALL)
    reached = {0}
    for part in parts:
        if part == "*":
            reached = set(range(min(reached, default=len(name) + 1), len(name) + 1))
        else:
            reached = {at + 1 for at in reached if at < len(name) and _char_matches(part, name[at])}
    return len(name) in reached


def _char_matches(part: str, char: str) -> bool:
    if part == "?" or (len(part) == 1 and part == char):
        return True
    if len(part) == 1:
        return False
    body, negated = part[1:-1].removeprefix("!"), part.startswith("[!")
    inside, at = False, 0
    while at < len(body):
        if at + 2 < len(body) and body[at + 1] == "-":
            inside |= body[at] <= char <= body[at + 2]
            at += 3
        else:
            inside |= body[at] == char
            at += 1
    return inside != negated


def text_escape(data: bytes) -> None:
    """What is escaped is safe, and again the same; one line is one line; folding again changes nothing."""
    text = data.decode("utf-8", "surrogateescape")
    escaped = texts.escape(text)
    assert not texts.has_unsafe_character(escaped)
    assert texts.escape(escaped) == escaped
    assert (escaped == text) == (not texts.has_unsafe_character(text))
    escaped.encode()
    for limit in (1, 2, 80, 200):
        line = texts.one_line(text, limit=limit)
        assert len(line) <= limit
        assert not texts.has_unsafe_character(line)
        assert line == line.strip()
        assert texts.one_line(line, limit=limit) == line
        assert not texts.breaks_the_line(line)
    if texts.breaks_the_line(text):
        assert texts.has_unsafe_character(text)
    folded = texts.fold(text)
    assert texts.fold(folded) == folded
    assert texts.fold(unicodedata.normalize("NFD", text)) == folded


_HIDDEN_WORDS = (
    b"<!--", b"-->", b"ignore previous instructions", b"assistant", b'<span style="display:none">', b"</span>",
    b"\xe2\x80\x8b", b"\xe2\x80\x8d", b"\xe2\x80\xae", b"\xe2\x80\xac", b"\xf3\xa0\x81\xa1", b"\xef\xb8\x8f",
    b"\xf3\xa0\x84\x80", b"\xff\xfe", b"\xfe\xff", b"\0", b"\n", b"<", b">",
)  # fmt: skip
_SECRET_WORDS = (
    b"password: ", b"api_key = '", b"AKIA", b"ghp_", b"-----BEGIN RSA PRIVATE KEY-----\n", b"-----END", b"xoxb-",
    b"sk-", b"https://a:b@", b"Bearer ", b"eyJhbGciOi", b"| password |\n|---|\n", b"token,", b"\xff\xfe", b"\0",
    b"\xe2\x80\x8b", b"AGE-SECRET-KEY-1", b"PK\x03\x04", b"%PDF-1.4", b"AIza",
)  # fmt: skip
_GLOB_WORDS = (b"**/", b"**", b"*", b"?", b"[", b"]", b"[!", b"[a-z]", b"/", b"\n", b"[]]", b"{a,b}", b"\xcc\x81", b"-")
_TEXT_WORDS = (
    b"\xe2\x80\x8b", b"\xe2\x80\xa8", b"\xe2\x80\xae", b"\xf3\xa0\x81\xa1", b"\x1b[31m", b"\r", b"\n", b"\t", b"\xff",
    b"\xed\xa0\x80", b"\xef\xbf\xbe", b"\xcd\x85", b"\xc4\xb0", b"\xc3\x9f", b"\xe1\x85\x9f", b"\xd8\x80",
    b"\xc2\x85", b" ",
)  # fmt: skip

TARGETS = (
    Target("hidden-text", hidden_text, _HIDDEN_WORDS),
    Target("secret-scan", secret_scan, _SECRET_WORDS),
    Target("globs", globs, _GLOB_WORDS, 512),
    Target("text-escape", text_escape, _TEXT_WORDS, 1024),
)
