"""The tar reader's rules, one attack each (format.md §1, "Member safety")."""

import io

import pytest
from package_building import END, archive, gnu_long, header, member, octal, padded, pax, pax_record, with_checksum

from alive_p2p.errors import PackageError
from alive_p2p.package.limits import DEFAULT_LIMITS, MAX_END_PADDING, MAX_EXTENDED_HEADER, Limits
from alive_p2p.package.tar import Member, TarReader


class _Guarded:
    """An archive that fails the test when too much is asked for at once: nothing large is ever held."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def read(self, size: int, /) -> bytes:
        assert 0 <= size <= 1 << 20
        return self._data.read(size)


def _walk(data: bytes, limits: Limits = DEFAULT_LIMITS) -> list[tuple[Member, bytes]]:
    reader = TarReader(_Guarded(data), limits)
    return [(one, b"".join(reader.content())) for one in reader.members()]


def _names(data: bytes, limits: Limits = DEFAULT_LIMITS) -> list[str]:
    return [one.path + "/" * one.is_folder for one, _ in _walk(data, limits)]


def _code(data: bytes, limits: Limits = DEFAULT_LIMITS) -> str:
    with pytest.raises(PackageError) as caught:
        _walk(data, limits)
    return caught.value.code


# --- what is accepted -----------------------------------------------------------------------------------------


def test_members_are_handed_out_in_order_with_content_and_mode() -> None:
    """Files and folders, the owner's execute bit and no other."""
    data = archive(
        member("a.txt", b"one"),
        member("run", b"#!", mode=b"0000744\0"),
        member("odd", b"", mode=b"0000011\0"),
        member("d/", kind=b"5"),
        member("old", b"x" * 513, kind=b"\0"),
    )
    assert _walk(data) == [
        (Member("a.txt", is_folder=False, size=3, is_executable=False), b"one"),
        (Member("run", is_folder=False, size=2, is_executable=True), b"#!"),
        (Member("odd", is_folder=False, size=0, is_executable=False), b""),
        (Member("d", is_folder=True, size=0, is_executable=False), b""),
        (Member("old", is_folder=False, size=513, is_executable=False), b"x" * 513),
    ]


def test_content_that_nobody_reads_is_skipped() -> None:
    """The next member is found whether or not the one before was read, wholly or in part."""
    reader = TarReader(
        _Guarded(archive(member("a", b"x" * 300_000), member("b", b"y" * 600_000), member("c", b"z"))), DEFAULT_LIMITS
    )
    seen = []
    for one in reader.members():
        seen.append(one.path)
        if one.path == "b":
            next(reader.content())
    assert seen == ["a", "b", "c"]


def test_a_leading_dot_slash_is_removed_and_the_root_ignored() -> None:
    """As `tar -c .` writes them."""
    assert _names(
        archive(member("./", kind=b"5"), member("./a", b"x"), member("./d/", kind=b"5"), member(".", kind=b"5"))
    ) == ["a", "d/"]


def test_every_way_to_write_a_long_name_is_read() -> None:
    """ustar's prefix, a PAX record, a GNU long name."""
    name = "d" * 80 + "/" + "f" * 90
    data = archive(
        member("f" * 90 + "1", prefix=b"d" * 80),
        pax({"path": name + "2"}) + member("short"),
        gnu_long(name + "3") + member("short"),
        gnu_long("link", b"K") + member("plain"),
    )
    assert _names(data) == ["d" * 80 + "/" + "f" * 90 + "1", name + "2", name + "3", "plain"]


def test_an_old_gnu_header_has_no_prefix() -> None:
    """GNU keeps times where POSIX keeps the prefix."""
    assert _names(archive(member("a", b"", prefix=b"1234567", magic=b"ustar  \0"))) == ["a"]


def test_a_pax_size_replaces_the_headers() -> None:
    """Where a file is larger than eleven octal digits can say."""
    body = b"x" * 700
    assert _walk(archive(pax({"size": "700"}) + header("a", 0) + padded(body)))[0][1] == body


