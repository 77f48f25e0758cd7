"""The secret scan: what a text says that should not leave, and names that tell (share.md §4).

The text is looked at in windows that lie at fixed places of the file, however it is cut into pieces, so memory is
constant and the findings are the same for every cutting. Each window holds some bytes before and after its core:
a secret belongs to the window in whose core it begins, and is seen whole there.

A window is looked at again as `views_of` reads it in other ways.
"""

import codecs
import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from alive_p2p.errors import UsageError
from alive_p2p.globs import Pattern
from alive_p2p.sharing.secret_excerpts import excerpt_of, finding_id
from alive_p2p.sharing.secret_rules import LONGEST, RULES, open_table
from alive_p2p.sharing.secret_set import Hit, hits, triggers
from alive_p2p.sharing.secret_views import merged, views_of
from alive_p2p.text import escape, fold

TELL_TALES = ("pricing", "invoice", "salary", "strategy", "secret", "credential", ".env")
"""A file or folder whose name begins with one of these is worth a second look."""

MAX_FINDINGS = 500
"""Different secrets of one file that are listed one by one; what is beyond becomes a single finding."""

_CORE = 64 * 1024
_CORE_OF_DATA = 512 * 1024  # where nothing has to be read a second time, larger windows overlap less
_BEFORE = 1024  # what a pattern or a judge may look back at: a name, the beginning of a line
_AFTER = LONGEST + 1024
_HEAD = 8 * 1024  # what the kind of a file is read from

_CODE = frozenset({
    ".py", ".pyi", ".js", ".mjs", ".cjs", ".jsx", ".ts", ".tsx", ".go", ".rs", ".java", ".kt", ".kts",
    ".scala", ".c", ".h", ".cc", ".cpp", ".hpp", ".cs", ".m", ".swift", ".rb", ".php", ".pl", ".pm",
    ".lua", ".r", ".jl", ".ex", ".exs", ".erl", ".hs", ".ml", ".clj", ".dart", ".vue", ".svelte",
    ".sql", ".vim", ".el", ".html", ".htm", ".css", ".scss", ".nim", ".zig", ".ipynb",
})  # fmt: skip
"""Here a bare word after `=` is a variable; elsewhere (YAML, env, shell, notes) it is the value itself."""

_OPAQUE = (
    b"PK\x03\x04", b"PK\x05\x06", b"\x89PNG", b"\xff\xd8\xff", b"\x1f\x8b", b"\xfd7zXZ", b"7z\xbc\xaf",
    b"\x28\xb5\x2f\xfd", b"\xd0\xcf\x11\xe0", b"Salted__", b"age-encryption.org/", b"-----BEGIN AGE ENCRYPTED FILE",
    *(b"BZh%d1AY&SY" % level for level in range(1, 10)),
)  # fmt: skip
"""How compressed and encrypted files begin. Beginnings that a text may have are left to the bytes after them."""

_PDF = re.compile(rb"%PDF-[0-9.]{1,4}\s*(?:\Z|%[^\r\n]*[\x80-\xff])")
_PDF_OBJECT = re.compile(rb"[0-9] [0-9]{1,5} obj\b")

_CONTROLS = bytes({*range(1, 32), 127} - set(b"\b\t\n\v\f\r\x1b"))
"""What texts do not have. Zero bytes are none of these: by themselves they only hide a text."""

_SURROUNDINGS = 256
"""So many bytes around a secret have to be text where there are zero bytes."""

_UNICODE_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins with the mark of UTF-16
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(frozen=True)
class Finding:
    """Something in a file, or about its name, that should not leave unseen.

    Attributes:
        id: 12 hex digits over kind, path and secret: the same after lines have moved. Whoever has it can check a
            guess at the secret with it, so it stays at home: no package and no relay may carry it.
        kind: the rule's word.
        what: the same for people.
        path: package path; a folder ends in `/`.
        line: the first line it is on, from 1; None for a name.
        excerpt: enough to find it, never the secret: at most four of its characters; safe to print.
        blocks: whether it blocks the share; a name only warns.
        count: how often the same secret is in the file.
    """

    id: str
    kind: str
    what: str
    path: str
    line: int | None
    excerpt: str
    blocks: bool
    count: int = 1


class Scanner:
    """Scans the files of one share.

    Args:
        sensitive_names: further patterns for tell-tale names, in the exclusion language, without regard to case.

    Raises:
        UsageError: a pattern is malformed.
    """

    def __init__(self, *, sensitive_names: Sequence[str] = ()) -> None:
        self._patterns = [(text, _folded(text)) for text in sensitive_names]
        self._told: dict[str, str | None] = {}  # a folder or file, folded, and the pattern that its name matches
        self._reported: set[str] = set()

    def scan_name(self, path: str) -> Finding | None:
        """Whether a package path has a tell-tale name (share.md §4).

        A folder is reported once, with the first file below it that is asked about, and none of its files again.
        """
        names = path.split("/")
        folded = fold(path).split("/")
        if len(folded) != len(names):  # no character folds into a slash, and this is not the place to rely on it
            folded = names
        for depth in range(1, len(names) + 1):
            place = "/".join(folded[:depth])
            if place not in self._told:
                self._told[place] = self._tale(folded[:depth], place)
            if (pattern := self._told[place]) is None:
                continue
            if place in self._reported:
                return None
            self._reported.add(place)
            shown = "/".join(names[:depth]) + ("/" if depth < len(names) else "")
            return make_finding("name", "a name that tells", shown, pattern.encode(), None, pattern, blocks=False)
        return None

    def _tale(self, names: list[str], place: str) -> str | None:
        for beginning in TELL_TALES:
            if names[-1].startswith(beginning):
                return f"**/{beginning}*"
        return next((text for text, pattern in self._patterns if pattern.matches_itself(place)), None)

    def begin(self, path: str) -> "FileScan":
        """Begin to scan one file, given as its package path."""
        return FileScan(path)


