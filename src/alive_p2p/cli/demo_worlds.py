"""What lies in the two worlds of the demo, and what changes there while its story is told."""

from pathlib import Path

from alive_p2p import files

NOVA = "04_Ventures/nova-station"
REVIEW = "shielding-review"
TABLES = "dose-tables"
SEGMENTS = ("a", "b", "c", "d", "e", "f", "g", "h")
SECRET = "gh" + "p_" + "demoDEMO0123456789" * 2
"""Shaped like a token and made up; in pieces, so that nobody's scanner takes this file for a leak."""

ALICES_LINE = "\nAlice's own line.\n"
BENS_LINE = "\nBen's own line.\n"
ALICES_DRAFT = "# Shielding review\n\nWater, says Alice.\n"
BENS_DRAFT = "# Shielding review\n\nRegolith, says Ben.\n"
COSTS = "# Costs\n\nWater pays for itself.\n"


def table(segment: int, *, is_corrected: bool) -> str:
    """What one sensor of the ring has measured."""
    factor = 1.04 if is_corrected else 1.0
    rows = [f"{hour:02d}:00,{(41 + segment + hour % 5) * factor:.2f}" for hour in range(24)]
    return "\n".join(["hour,uSv", *rows, ""])


ALICE: dict[str, str] = {
    ".alive/preferences.yaml": """\
p2p:
  share_presets:
    outside:
      exclude_patterns:
        - "**/pricing*"
""",
    "03_Inbox/.keep": "",
    f"{NOVA}/_kernel/key.md": """\
---
type: venture
goal: A crewed station at the lunar south pole
created: 2025-11-02
rhythm: weekly
tags: [space, hardware]
people:
  - name: Ben Okafor
    email: ben@example.org
---

# Nova Station

A place to live and work where the sun never quite sets.

## People

Ben runs the shielding work.
""",
    f"{NOVA}/_kernel/log.md": """\
---
walnut: nova-station
created: 2025-11-02
last-entry: 2026-04-01T09:00:00Z
entry-count: 1
---

## 2026-04-01T09:00:00Z - squirrel:spring

The bank said no. Nobody else knows yet.

signed: squirrel:spring
""",
    f"{NOVA}/_kernel/insights.md": "---\nwalnut: nova-station\n---\n\n## Strategy\n\nSell water first.\n",
    f"{NOVA}/_kernel/tasks.json": """\
{"tasks": [{"id": "t-1", "title": "book the test bench", "status": "todo"}]}
""",
    f"{NOVA}/{REVIEW}/context.manifest.yaml": """\
goal: Choose the shielding for the habitat ring
status: draft
sensitivity: private
active_sessions:
  - session: spring-17
    engine: claude
""",
    f"{NOVA}/{REVIEW}/draft.md": "# Shielding review\n\nRegolith, two metres, or water, forty centimetres.\n",
    f"{NOVA}/{REVIEW}/raw/dose-table.csv": "material,cm,mSv/year\nregolith,200,48\nwater,40,52\n",
    f"{NOVA}/{REVIEW}/tasks.json": """\
{"tasks": [
  {"id": "t-1", "title": "check the dose table", "status": "active", "priority": "urgent"},
  {"id": "t-2", "title": "ask the reviewer", "status": "blocked"}
]}
""",
    f"{NOVA}/board-minutes/context.manifest.yaml": "goal: What the board decided\nsensitivity: restricted\n",
    f"{NOVA}/board-minutes/april.md": "# April\n\nWe sell in autumn.\n",
    f"{NOVA}/engineering/deploy.md": f"# Deploying\n\ntoken: {SECRET}\n",
    f"{NOVA}/engineering/ring.md": "# Ring\n\nSix segments, one spare.\n",
    **{f"{NOVA}/{TABLES}/raw/{name}.csv": table(at, is_corrected=False) for at, name in enumerate(SEGMENTS)},
    f"{NOVA}/{TABLES}/context.manifest.yaml": "goal: What the ring has measured\nsensitivity: private\n",
    f"{NOVA}/pricing-2026.md": "What we could ask for a kilo of water.\n",
    f"{NOVA}/deploy.pem": "not a real key, but it is called like one\n",
    f"{NOVA}/suppliers/acme/_kernel/key.md": "---\ntype: company\nsensitivity: restricted\n---\n\n# Acme\n",
}
BEN = {".alive/preferences.yaml": "discovery_hints: false\n", "03_Inbox/.keep": "", "04_Ventures/.keep": ""}


def plant(world: Path, tree: dict[str, str]) -> None:
    """Make a world."""
    for path, text in tree.items():
        place = world / path
        place.parent.mkdir(parents=True, exist_ok=True)
        files.write_new(place, text.encode())


def write(path: Path, text: str) -> None:
    """What a person does in an editor."""
    files.replace_file(path, text.encode(), mode=0o644)


def add_line(path: Path, line: str) -> None:
    """The same, at the end of what is there."""
    files.replace_file(path, path.read_bytes() + line.encode())


def correct_tables(walnut: Path) -> None:
    """Measure everything again."""
    for at, name in enumerate(SEGMENTS):
        write(walnut / TABLES / "raw" / f"{name}.csv", table(at, is_corrected=True))


def corrected_tables(walnut: Path) -> int:
    """How many tables of a walnut hold what was measured last."""
    here = [(walnut / TABLES / "raw" / f"{name}.csv").read_bytes() for name in SEGMENTS]
    return sum(text == table(at, is_corrected=True).encode() for at, text in enumerate(here))