def test_a_base_256_size_is_read() -> None:
    """As GNU writes sizes above 8 GiB."""
    field = b"\x80" + (3).to_bytes(11, "big")
    assert _walk(archive(header("a", size_field=field) + padded(b"abc")))[0][1] == b"abc"


@pytest.mark.parametrize("field", [b"         3 \0", b"3          \0", b"00000000003 ", b"000000000003"])
def test_every_padding_of_a_number_is_read(field: bytes) -> None:
    """Spaces or zeros, ended by a NUL, a space or nothing."""
    assert _walk(archive(header("a", size_field=field) + padded(b"abc")))[0][1] == b"abc"


def test_harmless_records_are_ignored() -> None:
    """Times, owners, comments, and a global header that renames nothing."""
    records = {"mtime": "inf", "atime": "junk", "uid": "-1", "uname": "\x1b[31m", "SCHILY.xattr.user.x": b"\xff\0"}
    assert _names(archive(pax({"comment": "x"}, b"g") + pax(records) + member("a"))) == ["a"]


def test_a_name_may_hold_whatever_separates_a_record() -> None:
    """Only the first space and the first sign count; a name ends where its field ends."""
    assert _names(archive(pax({"a b": "c", "path": "a=b = c"}) + member("short"))) == ["a=b = c"]
    block = bytearray(header("f" * 100, prefix=b"d" * 155))
    block[500] = ord("x")  # behind the prefix
    assert _names(archive(with_checksum(bytes(block)))) == ["d" * 155 + "/" + "f" * 100]


def test_a_name_that_ends_in_a_slash_is_a_folder() -> None:
    """Whatever its type says, as the oldest tars wrote folders; a mode that is none gives no right."""
    assert _names(archive(member("d/"), member("e/", kind=b"\0"), member("d/a"))) == ["d/", "e/", "d/a"]
    ((one, _),) = _walk(archive(member("a", mode=b"rwxr-xr-")))
    assert not one.is_executable


def test_a_folder_may_come_before_or_after_what_is_in_it() -> None:
    """And may be implied without being named."""
    assert _names(archive(member("d/a"), member("d/", kind=b"5"), member("e/", kind=b"5"), member("e/b"))) == [
        "d/a",
        "d/",
        "e/",
        "e/b",
    ]


@pytest.mark.parametrize("padding", [0, 1, 512, 10_240, MAX_END_PADDING - 512])
def test_zeros_after_the_end_are_padding(padding: int) -> None:
    """Up to a megabyte, whole blocks or not."""
    assert _names(archive(member("a")) + bytes(padding)) == ["a"]


def test_zeros_without_end_are_refused() -> None:
    """More than any blocking factor explains."""
    assert _code(archive(member("a")) + bytes(MAX_END_PADDING)) == "over-limit"


# --- names, types ---------------------------------------------------------------------------------------------

_BAD_NAMES = {
    "dotdot": "../a",
    "dotdot-inside": "a/../../b",
    "dotdot-alone": "..",
    "inner-dot": "a/./b",
    "dot-twice": "././a",
    "absolute": "/a",
    "absolute-after-dot": ".//a",
    "drive": "C:a",
    "drive-backslash": "C:\\a",
    "unc": "\\\\host\\a",
    "backslash": "a\\..\\b",
    "line-feed": "a\nb",
    "escape": "a\x1b[2Jb",
    "delete": "a\x7f",
    "c1": "a\x9b",
    "bidi": "a\u202eb",
    "zero-width-space": "a\u200b",
    "not-utf-8": b"a\xff",
    "overlong-utf-8": b"a\xc0\xafb",
    "surrogate-utf-8": b"a\xed\xa0\x80",
    "empty": "",
    "empty-segment": "a//b",
    "two-slashes": "a//",
    "slash": "/",
    "staging": ".alive-receive-x",
    "staging-deep": "a/.Alive-Receive/b",
}


