"""Packages for the tests: well-made ones by the program's own writer, and raw archives put together block by block."""

import gzip
import hashlib
import io
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from alive_p2p.errors import PackageError
from alive_p2p.package.entries import FileEntry
from alive_p2p.package.limits import DEFAULT_LIMITS, Limits
from alive_p2p.package.manifest import Manifest
from alive_p2p.package.reader import Contents, PackageReader
from alive_p2p.package.writer import Piece, write_package

CREATED = "2026-04-07T10:15:00Z"
KEY = "_kernel/key.md"
SMALL = {KEY: b"---\ntype: venture\n---\n", "notes.md": b"hello\n"}
END = bytes(1024)


# --- manifests ------------------------------------------------------------------------------------------------


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def entry(path: str, content: bytes) -> dict[str, Any]:
    return {"path": path, "sha256": sha256(content), "size": len(content)}


def fields_for(contents: Mapping[str, bytes], **changes: Any) -> dict[str, Any]:
    """The fields of a manifest that lists these files; a change to None takes a field away."""
    fields: dict[str, Any] = {
        "format_version": "2.1.0",
        "source_layout": "v3",
        "min_plugin_version": "3.1.0",
        "created": CREATED,
        "scope": "full",
        "source": {"walnut": "acme", "session_id": "manual", "engine": "unknown", "plugin_version": "3.1.0"},
        "sender": "alice",
        "description": "",
        "note": "",
        "exclusions_applied": [],
        "substitutions_applied": [],
        "files": [entry(path, contents[path]) for path in sorted(contents)],
        "executables": [],
        "empty_dirs": [],
        "encryption": "none",
        **changes,
    }
    return {name: value for name, value in fields.items() if value is not None}


def manifest_for(contents: Mapping[str, bytes], **changes: Any) -> Manifest:
    return Manifest.build(fields_for(contents, **changes), DEFAULT_LIMITS)


# --- whole packages -------------------------------------------------------------------------------------------


def opener(content: bytes) -> Any:
    def open_content() -> BinaryIO:
        return io.BytesIO(content)

    return open_content


def pieces_for(contents: Mapping[str, bytes]) -> list[Piece]:
    return [Piece(FileEntry(**entry(path, content)), opener(content)) for path, content in contents.items()]


def written(contents: Mapping[str, bytes], *, reproducible: bool = True, **changes: Any) -> bytes:
    """A package made by the program's own writer."""
    output = io.BytesIO()
    write_package(output, manifest_for(contents, **changes), pieces_for(contents), reproducible=reproducible)
    return output.getvalue()


def by_hand(contents: Mapping[str, bytes], *extra: bytes, manifest: bytes | None = None) -> bytes:
    """A package put together here: a manifest that lists `contents`, these files, then extra blocks, gzipped."""
    text = manifest_for(contents).to_yaml() if manifest is None else manifest
    members = [member("manifest.yaml", text), *(member(path, contents[path]) for path in sorted(contents))]
    return gz(archive(*members, *extra))


def gz(data: bytes) -> bytes:
    return gzip.compress(data, 6, mtime=0)


# --- raw tar --------------------------------------------------------------------------------------------------


def octal(value: int, width: int) -> bytes:
    return f"{value:0{width - 1}o}".encode() + b"\0"


def header(
    name: str | bytes,
    size: int = 0,
    kind: bytes = b"0",
    *,
    mode: bytes = b"0000644\0",
    prefix: bytes = b"",
    link: bytes = b"",
    magic: bytes = b"ustar\x0000",
    size_field: bytes | None = None,
) -> bytes:
    """One header block with a correct checksum, whatever is in its fields."""
    raw = name.encode() if isinstance(name, str) else name
    block = bytearray(512)
    block[0:100] = raw[:100].ljust(100, b"\0")
    block[100:108] = mode
    block[108:124] = b"0000000\0" * 2
    block[124:136] = octal(size, 12) if size_field is None else size_field
    block[136:148] = octal(1_775_556_900, 12)
    block[156:157] = kind
    block[157:257] = link.ljust(100, b"\0")
    block[257:265] = magic
    block[345:500] = prefix.ljust(155, b"\0")
    return with_checksum(bytes(block))


def with_checksum(block: bytes) -> bytes:
    total = sum(block[:148]) + 8 * 32 + sum(block[156:])
    return block[:148] + f"{total:06o}".encode() + b"\0 " + block[156:]


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 512)


def member(name: str | bytes, content: bytes = b"", kind: bytes = b"0", **fields: Any) -> bytes:
    return header(name, len(content), kind, **fields) + padded(content)


def pax_record(key: str, value: str | bytes) -> bytes:
    rest = b" " + key.encode() + b"=" + (value.encode() if isinstance(value, str) else value) + b"\n"
    length = len(rest) + 1
    while len(str(length)) + len(rest) != length:
        length = len(str(length)) + len(rest)
    return str(length).encode() + rest


def pax(records: Mapping[str, str | bytes], kind: bytes = b"x") -> bytes:
    return member("PaxHeader", b"".join(pax_record(key, value) for key, value in records.items()), kind)


def gnu_long(name: str | bytes, kind: bytes = b"L") -> bytes:
    raw = name.encode() if isinstance(name, str) else name
    return member("././@LongLink", raw + b"\0", kind, magic=b"ustar  \0")


def archive(*parts: bytes) -> bytes:
    return b"".join(parts) + END


# --- reading --------------------------------------------------------------------------------------------------


def save(folder: Path, data: bytes) -> Path:
    path = folder / "p.walnut"
    path.write_bytes(data)
    return path


def check(folder: Path, data: bytes, limits: Limits = DEFAULT_LIMITS) -> Contents:
    with PackageReader(save(folder, data), limits) as reader:
        return reader.check()


def refusal(folder: Path, data: bytes, limits: Limits = DEFAULT_LIMITS) -> PackageError:
    """The error with which a package is refused."""
    with pytest.raises(PackageError) as caught:
        check(folder, data, limits)
    return caught.value


def unpacked(folder: Path, data: bytes) -> dict[str, bytes | None]:
    """Check and unpack a package under its own names: path to content, None for an empty folder."""
    into = folder / "into"
    if into.exists():
        shutil.rmtree(into)
    into.mkdir()
    with PackageReader(save(folder, data)) as reader:
        contents = reader.check()
        wanted = [one.path for one in contents.manifest.files] + sorted(contents.empty_dirs)
        reader.unpack(contents, into, {path: path for path in wanted})
    return tree(into)


def tree(root: Path) -> dict[str, bytes | None]:
    """Every file below a folder with its content, and every empty folder."""
    return {
        path.relative_to(root).as_posix(): None if path.is_dir() else path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() or not any(path.iterdir())
    }
