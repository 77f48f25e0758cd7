"""Plans to make pages of: with something of everything, large ones, and ones full of hostile words."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from alive_p2p.package.entries import FileEntry
from alive_p2p.package.envelopes.base import Envelope
from alive_p2p.package.envelopes.sealing import Seal
from alive_p2p.package.manifest import Manifest
from alive_p2p.runtime import Runtime
from alive_p2p.sharing.audience import Recipient
from alive_p2p.sharing.findings import Finding
from alive_p2p.sharing.gate import Decision, Outcome, Ruling
from alive_p2p.sharing.pipeline import plan_share
from alive_p2p.sharing.plan import LeftOut, PlannedFile, Reason, SharePlan, ShareRequest
from worlds import KEY, NOVA, make_world, plant

BEN = Recipient("ben", "9f86d081884c7d65", "rsa", is_peer=True, is_paired=True)
ADA = Recipient("github:ada-okonkwo", "2c26b46b68ffc68f", "ed25519")
CLEO = Recipient("cleo", "fcde2b2edba56bf4", "x25519", is_peer=True)

_TASKS = {
    "tasks": [
        {"id": "1", "status": "todo", "priority": "urgent"},
        {"id": "2", "status": "active"},
        {"id": "3", "status": "todo"},
        {"id": "4", "status": "blocked"},
        {"id": "5", "status": "done"},
    ]
}
RICH = {
    **NOVA,
    "_kernel/now.json": b"{}",
    "shielding-review/tasks.json": json.dumps(_TASKS).encode(),
    "shielding-review/raw/2026/04/beam.csv": b"a,b\n" * 12_000,
    "crew-medical/context.manifest.yaml": b"goal: Medical\nsensitivity: restricted\npii: true\n",
    "crew-medical/overview.md": b"# Overview\n",
    "crew-medical/raw/blood.csv": b"x\n",
    "engineering/deploy.env.md": b'api = "ghp_' + b"aB3dE6gH9jK2mN5pQ8rS1tU4vW7xY0zC3fG6" + b'"\n',
    "engineering/thermal/loops/primary.md": b"# Primary\n",
    "engineering/pricing-2026.xlsx": b"PK\x03\x04" + b"\0" * 4000,
    "engineering/drafts/": b"",
    ".obsidian/workspace.json": b"{}",
    ".env": b"A=1",
    "id_ed25519": b"key",
    "dist/site.html": b"x",
    "old.walnut": b"x",
    "suppliers/_kernel/key.md": KEY,
    "notes-from-a-long-conversation-about-where-the-station-should-stand-and-why-nobody-is-there-yet.md": b"n",
}


def make_ready(folder: Path, runtime: Runtime) -> SharePlan:
    """A plan that nothing stands in the way of."""
    source = plant(folder / "nova-station", {"_kernel/key.md": b"---\nsensitivity: open\n---\n", "notes.md": b"n"})
    return plan_share(ShareRequest(source, "full"), runtime)


def make_rich(folder: Path, runtime: Runtime, **changes: object) -> SharePlan:
    """A walnut with something of everything, and what would leave of it."""
    source = plant(make_world(folder / "world") / "04_Ventures" / "nova-station", RICH)
    (source / "latest").symlink_to("notes.md")
    (source / "engineering" / "run.sh").write_bytes(b"#!/bin/sh\n")
    (source / "engineering" / "run.sh").chmod(0o755)
    options: dict[str, Any] = {
        "excludes": ("**/ring.md", "*.tmp"),
        "peer_excludes": {"ben": ("windows.md",)},
        "includes": ("dist",),
        "sender": "alice",
        "note": "for Thursday",
        "seal": Seal(Envelope.AGE),
        "recipients": (BEN, ADA, CLEO),
        **changes,
    }
    return plan_share(ShareRequest(source, "full", **options), runtime)


def with_paths(
    plan: SharePlan, leaving: list[str], staying: list[LeftOut] | None = None, **fields: object
) -> SharePlan:
    """The plan with other paths."""
    entries = [FileEntry(path, hashlib.sha256(path.encode()).hexdigest(), len(path) * 37) for path in sorted(leaving)]
    listed = [{"path": one.path, "sha256": one.sha256, "size": one.size} for one in entries]
    manifest = Manifest({**plan.manifest.fields, "files": listed, **fields})
    files = tuple(PlannedFile(one) for one in entries)
    return replace(plan, files=files, manifest=manifest, left_out=tuple(staying or ()))


def large(plan: SharePlan) -> SharePlan:
    """Ten thousand files in folders of every size, and ten thousand paths that stay."""
    leaving = [
        "_kernel/key.md",
        *(f"archive/20{n % 25:02}/{n % 12 + 1:02}/measurement-of-the-{n:05}th-run.csv" for n in range(9_000)),
        *(f"letters/letter-{n:04}.md" for n in range(800)),
        *(f"note-{n:03}.md" for n in range(199)),
    ]
    staying = [LeftOut(f"archive/cache/.part-{n:05}", Reason.HIDDEN) for n in range(9_000)]
    staying += [LeftOut(f"tmp/{n:04}.bak", Reason.EXCLUDED, "*.bak") for n in range(1_000)]
    return with_paths(plan, leaving, staying)


HOSTILE = (
    "<script>fetch('https://evil.example/')</script>",
    '"><img src=x onerror=alert(1)>',
    "</title></style></script><script>alert(1)</script>",
    "'-alert(1)-' onmouseover='alert(1)",
    "<!--",
    "]]><svg onload=alert(1)>",
    "&lt;script&gt;&#x202e;",
    "javascript:alert(1)",
    "invoice\u202efdp.exe",
    "a\u2066b\u2069\u200e\u200f",
    "zero\u200bwidth\ufeff",
    "שלום עולם 123",
    "مرحبا بالعالم.md",
    "Z" + "\u0350\u0363\u036f" * 60,
    "👩🏽\u200d🚀🇺🇦",
    "`--yes` 'quoted' `code",
    "\x1b[2J\x07\r\nnewline\ttab",
    "W" * 250,
    "ﷺ" * 80,
    "\udcff\udcfe",
)


def hostile(plan: SharePlan) -> SharePlan:
    """A plan whose every word comes from somebody who wants to break out."""
    names = [name.replace("/", "∕") for name in HOSTILE]
    leaving = [
        "_kernel/key.md",
        *(f"{name}/{inner}" for name in names[:6] for inner in names[:-1]),
        *names[6:-1],
        "/".join("abcdefgh"[n % 8] for n in range(400)),
    ]
    staying = [LeftOut(f"{one}/{two}", reason, two) for reason in Reason for one in names[:4] for two in names]
    findings = tuple(
        Finding(f"{n:012x}", "token", name, f"{name}/{name}", n, name[:80], blocks=n % 2 == 0, count=n)
        for n, name in enumerate(names, 1)
    )
    rulings = tuple(Ruling(name, outcome, f"the bundle '{name}' {name}", name) for name in names for outcome in Outcome)
    recipients = tuple(Recipient(name, name[:16], name, is_peer=True) for name in names)
    request = replace(plan.request, recipients=recipients, seal=Seal(Envelope.AGE))
    changed = with_paths(plan, leaving, staying, sender=names[0], note=names[1], description=names[2])
    return replace(
        changed,
        root=plan.root.with_name(names[2][:60]),
        request=request,
        gate=Decision(plan.gate.audience, rulings),
        findings=findings,
        warnings=tuple(names),
        included=tuple(names),
        sensitivity_reason=names[0],
    )
