"""A file that appears complete or not at all (share.md §7)."""

import io
from contextlib import suppress
from pathlib import Path
from typing import Self

from alive_p2p import files


class PendingFile:
    """A private file (`0600`) under a temporary name that takes its final name only when it is complete.

    Use as a context manager: leaving it without `publish` removes the file. `stream` is there inside.

    Args:
        folder: where the final file will be.
    """

    stream: io.BufferedWriter

    def __init__(self, folder: Path) -> None:
        self._path = files.temporary_beside(folder / "pending")
        self._published = False

    def __enter__(self) -> Self:
        """Create the file. Raises `FileSystemError`."""
        # Guarded as a whole: an interrupt may come the moment after the file was made.
        try:
            with files.translating("write to", self._path.parent):
                self.stream = io.BufferedWriter(files.create_file(self._path, mode=0o600), files.CHUNK)
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        with suppress(OSError):
            self.stream.close()
        if not self._published:
            self._remove()

    def _remove(self) -> None:
        with suppress(OSError):
            self._path.unlink()

    def publish(self, final: Path, *, replace_existing: bool) -> None:
        """Flush and close, and give the file its name in one step.

        Raises:
            FileExistsError: something is there and `replace_existing` is false; the file is still pending.
            FileSystemError: the disk refused.
        """
        if not self.stream.closed:  # else it is another name that is tried
            with files.translating("write", final):
                self.stream.flush()
                files.flush(self.stream, self._path)
                self.stream.close()  # Windows renames no file that is open
        try:
            if replace_existing:
                files.replace(self._path, final)
            else:
                files.rename_exclusive(self._path, final)
        except FileExistsError:
            raise
        except OSError as error:
            raise files.file_system_error(error, "write", final) from error
        self._published = True
        with files.translating("write", final):
            files.flush_folder(final.parent)
