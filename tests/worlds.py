"""Making walnuts for tests, and comparing trees."""

import hashlib
import io
import json
import os
import stat
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from alive_p2p.runtime import Runtime
from alive_p2p.sharing.pipeline import share
from alive_p2p.sharing.plan import ShareRequest

KEY = b"""---
type: venture
goal: A crewed station at the lunar south pole
people:
  - name: Ben Okafor
    email: ben@example.org
---

# Nova Station

Where the sun never quite sets.

## People

Ben runs the shielding work.
"""
OPEN_KEY = KEY.replace(b"type: venture\n", b"type: venture\nsensitivity: open\n")
LOG = b"""---
walnut: nova-station
created: 2025-11-02
last-entry: 2026-04-01T09:00:00Z
entry-count: 1
---

## 2026-04-01T09:00:00Z - squirrel:spring

The bank said no.

signed: squirrel:spring

"""
INSIGHTS = b"---\nwalnut: nova-station\n---\n\n## Strategy\n\nSell water first.\n"
BUNDLE = b"goal: Choose the shielding\nstatus: draft\nsensitivity: private\n"

NOVA: dict[str, bytes] = {
    "_kernel/key.md": KEY,
    "_kernel/log.md": LOG,
    "_kernel/insights.md": INSIGHTS,
    "_kernel/tasks.json": b'{"tasks": []}\n',
    "_kernel/completed.json": b'{"completed": []}\n',
    "shielding-review/context.manifest.yaml": BUNDLE,
    "shielding-review/draft.md": b"# Shielding review\n",
    "shielding-review/raw/dose.csv": b"material,cm\nwater,40\n",
    "launch-window/context.manifest.yaml": b"goal: Find a window\n",
    "launch-window/windows.md": b"# Windows\n",
    "engineering/ring.md": b"# Ring\n",
    "notes.md": b"a note\n",
}


MOMENT = datetime(2026, 4, 7, 10, 15, tzinfo=UTC)


@dataclass
class Clock:
    """A clock that stands still until it is moved."""

    moment: datetime = MOMENT

    def __call__(self) -> datetime:
        return self.moment


def plant(root: Path, tree: Mapping[str, bytes]) -> Path:
    """Write files below a folder; a path ending in `/` is an empty folder."""
    root.mkdir(parents=True, exist_ok=True)
    for path, content in tree.items():
        place = root / path
        if path.endswith("/"):
            place.mkdir(parents=True, exist_ok=True)
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    return root


def make_world(root: Path) -> Path:
    """An empty world."""
    for name in (".alive", "03_Inbox", "04_Ventures"):
        (root / name).mkdir(parents=True)
    (root / ".alive" / "preferences.yaml").write_text("discovery_hints: false\n", encoding="utf-8")
    return root


def tree_of(root: Path) -> dict[str, str]:
    """Every path below a folder with what is there: `dir`, `link:…`, or mode and hash."""
    found: dict[str, str] = {}
    for folder, folders, names in os.walk(root):
        for name in [*folders, *names]:
            path = Path(folder, name)
            state = path.lstat()
            key = path.relative_to(root).as_posix()
            if stat.S_ISLNK(state.st_mode):
                found[key] = f"link:{path.readlink()}"
            elif stat.S_ISDIR(state.st_mode):
                found[key + "/"] = "dir"
            elif stat.S_ISREG(state.st_mode):
                mode = "x" if state.st_mode & stat.S_IXUSR else "-"
                found[key] = mode + hashlib.sha256(path.read_bytes()).hexdigest()
            else:
                found[key] = "special"
    return found


def pack(walnut: Path, output: Path, runtime: Runtime, **options: object) -> Path:
    """Share a walnut into a file and return its path."""
    request = ShareRequest(walnut=walnut, **{"scope": "full", **options})  # type: ignore[arg-type]
    return share(request, runtime, output=output, agreed=True).path


def ledger_of(walnut: Path) -> dict[str, object]:
    """A walnut's ledger."""
    loaded: dict[str, object] = json.loads((walnut / "_kernel" / "imports.json").read_bytes())
    return loaded


def nothing_left(*folders: Path) -> bool:
    """Whether no staging or temporary file lies in any of these folders."""
    return not [
        p for folder in folders for p in folder.iterdir() if p.name.startswith((".alive-receive", ".alive-p2p"))
    ]


MARK = b"PRIVATE-MARKER"


def bytes_in(package: Path) -> bytes:
    """Everything a package says, names and contents."""
    with tarfile.open(package, "r:gz") as archive:
        members = archive.getmembers()
        contents = b"".join(archive.extractfile(m).read() for m in members if m.isfile())  # type: ignore[union-attr]
    return contents + "\n".join(m.name for m in members).encode()


def craft(output: Path, tree: Mapping[str, bytes], *, scope: str = "full", **changes: object) -> Path:
    """A package made by hand, with the standard library: these files, and a manifest that lists them."""
    listed = [{"path": p, "sha256": hashlib.sha256(c).hexdigest(), "size": len(c)} for p, c in sorted(tree.items())]
    hashed = "".join(f"{e['path']}\0{e['sha256']}\0{e['size']}\n" for e in listed)
    fields: dict[str, object] = {
        "format_version": "2.1.0",
        "source_layout": "v3",
        "created": "2026-04-07T10:15:00Z",
        "scope": scope,
        "source": {"walnut": "nova"},
        "sender": "mallory",
        "payload_sha256": hashlib.sha256(hashed.encode()).hexdigest(),
        "files": listed,
        **changes,
    }
    lines: list[str] = []
    for name, value in fields.items():
        if isinstance(value, dict):
            lines += [f"{name}:", *(f'  {k}: "{v}"' for k, v in value.items())]
        elif isinstance(value, list):
            lines.append(f"{name}:" if value else f"{name}: []")
            for item in value:
                rows = item.items() if isinstance(item, dict) else [("", item)]
                shown = [(f"{k}: " if k else "") + json.dumps(v, ensure_ascii=False) for k, v in rows]
                lines += [("  - " if n == 0 else "    ") + row for n, row in enumerate(shown)]
        else:
            lines.append(f"{name}: {json.dumps(value, ensure_ascii=False)}")
    with tarfile.open(output, "w:gz", format=tarfile.PAX_FORMAT) as archive:
        for path, content in {"manifest.yaml": ("\n".join(lines) + "\n").encode(), **tree}.items():
            member = tarfile.TarInfo(path)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return output
