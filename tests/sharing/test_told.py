"""What a person is told before anything leaves: mistypes, patterns without effect, and what was not looked into."""

from pathlib import Path
from typing import Any

import pytest
from planted_secrets import planted

from alive_p2p import AliveP2PError
from alive_p2p.runtime import Runtime
from alive_p2p.sharing import deep_scan
from alive_p2p.sharing.pipeline import plan_share
from alive_p2p.sharing.plan import SharePlan, ShareRequest
from alive_p2p.walnut import kernel
from worlds import NOVA, OPEN_KEY, plant

OPEN = {**NOVA, "_kernel/key.md": OPEN_KEY}
MANIFEST = "context.manifest.yaml"


def _plan(root: Path, runtime: Runtime, **options: Any) -> SharePlan:
    return plan_share(ShareRequest(root, "full", **options), runtime)


def test_a_mistyped_sensitivity_is_told(tmp_path: Path, runtime: Runtime) -> None:
    """It counts as private, and says so with the word that was probably meant."""
    root = plant(tmp_path / "nova", {**OPEN, f"work/{MANIFEST}": b"sensitivity: restriced\n", "work/a.md": b"a\n"})
    told = [one for one in _plan(root, runtime).warnings if "sensitivity" in one]
    (only,) = told
    assert only.startswith("the sensitivity of 'work': it says 'restriced', which is no known sensitivity")
    assert only.endswith("counts as private (did you mean restricted?)")


def test_the_walnuts_own_mistype_is_told_with_every_scope(tmp_path: Path, runtime: Runtime) -> None:
    """Also where only a bundle leaves: `key.md` goes along."""
    key = OPEN_KEY.replace(b"sensitivity: open", b"sensitivity: opne")
    root = plant(tmp_path / "nova", {**OPEN, "_kernel/key.md": key, f"work/{MANIFEST}": b"sensitivity: open\n"})
    plan = plan_share(ShareRequest(root, "bundle", bundles=("work",)), runtime)
    assert any("'walnut': it says 'opne'" in one and "did you mean open?" in one for one in plan.warnings)


@pytest.mark.parametrize(("pattern", "is_told"), [("*.secret", True), ("notes.md", True), (".hidden", False)])
def test_an_include_without_effect_is_told(pattern: str, is_told: bool, tmp_path: Path, runtime: Runtime) -> None:
    """What leaves anyway is not brought back, and neither is what does not exist."""
    root = plant(tmp_path / "nova", {**OPEN, "notes.md": b"n\n", ".hidden": b"h\n"})
    warnings = _plan(root, runtime, includes=(pattern,)).warnings
    assert (f"the pattern '{pattern}' of `--include` brings nothing back" in warnings) is is_told


def test_a_secret_in_a_goal_is_one_finding(tmp_path: Path, runtime: Runtime) -> None:
    """The primer repeats the goal; who mends `key.md` has mended both."""
    secret = planted()[0].secret
    key = b"---\ntype: venture\nsensitivity: open\ngoal: use " + secret.encode() + b" for now\n---\n"
    plan = _plan(plant(tmp_path / "nova", {**OPEN, "_kernel/key.md": key}), runtime)
    assert [one.path for one in plan.blocking_findings] == ["_kernel/key.md"]


def test_a_manifest_in_another_encoding_is_named_as_that(tmp_path: Path, runtime: Runtime) -> None:
    """Whether it lists sessions cannot be known, and the message says why."""
    manifest = "goal: review\nstatus: active\n".encode("utf-16")
    root = plant(tmp_path / "nova", {**OPEN, f"work/{MANIFEST}": manifest})
    with pytest.raises(AliveP2PError, match="is not UTF-8") as refused:
        _plan(root, runtime, acknowledged=("work",))
    assert refused.value.code == "not-utf-8"


def test_a_manifest_that_is_far_too_large_is_named(tmp_path: Path, runtime: Runtime) -> None:
    """At the root, where it makes no bundle, it would be searched for sessions all the same."""
    root = plant(tmp_path / "nova", OPEN)
    with (root / MANIFEST).open("wb") as stream:
        stream.truncate(kernel.SMALL_FILE_LIMIT + 1)
    with pytest.raises(AliveP2PError, match=f"'{MANIFEST}' is too large to be a bundle's manifest") as refused:
        _plan(root, runtime)
    assert (refused.value.code, refused.value.untouched) == ("file-too-large", "everything")


def test_what_the_deep_scan_leaves_out_is_told(
    tmp_path: Path, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is too large for it is named, not passed over."""
    pytest.importorskip("kingfisher_sdk", reason="the extra [scan] is not installed")
    monkeypatch.setattr(deep_scan, "LARGEST", 100)
    root = plant(tmp_path / "nova", {**OPEN, "large.txt": b"x" * 101, "small.txt": b"x" * 100})
    told = [one for one in _plan(root, runtime, deep_scan=True).warnings if "deep scan" in one]
    assert [one for one in told if "large.txt" in one]
    assert not [one for one in told if "small.txt" in one]
