"""Writes what is drawn from the commands: `python -m release.pages` (or `make pages`)."""

from pathlib import Path

from release.man_page import man_page
from release.outline import outline

ROOT = Path(__file__).resolve().parents[1]
PAGES = {
    ROOT / "src" / "alive_p2p" / "cli" / "outline.json": outline,
    ROOT / "release" / "alive-p2p.1": man_page,
}


def main() -> None:
    """Write them all."""
    for path, make in PAGES.items():
        path.write_bytes(make().encode("utf-8"))


if __name__ == "__main__":
    main()
