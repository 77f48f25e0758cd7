"""The surroundings of a command: clock, environment, folders (cli.md, "Environment")."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alive_p2p.errors import UsageError
from alive_p2p.runtime import Runtime, format_timestamp, parse_timestamp

MakeRuntime = Callable[..., Runtime]


@given(st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC)))  # noqa: DTZ001
def test_a_timestamp_is_read_back_as_it_was_written(moment: datetime) -> None:
    """Writing and reading give the same moment, to the second."""
    assert parse_timestamp(format_timestamp(moment)) == moment.replace(microsecond=0)


def test_a_timestamp_is_in_utc() -> None:
    """A moment of any zone is written in UTC."""
    east = timezone(timedelta(hours=9))
    assert format_timestamp(datetime(2026, 4, 7, 19, 15, tzinfo=east)) == "2026-04-07T10:15:00Z"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-04-07",
        "2026-04-07T10:15:00",
        "2026-04-07T10:15:00+00:00",
        "2026-04-07 10:15:00Z",
        "2026-04-07T10:15:00.5Z",
        "2026-13-07T10:15:00Z",
        "2026-02-30T10:15:00Z",
        "2026-04-07T25:15:00Z",
        "2026-04-07T10:15:00Z\n",
        " 2026-04-07T10:15:00Z",
    ],
)
def test_another_form_of_timestamp_is_refused(text: str) -> None:
    """The format has one form only."""
    with pytest.raises(ValueError):
        parse_timestamp(text)


@pytest.mark.parametrize(
    "text", ["2026-04-07t10:15:00z", "2026-4-7T1:5:0Z", "２０２６-04-07T10:15:00Z", "2026-04-07T10:1٥:00Z"]
)
def test_a_timestamp_that_only_resembles_the_form_is_refused(text: str) -> None:
    """Unpadded fields and digits of other scripts are another form, and would not sort as text."""
    with pytest.raises(ValueError):
        parse_timestamp(text)


def test_the_defaults_of_the_environment(make_runtime: MakeRuntime, tmp_path: Path) -> None:
    """With nothing set: the home folder's `.alive`, session `manual`, engine `unknown`, no switch on."""
    runtime = make_runtime()
    assert runtime.home == tmp_path / "home"
    assert runtime.alive_home == tmp_path / "home" / ".alive"
    assert runtime.session_id == "manual"
    assert runtime.engine == "unknown"
    assert not runtime.is_testing
    assert not runtime.is_reproducible
    assert runtime.created() == runtime.timestamp() == "2026-04-07T10:15:00Z"


def test_the_environment_is_obeyed(make_runtime: MakeRuntime) -> None:
    """Each variable of cli.md changes what it says it changes."""
    runtime = make_runtime(
        ALIVE_HOME="/somewhere", ALIVE_SESSION_ID="abc", ALIVE_ENGINE="claude", ALIVE_P2P_TESTING="1"
    )
    assert runtime.alive_home == Path("/somewhere")
    assert runtime.session_id == "abc"
    assert runtime.engine == "claude"
    assert runtime.is_testing


def test_an_empty_variable_counts_as_unset(make_runtime: MakeRuntime) -> None:
    """`ALIVE_HOME=` does not put state into the current folder."""
    runtime = make_runtime(ALIVE_HOME="", ALIVE_SESSION_ID="", ALIVE_ENGINE="", SOURCE_DATE_EPOCH="")
    assert runtime.alive_home == runtime.home / ".alive"
    assert runtime.session_id == "manual"
    assert runtime.engine == "unknown"
    assert runtime.created() == runtime.timestamp()


@pytest.mark.parametrize(
    ("value", "is_on"),
    [("1", True), ("true", True), ("YES", True), (" on ", True), ("0", False), ("false", False), ("", False)],
)
def test_a_switch_is_on_only_when_it_says_so(make_runtime: MakeRuntime, value: str, *, is_on: bool) -> None:
    """`0` and `false` leave a switch off."""
    assert make_runtime(ALIVE_P2P_TESTING=value).is_testing is is_on


@pytest.mark.parametrize(
    ("epoch", "stamp"),
    [("0", "1970-01-01T00:00:00Z"), ("1767225600", "2026-01-01T00:00:00Z"), ("253402300799", "9999-12-31T23:59:59Z")],
)
def test_a_source_date_sets_the_stamp(make_runtime: MakeRuntime, epoch: str, stamp: str) -> None:
    """`SOURCE_DATE_EPOCH` makes packages reproducible."""
    runtime = make_runtime(SOURCE_DATE_EPOCH=epoch)
    assert runtime.is_reproducible
    assert runtime.created() == stamp


@pytest.mark.parametrize("epoch", ["-1", "1.5", "abc", "253402300800", "9" * 400, "²", "١٢", " 1", "1e9", "0x10"])
def test_a_source_date_that_is_none_is_a_usage_error(make_runtime: MakeRuntime, epoch: str) -> None:
    """Anything but seconds of the years 1970 to 9999 is refused with a hint, never with a traceback."""
    with pytest.raises(UsageError) as refused:
        make_runtime(SOURCE_DATE_EPOCH=epoch).created()
    assert refused.value.code == "bad-source-date-epoch"
    assert refused.value.hint


@given(st.integers(0, 64))
def test_random_names_have_the_length_asked_for(count: int) -> None:
    """So many lowercase hex digits, and nothing else."""
    text = Runtime(environ={}, cwd=Path("/")).random_hex(count)
    assert len(text) == count
    assert not text.strip("0123456789abcdef")


def test_the_process_gives_its_own_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    """`from_process` takes a snapshot: a later change of the environment is not seen."""
    monkeypatch.setenv("ALIVE_ENGINE", "before")
    runtime = Runtime.from_process()
    monkeypatch.setenv("ALIVE_ENGINE", "after")
    assert runtime.engine == "before"
    assert runtime.cwd == Path.cwd()
    assert runtime.now().tzinfo is UTC
    assert len(runtime.new_uuid()) == 36
