"""Reading a package: checked in both directions, refused when cut off or altered, whoever wrote it (format.md)."""

import gzip
import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest
from package_building import (
    KEY,
    SMALL,
    archive,
    by_hand,
    check,
    entry,
    fields_for,
    gz,
    header,
    manifest_for,
    member,
    refusal,
    save,
    unpacked,
    written,
)

from alive_p2p.errors import AliveP2PError, FileSystemError, PackageError, UsageError
from alive_p2p.package.limits import DEFAULT_LIMITS, Limits
from alive_p2p.package.manifest import Manifest
from alive_p2p.package.reader import PackageReader

# --- two-way verification -------------------------------------------------------------------------------------


def _with_manifest(listed: dict[str, bytes], present: dict[str, bytes], *extra: bytes) -> bytes:
    return by_hand(present, *extra, manifest=manifest_for(listed).to_yaml())


@pytest.mark.parametrize(
    ("present", "what"),
    [
        ({**SMALL, "added.md": b"x"}, "'added.md' is in the package but not in its manifest"),
        ({KEY: SMALL[KEY]}, "'notes.md' is listed but missing"),
        ({**SMALL, "notes.md": b"hellO\n"}, "'notes.md' has been altered"),
        ({**SMALL, "notes.md": b"hello, world\n"}, "'notes.md' has 13 bytes and should have 6"),
        ({**SMALL, "notes.md": b""}, "'notes.md' has 0 bytes and should have 6"),
    ],
    ids=["added", "removed", "altered", "longer", "emptied"],
)
def test_a_package_that_is_not_what_its_manifest_says_is_refused(
    tmp_path: Path, present: dict[str, bytes], what: str
) -> None:
    """A file added, removed, altered or resized: one message that says which."""
    error = refusal(tmp_path, _with_manifest(SMALL, present))
    assert error.code == "altered"
    assert what in error.message
    assert error.untouched


def test_every_difference_is_in_the_details(tmp_path: Path) -> None:
    """Added, missing, resized and altered files, all at once."""
    listed = {KEY: b"key", "a": b"a", "b": b"b", "c": b"c"}
    error = refusal(tmp_path, _with_manifest(listed, {KEY: b"key", "b": b"bb", "c": b"C", "d": b"d", "e": b""}))
    assert list(error.details) == [
        "'d' is in the package but not in its manifest",
        "'e' is in the package but not in its manifest",
        "'a' is listed but missing",
        "'b' has 2 bytes and should have 1",
        "'c' has been altered",
    ]


def test_countless_differences_are_counted_and_not_all_shown(tmp_path: Path) -> None:
    """Twenty lines and a number."""
    error = refusal(tmp_path, _with_manifest({}, {f"f{n:03}": b"" for n in range(100)}))
    assert len(error.details) == 21
    assert error.details[-1] == "and 80 more"


def test_a_listed_file_that_is_a_folder_is_refused(tmp_path: Path) -> None:
    """A folder is not the file."""
    error = refusal(
        tmp_path, by_hand({KEY: SMALL[KEY]}, member("notes.md/", kind=b"5"), manifest=manifest_for(SMALL).to_yaml())
    )
    assert error.code == "altered"


def test_case_and_unicode_form_make_another_file(tmp_path: Path) -> None:
    """Paths are compared as they are."""
    assert refusal(tmp_path, _with_manifest({"A": b"x"}, {"a": b"x"})).code == "altered"
    assert refusal(tmp_path, _with_manifest({"é": b"x"}, {"e\u0301": b"x"})).code == "altered"


# --- what is signed decides -----------------------------------------------------------------------------------


def test_bits_and_folders_that_are_not_signed_have_no_effect(tmp_path: Path) -> None:
    """Where the manifest has `executables` and `empty_dirs`, the archive's own are ignored."""
    text = manifest_for(SMALL, executables=["notes.md"], empty_dirs=["listed"]).to_yaml()
    data = gz(
        archive(
            member("manifest.yaml", text, mode=b"0000755\0"),
            member(KEY, SMALL[KEY], mode=b"0007777\0"),
            member("notes.md", SMALL["notes.md"]),
            member("unlisted/", kind=b"5"),
        )
    )
    contents = check(tmp_path, data)
    assert contents.executables == {"notes.md"}
    assert contents.empty_dirs == {"listed"}
    assert unpacked(tmp_path, data) == {**SMALL, "listed": None}


