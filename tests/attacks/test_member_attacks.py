"""Members of the archive that attack the receiver: names, types, sizes, extended headers, and how it all ends.

Every one of them is a valid package with one thing changed, listed in the manifest with the right hashes, so that
only the rule in question stands against it (format.md §1, "Member safety").
"""

import os
import random
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from arena import Arena
from forging import END, FULL, KEY, MANIFEST, Draft, Member, extended, gnu_long, gz, header, padded, pax, pax_record

linux = pytest.mark.skipif(sys.platform != "linux", reason="other systems cannot hold such names, and refuse them")

Forge = Callable[[Draft], object]
"""Changes a draft; what it returns is of no interest."""


def _refused(arena: Arena, draft: Draft, *codes: str) -> None:
    ended = arena.receive(draft.package(), scope=draft.get("scope"))
    assert ended.code in (codes or ("unsafe-member", "bad-manifest", "damaged", "over-limit", "altered")), ended


# --- names ----------------------------------------------------------------------------------------------------

_BAD_NAMES: dict[str, str] = {
    "parent": "../evil.md",
    "parents": "../../../../../../../../evil.md",
    "down-and-up": "review/../../evil.md",
    "inner-parent": "review/raw/../evil.md",
    "ending-in-parent": "review/..",
    "parent-alone": "..",
    "inner-dot": "review/./evil.md",
    "two-leading-dots": "././evil.md",
    "dot-then-parent": "./../evil.md",
    "two-slashes": "review//evil.md",
    "leading-slashes": "//evil.md",
    "root-alone": "/",
    "dot-slash-slash": ".//evil.md",
    "drive": "C:evil.md",
    "drive-and-slash": "C:/evil.md",
    "drive-and-backslash": "c:\\evil.md",
    "unc": "\\\\host\\share\\evil.md",
    "unc-device": "\\\\?\\C:\\evil.md",
    "backslash": "review\\evil.md",
    "backslash-parent": "..\\..\\evil.md",
    "line-feed": "evil\n.md",
    "carriage-return": "evil\r.md",
    "tab": "ev\til.md",
    "escape-code": "\x1b[2Jevil.md",
    "delete": "evil\x7f.md",
    "c1-control": "evil\x9b.md",
    "right-to-left-override": "evil\u202egnp.md",
    "isolate": "evil\u2066.md",
    "zero-width-space": "evil\u200b.md",
    "byte-order-mark": "\ufeffevil.md",
    "line-separator": "evil\u2028.md",
    "tag-characters": "evil\U000e0041.md",
    "soft-hyphen": "ev\u00adil.md",
    "hangul-filler": "evil\u3164.md",
    "not-utf-8": "evil\udcff.md",
    "latin-1": "\udce9vil.md",
    "overlong-utf-8": "\udcc0\udcae\udcc0\udcae/evil.md",
    "surrogate-in-utf-8": "evil\udced\udca0\udc80.md",
    "long-segment": "e" * 256,
    "long-segment-of-wide-characters": "é" * 128,
    "long-path": "/".join(["d" * 100] * 10) + "/" + "f" * 16,
    "many-segments": "d/" * 512 + "f",
    "very-long": "e" * 60_000,
    "staging": ".alive-receive-0123456789abcdef/tree/evil.md",
    "journal": ".alive-receive-journal.json",
    "staging-deep-and-in-capitals": "review/.ALIVE-RECEIVE-x",
    "below-the-manifest": "manifest.yaml/evil.md",
    "kernel-in-capitals": "_KERNEL/key.md",
    "kernel-with-the-kelvin-sign": "_\u212aernel/key.md",
    "stranger-in-the-kernel": "_kernel/evil.md",
    "folder-in-the-kernel": "_kernel/evil/x.md",
    "below-the-key": "_kernel/key.md/x",
}


