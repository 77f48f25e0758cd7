"""Writing the tar inside a package: headers that tell nothing of who packed it (format.md §1)."""

from alive_p2p.package.tar import BLOCK

END = bytes(2 * BLOCK)
"""What ends an archive."""


_NAME = 100
_MOST = 0o77777777777
_KINDS_WRITTEN = [(False, False), (False, True), (True, False), (True, True)]


class _Template:
    """A header of short name: all that is the same in every member, written and summed up once.

    Args:
        mtime: seconds since 1970.
        kind: whether it is a folder, and whether its owner may execute it.
    """

    def __init__(self, mtime: int, kind: tuple[bool, bool]) -> None:
        owner = b"0000000\0" * 2
        self._mode = (b"0000755\0" if any(kind) else b"0000644\0") + owner
        self._mtime = b"%011o\0" % mtime
        self._rest = (b"5" if kind[0] else b"0") + bytes(100) + b"ustar\x0000" + bytes(247)
        self._sum = sum(self._mode) + sum(self._mtime) + 8 * 32 + sum(self._rest)

    def header(self, name: bytes, size: int) -> bytes:
        """The header of a member: its name in ASCII, its size in bytes."""
        stated = b"%011o\0" % size
        checksum = b"%06o\0 " % (self._sum + sum(name) + sum(stated))
        return b"".join((name.ljust(_NAME, b"\0"), self._mode, stated, self._mtime, checksum, self._rest))


class HeaderWriter:
    """Makes normalised headers: no owner, no times but the package's own, mode `0644` or `0755`.

    Args:
        mtime: seconds since 1970, the manifest's `created`.
    """

    def __init__(self, mtime: int) -> None:
        self._short = {kind: _Template(mtime, kind) for kind in _KINDS_WRITTEN} if mtime <= _MOST else {}
        self._mtime = mtime

    def header(self, path: str, size: int, *, is_executable: bool = False, is_folder: bool = False) -> bytes:
        """The header of one member: ustar where that suffices, with a PAX record where it does not."""
        if self._short and len(path) <= _NAME and size <= _MOST and path.isascii():
            return self._short[is_folder, is_executable].header(path.encode("ascii"), size)
        return self._long(path, size, is_executable=is_executable, is_folder=is_folder)

    def _long(self, path: str, size: int, *, is_executable: bool, is_folder: bool) -> bytes:
        """The header of a member that needs more than a short one: the standard library knows how."""
        import tarfile

        info = tarfile.TarInfo(path)
        info.mtime = self._mtime
        info.size = size
        info.type = tarfile.DIRTYPE if is_folder else tarfile.REGTYPE
        info.mode = 0o755 if is_executable or is_folder else 0o644
        if path.isascii():
            try:
                return info.tobuf(tarfile.USTAR_FORMAT, "ascii", "strict")
            except ValueError:  # too long for ustar, or too large
                pass
        return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict")


def padding(size: int) -> bytes:
    """The zeros that fill a member's content up to a whole block."""
    return bytes(-size % BLOCK)
