"""Everything that was found in what would leave: in the files, in their names, in what the manifest says besides.

The files themselves are scanned while they are hashed (`contents`); this adds the rest and puts it in order.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from alive_p2p.package.paths import MANIFEST
from alive_p2p.runtime import Runtime
from alive_p2p.sharing.findings import Finding, Scanner
from alive_p2p.sharing.plan import PlannedFile, ShareRequest

_APART = "\n\n;\n\n"


@dataclass(frozen=True)
class Found:
    """What was found, what blocks first, then by path and line; and what a person should know about the search."""

    findings: tuple[Finding, ...]
    warnings: tuple[str, ...]


def gather(
    request: ShareRequest,
    walnut: str,
    present: Sequence[PlannedFile],
    empty_dirs: Sequence[str],
    patterns: Sequence[str],
    in_files: Iterable[Finding],
    scanner: Scanner,
    runtime: Runtime,
) -> Found:
    """All findings of one share.

    Args:
        request: what was asked for.
        walnut: the walnut's name.
        present: the files that would leave.
        empty_dirs: the empty folders that would.
        patterns: the exclusions as the manifest lists them.
        in_files: what the quick scan found inside them.
        scanner: looks at names and at the manifest's words.
        runtime: the surroundings, whose session and engine the manifest names.

    Raises:
        UsageError: a deep scan is asked for and its library is not installed.
        FileSystemError: a file cannot be read a second time, for the deep scan.
    """
    names = [*(one.entry.path for one in present), *empty_dirs]
    words = [walnut, request.description, request.note, request.sender, runtime.session_id, runtime.engine]
    manifest = scanner.begin(MANIFEST)
    # One after the other, and far enough apart that no name is taken for the value of the one before it.
    manifest.feed(_APART.join([*words, *patterns, *names]).encode("utf-8", "replace"))
    quick = [*in_files, *manifest.finish()]
    warnings: list[str] = []
    deep = _deep(present, {(one.path, one.line) for one in quick}, warnings) if request.deep_scan else []
    tales = [tale for name in names if (tale := scanner.scan_name(name)) is not None]
    tales = [replace(tale, path=f"{tale.path}/") if tale.path in set(empty_dirs) else tale for tale in tales]
    found = {one.id: one for one in [*tales, *deep, *reversed(quick)]}
    unknown = [one for one in request.allowed_findings if one not in found]
    warnings += [f"`--allow-finding {one}`: there is no such finding" for one in unknown]
    ordered = sorted(found.values(), key=lambda one: (not one.blocks, one.path, one.line or 0))
    return Found(tuple(ordered), tuple(warnings))


def _deep(present: Sequence[PlannedFile], known: set[tuple[str, int | None]], warnings: list[str]) -> list[Finding]:
    """What the library's rules find besides what is known."""
    from alive_p2p.sharing.deep_scan import LARGEST, deep_scan, deep_scan_bytes

    on_disk = [one for one in present if one.content is None and one.origin is not None]
    large = [one.entry.path for one in on_disk if one.entry.size > LARGEST]
    warnings += [f"'{path}' is too large for the deep scan; only the normal one looked into it" for path in large]
    small = [one for one in on_disk if one.entry.size <= LARGEST]
    found = deep_scan([(one.origin, one.entry.path) for one in small if one.origin is not None])
    for one in present:
        if one.content is not None:
            found += deep_scan_bytes(one.content, one.entry.path)
    return [one for one in found if (one.path, one.line) not in known]