@pytest.mark.parametrize("name", _BAD_NAMES)
@pytest.mark.parametrize("way", ["header", "pax", "gnu"])
def test_a_name_that_leads_elsewhere_is_refused(arena: Arena, name: str, way: str) -> None:
    """Whether the name stands in the header, in a PAX record or in a GNU long name, nothing is written."""
    path = _BAD_NAMES[name]
    raw = path.encode("utf-8", "surrogateescape")
    before = {"header": b"", "pax": pax({"path": raw}), "gnu": gnu_long(raw)}[way]
    draft = Draft()
    member = draft.add(path, before=before)
    if before:
        member.name = "harmless.md"
    _refused(arena, draft, "unsafe-member", "over-limit", "bad-shape", "bad-manifest")


def test_an_absolute_name_is_refused(arena: Arena) -> None:
    """Also one that names a folder that exists and can be written to."""
    for path in (f"{arena.canary}/evil.md", f"//{arena.canary}/evil.md", f"/.{arena.canary}/evil.md"):
        draft = Draft()
        draft.add(path)
        _refused(arena, draft, "unsafe-member")


def test_a_long_way_out_of_any_folder_is_refused(arena: Arena) -> None:
    """`..` up to the root and down again, and the same behind a folder of the package."""
    ups = "../" * 40
    for path in (f"{ups}{arena.canary}/evil.md", f"review/{ups}{arena.canary.as_posix().lstrip('/')}/evil.md"):
        draft = Draft()
        draft.add(path)
        _refused(arena, draft, "unsafe-member")


def test_a_zero_byte_in_a_name_does_not_hide_what_follows_it(arena: Arena) -> None:
    """In a PAX record it is refused; in a header and in a GNU long name what follows it is no part of the name."""
    in_record = Draft()
    in_record.add("notes.md\0/../../evil.md", before=pax({"path": b"other.md\0/../../evil.md"})).name = "x"
    _refused(arena, in_record, "unsafe-member", "bad-manifest")
    for before in (b"", gnu_long(b"other.md\0../../evil.md")):
        draft = Draft()
        draft.add("other.md", b"x", before=before).name = "x" if before else "other.md\0/../../evil.md"
        ended = arena.receive(draft.package())
        assert ended.accepted
        assert ended.installed["other.md"] == b"x"


def test_a_prefix_that_leads_elsewhere_is_refused(arena: Arena) -> None:
    """The name of a member is its prefix, a slash and its name."""
    for prefix, name in ((b"..", "evil.md"), (b"/etc", "evil.md"), (b"review/..", "../evil.md"), (b"C:", "evil.md")):
        draft = Draft()
        draft.add(f"{prefix.decode()}/{name}", fields={"prefix": prefix}).name = name
        _refused(arena, draft, "unsafe-member")


_ODD_NAMES: dict[str, tuple[str, ...]] = {
    "device": ("CON",),
    "device-with-suffix": ("aux.txt", "review/nul.tar.gz", "COM1", "lpt¹.md"),
    "trailing-dot": ("notes.md.", "review./x"),
    "trailing-space": ("notes.md ", " notes.md"),
    "stream": ("notes.md:hidden", "notes.md::$DATA"),
    "windows-characters": ('what?*"<>|.md',),
    "case": ("Notes.md", "NOTES.MD"),
    "case-of-folders": ("Review/x", "REVIEW/raw/dose.csv"),
    "case-of-the-manifest": ("Manifest.yaml", "MANIFEST.YAML"),
    "unicode-form": (unicodedata.normalize("NFC", "é.md"), unicodedata.normalize("NFD", "é.md")),
    "unicode-form-of-folders": ("\u1e69/a", "s\u0323\u0307/b", "s\u0307\u0323/c"),
    "case-beyond-ascii": ("straße", "STRASSE", "ﬁ", "fi", "ſ", "s"),
    "joined-emoji": ("👩\u200d💻.md", "می\u200cخواهم.md"),
    "shell": ("$(touch evil)", "`touch evil`", "-rf", "%s%n{0}", "; rm -rf ~", "~", "~root"),
    "looks-like-ours": (".alive-p2p-0.tmp", "owner", "tree", "imports.json", ".alive-recei"),
    "full-width": ("\uff0e\uff0e\uff0fevil.md", "_\uff4bernel/x", "\u2024\u2024/evil.md"),
    "three-dots": (".../evil.md", ". ./evil.md", ".. /evil.md"),
    "nested-kernel": ("review/_kernel/key.md", "review/_kernel/imports.json"),
    "longest": ("e" * 255, "/".join(["d" * 100] * 10) + "/" + "f" * 14),
}


