"""Reading the tar inside a package, strictly (format.md §1).

The reader is our own because the rules are the format's heart: it has to look at the size of an extended header
before reading it, refuse what the standard library tolerates, and never be led to a file by a name. It yields
members one after the other and holds no content.
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from alive_p2p.errors import PackageError
from alive_p2p.package import paths
from alive_p2p.package.compression import PIECE, damaged, over_limit
from alive_p2p.package.limits import MAX_END_PADDING, MAX_EXTENDED_HEADER, MIB, Limits

BLOCK = 512
_ZEROS = bytes(BLOCK)

_MAX_RECORDS = 256
"""Records in one extended header: what tar programs write there are a handful of times, owners and paths."""

_KINDS = {
    "1": "a hard link",
    "2": "a symbolic link",
    "3": "a device",
    "4": "a device",
    "6": "a FIFO",
    "7": "a contiguous file",
    "S": "a sparse file",
    "M": "a piece of a multi-volume archive",
    "V": "a volume label",
    "D": "an incremental dump",
}


class Source(Protocol):
    """Anything that hands out exactly as many bytes as asked for, fewer only at its end."""

    def read(self, size: int, /) -> bytes:
        """Read `size` bytes."""


@dataclass(frozen=True)
class Member:
    """A file or folder of the archive: its clean path, size in bytes, and whether its owner may execute it."""

    path: str
    is_folder: bool
    size: int
    is_executable: bool


def unsafe_member(name: str, why: str) -> PackageError:
    """The error for a member that breaks the rules of format.md §1."""
    shown = name if len(name) <= 200 else name[:199] + "…"
    return PackageError(
        "unsafe-member",
        f"the package has a member that is refused: '{shown}': {why}",
        untouched="everything",
        hint="do not unpack it by other means; ask the sender what it is",
    )


class TarReader:
    """Walks a tar once. Iterate `members()`; `content()` gives the current member's bytes.

    Args:
        source: the uncompressed bytes.
        limits: the limits in force.
    """

    def __init__(self, source: Source, limits: Limits) -> None:
        self._source = source
        self._limits = limits
        self._left = 0
        self._padding = 0
        self._headers = 0
        self._bytes = 0
        self._members = 0
        self._extended_bytes = 0
        self._files: set[str] = set()
        self._folders: set[str] = set()
        self._named_folders: set[str] = set()

    def members(self) -> Iterator[Member]:
        """Yield every member after checking it against all rules.

        Raises:
            PackageError: a rule is broken, a limit passed, or the archive is damaged.
        """
        while (member := self._next()) is not None:
            yield member
            if self._left or self._padding:
                for _ in self.content():
                    pass

    def content(self) -> Iterator[bytes]:
        """The rest of the current member's content, in pieces of `PIECE` bytes; only the last is smaller."""
        while self._left:
            piece = self._read(min(self._left, PIECE))
            self._left -= len(piece)
            yield piece
        if self._padding:
            self._read(self._padding)
            self._padding = 0

    def whole(self) -> bytes:
        """The current member's content at once; for those that have no more than `PIECE` bytes."""
        data = self._read(self._left)
        if self._padding:
            self._read(self._padding)
        self._left = self._padding = 0
        return data

    def _read(self, size: int) -> bytes:
        data = self._source.read(size)
        if len(data) != size:
            raise damaged("the archive inside it is cut off")
        return data

    def _next(self) -> Member | None:
        extended: dict[str, str] = {}
        long_name: str | None = None
        while True:
            block = self._source.read(BLOCK)
            if block == _ZEROS:
                if extended or long_name is not None:
                    raise damaged("an extended header belongs to no member")
                self._check_end()
                return None
            if len(block) != BLOCK:
                raise damaged("the archive inside it ends without its end mark")
            self._headers += 1
            if self._headers > self._limits.max_headers:
                raise over_limit(f"it has more than {self._limits.max_files:,} files")
            kind, size = _checked_header(block)
            if kind in "xg":
                records = _pax_records(self._extended(size))
                if kind == "x":
                    if extended or long_name is not None:
                        raise damaged("a member has two extended headers")
                    extended = records
                _refuse_pax(records, is_global=kind == "g")
            elif kind in "LK":
                text = self._extended(size)
                if kind == "L":
                    if extended or long_name is not None:
                        raise damaged("a member has two extended headers")
                    long_name = _decode(text.split(b"\0", 1)[0])
            else:
                name = extended.get("path", long_name if long_name is not None else _name(block))
                size = _pax_size(extended, size)
                if kind == "\0" and _name(block).endswith("/") and not name.endswith("/"):
                    raise unsafe_member(name, "its header says both that it is a file and that it is a folder")
                member = self._member(name, kind, size, block)
                if member is not None:
                    return member
                extended, long_name = {}, None

    def _extended(self, size: int) -> bytes:
        if size > MAX_EXTENDED_HEADER:
            raise over_limit(f"an extended header is larger than {MAX_EXTENDED_HEADER >> 10} KiB")
        self._extended_bytes += size
        if self._extended_bytes > self._limits.max_extended_bytes:
            raise over_limit("its extended headers are larger than all paths together could be")
        data = self._read(size + -size % BLOCK)
        if data.count(0, size) != len(data) - size:  # readers differ on whether such a name ends where its size says
            raise damaged("an extended header goes on beyond its size")
        return data[:size]

    def _member(self, name: str, kind: str, size: int, block: bytes) -> Member | None:
        """Check one member; None for the folder `./` itself, which means nothing."""
        if kind not in "\x005" and kind != "0":
            what = _KINDS.get(kind, f"a member of the unknown type {ord(kind):#04x}")
            raise unsafe_member(name, f"it is {what}")
        is_folder = kind == "5" or name.endswith("/")
        if is_folder and name in {".", "./"} and not size:
            return None
        path = name.removeprefix("./")
        if is_folder:
            path = path.removesuffix("/")
            if size:
                raise unsafe_member(name, "it is a folder with content")
        if reason := paths.refusal(path):
            raise unsafe_member(name, reason)
        self._claim(path, is_folder=is_folder)
        if path != paths.MANIFEST:
            self._bytes += size
            self._members += 1
            if excess := self._limits.excess(self._members, len(self._folders), self._bytes):
                raise over_limit(f"it has {excess}")
        elif size > self._limits.max_manifest_bytes:
            raise over_limit(f"its manifest is larger than {self._limits.max_manifest_bytes // MIB} MiB")
        self._left, self._padding = size, -size % BLOCK
        return Member(path, is_folder, size, bool(_number(block[100:108], 0) & 0o100))

    def _claim(self, path: str, *, is_folder: bool) -> None:
        """Take a path, unless it is taken or stands in the way of another (rule 7)."""
        taken = self._named_folders if is_folder else self._files
        if path in taken:
            raise unsafe_member(path, "it is there twice")
        folder = path.rpartition("/")[0]
        while folder and folder not in self._folders:  # those above a known folder are known as well
            if folder in self._files:
                raise unsafe_member(path, f"'{folder}' is a file and a folder")
            self._folders.add(folder)
            folder = folder.rpartition("/")[0]
        if path in (self._files if is_folder else self._folders):
            raise unsafe_member(path, "it is a file and a folder")
        taken.add(path)
        if is_folder:
            self._folders.add(path)

    def _check_end(self) -> None:
        padding = 0
        while data := self._source.read(PIECE):
            padding += len(data)
            if data.count(0) != len(data):
                raise damaged("something follows the end of the archive inside it")
            if padding > MAX_END_PADDING:
                raise over_limit("there are more than a megabyte of zeros after the end of the archive inside it")
        if padding < BLOCK:
            raise damaged("the archive inside it ends in the middle of its end mark")