def test_without_signed_lists_the_archive_decides(tmp_path: Path) -> None:
    """Packages of others: their bits, and their folders that hold no file."""
    text = Manifest.build(fields_for(SMALL, executables=None, empty_dirs=None), DEFAULT_LIMITS).to_yaml()
    data = gz(
        archive(
            member("_kernel/", kind=b"5"),
            member("manifest.yaml", text),
            member(KEY, SMALL[KEY]),
            member("notes.md", SMALL["notes.md"], mode=b"0000755\0"),
            member("e/", kind=b"5"),
        )
    )
    contents = check(tmp_path, data)
    assert contents.executables == {"notes.md"}
    assert contents.empty_dirs == {"e"}


def test_a_signed_empty_folder_below_a_file_is_refused_by_the_check(tmp_path: Path) -> None:
    """A file that must also be a folder: refused before any byte is written."""
    fields = fields_for(SMALL, empty_dirs=["notes.md/inside"])
    try:
        data = by_hand(SMALL, manifest=Manifest.build(fields, DEFAULT_LIMITS).to_yaml())
    except PackageError:
        return
    refusal(tmp_path, data)


def test_the_manifest_is_no_empty_folder(tmp_path: Path) -> None:
    """Its path is taken."""
    try:
        data = by_hand(SMALL, manifest=manifest_for(SMALL, empty_dirs=["manifest.yaml"]).to_yaml())
    except PackageError:
        return
    refusal(tmp_path, data)


@pytest.mark.parametrize(
    "folders",
    [[f"d{n}" for n in range(60)], ["/".join(f"{n}" for n in range(100))]],
    ids=["many", "deep"],
)
def test_signed_empty_folders_count_against_the_limits(tmp_path: Path, folders: list[str]) -> None:
    """A list of paths would otherwise make millions of folders that no member stands for."""
    limits = Limits(max_files=10)
    try:
        data = by_hand(SMALL, manifest=manifest_for(SMALL, empty_dirs=folders).to_yaml())
        check(tmp_path, data, limits)
    except PackageError as error:
        assert error.code in {"over-limit", "bad-manifest"}  # noqa: PT017  (refused when made, or when read)
    else:
        pytest.fail("it was accepted")


# --- the manifest's place -------------------------------------------------------------------------------------


def test_the_manifest_may_stand_anywhere(tmp_path: Path) -> None:
    """First is only a convenience."""
    files = [member(path, content) for path, content in SMALL.items()]
    data = gz(archive(*files, member("./manifest.yaml", manifest_for(SMALL).to_yaml())))
    assert unpacked(tmp_path, data) == dict(SMALL)
    with PackageReader(save(tmp_path, data)) as reader:
        assert reader.read_manifest().sender == "alice"