@linux
@pytest.mark.parametrize("kind", _ODD_NAMES)
def test_names_that_only_other_systems_refuse_are_taken_as_they_are(arena: Arena, kind: str) -> None:
    """Each arrives under exactly its own name, beside the one it collides with elsewhere."""
    draft = Draft()
    for number, name in enumerate(_ODD_NAMES[kind]):
        draft.add(name, f"{number}".encode())
    ended = arena.receive(draft.package())
    assert ended.accepted, ended.error
    for number, name in enumerate(_ODD_NAMES[kind]):
        assert ended.installed[name] == f"{number}".encode()


@pytest.mark.parametrize(
    "name",
    [
        ".git/hooks/post-checkout",
        ".GIT/config",
        "review/.git",
        "review/.Git/hooks/x",
        ".alive/preferences.yaml",
        "review/.ALIVE/x",
        ".walnut/x",
        "__macosx/x",
        "review/__MACOSX/._x",
        "_kernel/now.json",
        "_kernel/imports.json",
        "_kernel/_generated/now.json",
    ],
)
def test_what_belongs_to_a_world_or_a_repository_is_dropped(arena: Arena, name: str) -> None:
    """The rest arrives; of this not even the folder, and the ledger and projection are our own."""
    draft = Draft()
    draft.add(name, b"EVIL")
    ended = arena.receive(draft.package())
    assert ended.accepted, ended.error
    assert b"EVIL" not in ended.installed.values()


@pytest.mark.parametrize(
    "name", ["CLAUDE.md", "review/claude.MD", ".claude/settings.json", ".mcp.json", ".envrc", ".cursor/rules/x.mdc"]
)
def test_what_an_agent_would_obey_arrives_under_another_name(arena: Arena, name: str) -> None:
    """As `.received`, never under its own name; and not at all where that other name is taken by the package."""
    draft = Draft()
    draft.add(name, b"EVIL")
    ended = arena.receive(draft.package())
    assert ended.accepted, ended.error
    assert name not in ended.installed
    (found,) = (path for path, content in ended.installed.items() if content == b"EVIL")
    assert ".received" in found
    draft.add(found, b"EVIL TOO")
    _refused(arena, draft, "bad-shape")


# --- types ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind", [b"1", b"2", b"3", b"4", b"6", b"7", b"S", b"M", b"V", b"D", b"N", b"A", b"X", b"\xff"]
)
@pytest.mark.parametrize("link", [b"", b"notes.md", b"../../../../canary", b"/etc/passwd"])
def test_whatever_is_neither_file_nor_folder_is_refused(arena: Arena, kind: bytes, link: bytes) -> None:
    """Links of both kinds wherever they point, devices, FIFOs, sparse and unknown members; listed as empty files."""
    draft = Draft()
    draft.add("l", b"", kind=kind, fields={"link": link})
    _refused(arena, draft, "unsafe-member")


@pytest.mark.parametrize("kind", [b"1", b"2"])
@pytest.mark.parametrize("way", ["pax", "gnu"])
def test_a_link_whose_goal_is_in_an_extended_header_is_refused(arena: Arena, kind: bytes, way: str) -> None:
    """It is refused as a link, before where it points to matters."""
    goal = str(arena.canary).encode()
    draft = Draft()
    draft.add("l", b"", kind=kind, before=pax({"linkpath": goal}) if way == "pax" else gnu_long(goal, b"K"))
    _refused(arena, draft, "unsafe-member")


def test_a_file_below_a_link_of_the_package_goes_nowhere(arena: Arena) -> None:
    """The oldest trick: a link to a folder outside, then a file in it; in either order, and as a hard link."""
    for kind in (b"2", b"1"):
        for at in (0, None):
            draft = Draft()
            draft.add("way", b"", kind=kind, fields={"link": str(arena.canary).encode()}, at=at, listed=False)
            draft.add("way/evil.md")
            _refused(arena, draft, "unsafe-member")


