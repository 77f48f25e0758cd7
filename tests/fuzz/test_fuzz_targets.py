"""The short forms of the fuzz targets: every seed, every input that was kept, and some examples made from them.

`make fuzz` does the same for as long as one likes, led by what each input reaches (docs/development.md).
"""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz.run import ROOT, _escaped, _executions
from fuzz.surroundings import Target
from fuzz.targets import REGRESSIONS, SEEDS, TARGETS, inputs

NAMES = sorted(TARGETS)
EXAMPLES = 25
LARGEST_SEED = 16 << 10

KEPT = [(name, path) for name in NAMES for folder in (SEEDS, REGRESSIONS) for path in inputs(folder, name)]


@pytest.mark.parametrize("name", NAMES)
def test_a_target_has_seeds_that_are_small(name: str) -> None:
    """Without seeds a target shows nothing; at least one is taken and not refused."""
    seeds = inputs(SEEDS, name)
    assert seeds
    assert any(TARGETS[name].take(seed.read_bytes()) for seed in seeds)
    assert all(0 < seed.stat().st_size <= LARGEST_SEED for seed in seeds)


def test_every_kept_input_belongs_to_a_target() -> None:
    """A folder with a mistyped name would never be looked at."""
    assert {folder.name for folder in SEEDS.iterdir()} == set(TARGETS)
    assert {folder.name for folder in REGRESSIONS.iterdir() if folder.is_dir()} <= set(TARGETS)


@pytest.mark.parametrize(("name", "path"), KEPT, ids=[f"{name}-{path.name}" for name, path in KEPT])
def test_a_kept_input_is_taken_or_refused(name: str, path: Path) -> None:
    """What was found once is not found again."""
    TARGETS[name].take(path.read_bytes())


@st.composite
def mutated(draw: st.DrawFn, target: Target) -> bytes:
    """A seed with a few places changed: cut out, doubled, overwritten, or with one of the target's words put in."""
    data = bytearray(draw(st.sampled_from(inputs(SEEDS, target.name))).read_bytes())
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(data)))
        gone = draw(st.sampled_from([0, 0, 0, 1, 2, 8, 64]))
        word = st.sampled_from(target.words) if target.words else st.binary(max_size=4)
        data[at : at + gone] = draw(st.one_of(word, st.binary(max_size=4), st.just(bytes(data[at : at + 32]))))
    return bytes(data)


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
@settings(max_examples=EXAMPLES)
def test_anything_is_taken_or_refused(name: str, data: st.DataObject) -> None:
    """The target's own properties hold, and nothing is raised that is not ours."""
    target = TARGETS[name]
    target.take(data.draw(st.one_of(mutated(target), mutated(target), st.binary(max_size=200))))


@pytest.mark.parametrize(
    ("word", "written"),
    [(b"abc", "abc"), (b'"\\', "\\x22\\x5C"), (b"\0\n\xff", "\\x00\\x0A\\xFF")],
)
def test_a_word_is_written_as_the_fuzzer_reads_it(word: bytes, written: str) -> None:
    """libFuzzer's dictionaries know printable characters and two hex digits."""
    assert _escaped(word) == written


def test_executions_are_counted_also_where_a_run_ended_early() -> None:
    """The last number that was said counts."""
    assert _executions("#2\tINITED\n#4096\tpulse\n==1== ERROR\n") == 4096
    assert _executions("#2\tINITED\nstat::number_of_executed_units: 70\n") == 70
    assert _executions("no module named atheris") == 0


def test_one_input_can_be_tried_by_hand() -> None:
    """As it is done with an input that was found."""
    seed = inputs(SEEDS, "globs")[0]
    command = [sys.executable, "-m", "fuzz.run", "globs", "--input", str(seed)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("taken in ")
