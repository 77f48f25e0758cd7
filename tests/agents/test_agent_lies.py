"""A client that lies: about tokens, about paths, about what was answered. Nothing is done, and it is said why."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import mcp_types as types
import pytest
from agent import ERAS, Agent, Human, talk
from mcp import Client

from alive_p2p import files
from alive_p2p.keys.keyring import Keyring
from alive_p2p.mcp.calling import Surroundings
from alive_p2p.mcp.server import make_server
from alive_p2p.mcp.tokens import MOST, SECONDS, Tokens
from alive_p2p.relay import outbox
from relay.people import Person, key_of
from worlds import NOVA, make_world, plant, tree_of

# --- tokens ---------------------------------------------------------------------------------------------------


def shares(alice: Person, work: Callable[[Agent, str], Any], **options: Any) -> Any:
    """Preview a share of everything, and do something with its token."""

    async def run(agent: Agent) -> Any:
        shown = await agent("preview_share", walnut=alice.walnut(), scope="full", output=alice.world / "out.walnut")
        return await work(agent, shown["token"])

    return talk(alice, run, **{"human": Human(), **options})


def nothing_made(alice: Person) -> bool:
    return not list(alice.base.rglob("*.walnut"))


def test_a_token_is_for_one_call(alice: Person) -> None:
    """The second time it is refused, and nothing more is made."""

    async def twice(agent: Agent, token: str) -> None:
        await agent("create_package", token=token, walnut=alice.walnut())
        error = await agent.refused("create_package", token=token, walnut=alice.walnut())
        assert (error["code"], error["message"]) == ("bad-token", "the token has been used")

    shares(alice, twice)
    assert len(list(alice.base.rglob("*.walnut"))) == 1


def test_two_calls_at_once_with_one_token_make_one_package(alice: Person) -> None:
    """While the person thinks about the first, the second finds the token spent."""

    async def at_once(agent: Agent, token: str) -> None:
        async with anyio.create_task_group() as group:
            for _ in range(2):
                group.start_soon(lambda: agent.result("create_package", token=token, walnut=alice.walnut()))
        assert sorted(document["status"] for _, _, document in agent.calls[1:]) == ["error", "ok"]

    human = Human()
    shares(alice, at_once, human=human)
    assert len(human.asked) == 1


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda _, __: ("create_package", "create-" + "0" * 32, None), "there is no such token"),
        (lambda token, _: ("create_package", token.upper(), None), "there is no such token"),
        (lambda token, other: ("create_package", token, other), "the token is for another walnut"),
        (lambda token, _: ("apply_receive", token, None), "the token is for `create_package`, not for `apply_receive`"),
        (lambda token, _: ("relay_push", token, None), "the token is for `create_package`, not for `relay_push`"),
    ],
)
def test_a_token_is_for_what_was_shown(alice: Person, change: Callable[..., Any], why: str) -> None:
    """Made up, for another walnut, or for another tool: refused, and what it was for is not done either."""
    other = plant(alice.world / "04_Ventures" / "other", NOVA)

    async def lie(agent: Agent, token: str) -> None:
        tool, used, walnut = change(token, other)
        given: dict[str, Any] = {"token": used}
        given |= {"walnut": walnut or alice.walnut()} if tool == "create_package" else {"package": alice.world / "x"}
        given |= {"peer": "ben"} if tool == "relay_push" else {}
        error = await agent.refused(tool, **given)
        assert (error["code"], error["message"], error["untouched"]) == ("bad-token", why, "everything")

    human = Human()
    shares(alice, lie, human=human)
    assert not human.asked
    assert nothing_made(alice)


def test_a_token_expires(alice: Person) -> None:
    """After a quarter of an hour it is worth nothing."""
    now = [0.0]
    surroundings = Surroundings(replace(alice.runtime, monotonic=lambda: now[0]))

    async def late(agent: Agent, token: str) -> None:
        now[0] += SECONDS + 1
        error = await agent.refused("create_package", token=token, walnut=alice.walnut())
        assert error["message"] == "the token has expired"

    shares(alice, late, surroundings=surroundings)
    assert nothing_made(alice)


def test_only_so_many_tokens_are_kept() -> None:
    """The oldest go first: an agent that asks for previews without end fills nothing up."""
    numbers = iter(range(1000))
    tokens = Tokens(lambda: 0.0, lambda n: f"{next(numbers):0{n}d}")
    given = [tokens.give("create_package", {}, number) for number in range(3 * MOST)]
    assert tokens.take("create_package", given[-1], {}) == 3 * MOST - 1
    assert len(tokens._kept) + len(tokens._spent) <= 2 * MOST


# --- the world changed ----------------------------------------------------------------------------------------


def a_file(alice: Person) -> None:
    (alice.walnut() / "notes.md").write_bytes(b"another\n")


def one_more(alice: Person) -> None:
    (alice.walnut() / "more.md").write_bytes(b"more\n")


def more_private(alice: Person) -> None:
    (alice.walnut() / "launch-window" / "context.manifest.yaml").write_bytes(b"goal: x\nsensitivity: restricted\n")


@pytest.mark.parametrize("change", [a_file, one_more, more_private])
@pytest.mark.parametrize("when", ["before the question", "during the question"])
def test_what_changed_after_the_preview_does_not_leave(
    alice: Person, change: Callable[[Person], None], when: str
) -> None:
    """Exactly what was shown, or nothing."""
    human = Human()
    if when == "during the question":
        human.meanwhile = lambda: change(alice)

    async def act(agent: Agent, token: str) -> None:
        if when == "before the question":
            change(alice)
        error = await agent.refused("create_package", token=token, walnut=alice.walnut())
        assert error["code"] == "changed"

    shares(alice, act, human=human)
    assert nothing_made(alice)


def test_who_is_no_longer_who_they_were_gets_nothing(pair: tuple[Person, Person]) -> None:
    """A recipient whose key was revoked, or put in another's place, between the preview and the yes."""
    alice, _ = pair
    keyring = Keyring.load(alice.runtime)

    async def act(agent: Agent) -> list[str]:
        codes = []
        for change in (
            lambda: keyring.set_status("ben", "unpaired"),
            lambda: keyring.set_status("ben", "revoked"),
        ):
            keyring.set_status("ben", "paired")
            shown = await agent("preview_share", walnut=alice.walnut(), scope="full", to=["ben"])
            change()
            error = await agent.refused("create_package", token=shown["token"], walnut=alice.walnut())
            codes.append(error["code"])
        return codes

    assert talk(alice, act, human=Human()) == ["changed-meanwhile", "bad-recipient"]
    assert not list(alice.base.rglob("made-*"))


