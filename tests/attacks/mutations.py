"""Mutations of valid packages that know the format: chosen by chance, the same for the same seed.

Each changes one thing in a `Draft`, or in the bytes of its archive; hashes are made right again when it is put
together. Several in a row make what nobody would think of.
"""

import gzip
import random
from collections.abc import Callable
from typing import Any

from forging import (
    BUNDLE,
    END,
    FULL,
    MANIFEST,
    SNAPSHOT,
    V2,
    Draft,
    Member,
    Raw,
    entry,
    gnu_long,
    gz,
    pax,
    with_checksum,
)

_FRAGMENTS = (
    *("..", ".", "", "/", "a", "b", "review", "window", "launch", "notes.md", "bundles", "_kernel", "key.md", "log.md"),
    *("imports.json", "now.json", "tasks.md", "tasks.json", "context.manifest.yaml", "history", "README.md", MANIFEST),
    *(".git", ".alive", "__MACOSX", ".alive-receive-x", "CLAUDE.md", "CLAUDE.md.received", ".claude", "_Kernel"),
    *("CON", "nul.txt", "x.", "x ", " ", "C:", "a:b", "a\\b", "é", "e\u0301", "\udcff", "\0", "\n", "\x1b[2J"),
    *("\u200b", "👩\u200d💻", "x" * 255, "x" * 256, "é" * 127, "$(x)", "-rf", "~", "%s", "\ufeff", "\u2028", "\u202e"),
)
_HARMLESS = (
    *("a", "b", "review", "launch", "tasks.md", "tasks.json", "context.manifest.yaml", "CLAUDE.md", ".git", "é", "x "),
)
_VALUES: tuple[Any, ...] = (
    *(0, 1, 9, 600 << 20, 1 << 63, 1 << 64, "", "x", "full", "bundle", "snapshot", "v2", "v3", "2.0", "3.0.0", "none"),
    *("a\nb", "\x1b[31m", "../x", "x" * 5000, "é", "\ud800", None, True, [], {}, ["x"], [["x"]], {"path": "x"}),
    *(Raw("*a"), Raw("&a x"), Raw("!!str x"), Raw("|\n  x"), Raw("[x]"), Raw("{x: y}"), Raw("-1"), Raw("x: y")),
)
_KINDS = (b"0", b"0", b"0", b"\0", b"5", b"5", b"1", b"2", b"3", b"4", b"6", b"7", b"S", b"x", b"g", b"L", b"K", b"Z")
_SIZES = (b"\x80" + bytes(10) + b"\3", b"\xff" * 12, b"77777777777\0", bytes(12), b"-1".ljust(12), b" 5 ".ljust(12))
_RECORDS = ("path", "linkpath", "size", "mtime", "comment", "hdrcharset", "GNU.sparse.major", "GNU.sparse.name", "")

Mutation = Callable[[Draft, random.Random], None]


def some_name(chance: random.Random) -> str:
    """A path of fragments that mean something somewhere."""
    is_harmless = chance.random() < 0.4
    known = _HARMLESS if is_harmless else _FRAGMENTS
    parts = [chance.choice(known) for _ in range(chance.choice((1, 1, 2, 2, 3, 4)))]
    if chance.random() < 0.2:
        parts = [a + b for a, b in zip(parts, reversed(parts), strict=True)]
    return ("" if is_harmless else chance.choice(("", "", "", "./", "/", "../"))) + "/".join(parts)


def some_content(chance: random.Random) -> bytes:
    """The content of a small file."""
    return chance.choice(
        (b"", b"x", b"- [ ] a task\n", b"y" * 512, b"z" * 513, b'{"tasks": [{}]}', b"---\nx: [\n---\n")
    )


# --- members --------------------------------------------------------------------------------------------------


def _add(draft: Draft, chance: random.Random) -> None:
    name, content = some_name(chance), some_content(chance)
    raw = name.encode("utf-8", "surrogateescape")
    before = chance.choice((b"", pax({"path": raw}), gnu_long(raw)))
    at = chance.randint(0, len(draft.members))
    kind = chance.choice((b"0", chance.choice(_KINDS)))
    draft.add(name, content, listed=chance.random() < 0.8, at=at, kind=kind, before=before)


def _rename(draft: Draft, chance: random.Random) -> None:
    member, name = chance.choice(draft.members), some_name(chance)
    for one in draft.get("files"):
        if one["path"] == member.name and chance.random() < 0.8:
            one["path"] = name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    member.name = name


