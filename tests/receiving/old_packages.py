"""Packages of layout v2, what becomes of each, and whether a line of one was lost."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from alive_p2p.receiving.migration import TASK_LIST_LIMIT
from worlds import KEY, LOG, craft

MANIFEST = b"goal: x\n"
KERNEL = {
    "_kernel/key.md": KEY,
    "_kernel/log.md": LOG,
    "_kernel/insights.md": b"---\na: 1\n---\n",
    "_kernel/tasks.json": b'{"tasks": []}\n',
}
TASKS = b"""---
type: tasks
---
# Tasks

Intro.

- [ ] ask Ben @squirrel:abc
* [~] urgent
  - [x] nested
    with a remark

Between.

+ [ ] another bullet
1. [ ] numbered
- [-] cancelled
```
- [ ] an example
```
- [X] done
"""


@dataclass(frozen=True)
class Case:
    """A package of layout v2 and what becomes of it.

    Attributes:
        tree: what it holds besides its kernel; a path that ends in `/` is an empty folder.
        final: where a file of `tree` is afterwards, if not under its own name at the root.
        bundles: `bundles_migrated`.
        tasks: `tasks_converted`.
        warns: whether there are warnings.
    """

    tree: Mapping[str, bytes]
    final: Mapping[str, str]
    bundles: tuple[str, ...] = ()
    tasks: int = 0
    warns: bool = False


CASES = {
    "one bundle": Case(
        {"bundles/a/context.manifest.yaml": MANIFEST, "bundles/a/x.md": b"x"},
        {"bundles/a/context.manifest.yaml": "a/context.manifest.yaml", "bundles/a/x.md": "a/x.md"},
        ("a",),
    ),
    "several bundles": Case(
        {f"bundles/{name}/context.manifest.yaml": MANIFEST for name in ("a", "b", "ノート", "c d")},
        {
            f"bundles/{name}/context.manifest.yaml": f"{name}/context.manifest.yaml"
            for name in ("a", "b", "ノート", "c d")
        },
        ("a", "b", "c d", "ノート"),
    ),
    "raw and observations": Case(
        {
            "bundles/a/context.manifest.yaml": MANIFEST,
            "bundles/a/raw/deep/data.bin": bytes(range(256)),
            "bundles/a/observations.md": b"- [ ] not a task list\r\n",
            "bundles/a/empty.md": b"",
            "bundles/a/hollow/": b"",
        },
        {
            "bundles/a/raw/deep/data.bin": "a/raw/deep/data.bin",
            "bundles/a/observations.md": "a/observations.md",
            "bundles/a/empty.md": "a/empty.md",
            "bundles/a/hollow/": "a/hollow/",
        },
        ("a",),
    ),
    "a nested walnut": Case(
        {
            "bundles/a/context.manifest.yaml": MANIFEST,
            "bundles/a/inner/_kernel/key.md": KEY,
            "bundles/a/inner/bundles/b/context.manifest.yaml": MANIFEST,
            "bundles/a/inner/bundles/b/tasks.md": TASKS,
        },
        {
            "bundles/a/inner/_kernel/key.md": "a/inner/_kernel/key.md",
            "bundles/a/inner/bundles/b/context.manifest.yaml": "a/inner/bundles/b/context.manifest.yaml",
            "bundles/a/inner/bundles/b/tasks.md": "a/inner/bundles/b/tasks.md",
        },
        ("a",),
    ),
    "a name that is taken": Case(
        {
            "bundles/a/context.manifest.yaml": MANIFEST,
            "a/mine.md": b"live",
            "bundles/A-2/context.manifest.yaml": MANIFEST,
            "a-2": b"f",
        },
        {
            "bundles/a/context.manifest.yaml": "a-imported/context.manifest.yaml",
            "bundles/A-2/context.manifest.yaml": "A-2-imported/context.manifest.yaml",
        },
        ("A-2-imported", "a-imported"),
    ),
    "an inert name that is taken": Case(
        {"bundles/CLAUDE.md/context.manifest.yaml": MANIFEST, "CLAUDE.md": b"obey"},
        {
            "bundles/CLAUDE.md/context.manifest.yaml": "CLAUDE.md.received-imported/context.manifest.yaml",
            "CLAUDE.md": "CLAUDE.md.received",
        },
        ("CLAUDE.md.received-imported",),
    ),
    "a long name that is taken": Case(
        {f"bundles/{'b' * 255}/context.manifest.yaml": MANIFEST, f"{'b' * 255}/mine.md": b"live"},
        {f"bundles/{'b' * 255}/context.manifest.yaml": f"{'b' * 246}-imported/context.manifest.yaml"},
        ("b" * 246 + "-imported",),
    ),
    "a bundle of the container's name": Case(
        {"bundles/bundles/x/context.manifest.yaml": MANIFEST, "bundles/a/context.manifest.yaml": MANIFEST},
        {
            "bundles/bundles/x/context.manifest.yaml": "bundles-imported/x/context.manifest.yaml",
            "bundles/a/context.manifest.yaml": "a/context.manifest.yaml",
        },
        ("a",),
    ),
    "a task list": Case(
        {"bundles/a/context.manifest.yaml": MANIFEST, "bundles/a/tasks.md": TASKS}, {}, ("a",), tasks=4
    ),
    "a task list of Windows": Case(
        {
            "bundles/a/context.manifest.yaml": MANIFEST,
            "bundles/a/tasks.md": b"\xef\xbb\xbf" + TASKS.replace(b"\n", b"\r\n"),
        },
        {},
        ("a",),
        tasks=4,
    ),
    "a task list beside a task file": Case(
        {
            "bundles/a/context.manifest.yaml": MANIFEST,
            "bundles/a/tasks.md": TASKS,
            "bundles/a/tasks.json": b'{"tasks": []}',
        },
        {"bundles/a/tasks.md": "a/tasks.md", "bundles/a/tasks.json": "a/tasks.json"},
        ("a",),
        warns=True,
    ),
    "a task list beside an earlier rest": Case(
        {
            "bundles/a/context.manifest.yaml": MANIFEST,
            "bundles/a/tasks.md": TASKS,
            "bundles/a/tasks.md.migrated": b"old",
        },
        {"bundles/a/tasks.md": "a/tasks.md", "bundles/a/tasks.md.migrated": "a/tasks.md.migrated"},
        ("a",),
        warns=True,
    ),
    "a task list that is not UTF-8": Case(
        {"bundles/a/context.manifest.yaml": MANIFEST, "bundles/a/tasks.md": b"- [ ] caf\xe9\n"},
        {"bundles/a/tasks.md": "a/tasks.md"},
        ("a",),
        warns=True,
    ),
    "a task list that is large": Case(
        {"bundles/a/context.manifest.yaml": MANIFEST, "bundles/a/tasks.md": b"- [ ] a\n" * (TASK_LIST_LIMIT // 8 + 1)},
        {"bundles/a/tasks.md": "a/tasks.md"},
        ("a",),
        warns=True,
    ),
    "prose that is called a task list": Case(
        {"bundles/a/context.manifest.yaml": MANIFEST, "bundles/a/tasks.md": b"prose\n"},
        {"bundles/a/tasks.md": "a/tasks.md"},
        ("a",),
    ),
    "loose files and folders": Case(
        {"bundles/note.md": b"n", "bundles/CLAUDE.md": b"obey", "bundles/stuff/x.md": b"x", "note.md": b"mine"},
        {
            "bundles/note.md": "note.md-imported",
            "bundles/CLAUDE.md": "CLAUDE.md.received",
            "bundles/stuff/x.md": "stuff/x.md",
        },
        warns=True,
    ),
    "an empty container": Case({"bundles/": b"", "a/context.manifest.yaml": MANIFEST, "a/x.md": b"x"}, {}),
    "a container that is a file": Case({"bundles": b"my list of bundles\n", "a/context.manifest.yaml": MANIFEST}, {}),
    "an old projection in a folder": Case({"_kernel/_generated/now.json": b"{}", "notes.md": b"n"}, {}),
    "an old projection in a file": Case({"_kernel/_generated": b"{}", "notes.md": b"n"}, {}),
    "kept history": Case(
        {"_kernel/history/2025.md": b"old\n", "bundles/a/context.manifest.yaml": MANIFEST},
        {"bundles/a/context.manifest.yaml": "a/context.manifest.yaml"},
        ("a",),
    ),
    "task lists of flat bundles": Case({"a/context.manifest.yaml": MANIFEST, "a/tasks.md": TASKS}, {}, tasks=4),
}


def lines_of(tree: Mapping[str, bytes]) -> Counter[str]:
    """Every line that is not blank, of every file, without its ending."""
    found: Counter[str] = Counter()
    for content in tree.values():
        text = content.decode("utf-8", "surrogateescape").removeprefix("\ufeff")
        found += Counter(line.strip() for line in text.splitlines() if line.strip())
    return found


def contents(root: Path) -> dict[str, bytes]:
    """Every file of a tree."""
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


def as_lines(tasks_json: bytes) -> bytes:
    """A task file as the list it was made from, in one way of writing it."""
    lines = []
    for task in json.loads(tasks_json)["tasks"]:
        mark = {"done": "x"}.get(task["status"], "~" if task["priority"] == "high" else " ")
        session = f" @{task['session']}" if task["session"] else ""
        lines.append(f"- [{mark}] {task['title']}{session}")
    return "\n".join(lines).encode("utf-8", "surrogateescape")


def normalised(line: str) -> str:
    """A task's line in that way of writing it."""
    return line.replace("* [", "- [").replace("- [X]", "- [x]")


def assert_nothing_lost(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> None:
    """Every line of every file is somewhere in what came of it."""
    held = Counter(map(normalised, lines_of(after).elements()))
    for path, content in after.items():
        if path.endswith("/tasks.json") and b'"bundle"' in content:
            held += lines_of({path: as_lines(content)})
    missing = Counter(map(normalised, lines_of(before).elements())) - held
    assert not missing, missing


def package_of(case: Case, folder: Path, layout: str = "v2") -> Path:
    tree = {**KERNEL, **{path: content for path, content in case.tree.items() if not path.endswith("/")}}
    empty = [path.rstrip("/") for path in case.tree if path.endswith("/")]
    more = {"empty_dirs": empty} if empty else {}
    return craft(folder / "p.walnut", tree, source_layout=layout, **more)
