"""The second opinion of a large library, `--scan deep` (share.md §4).

kingfisher runs inside this process: secrets are in no argument, no log and no temporary file, and nothing goes over
the network, because validation is a separate call that is never made here. It keeps its compiled rules, and nothing
that was scanned, in the user's cache folder: without them every start takes four seconds.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from alive_p2p import files
from alive_p2p.errors import UsageError
from alive_p2p.installer import how_to_install
from alive_p2p.sharing.findings import Finding
from alive_p2p.sharing.secret_excerpts import checked_excerpt, finding_id, mask
from alive_p2p.text import one_line

if TYPE_CHECKING:
    from kingfisher_sdk import Scanner

LARGEST = 64 * 1024 * 1024
"""Larger files are better left to the quick scan, whose memory does not grow; kingfisher holds a file whole."""


def deep_scan(wanted: Sequence[tuple[Path, str]]) -> list[Finding]:
    """Scan files with kingfisher, in addition to the quick scan.

    Args:
        wanted: files on disk, each with its package path.

    Returns:
        The findings by path and line, of kind `kingfisher:<rule>`. Every one of them blocks.

    Raises:
        UsageError: `no-deep-scan`: the extra is not installed.
        FileSystemError: a file cannot be read.
    """
    scanner = _scanner()
    findings: list[Finding] = []
    for origin, path in wanted:
        with files.translating("read", origin):
            data = origin.read_bytes()
        findings += deep_scan_bytes(data, path, scanner=scanner)
    return sorted(findings, key=lambda finding: (finding.path, finding.line or 0))


def deep_scan_bytes(data: bytes, path: str, *, scanner: "Scanner | None" = None) -> list[Finding]:
    """The same for one file that exists only in memory, such as a reduced `key.md`.

    Raises:
        UsageError: `no-deep-scan`: the extra is not installed.
    """
    found: dict[str, Finding] = {}
    for hit in (scanner or _scanner()).scan(data):
        if not hit.visible:  # a part that only means something beside another
            continue
        secret = hit.secret.encode("utf-8", "surrogateescape")
        kind = f"kingfisher:{one_line(hit.rule_id, limit=60)}"
        identity = finding_id(kind, path, secret)
        line, count = hit.location["line"], 1
        if (known := found.get(identity)) is not None:
            line, count = min(line, known.line or line), known.count + 1
        what = f"a secret of kind '{one_line(hit.rule_id, limit=60)}'"
        found[identity] = Finding(
            identity, kind, what, path, line, checked_excerpt(mask(secret), secret), blocks=True, count=count
        )
    return list(found.values())


def _scanner() -> "Scanner":
    try:
        from kingfisher_sdk import Rules, Scanner
    except ImportError as error:
        raise UsageError(
            "no-deep-scan",
            "the deep scan needs a library that is not installed",
            hint=f"install it with {how_to_install('scan')}",
            untouched="everything",
        ) from error
    return Scanner(Rules())
