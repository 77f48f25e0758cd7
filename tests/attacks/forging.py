"""Packages forged block by block, by somebody who knows the format (format.md §1 to §3).

Nothing of the program is used here: a mistake in its own writer cannot hide what its reader lets through. A `Draft`
is a valid package taken apart; whatever is changed in it, `package` puts it together with every hash that can be
computed made right again, so that a mutation is not caught by a hash alone.
"""

import gzip
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

CREATED = "2026-04-07T10:15:00Z"
MANIFEST = "manifest.yaml"
END = bytes(1024)
KEY = b"---\ntype: venture\ngoal: show what an attack is\n---\n\n# Nova\n"
LOG = b"---\nwalnut: nova\ncreated: 2026-01-01\nlast-entry: 2026-01-01T09:00:00Z\nentry-count: 0\n---\n\n"
FULL: dict[str, bytes] = {
    "_kernel/key.md": KEY,
    "_kernel/log.md": LOG,
    "_kernel/insights.md": b"---\nwalnut: nova\n---\n",
    "_kernel/tasks.json": b'{"tasks": []}\n',
    "notes.md": b"one line\n",
    "review/context.manifest.yaml": b"goal: review it\n",
    "review/raw/dose.csv": b"material,cm\nwater,40\n",
    "run.sh": b"#!/bin/sh\n",
}
BUNDLE: dict[str, bytes] = {
    "_kernel/key.md": KEY,
    "review/context.manifest.yaml": b"goal: review it\n",
    "review/draft.md": b"# Draft\n",
    "window/context.manifest.yaml": b"goal: find a window\n",
}
SNAPSHOT: dict[str, bytes] = {"_kernel/key.md": KEY, "_kernel/insights.md": b"---\nwalnut: nova\n---\n"}
V2: dict[str, bytes] = {
    "_kernel/key.md": KEY,
    "_kernel/log.md": LOG,
    "bundles/review/context.manifest.yaml": b"goal: review it\n",
    "bundles/review/tasks.md": b"- [ ] measure @ben\n- [x] read\nnot a task\n",
    "notes.md": b"one line\n",
}


def sha256(data: bytes) -> str:
    """In hex."""
    return hashlib.sha256(data).hexdigest()


def entry(path: str, content: bytes) -> dict[str, Any]:
    """One entry of `files`."""
    return {"path": path, "sha256": sha256(content), "size": len(content)}


# --- YAML -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Raw:
    """YAML that is written as it stands."""

    text: str


_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ESCAPED = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\u2028\\u2029\\ud800-\\udfff\\ufeff\\ufffe\\uffff]")