def test_the_goal_of_a_link_on_a_plain_file_means_nothing(arena: Arena) -> None:
    """A file stays a file whatever stands in the field for links."""
    draft = Draft()
    goal = str(arena.canary / "secret.txt")
    draft.add("a.md", b"a", fields={"link": goal.encode()})
    draft.add("b.md", b"b", before=pax({"linkpath": goal}))
    draft.add("c.md", b"c", before=gnu_long(goal.encode(), b"K"))
    ended = arena.receive(draft.package())
    assert ended.accepted, ended.error
    assert [ended.installed[f"{name}.md"] for name in "abc"] == [b"a", b"b", b"c"]


@pytest.mark.parametrize(
    "records",
    [
        {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "../evil.md", "GNU.sparse.realsize": "9"},
        {"GNU.sparse.size": "1099511627776", "GNU.sparse.numblocks": "1", "GNU.sparse.map": "0,1"},
        {"GNU.sparse.offset": "0", "GNU.sparse.numbytes": "1"},
        {"SCHILY.realsize": "1099511627776"},
    ],
)
def test_a_sparse_file_in_pax_records_is_refused(arena: Arena, records: dict[str, str]) -> None:
    """All three forms, and the one of star; also where a global header says it."""
    for kind in (b"x", b"g"):
        draft = Draft()
        draft.add("s", b"x", before=pax(records, kind))
        _refused(arena, draft, "unsafe-member")


def test_bits_and_owners_of_a_member_have_no_effect(arena: Arena) -> None:
    """set-uid, set-gid, sticky and write bits, also in base 256, and owners by number and by name."""
    modes = (b"0007777\0", b"0006755\0", b"\x80" + bytes(5) + b"\x0f\xff", b"        ", b"\xff" * 8)
    draft = Draft(executables=[])
    for number, mode in enumerate(modes):
        before = pax({"uid": "0", "uname": "root", "mtime": "-1e400", "SCHILY.xattr.user.evil": "x"})
        draft.add(f"{number}", before=before, fields={"mode": mode})
    assert arena.receive(draft.package()).accepted  # the arena looks at the modes


# --- folders and duplicates -----------------------------------------------------------------------------------

_CLASHES: dict[str, Forge] = {
    "twice": lambda d: d.add("notes.md", FULL["notes.md"], listed=False),
    "twice-with-other-content": lambda d: d.add("notes.md", b"other\n", listed=False),
    "twice-with-other-content-first": lambda d: d.add("notes.md", b"other\n", listed=False, at=0),
    "with-and-without-dot": lambda d: d.add("./notes.md", FULL["notes.md"], listed=False),
    "listed-twice-as-well": lambda d: d.add("notes.md", FULL["notes.md"]),
    "file-and-folder": lambda d: d.add("notes.md", b"", kind=b"5", listed=False),
    "file-and-folder-by-slash": lambda d: d.add("notes.md/", b"", listed=False),
    "file-in-a-file": lambda d: d.add("notes.md/x"),
    "file-in-a-file-that-comes-later": lambda d: d.add("notes.md/x", at=0),
    "folder-in-a-file": lambda d: d.add("notes.md/x/", b"", kind=b"5", listed=False),
    "file-for-a-folder": lambda d: d.add("review", b"x"),
    "folder-twice": lambda d: (d.add("e", b"", kind=b"5", listed=False), d.add("e/", b"", kind=b"5", listed=False)),
    "folder-with-content": lambda d: d.add("e", b"x", kind=b"5"),
    "second-manifest": lambda d: d.add(MANIFEST, d.manifest(), listed=False),
    "other-second-manifest": lambda d: d.add(f"./{MANIFEST}", b'format_version: "2.1.0"\n', listed=False),
    "manifest-as-folder": lambda d: d.add(MANIFEST, b"", kind=b"5", listed=False),
    "unlisted": lambda d: d.add("more.md", listed=False),
    "unlisted-in-the-kernel": lambda d: d.add("_kernel/config.yaml", listed=False),
    "unlisted-and-empty": lambda d: d.add("more.md", b"", listed=False),
    "listed-and-missing": lambda d: d.mention("more.md", b"x"),
    "listed-as-folder": lambda d: (d.add("more.md", b"", kind=b"5", listed=False), d.mention("more.md", b"")),
    "renamed": lambda d: d.member("notes.md").change(name="other.md"),
    "content-swapped": lambda d: (
        d.member("notes.md").change(content=FULL["run.sh"]),
        d.member("run.sh").change(content=FULL["notes.md"]),
    ),
}