def make_finding(
    kind: str, what: str, path: str, secret: bytes, line: int | None, excerpt: str, *, blocks: bool
) -> Finding:
    """A finding with its identity, its excerpt made safe to print."""
    return Finding(finding_id(kind, path, secret), kind, what, path, line, escape(excerpt)[:80], blocks)


def _folded(text: str) -> Pattern:
    pattern = Pattern.parse(text)
    try:
        return Pattern.parse(fold(text))
    except UsageError:  # a range such as `[Z-a]` runs backwards once its ends are folded
        return pattern


# --- one file -----------------------------------------------------------------------------------------------------


class FileScan:
    """The scan of one file: `feed` it in order, then `finish`.

    Attributes:
        is_opaque: whether it is of a kind the scan cannot look into (archives, documents in archives, PDF, images,
            sound, other binary data), known for certain once it is finished. Secrets with an unmistakable shape are
            looked for even there.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.is_opaque = False
        self._is_text = True
        self._is_code = os.path.splitext(path)[1].lower() in _CODE  # noqa: PTH122  (asked of every file)
        self._pending: list[bytes] = []  # what is not scanned yet, with up to _BEFORE bytes that are
        self._held = 0  # bytes of that
        self._before = 0  # how many of them are scanned
        self._core = _CORE
        self._line = 1  # the line on which the unscanned part begins
        self._is_head_read = False
        self._decoder: codecs.IncrementalDecoder | None = None
        self._wide = ""  # the encoding of text in two bytes a character
        self._heading = b""  # of the table that goes on in the next window
        self._found: dict[str, Finding] = {}
        self._rest = hashlib.sha256()
        self._rest_count = 0
        self._rest_line = 0

    def feed(self, piece: bytes) -> None:
        """Take the next bytes, any number of them."""
        if self._is_head_read:
            self._hold(self._decoded(piece))
        else:
            self._hold(piece)
            if self._held < _HEAD:
                return
            self._read_head()
        self._scan_full_windows()

    def finish(self) -> list[Finding]:
        """Scan what is left and return the findings, in order of their lines."""
        if not self._is_head_read:
            self._read_head()
        if self._decoder is not None:
            self._hold(self._decoder.decode(b"", final=True).encode())
        self._scan_full_windows()
        if self._held > self._before:
            self._scan_window(b"".join(self._pending), self._before, self._held)
        self._pending, self._held, self._before = [], 0, 0
        findings = list(self._found.values())
        if self._rest_count:
            what = f"{self._rest_count} more secrets"
            rest = make_finding("more", what, self.path, self._rest.digest(), self._rest_line, "", blocks=True)
            findings.append(replace(rest, count=self._rest_count))
        return findings

    # -- the stream --------------------------------------------------------------------------------------------

    def _hold(self, piece: bytes) -> None:
        self._pending.append(piece)
        self._held += len(piece)

    def _read_head(self) -> None:
        self._is_head_read = True
        begun = b"".join(self._pending)
        self._pending = [begun]
        head = begun[:_HEAD]
        encoding = _unicode_encoding(head)
        if encoding is None:
            self.is_opaque = head.startswith(_OPAQUE) or _is_pdf(head) or _is_binary(head, is_head=True)
            self._is_text = not self.is_opaque
            self._core = _CORE if self._is_text else _CORE_OF_DATA
            return
        self._decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
        if encoding.startswith("utf-16"):
            is_big = encoding == "utf-16-be" or head.startswith(codecs.BOM_UTF16_BE)
            self._wide = "utf-16-be" if is_big else "utf-16-le"
        self._pending, self._held = [], 0
        self._hold(self._decoded(begun))

    def _decoded(self, piece: bytes) -> bytes:
        return piece if self._decoder is None else self._decoder.decode(piece).encode()

    def _scan_full_windows(self) -> None:
        if self._held < self._before + self._core + _AFTER:
            return
        data, before, start = b"".join(self._pending), self._before, 0
        while len(data) - start >= before + self._core + _AFTER:
            window = data[start : start + before + self._core + _AFTER]
            self._scan_window(window, before, before + self._core)
            start += before + self._core - _BEFORE
            before = _BEFORE
        self._pending, self._held, self._before = [data[start:]], len(data) - start, before

    # -- one window --------------------------------------------------------------------------------------------

    def _scan_window(self, data: bytes, core: int, end: int) -> None:
        """Look for secrets that begin in `data[core:end]`."""
        fired = (triggers() if self._is_text else triggers(in_text=False))(data)
        found = [(hit.start, hit.end, hit) for hit in self._hits(data, fired)]
        if self._is_text:
            for view in views_of(data, wide=self._wide, heading=self._heading):
                seen = self._hits(view.data, triggers()(view.data))
                found = merged(found, [(view.place(hit.start), view.place(hit.end), hit) for hit in seen])
            if (zero := data.find(b"\0", core, end)) >= 0:
                blocks = (data[low : min(low + _HEAD, end)] for low in range(zero, end, _HEAD))
                self.is_opaque = self.is_opaque or any(_is_binary(block) for block in blocks)
            self._heading = self._open_table(data, end, fired) if end < len(data) else b""
        position = core
        for start, stop, hit in found:
            if core <= start < end and not (hit.rule.in_text_only and _is_noise(data, start, stop)):
                self._line += self._breaks(data, position, start)
                position = start
                self._note(hit)
        if end < len(data):
            self._line += self._breaks(data, position, end)

    def _breaks(self, data: bytes, start: int, end: int) -> int:
        return _breaks(data, start, end) if self._is_text else data.count(b"\n", start, end)

    def _hits(self, data: bytes, fired: list[int]) -> list[Hit]:
        found = hits(data, fired, is_code=self._is_code, is_text=self._is_text) if fired else []
        return [hit for hit in found if not (hit.rule.in_text_only and b"\0" in hit.secret)]

    def _open_table(self, data: bytes, end: int, fired: list[int]) -> bytes:
        """The heading of the table that the next window goes on with."""
        if self._is_code or not (self._heading or any(RULES[index].find for index in fired)):
            return b""
        return open_table(self._heading + data, len(self._heading) + end)

    def _note(self, hit: Hit) -> None:
        identity = finding_id(hit.rule.kind, self.path, hit.secret)
        if (known := self._found.get(identity)) is not None:
            self._found[identity] = replace(known, count=known.count + 1)
        elif len(self._found) < MAX_FINDINGS:
            self._found[identity] = Finding(
                identity, hit.rule.kind, hit.rule.what, self.path, self._line, excerpt_of(hit), blocks=True
            )
        else:
            self._rest.update(identity.encode())
            self._rest_count += 1
            self._rest_line = self._rest_line or self._line


# --- kinds of files -----------------------------------------------------------------------------------------------


def _is_binary(data: bytes, *, is_head: bool = False) -> bool:
    """Whether these are data rather than a text with zero bytes in it."""
    if b"\0" not in data:
        return False
    if is_head and (data[0] == 0 or _controls(data[:64])):
        return True
    shown = data.replace(b"\0", b"")
    return _controls(shown) * 50 > len(shown)


def _is_noise(data: bytes, start: int, end: int) -> bool:
    """Whether what is found there stands among binary data."""
    return b"\0" in data and _is_binary(b"\0" + data[max(start - _SURROUNDINGS, 0) : end + _SURROUNDINGS])


def _is_pdf(head: bytes) -> bool:
    """Whether it is a PDF and no text that begins like one."""
    if not head.startswith(b"%PDF-"):
        return False
    return b"\0" in head or _PDF.match(head) is not None or _PDF_OBJECT.search(head) is not None


def _controls(data: bytes) -> int:
    return len(data) - len(data.translate(None, _CONTROLS))


def _unicode_encoding(head: bytes) -> str | None:
    """The encoding of text in two or four bytes a character; None for everything else."""
    for mark, encoding in _UNICODE_MARKS:
        if head.startswith(mark):
            return encoding
    sample = head[: len(head) & ~3][:1024]
    if len(sample) < 16 or b"\0" not in sample:
        return None
    low = _controls(sample[::2]) if sample[0] else _controls(sample[1::2])
    if low * 10 > len(sample):  # small numbers
        return None
    quarter = len(sample) // 4  # without a mark: mostly ASCII, so all bytes but one of each character are zero
    first, second, third, fourth = (sample[n::4].count(0) for n in range(4))
    if third == fourth == quarter and second * 10 >= quarter * 8 and not first:
        return "utf-32-le"
    if first == second == quarter and third * 10 >= quarter * 8 and not fourth:
        return "utf-32-be"
    if (second + fourth) * 10 >= quarter * 16 and not first + third and not sample[1]:
        return "utf-16-le"
    if (first + third) * 10 >= quarter * 16 and not second + fourth and not sample[0]:
        return "utf-16-be"
    return None


def _breaks(data: bytes, start: int, end: int) -> int:
    """The line breaks in `data[start:end]`: LF, CR, or CR LF (in two bytes a character, too), counted at its LF."""
    count = data.count(b"\n", start, end)
    if data.find(b"\r", start, end) >= 0:
        count += data.count(b"\r", start, end) - data.count(b"\r\n", start, end + 1)
        count -= data.count(b"\r\0\n", start, end + 2)
    return count