def quoted(text: str) -> str:
    """A text in double quotes; what YAML cannot hold is written as an escape, so that it reaches the rules."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + _ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", escaped) + '"'


def yaml_of(fields: list[tuple[str, Any]]) -> bytes:
    """A block mapping of these fields, in this order; a name may stand in it twice."""
    return ("\n".join(_mapping(fields, "")) + "\n").encode("utf-8", "surrogatepass")


def _mapping(fields: list[tuple[str, Any]], pad: str) -> list[str]:
    lines: list[str] = []
    for name, value in fields:
        key = name if _PLAIN_KEY.fullmatch(name) else quoted(name)
        lines += _item(f"{pad}{key}:", value, pad)
    return lines


def _item(start: str, value: object, pad: str) -> list[str]:
    if isinstance(value, dict) and value:
        return [start, *_mapping(list(value.items()), pad + "  ")]
    if isinstance(value, list) and value:
        return [start, *(line for inner in value for line in _item(f"{pad}  -", inner, pad + "  "))]
    return [f"{start} {_scalar(value)}"]


def _scalar(value: object) -> str:
    if isinstance(value, Raw):
        return value.text
    if isinstance(value, str):
        return quoted(value)
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return {"[]": "[]", "{}": "{}"}.get(str(value), str(value))


# --- tar ------------------------------------------------------------------------------------------------------


def header(
    name: bytes,
    size: int = 0,
    kind: bytes = b"0",
    *,
    mode: bytes = b"0000644\0",
    prefix: bytes = b"",
    link: bytes = b"",
    magic: bytes = b"ustar\x0000",
    size_field: bytes | None = None,
    checksum: bytes | None = None,
) -> bytes:
    """One header block, with a correct checksum unless another is given."""
    block = bytearray(512)
    block[0:100] = name[:100].ljust(100, b"\0")
    block[100:108] = mode
    block[108:124] = b"0000000\0" * 2
    block[124:136] = (f"{size:011o}".encode()[-11:] + b"\0") if size_field is None else size_field
    block[136:148] = b"15165152454\0"
    block[156:157] = kind
    block[157:257] = link[:100].ljust(100, b"\0")
    block[257:265] = magic
    block[345:500] = prefix[:155].ljust(155, b"\0")
    return with_checksum(bytes(block), checksum)


def with_checksum(block: bytes, checksum: bytes | None = None) -> bytes:
    """The block with its checksum made right."""
    total = sum(block[:148]) + 8 * 32 + sum(block[156:512])
    return block[:148] + (checksum or f"{total:06o}".encode() + b"\0 ") + block[156:]


def padded(data: bytes) -> bytes:
    """The data filled up to whole blocks."""
    return data + bytes(-len(data) % 512)


def pax_record(key: bytes, value: bytes) -> bytes:
    """One record of an extended header, with its own length in front."""
    rest = b" " + key + b"=" + value + b"\n"
    length = len(rest) + 1
    while len(str(length)) + len(rest) != length:
        length = len(str(length)) + len(rest)
    return str(length).encode() + rest


def extended(body: bytes, kind: bytes = b"x") -> bytes:
    """An extended header with any body."""
    return header(b"PaxHeader", len(body), kind) + padded(body)


def pax(records: Mapping[str, str | bytes], kind: bytes = b"x") -> bytes:
    """An extended header (`g` for a global one) with these records."""
    values = {k: v if isinstance(v, bytes) else v.encode("utf-8", "surrogateescape") for k, v in records.items()}
    return extended(b"".join(pax_record(k.encode(), v) for k, v in values.items()), kind)


def gnu_long(name: bytes, kind: bytes = b"L") -> bytes:
    """A name (or with `K` a link) in the GNU way."""
    return header(b"././@LongLink", len(name) + 1, kind, magic=b"ustar  \0") + padded(name + b"\0")


@dataclass
class Member:
    """A member: whatever stands before its header, the header's fields, and its content.

    Attributes:
        name: as it stands in the header; too long or foreign names get a PAX record of their own.
        content: what follows the header.
        kind: the type.
        before: extended headers.
        fields: further fields of `header`.
        size: the stated size, where it is not that of the content.
    """

    name: str
    content: bytes = b""
    kind: bytes = b"0"
    before: bytes = b""
    fields: dict[str, Any] = field(default_factory=dict)
    size: int | None = None

    def change(self, **values: Any) -> "Member":
        """Change some of the above."""
        vars(self).update(values)
        return self

    def blocks(self) -> bytes:
        """The member as it stands in the archive."""
        raw = self.name.encode("utf-8", "surrogateescape")
        before = self.before
        if len(raw) > 100 and not before:
            before = pax({"path": raw})
        size = len(self.content) if self.size is None else self.size
        if size >= 8**11:
            self.fields.setdefault("size_field", b"\x80" + size.to_bytes(11, "big"))
        return before + header(raw, size, self.kind, **self.fields) + padded(self.content)


# --- packages -------------------------------------------------------------------------------------------------


class Draft:
    """A package that is still in its parts.

    Args:
        files: what it holds and lists.
        scope: `full`, `bundle` or `snapshot`.
        changes: fields of the manifest that differ from the usual ones.

    Attributes:
        fields: the manifest, as pairs.
        members: what follows the manifest.
        manifest_at: where among the members the manifest stands; -1 for nowhere.
        manifest_text: the manifest itself, where it is not made from `fields`.
        end: what ends the archive.
        rehash: whether `payload_sha256` is computed when it is put together.
    """

    def __init__(self, files: Mapping[str, bytes] = FULL, scope: str = "full", /, **changes: Any) -> None:
        fields: dict[str, Any] = {
            "format_version": "2.1.0",
            "source_layout": "v3",
            "min_plugin_version": "3.1.0",
            "created": CREATED,
            "scope": scope,
            "source": {"walnut": "nova", "session_id": "manual", "engine": "unknown", "plugin_version": "3.1.0"},
            "sender": "mallory",
            "description": "what she says it is",
            "note": "",
            "sensitivity": "open",
            "exclusions_applied": [],
            "substitutions_applied": [],
            "payload_sha256": "",
            "files": [entry(path, files[path]) for path in sorted(files)],
            "executables": ["run.sh"] if "run.sh" in files else [],
            "empty_dirs": [],
            "encryption": "none",
        }
        if scope == "bundle":
            fields["bundles"] = sorted({path.split("/")[0] for path in files} - {"_kernel"})
        self.fields: list[tuple[str, Any]] = list({**fields, **changes}.items())
        self.members = [Member(path, files[path]) for path in sorted(files)]
        self.manifest_at = 0
        self.manifest_text: bytes | None = None
        self.end = END
        self.rehash = True

    @classmethod
    def of_bundles(cls, **changes: Any) -> "Draft":
        """Two bundles."""
        return cls(BUNDLE, "bundle", **changes)

    @classmethod
    def of_snapshot(cls, **changes: Any) -> "Draft":
        """A snapshot."""
        return cls(SNAPSHOT, "snapshot", **changes)

    @classmethod
    def of_layout_v2(cls, **changes: Any) -> "Draft":
        """A whole walnut in the older layout."""
        return cls(V2, "full", source_layout="v2", **changes)

    def get(self, name: str) -> Any:
        """A field's value; None where there is none."""
        return dict(self.fields).get(name)

    def set(self, name: str, value: object) -> None:
        """Change or add a field."""
        if name in dict(self.fields):
            self.fields = [(n, value if n == name else v) for n, v in self.fields]
        else:
            self.fields.append((name, value))

    def remove(self, name: str) -> None:
        """Take a field away."""
        self.fields = [(n, v) for n, v in self.fields if n != name]

    def member(self, name: str) -> Member:
        """The member of that name."""
        return next(member for member in self.members if member.name == name)

    def add(
        self, name: str, content: bytes = b"x", *, listed: bool = True, at: int | None = None, **more: Any
    ) -> Member:
        """Add a member, and list it in the manifest as a file with this content."""
        made = Member(name, content, **more)
        self.members.insert(len(self.members) if at is None else at, made)
        if listed:
            self.mention(name.encode("utf-8", "surrogateescape").decode("utf-8", "replace"), content)
        return made

    def mention(self, path: str, content: bytes) -> "Draft":
        """List a file in the manifest."""
        self.set("files", [*self.get("files"), entry(path, content)])
        return self

    def manifest(self) -> bytes:
        """The manifest, with `payload_sha256` made right wherever that can be computed."""
        if self.manifest_text is not None:
            return self.manifest_text
        fields = self.fields
        if self.rehash:
            right = payload_sha256(self.get("files"))
            fields = [(n, right if n == "payload_sha256" and v == "" else v) for n, v in fields]
        return yaml_of(fields)

    def tar(self) -> bytes:
        """The archive."""
        blocks = [member.blocks() for member in self.members]
        if self.manifest_at >= 0:
            blocks.insert(min(self.manifest_at, len(blocks)), Member(MANIFEST, self.manifest()).blocks())
        return b"".join(blocks) + self.end

    def package(self) -> bytes:
        """The package."""
        return gz(self.tar())


def payload_sha256(listed: object) -> str:
    """The hash over a list of files, or of nothing where it is no such list."""
    try:
        rows = sorted(listed, key=lambda one: one["path"])  # type: ignore[call-overload]
        text = "".join(f"{one['path']}\0{one['sha256']}\0{one['size']}\n" for one in rows)
    except (TypeError, KeyError, AttributeError):
        text = ""
    return sha256(text.encode("utf-8", "surrogatepass"))


def gz(data: bytes, level: int = 1) -> bytes:
    """One gzip member."""
    return gzip.compress(data, level, mtime=0)
