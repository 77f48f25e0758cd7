"""The archive of docs/format.md §2, read from that page alone.

This reader shows that the page is complete, so it uses nothing of the program, and is as plain as it can be.
"""

import re
import unicodedata
import zlib

MIB = 1 << 20
MAX_FILES, MAX_BYTES = 10_000, 500 * MIB


class Refused(Exception):  # noqa: N818  (that is what it is)
    """Why a package is refused."""


def need(holds: object, why: str) -> None:
    """Refuse unless something holds."""
    if not holds:
        raise Refused(why)


# --- §2 the archive -------------------------------------------------------------------------------------------


def gunzip(data: bytes, most: int = MAX_BYTES + 64 * MIB) -> bytes:
    """What is in a gzip stream of one or more members."""
    out = bytearray()
    need(data[:2] == b"\x1f\x8b", "no gzip")
    while data:
        need(data[:2] == b"\x1f\x8b", "something follows")
        stream = zlib.decompressobj(wbits=31)
        try:
            out += stream.decompress(data, most - len(out) + 1)
        except zlib.error as error:
            raise Refused("damaged") from error
        need(len(out) <= most, "over a limit")
        need(stream.eof, "cut off")
        data = stream.unused_data
    return bytes(out)


_DRAWN = {*map(chr, range(0x600, 0x606)), *"\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd", *"\u200c\u200d"}
_UNSEEN = set("\ufffe\uffff\u115f\u1160\u3164\uffa0\u17b4\u17b5")


def check_path(path: str) -> None:
    """Rules 1, 2, 5, 6 and 8."""
    need(path and not path.startswith("/") and not re.match("[A-Za-z]:", path), "absolute, or empty")
    bad = {"Cc", "Cf", "Cs", "Zl", "Zp"}
    need("\\" not in path, "a backslash")
    need(all(c in _DRAWN or unicodedata.category(c) not in bad for c in path), "a character")
    need(_UNSEEN.isdisjoint(path), "a character that nobody sees")
    need(len(path.encode()) <= 1024, "too long")
    for segment in path.split("/"):
        need(segment not in {"", ".", ".."}, "a segment")
        need(len(segment.encode()) <= 255 and not segment.casefold().startswith(".alive-receive"), "a segment")


def number(field: bytes) -> int | None:
    """Octal text, or base 256; None where it is neither."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    text = field.split(b"\0")[0].strip(b" ")
    return int(text or b"0", 8) if re.fullmatch(b"[0-7]*", text) else None


def pax(data: bytes) -> dict[str, str]:
    """The records of an extended header."""
    found: dict[str, str] = {}
    while data:
        match = re.match(rb"([0-9]{1,7}) ", data)
        need(match, "no record")
        assert match is not None
        record, data = data[: int(match[1])], data[int(match[1]) :]
        key, equals, value = record[match.end() :].partition(b"=")
        need(len(record) == int(match[1]) and equals and value.endswith(b"\n"), "no record")
        name = key.decode("utf-8", "surrogateescape")
        need(name not in found and len(found) < 256, "a record twice, or too many")
        found[name] = value[:-1].decode("utf-8", "surrogateescape")
        need(not name.startswith(("GNU.sparse.", "SCHILY.realsize")), "sparse")
    return found


def untar(data: bytes) -> tuple[dict[str, bytes], set[str], set[str]]:
    """The files of an archive, which of them are executable, and the folders."""
    files: dict[str, bytes] = {}
    executable: set[str] = set()
    folders: set[str] = set()
    needed: set[str] = set()
    named: str | None = None
    size_here: int | None = None
    pending = False
    at = total = 0
    while True:
        block = data[at : at + 512]
        need(len(block) == 512, "no end")
        if block == bytes(512):
            break
        need(block[257:263] in {b"ustar\0", b"ustar "}, "no tar")
        need(number(block[148:156]) == sum(block[:148]) + 256 + sum(block[156:]), "checksum")
        kind, stated = chr(block[156]), number(block[124:136])
        need(stated is not None, "no size")
        size = stated or 0
        if kind in "xgLK":
            need(size <= 64 << 10, "over a limit")
            text = data[at + 512 : at + 512 + size]
            at += 512 + size + -size % 512
            if kind in "xL":
                need(not pending, "two of them")
                pending = True
            if kind in "xg":
                records = pax(text)
                need(kind == "x" or {"path", "linkpath", "size"}.isdisjoint(records), "a global record")
                if kind == "x":
                    named = records.get("path")
                    need(re.fullmatch("[0-9]{1,19}", records.get("size", "0")), "no size")
                    size_here = int(records["size"]) if "size" in records else None
            elif kind == "L":
                named = text.split(b"\0")[0].decode("utf-8", "surrogateescape")
            continue
        raw = block[:100].split(b"\0")[0]
        prefix = block[345:500].split(b"\0")[0] if block[257:263] == b"ustar\0" else b""
        own = (prefix + b"/" + raw if prefix else raw).decode("utf-8", "surrogateescape")
        name, size = own if named is None else named, size if size_here is None else size_here
        need(not (kind == "\0" and own.endswith("/") and not name.endswith("/")), "file and folder")
        named, size_here, pending = None, None, False
        need(kind in "0\x005", "a type")
        is_folder = kind == "5" or name.endswith("/")
        content = data[at + 512 : at + 512 + size]
        at += 512 + size + -size % 512
        if is_folder and name in {".", "./"}:
            continue
        path = name.removeprefix("./")
        path = path.removesuffix("/") if is_folder else path
        check_path(path)
        need(path not in files and path not in folders, "twice")
        need(is_folder or path not in needed, "a file where a folder is")
        parts = path.split("/")
        above = {"/".join(parts[:n]) for n in range(1, len(parts))}
        need(above.isdisjoint(files), "a file where a folder is needed")
        needed |= above | ({path} if is_folder else set())
        need(not (is_folder and size), "a folder with content")
        total += 0 if path == "manifest.yaml" else size
        need(total <= MAX_BYTES and len(files) + len(folders) <= MAX_FILES, "over a limit")
        need(len(needed) <= 2 * MAX_FILES, "over a limit")
        need(is_folder or len(content) == size, "cut off")
        if is_folder:
            folders.add(path)
        else:
            files[path] = content
            if (number(block[100:108]) or 0) & 0o100:
                executable.add(path)
    need(not pending, "a record of no member")
    rest = data[at + 512 :]
    need(512 <= len(rest) <= MIB and not any(rest), "what follows the end")
    return files, executable, folders