def _retype(draft: Draft, chance: random.Random) -> None:
    member = chance.choice(draft.members)
    member.kind = chance.choice(_KINDS)
    member.fields["link"] = some_name(chance).encode("utf-8", "surrogateescape")


def _resize(draft: Draft, chance: random.Random) -> None:
    member = chance.choice(draft.members)
    if chance.random() < 0.5:
        member.fields["size_field"] = chance.choice(_SIZES)
    else:
        member.size = max(0, len(member.content) + chance.choice((-512, -1, 1, 512, 1024, 1 << 33, 1 << 63)))


def _refill(draft: Draft, chance: random.Random) -> None:
    member, content = chance.choice(draft.members), some_content(chance)
    for one in draft.get("files"):
        if one["path"] == member.name and chance.random() < 0.8:
            one.update(entry(member.name, content))
    member.content = content


def _extend(draft: Draft, chance: random.Random) -> None:
    records = {
        chance.choice(_RECORDS): chance.choice((some_name(chance), "0", "1", "-1", "9", "9" * 30, "\0"))
        for _ in range(chance.choice((1, 1, 2)))
    }
    blocks = chance.choice((pax(records), pax(records, b"g"), gnu_long(some_name(chance).encode("utf-8", "replace"))))
    member = chance.choice(draft.members)
    member.before = chance.choice((blocks, member.before + blocks, blocks + member.before))


def _bend_header(draft: Draft, chance: random.Random) -> None:
    fields: tuple[tuple[str, tuple[bytes, ...]], ...] = (
        ("mode", (b"0007777\0", bytes(8), b"\x80" + b"\xff" * 7, b"notoctal")),
        ("prefix", (b"..", b"/etc", b"a", b"_kernel", b"review")),
        ("magic", (bytes(8), b"ustar  \0", b"ustar\0xx", b"USTAR\x0000")),
        ("checksum", (b"0" * 8, b" " * 8, b"\xff" * 8)),
    )
    name, values = chance.choice(fields)
    chance.choice(draft.members).fields[name] = chance.choice(values)


def _rearrange(draft: Draft, chance: random.Random) -> None:
    what = chance.randrange(5)
    if what == 0:
        chance.shuffle(draft.members)
    elif what == 1:
        draft.manifest_at = chance.randint(-1, len(draft.members))
    elif what == 2:
        draft.members.remove(chance.choice(draft.members))
    elif what == 3:
        draft.members.append(chance.choice(draft.members))
    else:
        draft.members.insert(chance.randint(0, len(draft.members)), Member(f"./{MANIFEST}", draft.manifest()))


def _bend_end(draft: Draft, chance: random.Random) -> None:
    more = Member(some_name(chance), b"x").blocks()
    draft.end = chance.choice((b"", END[:512], END[:-1], END + b"x", END + more + END, more + END, END + bytes(5000)))


# --- the manifest ---------------------------------------------------------------------------------------------


def _bend_field(draft: Draft, chance: random.Random) -> None:
    name = chance.choice([*dict(draft.fields), "bundles", "signature", "unknown"])
    what = chance.random()
    if what < 0.2:
        draft.remove(name)
    elif what < 0.3:
        draft.fields.insert(chance.randint(0, len(draft.fields)), (name, draft.get(name)))
    elif what < 0.4:
        chance.shuffle(draft.fields)
    else:
        draft.set(name, chance.choice(_VALUES))


def _bend_entry(draft: Draft, chance: random.Random) -> None:
    one = chance.choice(draft.get("files"))
    name = chance.choice(("path", "sha256", "size", "more"))
    what = chance.random()
    if what < 0.2:
        one.pop(name, None)
    elif what < 0.5 and name == "size":
        one["size"] += chance.choice((-1, 1))
    elif what < 0.6:
        draft.get("files").append(dict(one))
    else:
        one[name] = chance.choice((*_VALUES, some_name(chance)))


def _bend_names(draft: Draft, chance: random.Random) -> None:
    name = chance.choice(("executables", "empty_dirs", "bundles", "exclusions_applied"))
    draft.set(name, [*(draft.get(name) or []), some_name(chance)])


def _bend_shape(draft: Draft, chance: random.Random) -> None:
    draft.set("scope", chance.choice(("full", "bundle", "snapshot")))
    draft.set("source_layout", chance.choice(("v2", "v3", "v1", "")))
    if chance.random() < 0.7:
        draft.set("bundles", sorted({member.name.split("/")[0] for member in draft.members} - {"_kernel"}))