def test_another_package_in_its_place_is_not_received(pair: tuple[Person, Person]) -> None:
    """Nor into a target that is not as it was, nor from a signer whose standing has changed."""
    alice, ben = pair
    place = ben.world / "03_Inbox" / "p.walnut"
    first = alice.packed(signing_key=alice.we.key).read_bytes()
    (alice.walnut() / "notes.md").write_bytes(b"another\n")
    second = alice.packed("q.walnut", signing_key=alice.we.key).read_bytes()
    target = ben.world / "03_Inbox" / "nova"

    async def act(agent: Agent) -> list[str]:
        codes = []
        for change in (
            lambda: place.write_bytes(second),
            lambda: place.write_bytes(first[:-20]),
            target.mkdir,
            lambda: Keyring.load(ben.runtime).set_status("alice", "revoked"),
        ):
            place.write_bytes(first)
            shown = await agent("preview_receive", package=place)
            change()
            codes.append((await agent.refused("apply_receive", token=shown["token"], package=place))["code"])
            target.rmdir() if target.exists() else None
        return codes

    assert talk(ben, act, human=Human()) == ["changed-meanwhile", "damaged", "target-exists", "revoked-signer"]
    assert not target.exists()


def test_another_file_in_its_place_is_not_sent(pair: tuple[Person, Person]) -> None:
    """Nor to a peer whose key is another one by now."""
    alice, ben = pair
    package = alice.packed().rename(alice.world / "p.walnut")
    before = package.read_bytes()
    (alice.walnut() / "notes.md").write_bytes(b"another\n")
    other = alice.packed("q.walnut").read_bytes()

    async def act(agent: Agent) -> list[str]:
        codes = []
        for change in (
            lambda: package.write_bytes(other),
            lambda: Keyring.load(alice.runtime).import_peer(
                "ben", key_of("mallory").public.pem(), status="paired", replace=True
            ),
        ):
            package.write_bytes(before)
            push = (await agent("inspect_package", package=package, for_peer="ben"))["push"]
            change()
            error = await agent.refused("relay_push", token=push["token"], package=package, peer="ben")
            codes.append(error["code"])
        return codes

    assert talk(alice, act, human=Human()) == ["changed-meanwhile", "changed-meanwhile"]
    assert ben.waiting() == []
    assert not list((alice.runtime.alive_home / "relay" / "outbox").glob("*.walnut"))


