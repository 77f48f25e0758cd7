"""The whole road by agents: share, push, pull, receive, receipt, with the installed program on both sides."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from agent import Agent, Human, Work, talk, talk_to_program

from alive_p2p.mcp.calling import Surroundings
from relay.people import Person
from worlds import NOVA, tree_of

Talk = Callable[..., Any]


def over_standard_input(program: str) -> Talk:
    """Agents that speak to the installed program."""

    def speak(person: Person, work: Work, *, human: Human, era: str) -> Any:
        return talk_to_program(program, person, work, human=human, roots=[person.world], era=era)

    return speak


def in_this_process(person: Person, work: Work, *, human: Human, era: str) -> Any:
    """Agents that speak to a server in this process."""
    return talk(person, work, human=human, roots=[person.world], era=era)


def test_two_agents_carry_a_walnut_from_one_world_to_another(pair: tuple[Person, Person], program: str) -> None:
    """With the installed program on both sides, each in another form of the protocol."""
    carry(*pair, over_standard_input(program), ("legacy", "auto"))


def test_the_form_of_the_protocol_makes_no_difference(pair: tuple[Person, Person]) -> None:
    """The same the other way round."""
    carry(*pair, in_this_process, ("auto", "legacy"))


def carry(alice: Person, ben: Person, speak: Talk, eras: tuple[str, str]) -> None:
    """Each person is asked before anything leaves or comes in, and at no other time."""
    walnut = alice.walnut()
    of_alice, of_ben = Human(), Human()

    async def send(agent: Agent) -> None:
        (found,) = (await agent("list_walnuts"))["walnuts"]
        assert found["path"] == str(walnut)
        bundles = (await agent("list_bundles", walnut=walnut))["bundles"]
        assert [one["name"] for one in bundles] == ["launch-window", "shielding-review"]
        shown = await agent("preview_share", walnut=walnut, scope="full", to=["ben"], note="for the review")
        assert not of_alice.asked
        made = await agent("create_package", token=shown["token"], walnut=walnut)
        (push,) = made["pushes"]
        sent = await agent("relay_push", token=push["token"], package=made["package"], peer="ben")
        assert sent["status"] == "ok"
        assert not Path(made["package"]).exists()  # it was only made to be sent
        status = await agent("relay_status", look=True)
        assert (status["peers"][0]["undelivered"], status["outbox"]) == (1, [])

    speak(alice, send, human=of_alice, era=eras[0])
    assert len(of_alice.asked) == 2
    assert str(walnut) in of_alice.asked[0].message
    assert f"ben ({ben.we.key.public.pubkey_id})" in of_alice.asked[1].message

    async def take(agent: Agent) -> Any:
        (fetched,) = (await agent("relay_pull"))["packages"]
        assert fetched["status"] == "fetched"
        package = fetched["package"]
        looked = await agent("inspect_package", package=package)
        assert looked["signature"]["peer"] == "alice"
        assert looked["from_outside"]["note"] == "for the review"
        assert [one["package"] for one in (await agent("inspect_package"))["packages"]] == [package]
        shown = await agent("preview_receive", package=package)
        assert shown["from_relay"]
        assert not of_ben.asked
        assert not Path(shown["target"]).exists()
        return await agent("apply_receive", token=shown["token"], package=package)

    received = speak(ben, take, human=of_ben, era=eras[1])
    assert (Path(received["target"]) / "notes.md").read_bytes() == NOVA["notes.md"]
    assert len(of_ben.asked) == 1
    assert f"signed by alice ({alice.we.key.public.pubkey_id})" in of_ben.asked[0].message
    assert ben.waiting() == []
    assert [path.parent.name for path in ben.world.rglob("*.walnut")] == [".received"]

    async def ask(agent: Agent) -> Any:
        return await agent("list_receipts", look=True, peer="ben")

    (receipt,) = speak(alice, ask, human=of_alice, era=eras[0])["receipts"]
    assert receipt["status"] == "applied"


def test_a_file_that_came_another_way_is_received_and_put_away(pair: tuple[Person, Person]) -> None:
    """From the inbox, without a relay; a bundle goes to the walnut of its lineage, and an update merges."""
    alice, ben = pair
    first = alice.packed()
    human = Human()

    async def take(agent: Agent, package: Path, **options: Any) -> dict[str, Any]:
        shown = await agent("preview_receive", package=package, **options)
        return await agent("apply_receive", token=shown["token"], package=package)

    inbox = ben.world / "03_Inbox"
    arrived = first.rename(inbox / "nova.walnut")
    made = talk(ben, lambda agent: take(agent, arrived), human=human)
    copy = Path(made["target"])
    assert (copy / "engineering" / "ring.md").exists()
    assert (inbox / ".received" / "nova.walnut").exists()
    (alice.walnut() / "shielding-review" / "draft.md").write_bytes(b"# Better\n")
    alice.clock.moment = alice.clock.moment.replace(hour=12)
    second = alice.packed("q.walnut", scope="bundle", bundles=("shielding-review",)).rename(inbox / "nova.walnut")

    async def differences(agent: Agent) -> dict[str, Any]:
        return await agent("preview_receive", package=second, update=True, differences=True)

    assert "+# Better" in talk(ben, differences)["differences"]
    updated = talk(ben, lambda agent: take(agent, second, update=True), human=human)
    assert (updated["target"], updated["changes"]["replaced"]) == (str(copy), 1)
    assert (copy / "shielding-review" / "draft.md").read_bytes() == b"# Better\n"
    assert (inbox / ".received" / "nova-2.walnut").exists()


def test_a_package_of_ones_own_is_sent_later(pair: tuple[Person, Person]) -> None:
    """`inspect_package` with a peer gives a token for a package that lies there already, plain or sealed for them."""
    alice, ben = pair
    human = Human()
    plain = alice.packed().rename(alice.world / "plain.walnut")

    async def send(agent: Agent) -> list[str]:
        walnut, sealed = alice.walnut(), alice.world / "sealed.walnut"
        shown = await agent("preview_share", walnut=walnut, scope="snapshot", to=["ben"], output=sealed)
        await agent("create_package", token=shown["token"], walnut=walnut)
        ways = []
        for package in (plain, sealed):
            push = (await agent("inspect_package", package=package, for_peer="ben"))["push"]
            await agent("relay_push", token=push["token"], package=package, peer="ben")
            ways.append(push["goes"])
        return ways

    assert talk(alice, send, human=human) == ["signed by you and sealed for them", "as it is"]
    assert plain.exists()
    assert [one.problem for one in ben.waiting()] == [None, None]


def test_looking_changes_nothing(pair: tuple[Person, Person]) -> None:
    """Every tool that says it only reads leaves both worlds and both relays as they are."""
    alice, ben = pair
    alice.push("ben")
    package = alice.packed("other.walnut").rename(ben.world / "03_Inbox" / "other.walnut")
    places = alice.world, ben.world, alice.relay_folder, ben.relay_folder
    before = [tree_of(place) for place in places]
    given: dict[str, dict[str, Any]] = {
        "list_bundles": {"walnut": alice.walnut()},
        "preview_share": {"walnut": alice.walnut(), "scope": "full"},
        "inspect_package": {"package": package},
        "preview_receive": {"package": package},
        "relay_status": {"look": True},
        "list_receipts": {"look": True},
    }

    async def look(agent: Agent) -> None:
        for tool in (await agent.client.list_tools()).tools:
            if tool.annotations is not None and tool.annotations.read_only_hint:
                await agent(tool.name, **given.get(tool.name, {}))

    both = Surroundings(ben.runtime, configured=(alice.world, ben.world))
    talk(ben, look, surroundings=both)
    assert [tree_of(place) for place in places] == before
