"""Where everything in the old container goes: to the root, under a name that is free there (receive.md §8).

Pure, and the same for a package that is unpacked and for a tree that is brought forward where it lies.
"""

from collections.abc import Collection, Iterable, Mapping

from alive_p2p.package.paths import MAX_SEGMENT_BYTES
from alive_p2p.text import fold
from alive_p2p.walnut import kernel

PREFIX = kernel.V2_CONTAINER + "/"
_IMPORTED = "-imported"


def places_at_root(
    wanted: Mapping[str, str], bundles: Collection[str], taken: Iterable[str]
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Give everything in the container its name at the root: the one it wants, else that with `-imported`.

    Bundles choose first. What is decided stays the same when it is decided again after some of it was done, so that
    a move that was interrupted ends where it would have ended.

    Args:
        wanted: the name that each child of the container wants.
        bundles: those of them that are bundles.
        taken: the names at the root, without the container.

    Returns:
        The names, and for each that finds none why; such a child has the second name all the same.
    """
    used = {fold(name) for name in taken} | {kernel.V2_CONTAINER}
    names: dict[str, str] = {}
    errors: list[str] = []
    for child in sorted(wanted, key=lambda one: (one not in bundles, one)):
        name = wanted[child]
        final = name if fold(name) not in used else _imported(name)
        if fold(final) in used:
            errors.append(f"'{PREFIX}{child}' cannot be moved to the root: '{name}' and '{final}' are there already")
        used.add(fold(final))
        names[child] = final
    return names, tuple(errors)


def _imported(name: str) -> str:
    """The second name; a long one is cut so that a file system can hold it."""
    room = MAX_SEGMENT_BYTES - len(_IMPORTED)
    return name.encode("utf-8", "surrogateescape")[:room].decode("utf-8", "ignore") + _IMPORTED