def test_what_is_swapped_while_it_is_made_ready_is_not_sent(pair: tuple[Person, Person]) -> None:
    """It was still the file that was looked at, and another by the time that it was read; nothing stays behind."""
    alice, ben = pair
    package = alice.packed().rename(alice.world / "p.walnut")
    (alice.walnut() / "notes.md").write_bytes(b"another\n")
    other = alice.packed("q.walnut").read_bytes()
    folder = outbox.folder_of(alice.runtime)

    def swap(_operation: str, paths: tuple[Path, ...]) -> None:
        if folder in paths:  # which is made before the package is read
            package.write_bytes(other)

    async def act(agent: Agent) -> dict[str, Any]:
        push = (await agent("inspect_package", package=package, for_peer="ben"))["push"]
        files.watch(swap)
        return await agent.refused("relay_push", token=push["token"], package=package, peer="ben")

    try:
        error = talk(alice, act, human=Human())
    finally:
        files.watch(None)
    assert (error["code"], error["message"], error["untouched"]) == (
        "changed-meanwhile",
        "the package changed while you were looking",
        "everything",
    )
    assert package.read_bytes() == other
    assert ben.waiting() == []
    assert list(folder.glob("*.walnut")) == []


def test_what_is_not_received_by_itself_any_more_stays(pair: tuple[Person, Person]) -> None:
    """Its delivery note has gone since it was looked at: it is not received, and a person decides."""
    alice, ben = pair
    alice.push("ben")

    async def act(agent: Agent) -> dict[str, Any]:
        (fetched,) = (await agent("relay_pull"))["packages"]
        shown = await agent("preview_receive", package=fetched["package"])
        for note in (ben.relay_folder / "inbox" / "alice").glob("*.note"):
            note.unlink()
        return await agent.refused("apply_receive", token=shown["token"], package=fetched["package"])

    error = talk(ben, act, human=Human())
    assert (error["code"], error["untouched"]) == ("held", "everything; it is still in the relay")
    assert "no delivery note" in error["message"]
    assert "relay pull" in error["hint"]
    assert len(ben.waiting()) == 1
    assert not (ben.world / "03_Inbox" / "nova").exists()


# --- paths ----------------------------------------------------------------------------------------------------


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A walnut beside everybody's world, in a world of its own."""
    return plant(make_world(tmp_path / "elsewhere") / "04_Ventures" / "secret", NOVA)


def ways_out(alice: Person, outside: Path) -> list[str]:
    """Everything that would lead to it."""
    link = alice.world / "04_Ventures" / "link"
    link.symlink_to(outside)
    folder = alice.world / "folder"
    folder.symlink_to(outside.parent)
    return [
        str(outside),
        str(link),
        str(folder / "secret"),
        f"{alice.world}/04_Ventures/../../elsewhere/04_Ventures/secret",
        f"{alice.world}/../elsewhere/04_Ventures/secret",
        "04_Ventures/nova",
        "~/world",
        "",
        f"{alice.walnut()}\0",
        "/" + "x" * 4095,
    ]


