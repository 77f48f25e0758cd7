"""Every target by its name.

A target takes any bytes, raises `AliveP2PError` where it refuses them, and asserts its properties where it does not.
Everything else that it raises is a finding: an assertion, an exception that is not ours, a second of silence, memory
without end.
"""

from collections.abc import Mapping
from pathlib import Path

from fuzz import envelope_targets, package_targets, relay_targets, settings_targets, text_targets, walnut_targets
from fuzz.surroundings import Target

HERE = Path(__file__).resolve().parent
SEEDS = HERE / "seeds"
REGRESSIONS = HERE / "regressions"

TARGETS: Mapping[str, Target] = {
    target.name: target
    for group in (package_targets, envelope_targets, walnut_targets, settings_targets, text_targets, relay_targets)
    for target in group.TARGETS
}


def inputs(folder: Path, target: str) -> list[Path]:
    """The kept inputs of a target below `SEEDS` or `REGRESSIONS`."""
    return sorted(path for path in (folder / target).glob("*") if path.is_file())
