"""What is not as it is at the sender's, in words (format.md §2, `substitutions_applied`)."""

from alive_p2p.cli.screen import short

_REASONS = {
    "baseline-stub": "a stub; the real one stays here",
    "key-reduced": "reduced: no people, links or sections",
    "package-readme": "generated for readers of the package",
    "empty-skeleton": "empty; the walnut has none",
    "sessions-removed": "without its active sessions",
    "generated-manifest": "generated from companion.md",
}


def substitution_text(reason: str) -> str:
    """A reason that a manifest gives, in words where we know it, else as it stands."""
    return _REASONS.get(reason) or short(reason, 80)