@pytest.mark.skipif(os.name != "posix", reason="symbolic links need rights elsewhere")
@pytest.mark.parametrize("way", ["roots", "configured", "around"])
def test_no_path_leads_outside(alice: Person, outside: Path, way: str) -> None:
    """By whatever the borders are set: the client's roots, the worlds configured, or the world around."""
    surroundings = Surroundings(alice.runtime, configured=(alice.world,) if way == "configured" else ())
    before = tree_of(outside)

    async def try_all(agent: Agent) -> None:
        for path in ways_out(alice, outside):
            for tool, given in (
                ("list_bundles", {"walnut": path}),
                ("preview_share", {"walnut": path, "scope": "full"}),
                ("preview_receive", {"package": path}),
                ("inspect_package", {"package": path}) if path else ("list_bundles", {"walnut": path}),
                ("create_package", {"walnut": path, "token": "x"}),
                ("apply_receive", {"package": path, "token": "x"}),
            ):
                error = await agent.refused(tool, **given)
                assert error["code"] in {"outside-roots", "bad-path"}, (tool, path, error)
        for path in (str(outside.parent.parent), "/"):
            assert (await agent.refused("list_walnuts", world=path))["code"] in {"outside-roots", "no-world"}
            assert (await agent.refused("relay_pull", world=path))["code"] in {"outside-roots", "no-world"}
        (found,) = (await agent("list_walnuts"))["walnuts"]
        assert found["path"] == str(alice.walnut())

    talk(alice, try_all, roots=[alice.world] if way == "roots" else None, surroundings=surroundings, human=Human())
    assert tree_of(outside) == before


@pytest.mark.skipif(os.name != "posix", reason="symbolic links need rights elsewhere")
def test_nothing_is_written_outside(pair: tuple[Person, Person], outside: Path) -> None:
    """Not a package, not what is received, not what is fetched: by a path, or by a link that lies in its way."""
    alice, ben = pair
    alice.push("ben")
    package = alice.packed("q.walnut").rename(ben.world / "03_Inbox" / "q.walnut")
    link = ben.world / "link"
    link.symlink_to(outside)
    own = plant(ben.world / "04_Ventures" / "own", NOVA)
    before = tree_of(outside.parent.parent)

    async def try_all(agent: Agent) -> None:
        for place in (outside, link, outside / "x.walnut", link / "x.walnut", ben.runtime.alive_home / "x.walnut"):
            error = await agent.refused("preview_share", walnut=own, scope="full", output=place)
            assert error["code"] == "outside-roots"
        for target in (outside / "new", link / "new", outside):
            assert (await agent.refused("preview_receive", package=package, target=target))["code"] == "outside-roots"
        (ben.world / "03_Inbox" / "alice").symlink_to(outside)
        assert (await agent.refused("relay_pull"))["code"] == "outside-roots"

    talk(ben, try_all, roots=[ben.world], human=Human())
    assert tree_of(outside.parent.parent) == before


@pytest.mark.skipif(os.name != "posix", reason="symbolic links need rights elsewhere")
def test_a_link_that_appears_while_the_person_thinks_leads_nowhere(alice: Person, outside: Path) -> None:
    """The folder that a package was to go to, or a new walnut, has become a link to somewhere else."""
    place = alice.world / "place"
    package = alice.packed().rename(alice.world / "p.walnut")
    before = tree_of(outside)

    def swap() -> None:
        place.rmdir()
        place.symlink_to(outside)

    async def act(agent: Agent) -> list[str]:
        codes = []
        for tool, given, about in (
            ("preview_share", {"scope": "full", "output": place}, {"walnut": alice.walnut()}),
            ("preview_receive", {"target": place / "new"}, {"package": package}),
        ):
            place.unlink(missing_ok=True)
            place.mkdir()
            shown = await agent(tool, **given, **about)
            act = "create_package" if tool == "preview_share" else "apply_receive"
            codes.append((await agent.refused(act, token=shown["token"], **about))["code"])
        return codes

    assert talk(alice, act, human=Human(meanwhile=swap)) == ["outside-roots", "changed-meanwhile"]
    assert tree_of(outside) == before


