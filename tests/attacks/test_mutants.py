"""Thousands of packages made by chance from valid ones, each judged as a whole (receive.md §1).

What is asked is always the same: refused by an error of ours with everything as it was, or accepted with every byte
inside the target. `arena.Arena` checks that, down to each path that was written to for a moment.
"""

from typing import Any

import pytest
from arena import Arena, Ended, check_error
from forging import FULL, KEY, Draft, Raw, gnu_long, pax
from hypothesis import given, settings
from hypothesis import strategies as st
from mutations import Mutant
from seals import AgeDraft, Receiver, RsaDraft

from alive_p2p import api
from alive_p2p.errors import AliveP2PError
from alive_p2p.receiving.inspection import Verification

_KERNEL = {"_kernel/log.md", "_kernel/now.json", "_kernel/imports.json"}


def _judged(arena: Arena, mutant: Mutant, sealed: bytes, receiver: Receiver) -> Ended:
    """Receive it, and look at it as `info` and `verify` do; a failure tells how the mutant came about."""
    try:
        ended = arena.receive(sealed, scope=mutant.scope, credentials=receiver.credentials)
        is_good = _looked_at(arena, receiver)
        assert is_good or not ended.accepted, "received, and `verify` says it must not be"
    except BaseException as error:
        error.add_note(f"the mutant: {mutant.story}")
        raise
    return ended


def _looked_at(arena: Arena, receiver: Receiver) -> bool:
    """Whether `verify` says that the package is good; looking changes nothing and fails only with errors of ours."""
    before = arena.look()
    for look in (api.inspect, api.verify):
        try:
            found = look(arena.package, credentials=receiver.credentials, runtime=arena.runtime())
        except AliveP2PError as error:
            check_error(error)
            found = None
    assert arena.look() == before
    return isinstance(found, Verification) and found.passed


@pytest.mark.parametrize("batch", range(16))
def test_a_mutant_is_refused_whole_or_received_whole(arena: Arena, receiver: Receiver, batch: int) -> None:
    """Members, manifest, archive and stream bent once or several times, mostly with right hashes."""
    accepted = 0
    for number in range(60):
        mutant = Mutant(f"{batch}-{number}")
        accepted += _judged(arena, mutant, mutant.package, receiver).accepted
    assert 0 < accepted < 60  # otherwise the mutations are of no use


@pytest.mark.parametrize("batch", range(4))
def test_a_sealed_mutant_ends_as_it_does_without_its_envelope(arena: Arena, receiver: Receiver, batch: int) -> None:
    """An envelope hides nothing and lets nothing more in; what cannot be unpacked at all cannot be opened."""
    for number in range(20):
        mutant = Mutant(f"sealed-{batch}-{number}")
        plain = _judged(arena, mutant, mutant.package, receiver)
        for draft in (RsaDraft(receiver, mutant.package), AgeDraft.by_passphrase(mutant.package)):
            ended = _judged(arena, mutant, draft.sealed(), receiver)
            assert ended.code in {plain.code, "cannot-open"}, mutant.story
            assert ended.accepted == plain.accepted, mutant.story


@pytest.mark.slow
@pytest.mark.parametrize(
    "batch", [pytest.param(batch, marks=[pytest.mark.crash] if batch >= 3 else []) for batch in range(40)]
)
def test_many_more_mutants_are_refused_whole_or_received_whole(arena: Arena, receiver: Receiver, batch: int) -> None:
    """Twenty thousand of them, most only by `make crash`."""
    for number in range(500):
        mutant = Mutant(f"many-{batch}-{number}")
        _judged(arena, mutant, mutant.package, receiver)


# --- whatever hypothesis comes up with ------------------------------------------------------------------------

_SCALARS = (
    st.text(max_size=12)
    | st.integers(-2, 2**65)
    | st.booleans()
    | st.none()
    | st.sampled_from(["full", "bundle", "v2", "_kernel/key.md", "package-readme", "../x", Raw("1.5"), Raw("*a")])
)
_ANY = st.recursive(
    _SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["path", "reason", "sha256", "size"]) | st.text(max_size=5), inner, max_size=3
        )
    ),
    max_leaves=6,
)


@settings(max_examples=120)
@given(data=st.data())
def test_any_value_anywhere_in_a_manifest_is_refused_or_harmless(arena: Arena, data: st.DataObject) -> None:
    """In a field, in `source`, in an entry, in a list; what is accepted installs the listed files and nothing else."""
    draft = Draft.of_snapshot() if data.draw(st.booleans()) else Draft()
    value: Any = data.draw(_ANY)
    where = data.draw(st.sampled_from(["field", "source", "entry", "item", "new"]))
    if where == "field":
        draft.set(data.draw(st.sampled_from([name for name, _ in draft.fields if name != "scope"])), value)
    elif where == "source":
        source = draft.get("source")
        draft.set("source", {**source, data.draw(st.sampled_from([*source, "walnut_id", "key_sha256"])): value})
    elif where == "entry":
        one = data.draw(st.sampled_from(draft.get("files")))
        one[data.draw(st.sampled_from([*one, "more"]))] = value
    elif where == "item":
        name = data.draw(st.sampled_from(["exclusions_applied", "substitutions_applied", "executables", "empty_dirs"]))
        draft.set(name, [value, *data.draw(st.lists(_ANY, max_size=2))])
    else:
        draft.set(data.draw(st.text(max_size=8) | st.sampled_from(["bundles", "signature", "sensitivity"])), value)
    ended = arena.receive(draft.package())
    if ended.accepted:
        made_here = _KERNEL | {"_kernel/completed.json"}
        brought = {p: c for p, c in ended.installed.items() if not p.endswith("/") and p not in made_here}
        assert brought.items() <= FULL.items()
        assert brought["_kernel/key.md"] == KEY


_SEGMENTS = st.text(max_size=8) | st.sampled_from(["..", ".", "", "_kernel", "C:", "\0", "x" * 255, "\ud800", "\u202e"])


@settings(max_examples=120)
@given(
    name=st.lists(_SEGMENTS, min_size=1, max_size=4).map("/".join),
    way=st.sampled_from(["header", "pax", "gnu"]),
    kind=st.sampled_from([b"0", b"0", b"5"]),
)
def test_any_name_is_refused_or_arrives_under_itself(arena: Arena, name: str, way: str, kind: bytes) -> None:
    """Whatever characters it is made of and however it is written in the archive."""
    raw = name.encode("utf-8", "surrogatepass")
    content = b"" if kind == b"5" else b"the content"
    draft = Draft()
    member = draft.add("x", content, kind=kind, listed=False)
    member.name = raw.decode("utf-8", "surrogateescape")
    member.before = {"header": b"", "pax": pax({"path": raw}), "gnu": gnu_long(raw)}[way]
    if kind == b"0":
        draft.mention(name, content)
    ended = arena.receive(draft.package())
    if ended.accepted and kind == b"0":
        assert [path for path, found in ended.installed.items() if found == content] == [name]
