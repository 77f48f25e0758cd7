"""A large file is given to the disk while it is written, where the system can do that, and is the same file."""

from pathlib import Path

import pytest

from alive_p2p import files, native

_CHUNK = bytes(range(256)) * 4096
_CHUNKS = 20


def _write(path: Path) -> None:
    with files.create_file(path) as stream:
        for _ in range(_CHUNKS):
            files.write_all(stream, _CHUNK)
        files.flush(stream, path)


def test_the_disk_is_asked_now_and_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For a large file, and never for small ones."""
    asked: list[int] = []
    monkeypatch.setattr(native, "begin_writing_out", lambda: asked.append)
    _write(tmp_path / "large")
    assert len(asked) == len(_CHUNK) * _CHUNKS // (8 << 20)
    files.write_new(tmp_path / "small", _CHUNK)
    assert len(asked) == 2


@pytest.mark.parametrize("has_call", [True, False])
def test_the_content_is_what_was_written(has_call: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the call, if this system has it, and without."""
    if not has_call:
        monkeypatch.setattr(native, "begin_writing_out", lambda: None)
    _write(tmp_path / "large")
    assert (tmp_path / "large").read_bytes() == _CHUNK * _CHUNKS


def test_what_the_call_makes_of_a_closed_file_is_nobodys_error() -> None:
    """It promises nothing; flushing tells."""
    begin = native.begin_writing_out()
    if begin is not None:
        begin(1 << 20)
