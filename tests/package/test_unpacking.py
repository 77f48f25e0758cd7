"""Unpacking a checked package: what is written, where, with which permissions (format.md §1, receive.md §2)."""

import os
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from package_building import KEY, SMALL, archive, gz, manifest_for, member, save, tree, written

from alive_p2p import files
from alive_p2p.errors import FileSystemError, PackageError
from alive_p2p.package import making
from alive_p2p.package.reader import PackageReader


@pytest.fixture(params=["by itself", "beside"], autouse=True)
def _worker(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything holds as well where a thread makes the files, as it does from some hundreds on."""
    if request.param == "beside":
        monkeypatch.setattr(making, "WORTH_A_THREAD", 1)


@pytest.fixture
def into(tmp_path: Path) -> Path:
    """An empty folder to unpack into, with others beside it that must stay as they are."""
    (tmp_path / "beside").mkdir()
    folder = tmp_path / "into"
    folder.mkdir()
    return folder


def _unpack(package: Path, into: Path, names: Mapping[str, str]) -> None:
    with PackageReader(package) as reader:
        reader.unpack(reader.check(), into, names)


def _files(folder: Path) -> dict[str, bytes]:
    return {path: content for path, content in tree(folder).items() if content is not None}


def test_only_what_is_mapped_is_written(tmp_path: Path, into: Path) -> None:
    """Under the names it is mapped to; everything else in the package is left out."""
    package = save(tmp_path, written({**SMALL, "b/c.md": b"c"}, empty_dirs=["b/leer", "other"]))
    _unpack(package, into, {"notes.md": "x/y/renamed.md", "b/c.md": "b2/c.md", "b/leer": "b2/leer"})
    assert tree(into) == {"x/y/renamed.md": b"hello\n", "b2/c.md": b"c", "b2/leer": None}
    assert not any((tmp_path / "beside").iterdir())


def test_nothing_mapped_writes_nothing(tmp_path: Path, into: Path) -> None:
    """Not even a folder."""
    _unpack(save(tmp_path, written(SMALL)), into, {})
    assert not any(into.iterdir())


def test_checking_writes_nothing(tmp_path: Path, into: Path) -> None:
    """Neither does it touch the package."""
    package = save(tmp_path, written(SMALL))
    package.chmod(0o444)
    before = sorted(tmp_path.iterdir())
    with PackageReader(package) as reader:
        reader.check()
        reader.read_manifest()
    assert sorted(tmp_path.iterdir()) == before
    assert not any(into.iterdir())


_MODES = """
import os, sys
from pathlib import Path
os.umask(int(sys.argv[1], 8))
from alive_p2p.package.reader import PackageReader
with PackageReader(Path(sys.argv[2])) as reader:
    contents = reader.check()
    names = {entry.path: entry.path for entry in contents.manifest.files} | {d: d for d in contents.empty_dirs}
    reader.unpack(contents, Path(sys.argv[3]), names)
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
@pytest.mark.parametrize("umask", [0o000, 0o022, 0o027, 0o077])
def test_permissions_are_the_defaults_minus_the_umask(tmp_path: Path, into: Path, umask: int) -> None:
    """0644, or 0755 where signed as executable; folders 0755; no other bit of the archive, no set-uid."""
    text = manifest_for({**SMALL, "d/run.sh": b"#!"}, executables=["d/run.sh"], empty_dirs=["leer"]).to_yaml()
    package = save(
        tmp_path,
        gz(
            archive(
                member("manifest.yaml", text),
                member("leer/", kind=b"5", mode=b"0007777\0"),
                member(KEY, SMALL[KEY], mode=b"0006777\0"),
                member("notes.md", SMALL["notes.md"], mode=b"0000000\0"),
                member("d/run.sh", b"#!", mode=b"0000000\0"),
            )
        ),
    )
    subprocess.run([sys.executable, "-c", _MODES, f"{umask:o}", str(package), str(into)], check=True)
    modes = {path.relative_to(into).as_posix(): stat.S_IMODE(path.stat().st_mode) for path in into.rglob("*")}
    folder, plain = 0o755 & ~umask, 0o644 & ~umask
    assert modes == {
        "_kernel": folder,
        KEY: plain,
        "notes.md": plain,
        "d": folder,
        "d/run.sh": folder,
        "leer": folder,
    }


def test_an_existing_file_is_never_written_over(tmp_path: Path, into: Path) -> None:
    """The folder was to be empty; what is in the way stays as it is."""
    (into / "notes.md").write_bytes(b"mine")
    with pytest.raises(FileSystemError):
        _unpack(save(tmp_path, written(SMALL)), into, {"notes.md": "notes.md"})
    assert tree(into) == {"notes.md": b"mine"}


@pytest.mark.parametrize("target", ["beside/new.md", "beside"], ids=["dangling", "folder"])
def test_a_link_in_the_way_is_not_followed(tmp_path: Path, into: Path, target: str) -> None:
    """Whether it points to nothing or to a folder."""
    (into / "notes.md").symlink_to(tmp_path / target)
    with pytest.raises(FileSystemError):
        _unpack(save(tmp_path, written(SMALL)), into, {"notes.md": "notes.md"})
    assert not any((tmp_path / "beside").iterdir())


def test_a_linked_folder_in_the_way_is_not_entered(tmp_path: Path, into: Path) -> None:
    """Folders are made, never found."""
    (into / "d").symlink_to(tmp_path / "beside")
    with pytest.raises(FileSystemError):
        _unpack(save(tmp_path, written(SMALL)), into, {"notes.md": "d/notes.md"})
    with pytest.raises(FileSystemError):
        _unpack(save(tmp_path, written({}, empty_dirs=["e"])), into, {"e": "d/e"})
    assert not any((tmp_path / "beside").iterdir())


def test_two_files_mapped_to_one_name_are_an_error(tmp_path: Path, into: Path) -> None:
    """The second finds the first in its way, also where the file system folds case."""
    with pytest.raises(FileSystemError):
        _unpack(save(tmp_path, written(SMALL)), into, {"notes.md": "x", KEY: "x"})


@pytest.mark.parametrize(
    "after",
    [
        {**SMALL, "notes.md": b"hellO\n"},
        {**SMALL, "notes.md": b"hello, hello\n"},
        {**SMALL, "notes.md": b""},
        {KEY: SMALL[KEY]},
    ],
    ids=["altered", "longer", "emptied", "missing"],
)
def test_a_package_that_changes_after_the_check_is_refused(tmp_path: Path, into: Path, after: dict[str, bytes]) -> None:
    """It is hashed again while it is written; a well-made package of another content is not what was checked."""
    package = save(tmp_path, written(SMALL))
    with PackageReader(package) as reader:
        contents = reader.check()
        package.write_bytes(written(after))  # the same file, opened already
        with pytest.raises(PackageError, match="changed while"):
            reader.unpack(contents, into, {path: path for path in SMALL})


def test_a_file_added_after_the_check_is_not_written(tmp_path: Path, into: Path) -> None:
    """The package is not what was checked, and nothing is written that was not checked."""
    package = save(tmp_path, written(SMALL))
    with PackageReader(package) as reader:
        contents = reader.check()
        package.write_bytes(written({**SMALL, "added.md": b"x"}))
        with pytest.raises(PackageError, match="changed while"):
            reader.unpack(contents, into, {path: path for path in SMALL})
    assert _files(into).items() <= SMALL.items()


def test_a_package_cut_off_after_the_check_is_refused(tmp_path: Path, into: Path) -> None:
    """With the same error as one that was cut off before."""
    package = save(tmp_path, written({**SMALL, "noise": bytes(n * n % 251 for n in range(100_000))}))
    with PackageReader(package) as reader:
        contents = reader.check()
        os.truncate(package, package.stat().st_size - 300)
        with pytest.raises(PackageError) as caught:
            reader.unpack(contents, into, {entry.path: entry.path for entry in contents.manifest.files})
    assert caught.value.code == "damaged"


def test_content_that_was_not_checked_does_not_reach_the_disk(tmp_path: Path, into: Path) -> None:
    """A member that is larger than what was checked is refused from its header."""
    package = save(tmp_path, written(SMALL))
    with PackageReader(package) as reader:
        contents = reader.check()
        package.write_bytes(written({**SMALL, "notes.md": bytes(5 << 20)}))
        with pytest.raises(PackageError):
            reader.unpack(contents, into, {"notes.md": "notes.md"})
    assert sum(path.stat().st_size for path in into.rglob("*") if path.is_file()) < 1 << 20


@pytest.mark.parametrize("operation", ["create", "make-folder"])
def test_a_full_disk_is_an_error_of_ours(tmp_path: Path, into: Path, operation: str) -> None:
    """Whichever call meets it."""

    def fail(name: str, _paths: tuple[Path, ...]) -> None:
        if name == operation:
            raise OSError(28, "No space left on device")

    package = save(tmp_path, written(SMALL, empty_dirs=["e"]))
    files.watch(fail)
    try:
        with pytest.raises(FileSystemError) as caught:
            _unpack(package, into, {"notes.md": "d/notes.md", "e": "e"})
    finally:
        files.watch(None)
    assert caught.value.code == "disk-full"


def test_a_name_that_is_too_long_for_the_disk_is_an_error_of_ours(tmp_path: Path, into: Path) -> None:
    """A mapped name may be longer than the package's own."""
    with pytest.raises(FileSystemError) as caught:
        _unpack(save(tmp_path, written(SMALL)), into, {"notes.md": "x" * 300})
    assert caught.value.code == "name-too-long"


def test_progress_counts_what_is_written(tmp_path: Path, into: Path) -> None:
    """Up to the whole where everything is mapped."""
    seen: list[tuple[int, int]] = []
    with PackageReader(save(tmp_path, written(SMALL))) as reader:
        contents = reader.check()
        reader.unpack(contents, into, {path: path for path in SMALL}, lambda done, total: seen.append((done, total)))
    total = sum(map(len, SMALL.values()))
    assert seen[-1] == (total, total)


def _many(count: int = 2_000) -> dict[str, bytes]:
    return {KEY: SMALL[KEY], **{f"d{number % 7}/{number}.md": b"%d" % number * 40 for number in range(count)}}


def _threads() -> set[str]:
    return {thread.name.split("_")[0] for thread in threading.enumerate()} - {"MainThread"}


def test_many_files_arrive_as_they_are(tmp_path: Path, into: Path) -> None:
    """With large ones among them, which are written in pieces and wait for their turn."""
    content = {**_many(), "d3/large.bin": os.urandom(3 << 20), "d3/zz.md": b"after it"}
    _unpack(save(tmp_path, written(content)), into, {path: path for path in content})
    assert tree(into) == content
    assert "unpack" not in _threads()


@pytest.mark.parametrize("at", [1, 100, 1_999])
def test_a_disk_that_is_full_in_the_midst_ends_it(tmp_path: Path, into: Path, at: int) -> None:
    """With an error of ours, whoever makes the files; nothing more is made after it, and nobody goes on."""
    made: list[str] = []

    def fail(name: str, _paths: tuple[Path, ...]) -> None:
        if name == "create":
            if len(made) == at:
                made.append("refused")
                raise OSError(28, "No space left on device")
            made.append(name)

    content = _many()
    package = save(tmp_path, written(content))
    files.watch(fail)
    try:
        with pytest.raises(FileSystemError) as caught:
            _unpack(package, into, {path: path for path in content})
    finally:
        files.watch(None)
    assert caught.value.code == "disk-full"
    assert made[-1] == "refused"
    assert "unpack" not in _threads()


def test_an_interrupt_ends_it(tmp_path: Path, into: Path) -> None:
    """Nothing is written any more when it was said."""
    content = _many()
    total = sum(map(len, content.values()))

    def interrupt(done: int, _total: int) -> None:
        if done > total // 2:
            raise KeyboardInterrupt

    with PackageReader(save(tmp_path, written(content))) as reader, pytest.raises(KeyboardInterrupt):
        reader.unpack(reader.check(), into, {path: path for path in content}, interrupt)
    assert "unpack" not in _threads()
    before = _files(into)
    assert before.items() <= content.items()
    time.sleep(0.05)
    assert _files(into) == before
