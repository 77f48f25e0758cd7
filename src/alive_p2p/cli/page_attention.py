"""What needs attention, on the page of a plan: the gate's rulings, the findings, and the warnings (share.md §4)."""

from collections.abc import Iterable

from alive_p2p.cli.page_markup import NOTHING, Html, code, element, join, listed, name, prose, section
from alive_p2p.cli.preview import OUTCOMES
from alive_p2p.cli.screen import plural
from alive_p2p.sharing.findings import Finding
from alive_p2p.sharing.gate import Outcome, Ruling, ruling_on
from alive_p2p.sharing.plan import SharePlan

_SHOWN = 20


def to_settle(plan: SharePlan) -> int:
    """How many things keep it here, whatever is answered at a prompt."""
    return len(plan.gate.blocks) + len(plan.blocking_findings)


def worth_a_look(plan: SharePlan) -> int:
    """How many things stop nothing and should be seen all the same."""
    names = [finding for finding in plan.findings if not finding.blocks]
    return len(plan.warnings) + len(names) + bool(plan.unscanned)


def attention_section(plan: SharePlan) -> Html:
    """Everything a person has to look at, what blocks first."""
    blocking = plan.blocking_findings
    allowed = [finding for finding in plan.findings if finding.blocks and finding not in blocking]
    names = [finding for finding in plan.findings if not finding.blocks]
    groups = [
        _group(
            "To settle",
            "No yes at a prompt lets these pass.",
            [*map(_ruling, plan.gate.blocks), *(_finding(one, "blocks") for one in blocking)],
        ),
        _group(
            "Will be asked",
            "A yes at the prompt, or `--yes`, lets these pass.",
            [*map(_ruling, plan.gate.questions)],
        ),
        _group(
            "Decided by hand",
            "The gate would have stopped these. Each decision is recorded with the share.",
            [*map(_ruling, plan.gate.overrides), *(_finding(one, "allowed") for one in allowed)],
        ),
        _group(
            "Worth a look",
            "These stop nothing.",
            [
                *(_item("warning", "warning", prose(warning)) for warning in plan.warnings),
                *_unscanned(plan),
                *(_finding(one, "look at") for one in names),
            ],
        ),
    ]
    if not any(groups):
        groups = [element("p", "Nothing needs your attention.", class_="calm")]
    return section("attention", "Needs attention", *groups)


def _group(heading: str, explanation: str, items: list[Html]) -> Html:
    if not items:
        return NOTHING
    count = element("span", f"{len(items):,}", class_="count")
    return join(
        [
            element("h3", f"{heading} ", count),
            element("p", prose(explanation), class_="quiet"),
            listed(items, shown=_SHOWN, what="thing", class_="items"),
        ]
    )


def _item(kind: str, word: str, *content: str) -> Html:
    """One thing: the word for what happens to it, and what it is."""
    return element("li", element("p", word, class_="word"), element("div", *content), class_=f"item {kind}")


def _ruling(ruling: Ruling) -> Html:
    commands = (f"--acknowledge '{ruling.name}'", f"--exclude '{ruling.name}/'")
    hint = element("p", prose(ruling.hint, *commands), class_="hint") if ruling.hint else NOTHING
    is_block = ruling.outcome in {Outcome.REFUSED, Outcome.NEEDS_ACKNOWLEDGE}
    kind = "block" if is_block else "ask" if ruling.outcome is Outcome.ASKS else "settled"
    return _item(kind, OUTCOMES[ruling.outcome], element("p", prose(ruling.why), class_="why"), hint)


def _finding(finding: Finding, word: str) -> Html:
    """A secret or a tell-tale name, with the way on where it blocks."""
    where = code(finding.path)
    line = f", line {finding.line:,}" if finding.line else ""
    times = f", {finding.count:,} times" if finding.count > 1 else ""
    hint = None
    if word == "blocks":
        commands = (f"--exclude '{finding.path}'", f"--allow-finding {finding.id}")
        hint = prose(ruling_on(finding).hint or "", *commands)
    return _item(
        {"blocks": "block", "allowed": "settled"}.get(word, "warning"),
        word,
        element("p", finding.what, class_="why"),
        element("p", where, line, times, class_="where"),
        element("p", element("code", name(finding.excerpt), class_="excerpt"), class_="where"),
        element("p", hint, class_="hint") if hint else NOTHING,
        element("p", "finding ", code(finding.id), class_="id"),
    )


def _unscanned(plan: SharePlan) -> Iterable[Html]:
    if plan.unscanned:
        what = f"{plural(plan.unscanned, 'file')} of a kind that cannot be looked into for secrets"
        yield _item("warning", "unseen", what)