def test_a_root_inside_a_world_lets_in_only_itself(alice: Person) -> None:
    """The world around it is seen as far as it says where things are, and nothing else of it."""
    other = plant(alice.world / "04_Ventures" / "other", NOVA)

    async def look(agent: Agent) -> None:
        assert [one["path"] for one in (await agent("list_walnuts"))["walnuts"]] == [str(alice.walnut())]
        assert (await agent.refused("list_bundles", walnut=other))["code"] == "outside-roots"
        error = await agent.refused("preview_share", walnut=alice.walnut(), scope="full")
        assert error["code"] == "outside-roots"  # the package would lie beside the walnut

    talk(alice, look, roots=[alice.walnut()])


def test_our_own_keys_and_records_are_nobodys_world(alice: Person) -> None:
    """Even where the home folder is a world and a root."""
    home = alice.runtime.home
    (home / ".alive" / "preferences.yaml").write_text("", encoding="utf-8")
    key = plant(home / ".alive" / "relay" / "keys", {"private.pem": b"-----BEGIN"}) / "private.pem"

    async def look(agent: Agent) -> str:
        return str((await agent.refused("inspect_package", package=key))["code"])

    assert talk(alice, look, roots=[home]) == "outside-roots"


def test_roots_narrow_what_is_configured(alice: Person, outside: Path) -> None:
    """And where the person has said so, the configured worlds count whatever the client has open."""
    world = outside.parent.parent

    async def count(agent: Agent) -> int:
        result = await agent.result("list_walnuts")
        return 0 if result.is_error else len(result.structured_content["walnuts"])

    for configured, roots, heeds, expected in (
        ((), [alice.world, world], True, 2),
        ((world,), [alice.world], True, 0),
        ((world, alice.world), [alice.world], True, 1),
        ((world,), [alice.world], False, 1),
        ((world, alice.world), None, True, 2),
        ((), [], True, 0),
        ((), [alice.base / "nowhere"], True, 0),
        ((), [alice.base], True, 1),  # the world right below it
    ):
        surroundings = Surroundings(alice.runtime, configured=configured, heeds_roots=heeds)
        assert talk(alice, count, roots=roots, surroundings=surroundings) == expected, (configured, roots, heeds)


def test_of_several_worlds_none_is_guessed(alice: Person, outside: Path) -> None:
    """Which they are is said; and a path beside them is none of them."""
    world = outside.parent.parent
    beside = plant(alice.base / "beside", {})
    before = [tree_of(place) for place in (alice.world, world)]

    async def ask(agent: Agent) -> None:
        error = await agent.refused("relay_pull")
        assert (error["code"], error["hint"], error["untouched"]) == (
            "which-world",
            "name it with `world`",
            "everything",
        )
        assert error["details"] == [str(alice.world), str(world)]
        error = await agent.refused("relay_pull", world=beside)
        assert (error["code"], error["message"]) == ("no-world", f"'{beside}' is not inside a world")

    talk(alice, ask, roots=[alice.world, world, beside], human=Human())
    assert [tree_of(place) for place in (alice.world, world)] == before


def test_a_client_that_keeps_its_roots_to_itself_touches_nothing(alice: Person) -> None:
    """It says that it has some, and then does not tell: that is no leave to go anywhere."""

    async def broken(_context: object) -> types.ErrorData:
        return types.ErrorData(code=-32603, message="no")

    async def run() -> None:
        async with Client(
            make_server(Surroundings(alice.runtime)), mode="legacy", list_roots_callback=broken
        ) as client:
            assert (await Agent(client).refused("list_walnuts"))["code"] == "no-roots"

    anyio.run(run)


def test_roots_may_change_between_the_two_steps(alice: Person, outside: Path) -> None:
    """What is not let in any more is not done any more."""
    folders = [alice.world]

    async def answer(_context: object) -> types.ListRootsResult:
        return types.ListRootsResult(roots=[types.Root(uri=folder.as_uri()) for folder in folders])  # type: ignore[arg-type]

    async def run() -> None:
        server = make_server(Surroundings(alice.runtime))
        async with Client(server, mode="legacy", list_roots_callback=answer, elicitation_callback=Human()) as client:
            agent = Agent(client)
            shown = await agent("preview_share", walnut=alice.walnut(), scope="full")
            folders[:] = [outside]
            error = await agent.refused("create_package", token=shown["token"], walnut=alice.walnut())
            assert error["code"] == "outside-roots"

    anyio.run(run)
    assert nothing_made(alice)


