"""Files that agents and tools obey on sight, and what becomes of them (receive.md §13).

What arrives is somebody else's words. A file that an agent would take for its owner's instructions is installed
under another name, `<name>.received`, until the owner has read it; when it is shared on it gets its name back.
"""

from alive_p2p.text import fold

SUFFIX = ".received"

_NAMES = frozenset(
    fold(name)
    for name in (
        "CLAUDE.md",
        "CLAUDE.local.md",
        "AGENTS.md",
        "AGENT.md",
        "GEMINI.md",
        "SKILL.md",
        ".cursorrules",
        ".cursor",
        ".windsurfrules",
        ".windsurf",
        ".clinerules",
        ".roo",
        ".roorules",
        ".continue",
        ".aider.conf.yml",
        ".claude",
        ".claude-plugin",
        ".codex",
        ".gemini",
        ".mcp.json",
        "mcp.json",
        ".vscode",
        ".idea",
        ".devcontainer",
        ".github",
        ".husky",
        ".githooks",
        ".envrc",
        ".pre-commit-config.yaml",
        "copilot-instructions.md",
    )
)


def disarmed(path: str, *, extra: frozenset[str] = frozenset()) -> str:
    """The path under which a received file is installed: every segment that is obeyed on sight gets a suffix.

    Args:
        path: path in the walnut.
        extra: further names, folded (`p2p.agent_files`).
    """
    folded = fold(path).split("/")
    if _NAMES.isdisjoint(folded) and extra.isdisjoint(folded):  # of nearly every path
        return path
    return "/".join(name + SUFFIX if fold(name) in _NAMES or fold(name) in extra else name for name in path.split("/"))


def rearmed(path: str, original: str) -> str:
    """The name under which a file that was installed under another one is shared on.

    Args:
        path: where it lies in the walnut.
        original: its path in the package it came with; segments from the end on that were given a suffix lose it.
    """
    segments, wanted = path.split("/"), original.split("/")
    for offset in range(1, min(len(segments), len(wanted)) + 1):
        if segments[-offset] == wanted[-offset] + SUFFIX:
            segments[-offset] = wanted[-offset]
    return "/".join(segments)