def test_a_manifest_is_read_without_the_rest(tmp_path: Path) -> None:
    """What follows may be cut off: only the beginning was looked at."""
    noise = random.Random(1).randbytes(600_000)
    data = written({KEY: b"key", "noise.bin": noise})
    with PackageReader(save(tmp_path, data[: len(data) // 2])) as reader:
        assert reader.read_manifest().scope == "full"
        with pytest.raises(PackageError) as caught:
            reader.check()
    assert caught.value.code == "damaged"


@pytest.mark.parametrize(
    ("parts", "code"),
    [
        ([member("a", b"x")], "not-a-package"),
        ([], "not-a-package"),
        ([member("sub/manifest.yaml", b"x")], "no-manifest"),
        ([member("manifest.yaml/", kind=b"5")], "not-a-package"),
        ([member("Manifest.yaml", b"x")], "not-a-package"),
    ],
    ids=["files-only", "empty", "one-folder-down", "a-folder", "other-case"],
)
def test_an_archive_without_a_manifest_is_refused(tmp_path: Path, parts: list[bytes], code: str) -> None:
    """The same answer from the quick look and from the whole check."""
    data = gz(archive(*parts))
    assert refusal(tmp_path, data).code == code
    with PackageReader(save(tmp_path, data)) as reader, pytest.raises(PackageError) as caught:
        reader.read_manifest()
    assert caught.value.code == code


@pytest.mark.parametrize("names", [["payload.enc"], ["payload.enc", "payload.key"]])
def test_a_sealed_package_of_format_2_0_is_not_taken_for_content(tmp_path: Path, names: list[str]) -> None:
    """Recognised by its members, whatever the manifest says."""
    data = gz(archive(member("manifest.yaml", b"anything"), *[member(name, b"x") for name in names]))
    assert refusal(tmp_path, data).code == "sealed"


@pytest.mark.parametrize("head", [b"Salted__12345678"])
def test_a_sealed_package_is_named_as_such(tmp_path: Path, head: bytes) -> None:
    """Recognised, and refused with the name of its envelope until it can be opened."""
    assert refusal(tmp_path, head + bytes(100)).code == "sealed"


# --- the file itself ------------------------------------------------------------------------------------------


def test_a_missing_file_is_a_mistake_in_the_command(tmp_path: Path) -> None:
    """Exit code 2, as for every path that does not exist."""
    with pytest.raises(UsageError) as caught:
        PackageReader(tmp_path / "none.walnut")
    assert caught.value.exit_code == 2


def test_a_folder_is_not_a_package(tmp_path: Path) -> None:
    """Said in these words."""
    with pytest.raises(PackageError, match="is a folder"):
        PackageReader(tmp_path)


def test_a_link_to_a_package_is_followed_and_a_dangling_one_is_an_error(tmp_path: Path) -> None:
    """The person named the link; what it points to is what they mean."""
    save(tmp_path, written(SMALL))
    (tmp_path / "link.walnut").symlink_to("p.walnut")
    with PackageReader(tmp_path / "link.walnut") as reader:
        assert reader.check().manifest.sender == "alice"
    (tmp_path / "dangling").symlink_to("nowhere")
    with pytest.raises(AliveP2PError):
        PackageReader(tmp_path / "dangling")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no FIFOs here")
def test_a_fifo_does_not_block(tmp_path: Path) -> None:
    """Nobody writes to it; it is refused at once."""
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(FileSystemError):
        PackageReader(tmp_path / "fifo")


def test_the_name_of_the_file_means_nothing(tmp_path: Path) -> None:
    """A package called `.zip` is a package; a zip called `.walnut` is none."""
    (tmp_path / "x.zip").write_bytes(written(SMALL))
    with PackageReader(tmp_path / "x.zip") as reader:
        assert reader.check().manifest.sender == "alice"
    assert refusal(tmp_path, b"PK\x03\x04" + bytes(60)).code == "not-a-package"


def test_a_package_is_checked_twice_with_the_same_result(tmp_path: Path) -> None:
    """The reader starts from the beginning each time."""
    with PackageReader(save(tmp_path, written(SMALL))) as reader:
        assert reader.check() == reader.check()


def test_progress_ends_at_the_size_of_the_file(tmp_path: Path) -> None:
    """In bytes of the package file, never going back."""
    seen: list[tuple[int, int]] = []
    data = written(SMALL)
    with PackageReader(save(tmp_path, data)) as reader:
        reader.check(lambda done, total: seen.append((done, total)))
    assert seen
    assert seen == sorted(seen)
    assert seen[-1] == (len(data), len(data))


# --- cut off and altered --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small() -> bytes:
    """A package of a few hundred bytes."""
    return written(SMALL)


def test_a_package_cut_off_at_any_byte_is_refused(tmp_path: Path, small: bytes) -> None:
    """With an error of ours, whichever byte is the last."""
    path = save(tmp_path, small)
    for length in reversed(range(len(small))):
        os.truncate(path, length)
        with pytest.raises(PackageError) as caught, PackageReader(path) as reader:
            reader.check()
        assert caught.value.code in {"damaged", "not-a-package"}


def test_an_archive_cut_off_at_any_block_is_refused(tmp_path: Path, small: bytes) -> None:
    """The same one layer deeper, with a gzip stream that is whole."""
    data = gzip.decompress(small)
    ends = len(data) - len(data.rstrip(b"\0"))
    for length in range(0, len(data) - ends, 97):
        assert refusal(tmp_path, gz(data[:length])).code in {"damaged", "not-a-package"}


def test_a_flipped_bit_is_refused_or_changes_nothing(tmp_path: Path, small: bytes) -> None:
    """At every byte, one bit of it: refused, or (in a header's time and such) the content is exactly the same."""
    path = save(tmp_path, small)
    original = check(tmp_path, small)
    harmless = []
    for at in range(len(small)):
        altered = bytearray(small)
        altered[at] ^= 1 << (at * 5 + 3) % 8
        path.write_bytes(altered)
        try:
            with PackageReader(path) as reader:
                contents = reader.check()
        except PackageError:
            continue
        harmless.append(at)
        assert contents == original
        assert gzip.decompress(bytes(altered)) == gzip.decompress(small)
    assert set(harmless) <= {3, 4, 5, 6, 7, 8, 9, *range(len(small) - 10, len(small) - 8)}


@pytest.mark.parametrize("at", [*range(10), *range(-8, 0)])
def test_every_bit_of_header_and_trailer(tmp_path: Path, small: bytes, at: int) -> None:
    """Magic, method, flags and trailer are refused; time, level and system do not matter."""
    original = check(tmp_path, small)
    for bit in range(8):
        altered = bytearray(small)
        altered[at] ^= 1 << bit
        try:
            contents = check(tmp_path, bytes(altered))
        except PackageError:
            assert at not in range(4, 10)
        else:
            assert contents == original
            assert at in range(4, 10) or (at, bit) == (3, 0)


def test_a_flipped_bit_in_the_archive_is_refused_or_changes_nothing(tmp_path: Path) -> None:
    """One layer deeper, with a correct gzip checksum: nothing that is signed or installed ever differs."""
    data = gzip.decompress(written({KEY: b"k"}))
    original = check(tmp_path, gz(data))
    for at in range(0, len(data), 3):
        altered = bytearray(data)
        altered[at] ^= 1 << (at * 7 + 1) % 8
        try:
            contents = check(tmp_path, gzip.compress(bytes(altered), 1))
        except PackageError:
            continue
        if contents.manifest.fields == original.manifest.fields:
            assert contents == original
        else:
            assert contents.manifest.import_id != original.manifest.import_id


# --- packages of others ---------------------------------------------------------------------------------------


@pytest.mark.skipif(shutil.which("tar") is None, reason="there is no tar command")
@pytest.mark.parametrize("tar_format", ["gnu", "pax", "ustar", "oldgnu"])
@pytest.mark.parametrize("whole", [True, False], ids=["folder", "members"])
def test_an_archive_of_the_tar_command_is_read(tmp_path: Path, tar_format: str, whole: bool) -> None:
    """Every format, with times and owners, with long names, as `.` or member by member."""
    source = tmp_path / "source"
    contents = {
        KEY: b"key",
        "notes.md": b"hello",
        "d" * 90 + "/" + "f" * 95: b"long",
        "ünï/日本.md": b"u",
        "empty": b"",
    }
    if tar_format != "ustar":
        contents["g" * 200] = b"longer"
    for name, content in contents.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes(content)
    (source / "leer").mkdir()
    (source / "notes.md").chmod(0o755)
    (source / "manifest.yaml").write_bytes(
        Manifest.build(fields_for(contents, executables=None, empty_dirs=None), DEFAULT_LIMITS).to_yaml()
    )
    members = ["."] if whole else ["manifest.yaml", "leer", *contents]
    command = ["tar", f"--format={tar_format}", "-czf", str(tmp_path / "p.tgz"), "-C", str(source), *members]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip(f"this tar cannot write {tar_format}")
    data = (tmp_path / "p.tgz").read_bytes()
    assert unpacked(tmp_path, data) == {**contents, "leer": None}
    assert check(tmp_path, data).executables == {"notes.md"}


@pytest.mark.skipif(shutil.which("tar") is None, reason="there is no tar command")
def test_links_and_sparse_files_of_the_tar_command_are_refused(tmp_path: Path) -> None:
    """As it really writes them: symbolic, hard, sparse."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "manifest.yaml").write_bytes(manifest_for({}).to_yaml())
    (source / "a").write_bytes(b"x")
    (source / "symbolic").symlink_to("a")
    os.link(source / "a", source / "hard")
    with (source / "sparse").open("wb") as stream:
        stream.truncate(1 << 20)
    cases = [
        ("gnu", ["symbolic"]),
        ("gnu", ["a", "hard"]),
        ("gnu", ["--sparse", "sparse"]),
        ("pax", ["--sparse", "sparse"]),
    ]
    for number, (tar_format, members) in enumerate(cases):
        target = tmp_path / f"{number}.tgz"
        command = ["tar", f"--format={tar_format}", "-czf", str(target), "-C", str(source), "manifest.yaml", *members]
        if subprocess.run(command, check=False, capture_output=True).returncode == 0:
            assert refusal(tmp_path, target.read_bytes()).code == "unsafe-member"


def test_concatenated_gzip_members_are_one_package(tmp_path: Path, small: bytes) -> None:
    """Cut anywhere, also inside a header block."""
    data = gzip.decompress(small)
    for step in (100, 512, 1111):
        pieces = b"".join(gz(data[at : at + step]) for at in range(0, len(data), step))
        assert check(tmp_path, pieces) == check(tmp_path, small)


def test_something_hidden_after_the_package_is_refused(tmp_path: Path, small: bytes) -> None:
    """After the compressed data, in another member, after the archive's end."""
    tail = archive(member("hidden", b"x"))
    assert refusal(tmp_path, small + b"hidden").code == "damaged"
    assert refusal(tmp_path, small + gz(tail)).code == "damaged"
    assert refusal(tmp_path, gz(gzip.decompress(small) + tail)).code == "damaged"


# --- limits ---------------------------------------------------------------------------------------------------


def test_a_package_over_a_limit_says_how_to_raise_it(tmp_path: Path, small: bytes) -> None:
    """Which limit, and the option."""
    for limits in (Limits(max_files=1), Limits(max_bytes=10)):
        error = refusal(tmp_path, small, limits)
        assert error.code == "over-limit"
        assert "--max-files" in (error.hint or "")


def test_a_bomb_is_refused_without_being_held(tmp_path: Path) -> None:
    """A file that states what it is, and one that hides in padding."""
    limits = Limits(max_files=10, max_bytes=1 << 20)
    stated = gz(archive(member("manifest.yaml", manifest_for({}).to_yaml()), member("zeros", bytes(2 << 20))))
    assert refusal(tmp_path, stated, limits).code == "over-limit"
    hidden = gz(archive(member("manifest.yaml", manifest_for({}).to_yaml())) + bytes(3 << 20))
    assert refusal(tmp_path, hidden, limits).code == "over-limit"


def test_a_large_manifest_is_refused_from_its_header(tmp_path: Path) -> None:
    """Before any of it is read, by the quick look as well."""
    data = gz(header("manifest.yaml", DEFAULT_LIMITS.max_manifest_bytes + 1))
    assert refusal(tmp_path, data).code == "over-limit"
    with PackageReader(save(tmp_path, data)) as reader, pytest.raises(PackageError) as caught:
        reader.read_manifest()
    assert caught.value.code == "over-limit"


def test_the_entries_of_these_tests_are_what_they_say() -> None:
    """A listed file as the helper writes it."""
    assert entry("a", b"x")["size"] == 1