@pytest.mark.parametrize("clash", _CLASHES)
def test_members_that_do_not_agree_with_each_other_or_the_manifest_are_refused(arena: Arena, clash: str) -> None:
    """Nothing is there twice, nothing is two things at once, everything is listed and everything listed is there."""
    draft = Draft()
    _CLASHES[clash](draft)
    _refused(arena, draft, "unsafe-member", "altered", "bad-manifest")


def test_the_folder_of_the_archive_itself_means_nothing(arena: Arena) -> None:
    """`./` as `tar` writes it, anywhere and as often as it likes."""
    draft = Draft()
    for at in (0, 3, None):
        draft.add("./", b"", kind=b"5", listed=False, at=at)
    assert arena.receive(draft.package()).accepted


# --- sizes ----------------------------------------------------------------------------------------------------

_LYING_SIZES: dict[str, Forge] = {
    "one-more": lambda d: d.member("notes.md").change(size=len(FULL["notes.md"]) + 1),
    "one-less": lambda d: d.member("notes.md").change(size=len(FULL["notes.md"]) - 1),
    "a-block-more": lambda d: d.member("notes.md").change(size=600),
    "nothing": lambda d: d.member("notes.md").change(size=0),
    "all-that-follows": lambda d: d.member("_kernel/key.md").change(size=6000),
    "600-mib": lambda d: d.member("notes.md").change(size=600 << 20),
    "8-eb": lambda d: d.member("notes.md").change(size=1 << 63),
    "as-much-as-fits": lambda d: d.member("notes.md").fields.update(size_field=b"\x80" + b"\xff" * 11),
    "minus-one": lambda d: d.member("notes.md").fields.update(size_field=b"\xff" * 12),
    "minus-a-lot": lambda d: d.member("notes.md").fields.update(size_field=b"\xc0" + bytes(11)),
    "octal-minus": lambda d: d.member("notes.md").fields.update(size_field=b"-0000000011\0"),
    "no-octal": lambda d: d.member("notes.md").fields.update(size_field=b"00000000099\0"),
    "empty": lambda d: d.member("notes.md").fields.update(size_field=b" " * 12),
    "zeros": lambda d: d.member("notes.md").fields.update(size_field=bytes(12)),
    "words": lambda d: d.member("notes.md").fields.update(size_field=b"nine bytes!\0"),
    "other-digits": lambda d: d.member("notes.md").fields.update(size_field="١١".encode().ljust(12, b"\0")),
    "pax-one-more": lambda d: d.member("notes.md").change(before=pax({"size": "10"})),
    "pax-less": lambda d: d.member("notes.md").change(before=pax({"size": "1"})),
    "pax-all-that-follows": lambda d: d.member("notes.md").change(before=pax({"size": "3000"})),
    "pax-8-eb": lambda d: d.member("notes.md").change(before=pax({"size": str(1 << 63)})),
    "pax-twenty-digits": lambda d: d.member("notes.md").change(before=pax({"size": "9" * 20})),
    "pax-a-thousand-digits": lambda d: d.member("notes.md").change(before=pax({"size": "9" * 5000})),
    "pax-minus": lambda d: d.member("notes.md").change(before=pax({"size": "-1"})),
    "pax-hexadecimal": lambda d: d.member("notes.md").change(before=pax({"size": "0x9"})),
    "pax-underscore": lambda d: d.member("notes.md").change(before=pax({"size": "0_9"})),
    "pax-space": lambda d: d.member("notes.md").change(before=pax({"size": " 9"})),
    "pax-other-digits": lambda d: d.member("notes.md").change(before=pax({"size": "٩"})),
    "pax-empty": lambda d: d.member("notes.md").change(before=pax({"size": ""})),
    "global": lambda d: d.member("notes.md").change(before=pax({"size": "9"}, b"g")),
}