@pytest.mark.parametrize("way", ["header", "pax", "gnu"])
@pytest.mark.parametrize("name", _BAD_NAMES.values(), ids=_BAD_NAMES.keys())
def test_a_name_that_breaks_a_rule_is_refused_however_it_is_written(name: str | bytes, way: str) -> None:
    """In the header block, in a PAX record, in a GNU long name."""
    before = {"header": b"", "pax": pax({"path": name}), "gnu": gnu_long(name)}[way]
    assert _code(archive(before + member(name if way == "header" else "fine", b"x"))) == "unsafe-member"


def test_a_nul_in_a_pax_path_is_refused() -> None:
    """A header's name ends at a NUL; a record's does not, and some readers would cut it."""
    assert _code(archive(pax({"path": "safe\0/../../evil"}) + member("a"))) == "unsafe-member"


def test_a_rule_is_not_escaped_through_the_prefix() -> None:
    """The joined name is what counts."""
    assert _code(archive(member("passwd", prefix=b"/etc"))) == "unsafe-member"
    assert _code(archive(member("../b", prefix=b"a"))) == "unsafe-member"


@pytest.mark.parametrize("name", ["a" * 256, "é" * 128, "/".join(["abcdefg"] * 129)])
def test_a_name_that_is_too_long_is_refused(name: str) -> None:
    """255 bytes for one name, 1,024 for a path, counted in bytes."""
    assert _code(archive(pax({"path": name}) + member("short"))) == "unsafe-member"


@pytest.mark.parametrize(
    "kind", [b"1", b"2", b"3", b"4", b"6", b"7", b"S", b"M", b"V", b"D", b"X", b"A", b"Z", b"8", b"\xff"]
)
def test_a_member_that_is_no_file_or_folder_is_refused(kind: bytes) -> None:
    """Links whatever their target, devices, FIFOs, sparse files, and types that nobody knows."""
    assert _code(archive(member("a", b"", kind, link=b"b"))) == "unsafe-member"


@pytest.mark.parametrize("key", ["GNU.sparse.map", "GNU.sparse.major", "GNU.sparse.realsize", "SCHILY.realsize"])
@pytest.mark.parametrize("kind", [b"x", b"g"])
def test_a_sparse_file_in_pax_form_is_refused(key: str, kind: bytes) -> None:
    """It looks like a regular file and is not."""
    assert _code(archive(pax({key: "1"}, kind) + member("a"))) == "unsafe-member"


def test_a_folder_with_content_is_refused() -> None:
    """Whether its type or its name says that it is a folder."""
    assert _code(archive(header("d/", 3, b"5") + padded(b"abc"))) == "unsafe-member"
    assert _code(archive(member("d/", b"abc"))) == "unsafe-member"
    assert _code(archive(pax({"size": "3"}) + header("d/", 0, b"5") + padded(b"abc"))) == "unsafe-member"
    assert _code(archive(header("./", 3, b"5") + padded(b"abc"))) == "unsafe-member"


@pytest.mark.parametrize(
    "members",
    [
        [member("a"), member("a")],
        [member("a"), member("./a")],
        [member("a"), pax({"path": "a"}) + member("b")],
        [member("d/", kind=b"5"), member("d", kind=b"5")],
        [member("d/", kind=b"5"), member("./d/", kind=b"5")],
        [member("a"), member("a/", kind=b"5")],
        [member("a/", kind=b"5"), member("a")],
        [member("a"), member("a/b")],
        [member("a/b"), member("a")],
        [member("a/b/c"), member("a/b")],
        [member("a"), member("a/b/", kind=b"5")],
        [member("a/b/", kind=b"5"), member("a")],
        [member("manifest.yaml"), member("./manifest.yaml")],
        [member("manifest.yaml"), member("manifest.yaml/", kind=b"5")],
    ],
)
def test_a_path_that_is_taken_is_refused(members: list[bytes]) -> None:
    """Twice the same, or a file where another member needs a folder, in either order."""
    assert _code(archive(*members)) == "unsafe-member"


