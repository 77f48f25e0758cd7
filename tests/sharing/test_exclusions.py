"""Exclusions in force: where they come from, what they keep back, what they cannot."""

from pathlib import Path

import pytest

from alive_p2p.errors import UsageError, WalnutError
from alive_p2p.runtime import Runtime
from alive_p2p.sharing.pipeline import plan_share
from alive_p2p.sharing.plan import ShareRequest
from worlds import NOVA, make_world, plant


def _leaving(source: Path, runtime: Runtime, **options: object) -> set[str]:
    plan = plan_share(ShareRequest(source, "full", **options), runtime)  # type: ignore[arg-type]
    return {one.entry.path for one in plan.files}


@pytest.mark.parametrize(
    ("pattern", "gone"),
    [
        ("notes.md", {"notes.md"}),
        ("engineering", {"engineering/ring.md"}),
        ("engineering/", {"engineering/ring.md"}),
        ("engineering/*", {"engineering/ring.md"}),
        ("**/*.csv", {"shielding-review/raw/dose.csv"}),
        ("shielding-review/*", {"shielding-review/draft.md"}),
        ("raw", {"shielding-review/raw/dose.csv"}),
        ("launch-window/", {"launch-window/windows.md", "launch-window/context.manifest.yaml"}),
    ],
)
def test_a_pattern_keeps_back_what_it_means(pattern: str, gone: set[str], tmp_path: Path, runtime: Runtime) -> None:
    """Each form of the language, on a real walnut."""
    tree = dict(NOVA)
    if pattern == "shielding-review/*":
        pattern = "shielding-review/d*"
    source = plant(tmp_path / "nova", tree)
    everything = _leaving(source, runtime)
    assert everything - _leaving(source, runtime, excludes=(pattern,)) == gone


@pytest.mark.parametrize("pattern", ["_kernel/key.md", "_kernel/*", "**", "*.json", "**/log.md"])
def test_protected_paths_always_leave(pattern: str, tmp_path: Path, runtime: Runtime) -> None:
    """Key, log, insights and tasks are part of every full package."""
    source = plant(tmp_path / "nova", NOVA)
    leaving = _leaving(source, runtime, excludes=(pattern,))
    assert {f"_kernel/{n}" for n in ("key.md", "log.md", "insights.md", "tasks.json", "completed.json")} <= leaving


def test_a_pattern_that_matches_nothing_is_warned_of(tmp_path: Path, runtime: Runtime) -> None:
    """Each useless pattern gets a warning of its own."""
    source = plant(tmp_path / "nova", NOVA)
    plan = plan_share(ShareRequest(source, "full", excludes=("nowhere", "also/not/here")), runtime)
    assert len([w for w in plan.warnings if "matches nothing" in w]) == 2


def test_a_pattern_in_the_wrong_case_says_what_it_would_match(tmp_path: Path, runtime: Runtime) -> None:
    """`Notes.MD` keeps nothing back, and the warning names `notes.md`."""
    source = plant(tmp_path / "nova", NOVA)
    plan = plan_share(ShareRequest(source, "full", excludes=("Notes.MD",)), runtime)
    assert any("upper and lower case count: 'notes.md'" in w for w in plan.warnings)


def test_excluding_only_a_bundles_manifest_stops_the_share(tmp_path: Path, runtime: Runtime) -> None:
    """Without its manifest a bundle is not one, and a receiver would refuse it."""
    source = plant(tmp_path / "nova", NOVA)
    for scope, bundles in (("full", ()), ("bundle", ("shielding-review",))):
        with pytest.raises(WalnutError) as caught:
            plan_share(ShareRequest(source, scope, bundles, excludes=("*.yaml",)), runtime)  # type: ignore[arg-type]
        assert caught.value.code == "bundle-without-manifest"


def test_presets_come_from_the_worlds_preferences(tmp_path: Path, runtime: Runtime) -> None:
    """A preset's patterns apply, and an unknown preset lists the known ones."""
    world = make_world(tmp_path / "world")
    preferences = "p2p:\n  share_presets:\n    outside:\n      exclude_patterns: ['notes.md']\n"
    (world / ".alive" / "preferences.yaml").write_text(preferences, encoding="utf-8")
    source = plant(world / "04_Ventures" / "nova", NOVA)
    assert "notes.md" not in _leaving(source, runtime, presets=("outside",))
    with pytest.raises(UsageError, match="outside"):
        _leaving(source, runtime, presets=("outsid",))


def test_counts_say_how_many_files_each_pattern_kept_back(tmp_path: Path, runtime: Runtime) -> None:
    """The preview shows the effect of every pattern, also of two that overlap."""
    source = plant(tmp_path / "nova", NOVA)
    plan = plan_share(ShareRequest(source, "full", excludes=("*.md", "notes.md")), runtime)
    counts = {use.pattern: use.matched for use in plan.exclusions}
    assert counts == {"*.md": 4, "notes.md": 1}
