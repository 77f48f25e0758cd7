"""What takes the place of something private, and what is generated (share.md §4 and §5, format.md §6).

Everything here is a pure function and gives the same bytes for the same inputs.
"""

import re
from collections.abc import Sequence

from alive_p2p.sharing.reduced_key import on_one_line, quoted
from alive_p2p.text import one_line
from alive_p2p.walnut import frontmatter, kernel
from alive_p2p.walnut.bundles import declares_pii
from alive_p2p.walnut.key import read_sensitivity


def log_stub(walnut: str, created: str, session: str, sender: str) -> bytes:
    """The log that takes the place of the real one."""
    return (
        f"---\nwalnut: {quoted(walnut)}\nstubbed_at: {created}\n"
        f"stubbed_by: {_squirrel(session)}\n"
        'reason: "history is not part of a share unless its owner asks for it"\nentry-count: 0\n---\n\n'
        f"The history of this walnut stayed at home. If you need it, ask {_person(sender)}.\n"
    ).encode()


def insights_stub(walnut: str, created: str, sender: str) -> bytes:
    """The insights that take the place of the real ones."""
    return (
        f"---\nwalnut: {quoted(walnut)}\nstubbed_at: {created}\n"
        'reason: "insights are not part of a share unless their owner asks for it"\n---\n\n'
        f"The insights of this walnut stayed at home. If you need them, ask {_person(sender)}.\n"
    ).encode()


def _squirrel(session: str) -> str:
    """`squirrel:<session>`, in quotes where YAML would not take it for one word."""
    word = f"squirrel:{one_line(session, limit=80)}"
    return word if re.fullmatch(r"[A-Za-z0-9:._-]*[A-Za-z0-9]", word) else quoted(word)


def _person(sender: str) -> str:
    name = one_line(sender, limit=120)
    return name if name and name != "unknown" else "whoever sent it to you"


def primer(walnut: str, goal: str, scope: str, bundles: Sequence[str], created: str) -> bytes:
    """The README for somebody who has never heard of ALIVE (format.md §6)."""
    what = {
        "full": "all of it that its owner shares",
        "bundle": "some of its bundles, a piece of work each",
        "snapshot": "a snapshot of what it is",
    }[scope]
    lines = [
        f"# {one_line(walnut)}",
        "",
        f"This is a *walnut*: a folder of plain files about one thing. This package holds {what},",
        f"packed on {created[:10]}.",
        "",
    ]
    if goal:
        lines += [f"> {one_line(goal, limit=400)}", ""]
    lines += ["## What is inside", "", "- `manifest.yaml`: the list of all files, with their SHA-256"]
    lines.append("- `_kernel/key.md`: what it is about")
    if scope == "full":
        lines.append("- `_kernel/log.md`, `_kernel/insights.md`, `_kernel/tasks.json`: history, knowledge, work")
    if scope == "snapshot":
        lines.append("- `_kernel/insights.md`: standing knowledge")
    lines += [f"- `{one_line(name, limit=255)}/`: a bundle" for name in bundles]
    lines += [
        "",
        "## How to read it",
        "",
        "Everything is Markdown, JSON or YAML; any editor opens it. This file is a gzip-compressed tar:",
        "`tar xzf FILE.walnut` unpacks it.",
        "",
        "## How to bring it into your own world",
        "",
        "With [ALIVE](https://github.com/alivecontext/alive) and alive-p2p installed, `alive-p2p receive FILE.walnut`",
        "checks every file and puts it where it belongs, or not at all.",
        "",
    ]
    return "\n".join(lines).encode()


def manifest_from_companion(companion: bytes, bundle: str) -> bytes:
    """A `context.manifest.yaml` for a bundle of the oldest layout, so that a receiver recognises it."""
    block = frontmatter.read(companion)
    fields = block.fields
    lines = [f"goal: {quoted(str(fields.get('goal') or bundle))}"]
    sensitivity = read_sensitivity(fields, companion, block.problem)[0]
    is_stated = block.problem is not None or any(str(name).strip().casefold() == "sensitivity" for name in fields)
    for name in ("status", "sensitivity", "created", "type"):
        value = sensitivity.word if name == "sensitivity" and is_stated else fields.get(name)
        rendered = on_one_line(value) if value is not None else None
        if rendered is not None:
            lines.append(f"{name}: {rendered}")
    if declares_pii(fields, companion, block.problem):
        lines.append("pii: true")
    return ("\n".join(lines) + "\n").encode()


EMPTY_KERNEL_FILES = {kernel.TASKS: kernel.EMPTY_TASKS, kernel.COMPLETED: kernel.EMPTY_COMPLETED}
"""What a full package holds where the walnut has no such file."""