def _checked_header(block: bytes) -> tuple[str, int]:
    """The type and size that a header block states, after checking its magic and checksum."""
    if block[257:263] not in (b"ustar\0", b"ustar "):
        raise damaged("the archive inside it is not a POSIX tar")
    stated = _number(block[148:156], -1)
    if stated != _sum(block[:256]) + _sum(block[256:]) - sum(block[148:156]) + 8 * 32:
        raise damaged("a header of the archive inside it has been altered")
    size = _number(block[124:136], -1)
    if size < 0:
        raise damaged("a member of the archive inside it has no valid size")
    return chr(block[156]), size


def _sum(half: bytes) -> int:
    """The sum of at most 256 bytes, which is the lower half of their Adler-32 but for the 1 it begins with.

    Exact because it stays below the modulus, and five times as fast as adding them up.
    """
    return (zlib.adler32(half) & 0xFFFF) - 1


def _number(data: bytes, default: int) -> int:
    """A number field: octal text, or base 256; `default` where it is neither or negative."""
    if data[0] == 0x80:
        return int.from_bytes(data[1:], "big")
    text = data.split(b"\0", 1)[0].strip(b" ")
    if text.strip(b"01234567"):
        return default
    return int(text, 8) if text else 0


def _decode(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _name(block: bytes) -> str:
    name = block[:100].split(b"\0", 1)[0]
    if block[257:263] == b"ustar\0":  # GNU's own format keeps other things in the place of the prefix
        prefix = block[345:500].split(b"\0", 1)[0]
        if prefix:
            name = prefix + b"/" + name
    return _decode(name)


def _pax_records(data: bytes) -> dict[str, str]:
    """Parse the records of an extended header, each `<length> <key>=<value>` and a line feed.

    A path, link or size must not be stated twice.
    """
    records: dict[str, str] = {}
    position = 0
    while position < len(data):
        if len(records) >= _MAX_RECORDS:
            raise over_limit(f"an extended header has more than {_MAX_RECORDS} records")
        space = data.find(b" ", position, position + 8)
        digits = data[position:space] if space > 0 else b""
        if not digits.isdigit():
            raise damaged("an extended header of the archive inside it is malformed")
        end = position + int(digits)
        equals = data.find(b"=", space + 1, end)
        if end > len(data) or equals < 0 or data[end - 1 : end] != b"\n":
            raise damaged("an extended header of the archive inside it is malformed")
        key = _decode(data[space + 1 : equals])
        if key in records:
            raise damaged(f"an extended header states '{key}' twice")
        records[key] = _decode(data[equals + 1 : end - 1])
        position = end
    return records


def _refuse_pax(records: dict[str, str], *, is_global: bool) -> None:
    if any(key.startswith(("GNU.sparse.", "SCHILY.realsize")) for key in records):
        raise unsafe_member(records.get("GNU.sparse.name", records.get("path", "")), "it is a sparse file")
    if is_global and not {"path", "linkpath", "size"}.isdisjoint(records):
        raise damaged("a global header renames or resizes every member")


def _pax_size(extended: dict[str, str], size: int) -> int:
    stated = extended.get("size")
    if stated is None:
        return size
    if not (stated.isascii() and stated.isdigit() and len(stated) <= 19):
        raise damaged("a member of the archive inside it has no valid size")
    return int(stated)