@pytest.mark.parametrize("lie", _LYING_SIZES)
@pytest.mark.parametrize("told", [False, True], ids=["", "in-the-manifest-too"])
def test_a_size_that_lies_is_refused(arena: Arena, lie: str, told: bool) -> None:
    """Also where the manifest tells the same lie, and the hash that goes with it is made for it."""
    draft = Draft()
    _LYING_SIZES[lie](draft)
    if told:
        size = draft.member("notes.md").size or 0
        content = (FULL["notes.md"] + bytes(10_000))[: min(size, 10_000)]
        listed = [one for one in draft.get("files") if one["path"] != "notes.md"]
        draft.set("files", listed)
        draft.mention("notes.md", content)
        draft.get("files")[-1]["size"] = size
    ended = arena.receive(draft.package())
    told_truly = told and lie in {"one-less", "one-more"}  # within its block it is simply another, valid file
    assert ended.accepted if told_truly else ended.code in {"damaged", "over-limit", "altered", "bad-manifest"}


# --- extended headers -----------------------------------------------------------------------------------------

_X = pax({"path": "other.md"})
_BAD_EXTENDED: dict[str, bytes] = {
    "two-pax": _X + pax({"path": "notes.md"}),
    "two-gnu": gnu_long(b"other.md") + gnu_long(b"notes.md"),
    "gnu-then-pax": gnu_long(b"other.md") + _X,
    "pax-then-gnu": _X + gnu_long(b"other.md"),
    "path-twice": extended(pax_record(b"path", b"notes.md") + pax_record(b"path", b"../evil.md")),
    "size-twice": extended(pax_record(b"size", b"9") + pax_record(b"size", b"1")),
    "no-length": extended(b" path=x\n"),
    "length-of-nothing": extended(b"0 path=x\n"),
    "length-too-short": extended(b"5 path=notes.md\n"),
    "length-too-long": extended(b"99 path=notes.md\n"),
    "length-far-too-long": extended(b"9999999999999999999 path=notes.md\n"),
    "negative-length": extended(b"-9 path=notes.md\n"),
    "length-in-words": extended(b"ten path=notes.md\n"),
    "no-line-feed": extended(b"17 path=notes.md "),
    "no-equals-sign": extended(b"14 path notes\n"),
    "equals-sign-of-the-next": extended(b"9 path x\n9 y=z\n..\n"),
    "zeros": extended(bytes(512)),
    "noise": extended(bytes(range(256))),
    "more-records-than-anybody-writes": extended(b"".join(pax_record(b"c%d" % n, b"x") for n in range(300))),
    "over-64-kib": pax({"comment": "x" * 65_536}),
    "gnu-over-64-kib": gnu_long(b"x" * 65_536),
    "global-path": pax({"path": "../evil.md"}, b"g"),
    "global-link": pax({"linkpath": "../evil.md"}, b"g"),
    "claims-8-eb": header(b"PaxHeader", 0, b"x", size_field=b"\x80\0\0\0\x80" + bytes(7)),
    "gnu-claims-8-eb": header(b"././@LongLink", 0, b"L", size_field=b"\x80\0\0\0\x80" + bytes(7)),
    "negative-size": header(b"PaxHeader", 0, b"x", size_field=b"\xff" * 12),
    "gnu-name-beyond-its-size": header(b"././@LongLink", 3, b"L") + padded(b"new-name.md"),
    "pax-beyond-its-size": header(b"PaxHeader", 11, b"x") + padded(b"11 path=ab\nand more"),
    "empty-path": pax({"path": ""}),
    "gnu-empty": gnu_long(b""),
    "renames-onto-another": pax({"path": "run.sh"}),
    "renames-onto-the-manifest": pax({"path": MANIFEST}),
    "renames-into-the-kernel": pax({"path": "_kernel/imports.json/x"}),
}


@pytest.mark.parametrize("name", _BAD_EXTENDED)
def test_an_extended_header_that_is_malformed_or_deceives_is_refused(arena: Arena, name: str) -> None:
    """It stands before a member that the manifest lists as it is without it."""
    draft = Draft()
    draft.member("notes.md").before = _BAD_EXTENDED[name]
    _refused(arena, draft, "damaged", "unsafe-member", "over-limit", "altered")


