"""What somebody may have meant by a path that leads nowhere."""

import os
from itertools import islice
from pathlib import Path

from alive_p2p.text import nearest

_MOST = 2000
"""How many names are compared; a mistyped name in a larger folder is only said not to be there."""


def name_beside(path: Path) -> str | None:
    """For a path at which nothing is: the name beside it that is most like it, or None where none is."""
    if os.path.lexists(path):
        return None
    place = path
    while place != place.parent and not place.parent.is_dir():
        place = place.parent
    try:
        with os.scandir(place.parent) as found:
            names = [one.name for one in islice(found, _MOST + 1)]
    except (OSError, ValueError):
        return None
    if len(names) > _MOST:
        return None
    guess = nearest(place.name, [name for name in names if not name.startswith(".")])
    return guess if guess != place.name else None
