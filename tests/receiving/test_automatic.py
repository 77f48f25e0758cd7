"""Which packages may be received with nobody looking (receive.md §11, relay.md §4)."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from alive_p2p.errors import AliveP2PError
from alive_p2p.package.signature import Outcome, Verdict
from alive_p2p.receiving.automatic import Arrival, Standing, Way, needs, refuse_without_person
from alive_p2p.receiving.group_update import FileChange, GroupUpdate
from alive_p2p.receiving.hidden_text import HiddenText
from alive_p2p.receiving.inbox import inbox_of, packages_in, put_away
from alive_p2p.receiving.pipeline import preview
from alive_p2p.receiving.plan import BundleFate, Fate, Lineage, MigrationResult, ReceivePlan, ReceiveRequest
from alive_p2p.receiving.threeway import FileFate
from alive_p2p.runtime import Runtime
from worlds import NOVA, make_world, pack, plant

BEN = Verdict(Outcome.VALID, "0123456789abcdef", "ben")
BY_HAND = Arrival(Way.BY_HAND)


@pytest.fixture
def plan(tmp_path: Path, make_runtime: Callable[..., Runtime]) -> ReceivePlan:
    """What nothing speaks against: a package of ben's for a world that has nothing of it."""
    world = make_world(tmp_path / "world")
    package = pack(plant(tmp_path / "nova", NOVA), tmp_path / "p.walnut", make_runtime())
    return replace(preview(ReceiveRequest(package), make_runtime(cwd=world)), verdict=BEN)


def _delivered(plan: ReceivePlan, peer: str = "ben", import_id: str | None = None) -> Arrival:
    return Arrival(Way.DELIVERED, peer, import_id or plan.manifest.import_id)


def test_what_a_paired_peer_has_signed_and_nothing_speaks_against_needs_nobody(plan: ReceivePlan) -> None:
    """Whether somebody has put it into the inbox, or a relay has brought it with its note."""
    assert needs(plan, Standing.PAIRED, BY_HAND) == ()
    assert needs(plan, Standing.PAIRED, _delivered(plan)) == ()
    refuse_without_person(plan, Standing.PAIRED, BY_HAND)


@pytest.mark.parametrize(
    ("outcome", "why"),
    [
        (Outcome.UNSIGNED, "it is not signed"),
        (Outcome.UNKNOWN, "a key that you do not know"),
        (Outcome.OTHER_SIGNER, "'other-signer'"),
        (Outcome.INVALID, "'invalid'"),
        (Outcome.REVOKED, "'revoked'"),
    ],
)
def test_every_signature_but_a_valid_one_needs_somebody(plan: ReceivePlan, outcome: Outcome, why: str) -> None:
    """Whatever else is said about its signer."""
    (said,) = needs(replace(plan, verdict=replace(BEN, outcome=outcome)), Standing.PAIRED, BY_HAND)
    assert why in said


@pytest.mark.parametrize(
    ("standing", "why"),
    [
        (Standing.UNPAIRED, "only imported"),
        (Standing.DISPUTED, "two keys claim"),
        (Standing.OURSELVES, "by yourself"),
        (Standing.STRANGER, "do not know"),
    ],
)
def test_every_signer_but_a_paired_peer_needs_somebody(plan: ReceivePlan, standing: Standing, why: str) -> None:
    """A valid signature says who it is, and not what they are to us."""
    (said,) = needs(plan, standing, BY_HAND)
    assert why in said


@pytest.mark.parametrize(("way", "why"), [(Way.UNPROVEN, "no delivery note"), (Way.DECLINED, "declined it before")])
def test_what_came_through_a_relay_needs_a_note_that_counts(plan: ReceivePlan, way: Way, why: str) -> None:
    """Else what was meant for somebody else, or for last month, could be passed on."""
    (said,) = needs(plan, Standing.PAIRED, Arrival(way))
    assert why in said


def test_a_note_about_something_else_counts_for_nothing(plan: ReceivePlan) -> None:
    """Neither of another peer, nor about another package."""
    for arrival in (_delivered(plan, peer="carla"), _delivered(plan, import_id="0" * 64), Arrival(Way.DELIVERED)):
        (said,) = needs(plan, Standing.PAIRED, arrival)
        assert "not what its delivery note is about" in said