@pytest.mark.parametrize("blocks", [_X, gnu_long(b"other.md")], ids=["pax", "gnu"])
def test_an_extended_header_without_a_member_is_refused(arena: Arena, blocks: bytes) -> None:
    """As the last thing in the archive it would belong to nothing."""
    draft = Draft()
    draft.end = blocks + END
    _refused(arena, draft, "damaged")


def test_a_harmless_extended_header_changes_nothing(arena: Arena) -> None:
    """Times, owners, comments and a character set; before one member or before all of them."""
    records = {
        "mtime": "1e99",
        "atime": "inf",
        "uid": "-1",
        "gname": "\x1b[31m",
        "comment": "x",
        "hdrcharset": "BINARY",
    }
    draft = Draft()
    draft.member("notes.md").before = pax(records)
    draft.members[0].before = pax(records, b"g")
    assert arena.receive(draft.package()).accepted


def test_a_path_in_an_extended_header_is_the_path_that_is_checked_and_used(arena: Arena) -> None:
    """What stands in the header under it is of no consequence, however bad."""
    for before in (pax({"path": "right.md"}), gnu_long(b"right.md")):
        draft = Draft()
        draft.add("right.md", b"content", before=before).name = "../evil.md"
        ended = arena.receive(draft.package())
        assert ended.accepted, ended.error
        assert ended.installed["right.md"] == b"content"


# --- headers --------------------------------------------------------------------------------------------------

_BAD_HEADERS: dict[str, dict[str, bytes]] = {
    "checksum": {"checksum": b"000000\0 "},
    "checksum-blank": {"checksum": b" " * 8},
    "checksum-negative": {"checksum": b"\xff" * 8},
    "no-magic": {"magic": bytes(8)},
    "other-magic": {"magic": b"USTAR\x0000"},
}


@pytest.mark.parametrize("name", _BAD_HEADERS)
def test_a_header_that_is_none_is_refused(arena: Arena, name: str) -> None:
    """Without the magic of POSIX or GNU, or with a checksum that is not its own."""
    draft = Draft()
    draft.member("notes.md").fields = dict(_BAD_HEADERS[name])
    _refused(arena, draft, "damaged")


# --- order and ends -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(8))
def test_members_in_any_order_are_the_same_package(arena: Arena, seed: int) -> None:
    """The manifest may stand anywhere, and what arrives does not depend on the order."""
    draft = Draft()
    straight = arena.receive(draft.package()).installed
    chance = random.Random(seed)
    chance.shuffle(draft.members)
    draft.manifest_at = chance.randint(0, len(draft.members))
    shuffled = arena.receive(draft.package()).installed
    for tree in (straight, shuffled):
        tree.pop("_kernel/imports.json")  # it holds an id that is made anew
    assert shuffled == straight


