"""What somebody may have meant by a path that leads nowhere."""

import os
from itertools import islice
from pathlib import Path

from alive_p2p.text import nearest

_MOST = 2000
"""How many names are compared; a mistyped name in a larger folder is only said not to be there."""


def check_the_path(path: Path) -> str:
    """A hint for a path at which nothing is: with the name beside it that is most like it, where there is one."""
    place = path
    while place != place.parent and not place.parent.is_dir():
        place = place.parent
    try:
        with os.scandir(place.parent) as found:
            names = [one.name for one in islice(found, _MOST) if not one.name.startswith(".")]
    except (OSError, ValueError):
        names = []
    guess = nearest(place.name, names)
    return f"check the path; did you mean '{guess}'?" if guess and guess != place.name else "check the path"
