"""Makes `docs/messages.md`: every error and warning, what to do, and the test that causes it.

`python tests/messages/message_page.py` writes the page; `make format` does that. The words come from the source
(`message_sites`), and the tests from `causes.json`, which `message_recording` makes.
"""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from message_sites import WARNING, Site, sites

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "messages.md"
CAUSES = Path(__file__).with_name("causes.json")

_AREAS = {
    "The command line": ("cli/", "api/roads.py"),
    "Walnuts and worlds": ("walnut/", "locks.py"),
    "Sharing": ("sharing/", "api/two_steps.py", "cli/create", "cli/packing", "cli/sealing", "cli/sending", "cli/share"),
    "Packages": ("package/",),
    "Receiving": ("receiving/", "cli/inbox", "cli/receive"),
    "What was interrupted": ("transactions/", "cli/recover"),
    "Keys": ("keys/", "cli/keys"),
    "Relays": ("relay/", "cli/relay", "api/relays.py", "api/mailboxes.py"),
    "Relays in git": ("relay/transports/git",),
    "Relays at GitHub": ("relay/hosting/",),
    "Relays in buckets": ("relay/transports/s3",),
    "Pairing by a spoken code": ("cli/pair.py", "relay/meeting", "relay/rendezvous", "relay/spoken", "relay/whisper"),
    "Agents": ("mcp/", "cli/mcp"),
    "This machine, and the network": ("files.py", "runtime.py", "web.py"),
    "Patterns and YAML": ("globs.py", "safe_yaml.py"),
}
"""Sections of the page, and the beginnings of the modules in them; the longest that fits counts."""

_HEAD = """\
# Every message

Each error and each warning of `alive-p2p`: its code, what it says, what to do, and the test that causes it.
Search for the words on your screen, or for the `code` that `--json` shows. What differs from case to case stands in
‹angles›, what is only sometimes said in [brackets], and one of several in (this / that).

- An error says what happened, what was left as it was (`left untouched`), and what to do (`try`).
- A *warning* changes nothing about what was done; with `--strict` the command ends with 1.
- *(part)* behind a code: one of the things that an error of this code lists.
- *of its cause* instead of a code: it has the code of what it tells of.
- `usage` is the code of every wrong command line that is not listed here, such as an option that there is not.
- A hint that is only a command is to be run as it stands.
- Where nothing stands under "What to do", wrong usage is told with the `--help` of the command, and a refusal of the
  system with the path to look at.

This page is made by `make format` from the source and from `tests/messages/causes.json`, and a test compares it.
"""


def load_causes() -> dict[str, dict[str, str]]:
    """By what they are called: the test that causes each place (`caused`), or why no test can (`stays`)."""
    found: dict[str, dict[str, str]] = json.loads(CAUSES.read_text(encoding="utf-8"))
    return found


def area_of(site: Site) -> str:
    """The section of a place."""
    fits = [(len(one), name) for name, ones in _AREAS.items() for one in ones if site.module.startswith(one)]
    return max(fits)[1]


def page(found: list[Site], causes: dict[str, dict[str, str]]) -> str:
    """The whole page."""
    areas: dict[str, list[Site]] = defaultdict(list)
    for site in found:
        areas[area_of(site)].append(site)
    text = _HEAD
    for name in _AREAS:
        rows: dict[tuple[str, ...], str] = {}
        for site in sorted(areas[name], key=lambda one: (one.code == WARNING, one.code)):
            row = (_code(site), _cell(site.message), _what_to_do(site))
            rows.setdefault(row, _cause(site, causes))
        text += f"\n## {name}\n\n| Code | What it says | What to do | Test |\n| --- | --- | --- | --- |\n"
        text += "".join(f"| {' | '.join((*row, cause))} |\n" for row, cause in rows.items())
    return text


def _code(site: Site) -> str:
    if site.code == WARNING:
        return "*warning*"
    if " " in site.code and "/" not in site.code:
        code, _, part = site.code.partition(" (")
        return f"`{code}` *(part)*" if part else f"*{site.code}*"
    return " / ".join(f"`{one}`" for one in site.code.split(" / "))


def _what_to_do(site: Site) -> str:
    hint, untouched = _cell(site.hint), site.untouched
    left = "" if untouched in {"", "everything"} else f"*left untouched:* {_cell(untouched)}"
    return "<br>".join(one for one in (hint, left) if one)


def _cause(site: Site, causes: dict[str, dict[str, str]]) -> str:
    test = causes["caused"].get(site.key)
    if test is None:
        return _cell(causes["stays"].get(site.key, "none yet"))
    path, _, name = test.partition("::")
    return f"[{name.removeprefix('test_').replace('_', ' ')}](../{path})"


def _cell(text: str) -> str:
    """Words for a cell of a table: what is a name stands in other brackets, which Markdown leaves alone."""
    shown = text.replace("<", "‹").replace(">", "›").replace(" | ", " / ").replace("|", "\\|")
    return shown.replace("*", "\\*") if "`" not in shown else shown


def make() -> str:
    """The page as it has to be."""
    return page(sites(), load_causes())


def main(_arguments: Any = None) -> None:
    """Write the page."""
    PAGE.write_text(make(), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
