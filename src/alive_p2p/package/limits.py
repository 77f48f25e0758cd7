"""How large a package may be, the same for the one who makes it and the one who reads it (format.md §1, Limits)."""

from dataclasses import dataclass

MIB = 1 << 20


@dataclass(frozen=True)
class Limits:
    """The limits in force.

    Attributes:
        max_files: members besides the manifest: files and empty folders.
        max_bytes: content of all files together, in bytes.
    """

    max_files: int = 10_000
    max_bytes: int = 500 * MIB

    def excess(self, files: int, folders: int, size: int) -> str | None:
        """Which limit is passed, in words, or None.

        Args:
            files: files and empty folders.
            folders: all folders that paths imply.
            size: content of all files, in bytes.
        """
        if files > self.max_files:
            return f"more than {self.max_files:,} files"
        if folders > self.max_folders:
            return f"more than {self.max_folders:,} folders"
        if size > self.max_bytes:
            return f"more than {self.max_bytes / MIB:,.0f} MiB of content"
        return None

    @property
    def max_manifest_bytes(self) -> int:
        """The size of `manifest.yaml`: 16 MiB, or 64 MiB where the number of files was raised."""
        return 64 * MIB if self.max_files > DEFAULT_LIMITS.max_files else 16 * MIB

    @property
    def max_manifest_scalars(self) -> int:
        """How many keys and values a manifest may hold (format.md §2)."""
        return 1_000 + 8 * self.max_files

    @property
    def max_headers(self) -> int:
        """How many tar header blocks are read: a member may bring extended ones before its own."""
        return 4 * self.max_files + 64

    @property
    def max_extended_bytes(self) -> int:
        """All extended headers together: parsing a record costs more than moving its bytes."""
        return 4096 * self.max_files + MAX_EXTENDED_HEADER

    @property
    def max_folders(self) -> int:
        """How many folders paths may imply: ten thousand deep paths could otherwise name five million."""
        return 2 * self.max_files

    @property
    def max_stream_bytes(self) -> int:
        """How much is ever decompressed: content, manifest, headers with their padding, and the end padding."""
        return self.max_bytes + self.max_manifest_bytes + 1024 * self.max_headers + 2 * MAX_END_PADDING


DEFAULT_LIMITS = Limits()

MAX_EXTENDED_HEADER = 64 << 10
"""A PAX record or GNU long name: a path has at most 1,024 bytes, so 64 KiB leaves room for other records."""

MAX_END_PADDING = 1 * MIB
"""Zero bytes after the end of the archive: tar pads to 10 KiB, with large blocking factors to a megabyte."""
