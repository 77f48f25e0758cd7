"""Patterns that keep something back: where each came from, what it did, and what it cannot do (share.md §3)."""

from collections.abc import Iterator
from dataclasses import dataclass

from alive_p2p.globs import Pattern
from alive_p2p.walnut import kernel


@dataclass
class Exclusion:
    """A pattern, where it came from, how many files it matched, and whether it is kept for one peer."""

    pattern: Pattern
    origin: str
    matched: int = 0
    is_for_peer: bool = False


def protected_paths(scope: str) -> frozenset[str]:
    """The paths no pattern can exclude (share.md §3)."""
    kept = {kernel.KEY}
    if scope == "full":
        kept |= {kernel.LOG, kernel.INSIGHTS, kernel.TASKS, kernel.COMPLETED}
    if scope == "snapshot":
        kept |= {kernel.INSIGHTS}
    return frozenset(kept)


def unmatched(exclusions: list[Exclusion], candidates: list[str], scope: str) -> Iterator[str]:
    """A warning for every pattern that kept nothing back, or not all that it seems to name (share.md §3).

    Args:
        exclusions: the patterns, with what they kept back.
        candidates: the package paths that leave all the same.
        scope: the package's.
    """
    protected = protected_paths(scope)
    others = [path for path in candidates if path not in protected]
    for exclusion in exclusions:
        pattern = exclusion.pattern
        what = f"the pattern '{pattern.text}' ({exclusion.origin})"
        always = sorted(path for path in protected if pattern.matches(path))
        similar = next((path for path in others if _misses_by_case(pattern, path)), None)
        if exclusion.matched:
            if always:
                yield f"{what} does not keep back what is always in a package: {', '.join(always)}"
            if similar:
                yield f"{what} does not keep back '{similar}': upper and lower case count"
        elif always:
            yield f"{what} matches only what is always in a package"
        elif any(map(pattern.matches, others)):
            yield f"{what} matches only what is generated for the package"
        elif similar:
            yield f"{what} matches nothing; upper and lower case count: '{similar}'"
        else:
            yield f"{what} matches nothing"


def _misses_by_case(pattern: Pattern, path: str) -> bool:
    if path == path.casefold() and pattern.text == pattern.text.casefold():
        return False
    return pattern.matches_ignoring_case(path) and not pattern.matches(path)