# --- damaged archives -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "field",
    [
        b"-0000000001\0",
        b"\xff" * 12,
        b"\x81" + bytes(11),
        b"0000000008\0\0",
        b"0x000000010\0",
        b"1 2\0\0\0\0\0\0\0\0\0",
        b"+0000000001\0",
        b"\xc0" + b"\xff" * 11,
    ],
)
def test_a_size_that_is_no_size_is_refused(field: bytes) -> None:
    """Negative in text or base 256, other digits, other number systems."""
    assert _code(archive(header("a", size_field=field))) == "damaged"


@pytest.mark.parametrize("size", ["-1", "+1", "", " 1", "1.0", "1e3", "٣", "9" * 20, "0x1", "1_0"])
def test_a_pax_size_that_is_no_size_is_refused(size: str) -> None:
    """Only decimal digits are a size."""
    assert _code(archive(pax({"size": size}) + member("a"))) == "damaged"


@pytest.mark.parametrize("key", ["path", "linkpath", "size"])
def test_a_global_header_that_renames_is_refused(key: str) -> None:
    """It would hold for every member that follows."""
    assert _code(archive(pax({key: "1"}, b"g") + member("a"))) == "damaged"


@pytest.mark.parametrize("key", ["path", "linkpath", "size"])
def test_a_record_that_is_stated_twice_is_refused(key: str) -> None:
    """Readers differ in which one they take."""
    body = pax_record(key, "1") + pax_record(key, "2")
    assert _code(archive(member("PaxHeader", body, b"x") + member("a", b"x"))) == "damaged"


@pytest.mark.parametrize(
    "body",
    [
        b"hello",
        b"6 a=\n",
        b"4 a=\n",
        b"5 a=x",
        b"-5 a=\n",
        b"5a=b\n",
        b"0 a=\n",
        b"9999999 a=\n",
        b"99999999999999999999 a=\n",
        b"5 ab\n",
        b" 5 a=\n",
        b"5 a=\n\0",
        b"\xb2 a=\n",
        b"2 \n=a=\n",
        b"5 ab\n6 a=b\n",
        b"00000013 a=b\n",
        b"0000000000000000020 a=b\n",
        b"9" * 5000,
        b"9" * 5000 + b" a=\n",
    ],
)
def test_a_malformed_extended_header_is_refused(body: bytes) -> None:
    """Lengths that lie, missing signs, text that is no record."""
    assert _code(archive(member("PaxHeader", body, b"x") + member("a"))) == "damaged"


@pytest.mark.parametrize(
    "headers",
    [
        pax({"path": "a"}) + pax({"path": "b"}),
        gnu_long("a") + gnu_long("b"),
        pax({"path": "a"}) + gnu_long("b"),
        gnu_long("a") + pax({"path": "b"}),
    ],
)
def test_two_extended_headers_for_one_member_are_refused(headers: bytes) -> None:
    """Readers differ in which one they take."""
    assert _code(archive(headers + member("c"))) == "damaged"


@pytest.mark.parametrize("headers", [pax({"path": "a"}), gnu_long("a")])
def test_an_extended_header_without_a_member_is_refused(headers: bytes) -> None:
    """Something is missing."""
    assert _code(archive(headers)) == "damaged"


def test_a_wrong_checksum_is_refused() -> None:
    """Whichever byte was altered."""
    block = member("a", b"x")
    for at in range(512):
        if block[at] in b"\0 0" and 148 <= at < 156:
            continue  # padding of the checksum itself: the number stays the same
        altered = bytearray(block)
        altered[at] ^= 1
        with pytest.raises(PackageError):
            _walk(archive(bytes(altered)))


def test_a_signed_checksum_is_refused() -> None:
    """Old writers summed signed bytes; with bytes above 127 that is another number, and no writer in use does it."""
    block = bytearray(header("é", 0))
    signed = sum(byte - 256 if byte > 127 else byte for byte in bytes(block[:148]) + b" " * 8 + bytes(block[156:]))
    block[148:156] = f"{signed:06o}".encode() + b"\0 "
    assert _code(archive(bytes(block))) == "damaged"