_CHANGE = FileChange("draft.md", FileFate.REPLACE)
_CASES: list[tuple[str, dict[str, object], str]] = [
    ("another walnut", {"lineage": Lineage.OVERRIDDEN}, "another walnut"),
    ("renamed", {"bundles": (BundleFate("a", "a-imported", Fate.APPLY),)}, "is taken"),
    ("lossy", {"migration": MigrationResult(errors=("x",))}, "without loss"),
    ("hidden text", {"hidden": (HiddenText("a.md", 1, "tags", "tag characters", "x", 1),)}, "hides text"),
    ("a warning", {"warnings": ("the ledger is broken",)}, "the ledger is broken"),
]


@pytest.mark.parametrize(("fields", "why"), [case[1:] for case in _CASES], ids=[case[0] for case in _CASES])
def test_whatever_could_be_decided_otherwise_needs_somebody(
    plan: ReceivePlan, fields: dict[str, object], why: str
) -> None:
    """Even from a paired peer: they vouch for who they are, and not for what we want."""
    (said,) = needs(replace(plan, **fields), Standing.PAIRED, BY_HAND)  # type: ignore[arg-type]
    assert why in said


def test_what_would_change_files_needs_somebody(plan: ReceivePlan) -> None:
    """Nothing that is here is replaced with nobody looking."""
    update = GroupUpdate("a", "a", (_CHANGE,), {}, ())
    (said,) = needs(replace(plan, updates=(update,)), Standing.PAIRED, BY_HAND)
    assert "change files" in said


def test_files_that_agents_obey_need_somebody(plan: ReceivePlan) -> None:
    """They arrive inert, and still somebody has to know of them before an agent finds them."""
    installation = replace(plan.installation, renamed_agent_files=("CLAUDE.md.received",))
    (said,) = needs(replace(plan, installation=installation), Standing.PAIRED, BY_HAND)
    assert "agents would obey" in said


def test_every_reason_is_told_at_once(plan: ReceivePlan) -> None:
    """Whoever decides knows everything beforehand."""
    bad = replace(plan, verdict=Verdict(Outcome.UNSIGNED), lineage=Lineage.OVERRIDDEN)
    with pytest.raises(AliveP2PError) as caught:
        refuse_without_person(bad, Standing.STRANGER, Arrival(Way.UNPROVEN))
    assert caught.value.code == "needs-a-person"
    assert len(caught.value.details) == 3
    assert caught.value.untouched == "everything"


def test_what_is_here_already_needs_nothing_more_than_its_sender(plan: ReceivePlan) -> None:
    """Nothing would be done, so there is nothing to decide; but who sent it still counts."""
    here = replace(plan, is_noop=True, warnings=("a bundle is gone",))
    assert needs(here, Standing.PAIRED, BY_HAND) == ()
    assert needs(here, Standing.UNPAIRED, BY_HAND) != ()


# --- the inbox --------------------------------------------------------------------------------------------------


def test_packages_are_found_in_the_inbox_and_one_folder_below(tmp_path: Path) -> None:
    """Not in walnuts that arrived there, nor in what was received, nor behind links."""
    inbox = inbox_of(make_world(tmp_path / "world"))
    plant(
        inbox,
        {
            "a.walnut": b"",
            "ben/b.walnut": b"",
            "ben/deeper/c.walnut": b"",
            ".received/d.walnut": b"",
            ".e.walnut": b"",
            "nova/_kernel/key.md": b"",
            "nova/f.walnut": b"",
            "g.txt": b"",
            "h.walnut/x": b"",
        },
    )
    (inbox / "i.walnut").symlink_to(inbox / "a.walnut")
    (inbox / "carla").symlink_to(inbox / "ben", target_is_directory=True)
    assert [one.relative_to(inbox).as_posix() for one in packages_in(inbox)] == ["a.walnut", "ben/b.walnut"]
    assert packages_in(tmp_path / "nowhere") == []


def test_what_was_received_is_put_away_and_replaces_nothing(tmp_path: Path) -> None:
    """Two packages of one name are both kept."""
    inbox = plant(tmp_path / "inbox", {"a.walnut": b"1", "ben/a.walnut": b"2", "carla/a.walnut": b"3"})
    for name in ("a.walnut", "ben/a.walnut", "carla/a.walnut"):
        put_away(inbox / name, inbox)
    received = {one.name: one.read_bytes() for one in (inbox / ".received").iterdir()}
    assert received == {"a.walnut": b"1", "a-2.walnut": b"2", "a-3.walnut": b"3"}


def test_what_cannot_be_put_away_stays(tmp_path: Path) -> None:
    """It was received all the same."""
    inbox = plant(tmp_path / "inbox", {"a.walnut": b"1", ".received": b"a file"})
    assert put_away(inbox / "a.walnut", inbox) == inbox / "a.walnut"
    assert (inbox / "a.walnut").read_bytes() == b"1"
