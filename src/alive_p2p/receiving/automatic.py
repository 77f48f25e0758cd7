"""Which packages may be received with nobody looking (receive.md §11, relay.md §4).

Pure: everything is told from the plan, from who the signer is to us, and from how the package came.
"""

from dataclasses import dataclass
from enum import Enum

from alive_p2p.errors import AliveP2PError
from alive_p2p.package.signature import Outcome
from alive_p2p.receiving.plan import Lineage, ReceivePlan

NEEDS_A_PERSON = "needs-a-person"
"""The code of the error that stops a receive with nobody looking."""


class Standing(Enum):
    """What whoever has signed a package is to us."""

    PAIRED = "paired"
    UNPAIRED = "unpaired"
    """Their key was imported, and nobody has said that it counts."""
    DISPUTED = "disputed"
    """Two keys claim to follow theirs."""
    OURSELVES = "ourselves"
    STRANGER = "stranger"


class Way(Enum):
    """How a package came."""

    BY_HAND = "by-hand"
    """Somebody has put the file where it lies."""
    DELIVERED = "delivered"
    """Through our relay, with a delivery note that counts."""
    UNPROVEN = "unproven"
    """Through our relay, and nothing shows that it is for us."""
    DECLINED = "declined"
    """It was declined before."""


@dataclass(frozen=True)
class Arrival:
    """How a package came; where it was delivered, by whom and what its note is about."""

    way: Way
    peer: str | None = None
    import_id: str | None = None


def needs(plan: ReceivePlan, standing: Standing, arrival: Arrival) -> tuple[str, ...]:
    """Why a person has to look at a package before it is received; nothing where it may be received without one.

    Args:
        plan: what receiving it would do.
        standing: what its signer is to us.
        arrival: how it came.
    """
    return (*_of_the_sender(plan, standing), *_of_the_way(plan, arrival), *_of_the_content(plan))


def refuse_without_person(plan: ReceivePlan, standing: Standing, arrival: Arrival) -> None:
    """Stop a receive that somebody has to look at.

    Raises:
        AliveP2PError: `needs-a-person`; with all reasons.
    """
    if why := needs(plan, standing, arrival):
        raise AliveP2PError(
            NEEDS_A_PERSON,
            f"it is for a person to decide: {'; '.join(why)}",
            untouched="everything",
            hint="look at it with `alive-p2p receive FILE`",
            details=why,
        )


def _of_the_sender(plan: ReceivePlan, standing: Standing) -> tuple[str, ...]:
    verdict = plan.verdict
    if verdict.outcome is Outcome.UNSIGNED:
        return ("it is not signed",)
    if verdict.outcome is Outcome.UNKNOWN or standing is Standing.STRANGER:
        return (f"it is signed with a key that you do not know ({verdict.pubkey_id})",)
    if verdict.outcome is not Outcome.VALID:
        return (f"its signature is '{verdict.outcome.value}'",)
    if standing is Standing.UNPAIRED:
        return (f"you and '{verdict.signer}' are not paired: their key was only imported",)
    if standing is Standing.DISPUTED:
        return (f"two keys claim to follow that of '{verdict.signer}'",)
    if standing is Standing.OURSELVES:
        return ("it is signed by yourself",)
    return ()


def _of_the_way(plan: ReceivePlan, arrival: Arrival) -> tuple[str, ...]:
    if arrival.way is Way.UNPROVEN:
        return ("it came through a relay, and no delivery note shows that it is for you",)
    if arrival.way is Way.DECLINED:
        return ("you have declined it before",)
    is_noted = arrival.peer == plan.verdict.signer and arrival.import_id == plan.manifest.import_id
    if arrival.way is Way.DELIVERED and not is_noted:
        return ("it is not what its delivery note is about",)
    return ()


def _of_the_content(plan: ReceivePlan) -> tuple[str, ...]:
    """What somebody would decide differently than somebody else: nothing of that is decided by itself."""
    if plan.is_noop:
        return ()
    why = []
    if plan.lineage is Lineage.OVERRIDDEN:
        why.append("it comes from another walnut")
    if plan.changes:
        why.append("it would change files that are here")
    if any(fate.is_renamed for fate in plan.bundles):
        why.append("a name that it needs is taken here")
    if plan.migration.errors:
        why.append("it cannot be brought forward without loss")
    if plan.hidden:
        why.append("it hides text that an agent would read and you would not see")
    if plan.installation.renamed_agent_files:
        why.append("it brings files that agents would obey")
    return (*why, *plan.warnings)
