"""The transcript on the page for agents is what really happens."""

import itertools
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from agent import Agent, Human, talk

from alive_p2p.mcp.calling import Surroundings
from alive_p2p.receiving.pipeline import receive
from alive_p2p.receiving.plan import ReceiveRequest
from relay.people import Person

PAGE = Path(__file__).resolve().parents[2] / "docs" / "agents.md"

SHOWN = {
    "list_bundles": ("bundles",),
    "preview_share": ("status", "token", "recipients", "encryption", "key", "files", "person_is_asked"),
    "create_package": ("status", "package", "pushes"),
    "relay_push": ("status", "deposit"),
    "relay_pull": ("status", "packages"),
    "preview_receive": ("status", "token", "target", "target_is", "signature", "bundles", "from_outside"),
    "apply_receive": ("status", "target", "applied_bundles"),
    "list_receipts": ("receipts",),
}
"""What of each result stands on the page."""
LEFT_OUT = {
    "tasks", "pii", "path", "first", "more", "files", "left_out_there", "changed_there", "description", "sensitivity",
    "sent_at", "problem", "can_be_shared", "import_id", "status_at", "means", "reason",
}  # fmt: skip


def shortened(value: Any) -> Any:
    """A result without what would make the page long."""
    if isinstance(value, dict):
        return {key: shortened(one) for key, one in value.items() if key not in LEFT_OUT or key == "files"}
    return [shortened(one) for one in value] if isinstance(value, list) else value


class Transcript:
    """What is said between an agent, the server and the person."""

    def __init__(self, alice: Person, ben: Person) -> None:
        self.lines: list[str] = []
        self._base = alice.base
        shown = (alice, "a11c3k3ya11c3k3y"), (ben, "b3n5k3y0b3n5k3y0")
        self._keys = {person.we.key.public.pubkey_id: key for person, key in shown}

    def of(self, name: str, person: Person, number: int) -> tuple[Surroundings, Human]:
        """A server with numbers instead of chance, and a person whose questions are written down."""
        numbers = itertools.count(number)
        runtime = replace(person.runtime, random_hex=lambda n: f"{next(numbers):0{n}x}")
        self.lines += ["", f"{name}'s agent"]
        human = Human(meanwhile=lambda: self.ask(human))
        return Surroundings(runtime), human

    def ask(self, human: Human) -> None:
        """A question, and the yes to it."""
        self.lines += [f"    | {line}" for line in human.asked[-1].message.split("\n")]
        self.lines += [f"    | [x] {title}" for title in human.titles]

    def hear(self, tool: str, given: dict[str, Any]) -> None:
        self.lines.append(f"> {tool} {json.dumps(given, ensure_ascii=False)}")

    def tell(self, tool: str, document: dict[str, Any]) -> None:
        self.lines += [f"< {key}: {json.dumps(shortened(document[key]), ensure_ascii=False)}" for key in SHOWN[tool]]

    @property
    def text(self) -> str:
        """All of it, with names in the place of what is another every time."""
        text = "\n".join(self.lines).strip() + "\n"
        text = text.replace(str(self._base), "/home")
        text = re.sub(r"(create|relay|apply)-0*([0-9a-f]+)", r"\1-…\2", text)
        for found, shown in self._keys.items():
            text = text.replace(found, shown)
        return re.sub(r"[\d,]+ bytes", "… bytes", text)


def test_the_transcript_is_what_happens(pair: tuple[Person, Person]) -> None:
    """Share, push, pull, receive and receipt between two worlds; shortened, and with other names for what is random."""
    alice, ben = pair
    walnut = alice.walnut()
    transcript = Transcript(alice, ben)

    def told(agent: Agent) -> Any:
        async def call(tool: str, **given: Any) -> dict[str, Any]:
            transcript.hear(tool, given)
            document = await agent(tool, **given)
            transcript.tell(tool, document)
            return document

        return call

    async def send(agent: Agent) -> None:
        call = told(agent)
        await call("list_bundles", walnut=str(walnut))
        wish = {"scope": "bundle", "bundles": ["shielding-review"], "to": ["ben"]}
        shown = await call("preview_share", walnut=str(walnut), **wish)
        made = await call("create_package", token=shown["token"], walnut=str(walnut))
        await call("relay_push", token=made["pushes"][0]["token"], package=made["package"], peer="ben")

    async def take(agent: Agent) -> None:
        call = told(agent)
        package = (await call("relay_pull"))["packages"][0]["package"]
        shown = await call("preview_receive", package=package)
        await call("apply_receive", token=shown["token"], package=package)

    async def ask(agent: Agent) -> None:
        await told(agent)("list_receipts", peer="ben", look=True)

    first = alice.packed("first.walnut", excludes=("shielding-review/",))
    receive(ReceiveRequest(first, target=ben.world / "04_Ventures" / "nova"), ben.runtime)
    for name, person, work, number in (("Alice", alice, send, 1), ("Ben", ben, take, 33), ("Alice", alice, ask, 65)):
        surroundings, human = transcript.of(name, person, number)
        talk(person, work, human=human, surroundings=surroundings, roots=[person.world])
    shown = f"```text\n{transcript.text}```\n"
    assert shown in PAGE.read_text(encoding="utf-8"), f"the page has to say:\n\n{shown}"