def _bend_text(draft: Draft, chance: random.Random) -> None:
    lines = draft.manifest().split(b"\n")
    for _ in range(chance.choice((1, 1, 3))):
        at = chance.randrange(len(lines))
        what = chance.randrange(5)
        if what == 0:
            del lines[at : at + 1]
        elif what == 1:
            lines.insert(at, chance.choice(lines or [b""]))
        elif what == 2:
            lines[at] = chance.choice((b"  ", b"\t", b"- ", b"? ", b"# ", b"%", b"...", b"---", b"")) + lines[at]
        elif what == 3:
            lines[at] = lines[at].replace(b'"', b"", 1)
        else:
            cut = chance.randint(0, len(lines[at]))
            lines[at] = lines[at][:cut] + chance.randbytes(chance.choice((1, 1, 4))) + lines[at][cut:]
        lines = lines or [b""]
    draft.manifest_text = b"\n".join(lines)


_OF_DRAFTS: tuple[Mutation, ...] = (
    *(_add, _add, _add, _rename, _rename, _retype, _resize, _refill, _extend, _extend, _bend_header, _rearrange),
    *(_bend_end, _bend_field, _bend_field, _bend_entry, _bend_names, _bend_names, _bend_shape, _bend_text),
)


# --- bytes ----------------------------------------------------------------------------------------------------


def _bend_archive(tar: bytes, chance: random.Random) -> bytes:
    """A field of a header overwritten, its checksum made right; blocks taken out, doubled or exchanged."""
    data = bytearray(tar)
    what = chance.randrange(4)
    at = chance.randrange(max(1, len(data) // 512)) * 512
    if what == 0:
        offset, width = chance.choice(((0, 100), (100, 8), (124, 12), (156, 1), (157, 100), (257, 8), (345, 155)))
        start = at + offset + chance.randrange(width)
        data[start : start + 1] = chance.choice((b"\0", b"/", b".", b"7", b"\x80", b"\xff", chance.randbytes(1)))
        data[at : at + 512] = with_checksum(bytes(data[at : at + 512]))
    elif what == 1:
        del data[at : at + 512]
    elif what == 2:
        data[at:at] = data[at : at + 512]
    else:
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return bytes(data)


def _bend_stream(package: bytes, chance: random.Random) -> bytes:
    """The compressed bytes cut, continued, flipped, or divided into several members."""
    what = chance.randrange(5)
    cut = chance.randrange(1, len(package))
    if what == 0:
        return package[:cut]
    if what == 1:
        return package + chance.choice((b"\0", b"\x1f\x8b", package, gz(b""), gz(b"x")))
    if what == 2:
        return package[:cut] + bytes([package[cut] ^ 1 << chance.randrange(8)]) + package[cut + 1 :]
    tar = gzip.decompress(package)
    cut = chance.randrange(len(tar) + 1)
    return gz(tar[:cut]) + gz(tar[cut:])


# --- mutants --------------------------------------------------------------------------------------------------


class Mutant:
    """A package made by chance.

    Args:
        seed: the same gives the same package.

    Attributes:
        package: its bytes.
        scope: `bundle` where its manifest says that, and so where it is received.
        story: how it was made.
    """

    def __init__(self, seed: str) -> None:
        chance = random.Random(seed)
        base = chance.choice((Draft(FULL), Draft(BUNDLE, "bundle"), Draft(SNAPSHOT, "snapshot")))
        draft = base if chance.random() < 0.8 else Draft(V2, source_layout="v2")
        self.story = [seed]
        for _ in range(chance.choice((1, 1, 1, 2, 3))):
            mutation = chance.choice(_OF_DRAFTS)
            try:
                mutation(draft, chance)
            except (AttributeError, IndexError, KeyError, TypeError):
                continue  # an earlier one has taken away what it would change
            self.story.append(mutation.__name__)
        tar = draft.tar()
        if tar and chance.random() < 0.15:
            tar = _bend_archive(tar, chance)
            self.story.append("_bend_archive")
        self.package = gz(tar)
        if chance.random() < 0.1:
            self.package = _bend_stream(self.package, chance)
            self.story.append("_bend_stream")
        self.scope = "bundle" if b'scope: "bundle"' in draft.manifest() else "full"