@pytest.mark.parametrize("magic", [b"\0" * 8, b"USTAR\x0000", b"ustar000", b"tar\0\0\0\0\0"])
def test_an_archive_without_the_posix_magic_is_refused(magic: bytes) -> None:
    """The oldest tars say nothing about types that matter here."""
    assert _code(archive(member("a", magic=magic))) == "damaged"


@pytest.mark.parametrize("cut", [1, 511, 512, 513, 700, 1023, 1024, 1100, 1535])
def test_an_archive_that_is_cut_off_is_refused(cut: int) -> None:
    """In a header, in content, in padding, before the end mark."""
    data = archive(member("a", b"x" * 100), member("b"))
    assert len(data) == 1536 + 1024
    assert _code(data[:cut]) == "damaged"


@pytest.mark.parametrize("rest", [b"x", bytes(511) + b"x", bytes(5000) + b"\1", member("late", b"x")])
def test_something_after_the_end_is_refused(rest: bytes) -> None:
    """Another archive, a hidden member, a single byte."""
    assert _code(archive(member("a")) + rest) == "damaged"
    assert _code(member("a") + bytes(512) + rest) == "damaged"


# --- limits ---------------------------------------------------------------------------------------------------

_FEW = Limits(max_files=5, max_bytes=1000)


def test_a_large_extended_header_is_refused_unread() -> None:
    """It may state 180 MB: it is refused from its size alone, for every kind."""
    for kind in (b"x", b"g", b"L", b"K"):
        for size in (MAX_EXTENDED_HEADER + 1, 180 << 20, 8**11 - 1):
            assert _code(header("h", size, kind)) == "over-limit"


def test_an_extended_header_of_just_the_limit_is_read() -> None:
    """64 KiB, mostly a comment."""
    body = pax_record("comment", "x" * (MAX_EXTENDED_HEADER - 100))
    body += pax_record("path", "y" * (MAX_EXTENDED_HEADER - len(body) - len("79 path=\n")))
    assert len(body) == MAX_EXTENDED_HEADER
    (one,) = _names(archive(member("PaxHeader", body, b"x") + member("short")))
    assert set(one) == {"y"}


def test_more_members_than_the_limit_are_refused() -> None:
    """Files and named folders count; the manifest does not; exactly the limit is read."""
    manifest, five = member("manifest.yaml"), [member(f"f{n}") for n in range(4)] + [member("d/", kind=b"5")]
    assert len(_names(archive(manifest, *five), _FEW)) == 6
    assert _code(archive(manifest, *five, member("one-more")), _FEW) == "over-limit"
    assert _code(archive(manifest, *five, member("e/", kind=b"5")), _FEW) == "over-limit"


def test_the_limit_does_not_depend_on_where_the_manifest_is() -> None:
    """It may stand anywhere."""
    six = [member(f"f{n}") for n in range(6)]
    assert _code(archive(*six, member("manifest.yaml")), _FEW) == "over-limit"


def test_twelve_thousand_folders_are_refused() -> None:
    """With the default limits, as soon as the limit is passed."""
    blocks = b"".join(header(f"d{n}/", 0, b"5") for n in range(12_000))
    assert _code(blocks + END) == "over-limit"


def test_an_explosion_of_implied_folders_is_refused() -> None:
    """A few deep paths name many folders although each is a single member."""
    deep = [pax({"path": "/".join([f"{n}", *"abcdefgh"])}) + member("x") for n in range(5)]
    assert _code(archive(*deep), _FEW) == "over-limit"


def test_the_root_alone_countless_times_is_refused() -> None:
    """It means nothing and still costs."""
    assert _code(archive(*[member("./", kind=b"5")] * 200), _FEW) == "over-limit"


def test_extended_headers_without_end_are_refused() -> None:
    """Links' long names and global headers count although no member follows."""
    assert _code(archive(*[gnu_long("x", b"K")] * 200), _FEW) == "over-limit"
    assert _code(archive(*[pax({"comment": "x"}, b"g")] * 200), _FEW) == "over-limit"