# --- answers --------------------------------------------------------------------------------------------------


def test_answers_to_questions_that_were_not_asked_count_for_nothing(alice: Person) -> None:
    """In the form of the protocol where the client brings the answers: made up, for another call, or a second time."""
    ticked = {"agree": True, **{f"acknowledge_{number}": True for number in range(1, 9)}}
    yes = types.ElicitResult(action="accept", content=ticked)  # type: ignore[arg-type]

    async def lie(agent: Agent) -> None:
        session = agent.client.session

        async def act(token: str, **more: Any) -> Any:
            given = {"token": token, "walnut": str(alice.walnut())}
            return await session.call_tool("create_package", given, allow_input_required=True, **more)

        async def token() -> str:
            return str((await agent("preview_share", walnut=alice.walnut(), scope="full"))["token"])

        unasked = await act(await token(), input_responses={"question": yes})
        assert isinstance(unasked, types.InputRequiredResult)  # it is asked all the same
        made_up = await act(await token(), input_responses={"question": yes}, request_state="0" * 32)
        assert made_up.structured_content["error"]["code"] == "bad-state"
        asked = await act(first := await token())
        other = await act(await token(), input_responses={"question": yes}, request_state=asked.request_state)
        assert other.structured_content["error"]["code"] == "bad-state"
        again = await act(first, input_responses={"question": yes}, request_state=asked.request_state)
        assert again.structured_content["error"]["code"] == "bad-state"  # the state was spent by the lie
        asked = await act(first := await token())
        wrong_name = await act(first, input_responses={"agree": yes}, request_state=asked.request_state)
        assert isinstance(wrong_name, types.InputRequiredResult)
        roots = types.ListRootsResult(roots=[])
        wrong_kind = await act(first, input_responses={"question": roots}, request_state=wrong_name.request_state)
        assert wrong_kind.structured_content["error"]["code"] == "bad-state"
        assert nothing_made(alice)
        asked = await act(first := await token())
        done = await act(first, input_responses={"question": yes}, request_state=asked.request_state)
        assert done.structured_content["status"] == "ok", done.structured_content
        replayed = await act(first, input_responses={"question": yes}, request_state=asked.request_state)
        assert replayed.structured_content["error"]["code"] == "bad-state"

    talk(alice, lie, human=Human(), era="auto")
    assert len(list(alice.base.rglob("*.walnut"))) == 1


@pytest.mark.parametrize("era", ERAS)
def test_wrong_arguments_are_refused_by_name(alice: Person, era: str) -> None:
    """Missing, of another kind, too long, unknown; an unknown tool suggests the nearest."""

    async def try_all(agent: Agent) -> None:
        walnut = str(alice.walnut())
        for given, piece in (
            ({}, "`walnut` is missing"),
            ({"walnut": 7, "scope": "full"}, "`walnut` is not a text"),
            ({"walnut": walnut, "scope": "all"}, "it can be full, bundle, snapshot"),
            ({"walnut": walnut, "scope": "full", "bundles": "x"}, "`bundles` is not a list"),
            ({"walnut": walnut, "scope": "full", "nested": "yes"}, "`nested` is not true or false"),
            ({"walnut": walnut, "scope": "full", "excludes": []}, "did you mean `exclude`?"),
            ({"walnut": walnut, "scope": "full", "note": "x" * 5000}, "`note` is not a text, or is too long"),
            ({"walnut": walnut, "scope": "full", "yes": True}, "there is no argument `yes`"),
        ):
            error = await agent.refused("preview_share", **given)
            assert error["code"] == "usage"
            assert piece in error["message"]
        error = await agent.refused("preview_shares")
        assert error["hint"] == "did you mean `preview_share`?"

    talk(alice, try_all, era=era)
