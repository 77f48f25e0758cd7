"""What to do for a release, and what of it is done: `python -m release.steps` (or `make release`); it only tells."""

import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from release.check import version

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    """Print the steps for the version that stands in the package."""
    for line in steps(version(), (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), _tags()):
        print(line)


def steps(number: str, changes: str, tags: frozenset[str]) -> list[str]:
    """The steps, each with whether it is done as far as can be seen.

    Args:
        number: the version in the package.
        changes: what CHANGELOG.md says.
        tags: the tags there are.
    """
    section = re.search(rf"^## {re.escape(number)} \((.*)\)$", changes, re.MULTILINE)
    is_dated = section is not None and re.fullmatch(r"\d{4}-\d\d-\d\d", section.group(1)) is not None
    is_new = f"v{number}" not in tags
    today = datetime.now(UTC).date()
    return [
        f"the version is {number}" + ("" if is_new else f", which is released: there is a tag v{number}"),
        "",
        _step(1, "`__version__` in src/alive_p2p/__init__.py, and nowhere else", is_done=is_new),
        _step(2, f"CHANGELOG.md has a section `## {number} ({today})`, the day of the release", is_done=is_dated),
        "       make pages               # version and day stand on the manual page",
        _step(3, "commit that; then, on the commit:"),
        "       make test check crash release-check",
        _step(4, "tag it:"),
        f"       git tag --annotate v{number} --message 'alive-p2p {number}'",
        _step(5, "wheel and sdist of the tag, into dist/; the same Python makes the same bytes everywhere:"),
        f"       git clone --branch v{number} . ../alive-p2p-{number}",
        f"       cd ../alive-p2p-{number} && python3 -m release.check --keep dist",
        _step(6, "push the tag and hand out what lies in dist/"),
        _step(7, "CHANGELOG.md gets a new section above, `## NEXT (unreleased)`, and `__version__` the next number"),
    ]


def _step(number: int, text: str, *, is_done: bool | None = None) -> str:
    mark = {None: " ", True: "x", False: "-"}[is_done]
    return f"[{mark}] {number}. {text}"


def _tags() -> frozenset[str]:
    listed = subprocess.run(["git", "tag", "--list"], cwd=ROOT, capture_output=True, encoding="utf-8", check=False)
    return frozenset(listed.stdout.split())


if __name__ == "__main__":
    main()