def test_extended_records_without_end_are_refused() -> None:
    """Each header is small enough, but a package may hold hundreds of megabytes of tiny records."""
    limits = Limits(max_files=100, max_bytes=1000)
    many = b"".join(b"10 k%04d=\n" % n for n in range(300))
    assert _code(archive(member("PaxHeader", many, b"x") + member("f")), limits) == "over-limit"
    large = b"60009 k=" + b"x" * 60_000 + b"\n"
    members = [member("PaxHeader", large, b"x") + member(f"f{n}") for n in range(20)]
    assert _code(archive(*members), limits) == "over-limit"
    assert _code(archive(member("PaxHeader", b"5 a=\n" * 2, b"x") + member("f")), limits) == "damaged"


def test_exactly_what_the_limits_allow_is_read() -> None:
    """And one more of it is not: folders, records in one header, bytes of extended headers."""
    for depth, is_read in ((10, True), (11, False)):
        deep = archive(member("/".join("abcdefghijk"[:depth]) + "/x"))
        assert len(_names(deep, _FEW)) == 1 if is_read else _code(deep, _FEW) == "over-limit"
    cut_off = header("manifest.yaml", DEFAULT_LIMITS.max_manifest_bytes)  # not refused from its header
    assert _code(cut_off) == "damaged"
    for records, is_read in ((256, True), (257, False)):
        body = b"".join(b"10 k%04d=\n" % n for n in range(records))
        many = archive(member("PaxHeader", body, b"x") + member("f"))
        assert _names(many) == ["f"] if is_read else _code(many) == "over-limit"
    for more, is_read in ((0, True), (1, False)):
        bodies = [pax_record("comment", "x" * (size - 15)) for size in (MAX_EXTENDED_HEADER, 5 * 4096 + more)]
        assert sum(map(len, bodies)) == _FEW.max_extended_bytes + more
        large = archive(*[member("PaxHeader", body, b"x") + member(f"f{len(body)}") for body in bodies])
        assert len(_names(large, _FEW)) == 2 if is_read else _code(large, _FEW) == "over-limit"


def test_more_content_than_the_limit_is_refused_from_the_header() -> None:
    """Before any of it is read; the manifest has a limit of its own."""
    assert (
        len(
            _walk(archive(member("a", bytes(600)), member("b", bytes(400)), member("manifest.yaml", bytes(2000))), _FEW)
        )
        == 3
    )
    assert _code(member("a", bytes(600)) + header("b", 401), _FEW) == "over-limit"
    assert _code(header("a", size_field=b"\x80" + b"\xff" * 11)) == "over-limit"
    assert _code(pax({"size": "9" * 19}) + header("a")) == "over-limit"
    assert _code(header("manifest.yaml", DEFAULT_LIMITS.max_manifest_bytes + 1)) == "over-limit"


def test_limits_grow_with_the_number_of_files() -> None:
    """A raised file limit allows a larger manifest, more headers, more folders, a longer stream."""
    raised = Limits(max_files=20_000)
    assert DEFAULT_LIMITS.max_manifest_bytes == 16 << 20
    assert raised.max_manifest_bytes == 64 << 20
    assert raised.max_manifest_scalars == 161_000
    assert raised.max_headers > 2 * DEFAULT_LIMITS.max_headers - 100
    assert raised.max_folders > DEFAULT_LIMITS.max_folders
    assert raised.max_stream_bytes > DEFAULT_LIMITS.max_stream_bytes


def test_a_long_name_is_cut_in_the_message() -> None:
    """A message is for reading."""
    with pytest.raises(PackageError) as caught:
        _walk(archive(pax({"path": "x" * 60_000}) + member("a")))
    assert len(caught.value.message) < 400


def test_helpers_make_headers_that_are_well_formed() -> None:
    """The blocks these tests are made of are what they claim."""
    assert with_checksum(header("a", 5)) == header("a", 5)
    assert octal(8, 12) == b"00000000010\0"
    assert pax_record("path", "a" * 90).startswith(b"99 ") or pax_record("path", "a" * 90).startswith(b"100 ")