_BAD_ENDS: dict[str, Callable[[Draft], bytes]] = {
    "no-end": lambda d: gz(d.tar()[: -len(END)]),
    "half-an-end": lambda d: gz(d.tar()[:-512]),
    "cut-in-the-end": lambda d: gz(d.tar()[:-1]),
    "cut-in-a-member": lambda d: gz(d.tar()[:-1100]),
    "cut-in-the-manifest": lambda d: gz(d.tar()[:700]),
    "nothing-but-the-end": lambda _: gz(END),
    "nothing": lambda _: gz(b""),
    "a-member-behind-the-end": lambda d: gz(d.tar() + Member("evil.md", b"x").blocks() + END),
    "an-archive-behind-the-end": lambda d: gz(d.tar() + d.tar()),
    "bytes-behind-the-end": lambda d: gz(d.tar() + b"more"),
    "bytes-far-behind-the-end": lambda d: gz(d.tar() + bytes(100_000) + b"x"),
    "too-much-padding": lambda d: gz(d.tar() + bytes(2 << 20)),
    "one-zero-block-in-between": lambda d: gz(d.tar()[:512] + bytes(512) + d.tar()[512:]),
    "two-zero-blocks-in-between": lambda d: gz(
        Member(MANIFEST, d.manifest()).blocks() + END + b"".join(m.blocks() for m in d.members) + END
    ),
    "an-archive-in-a-second-gzip-member": lambda d: gz(d.tar()) + gz(d.tar()),
    "a-member-in-a-second-gzip-member": lambda d: gz(d.tar()) + gz(Member("evil.md", b"x").blocks() + END),
    "zeros-behind-the-gzip-stream": lambda d: d.package() + bytes(512),
    "bytes-behind-the-gzip-stream": lambda d: d.package() + b"x",
    "half-a-magic-behind-the-gzip-stream": lambda d: d.package() + b"\x1f",
    "a-header-behind-the-gzip-stream": lambda d: d.package() + gz(b"")[:10],
    "cut-gzip-trailer": lambda d: d.package()[:-1],
    "no-gzip-trailer": lambda d: d.package()[:-8],
    "other-checksum": lambda d: d.package()[:-8] + bytes(4) + d.package()[-4:],
    "other-size": lambda d: d.package()[:-4] + bytes(4),
    "other-gzip-method": lambda d: b"\x1f\x8b\x07" + d.package()[3:],
    "reserved-gzip-flags": lambda d: b"\x1f\x8b\x08\xe0" + d.package()[4:],
    "gzip-in-gzip": lambda d: gz(d.package()),
    "no-gzip": lambda d: d.tar(),
    "no-manifest": lambda d: gz(b"".join(member.blocks() for member in d.members) + END),
    "manifest-in-a-folder": lambda d: gz(Member(f"p/{MANIFEST}", d.manifest()).blocks() + END),
}


@pytest.mark.parametrize("name", _BAD_ENDS)
def test_an_archive_that_ends_early_or_goes_on_is_refused(arena: Arena, name: str) -> None:
    """Nothing can be cut off, hidden behind the end, or wrapped in another container."""
    ended = arena.receive(_BAD_ENDS[name](Draft()))
    assert ended.code in {"damaged", "not-a-package", "no-manifest", "over-limit"}, ended


def test_any_way_of_compressing_is_the_same_package(arena: Arena) -> None:
    """Many gzip members, empty ones, fields in their headers, stored blocks, and zeros up to a megabyte behind."""
    draft = Draft()
    tar = draft.tar()
    pieces = [tar[at : at + 100] for at in range(0, len(tar), 100)]
    named = b"\x1f\x8b\x08\x1c" + bytes(6) + b"\2\0xx" + b"../../evil\0" + b"comment\0" + gz(tar)[10:]
    for package in (
        b"".join(map(gz, pieces)),
        gz(b"") + gz(tar) + gz(b""),
        gz(tar, 0),
        gz(tar + bytes(1_000_000)),
        named,
    ):
        assert arena.receive(package).accepted


def test_a_file_that_is_no_package_leaves_nothing(arena: Arena) -> None:
    """Empty, one byte, every magic that something else begins with, and each magic of ours with nothing behind it."""
    for data in (
        b"",
        b"\0",
        b"\x1f\x8b",
        b"\x1f\x8b\x08",
        b"Salted__",
        b"age-encryption.org/v1\n",
        b"-----BEGIN AGE ENCRYPTED FILE-----",
        b"PK\x03\x04",
        b"BZh9",
        b"\xfd7zXZ\0",
        b"<!DOCTYPE html>",
        b"\xef\xbb\xbfhello",
        bytes(512),
        bytes(1024),
        padded(KEY),
    ):
        assert not arena.receive(data).accepted


@pytest.mark.skipif(os.name != "posix", reason="links and FIFOs as on POSIX")
def test_a_package_that_is_no_plain_file_is_judged_by_what_is_there(arena: Arena, tmp_path: Path) -> None:
    """A link is followed, because the person named it; a dangling one, a folder and a FIFO are refused at once."""
    real = tmp_path / "real.walnut"
    real.write_bytes(Draft().package())
    arena.package.symlink_to(real)
    assert arena.receive(None).accepted
    arena.package.unlink()
    arena.package.mkdir()
    assert arena.receive(None).code == "not-a-package"
    arena.package.rmdir()
    os.mkfifo(arena.package)
    assert not arena.receive(None).accepted
