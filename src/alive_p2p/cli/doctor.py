"""`doctor`: whether everything is there that a share or a receive needs."""

from dataclasses import asdict

import click

from alive_p2p.api.doctor import DEFAULT_SECONDS, Check, examine
from alive_p2p.cli.options import Call, common
from alive_p2p.cli.screen import plural, short

_NAME_WIDTH = 12
_LEVEL_WIDTH = 8
_TEXT = 400


@click.command(epilog="\b\nExample:\n  alive-p2p doctor")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0.1),
    default=DEFAULT_SECONDS,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for a relay, or for another program.",
)
@common
def doctor(call: Call, /, *, timeout: float) -> None:
    """Look whether everything is there, and how to mend what is not.

    Changes nothing. Exits with 0 where there is no problem, also where there are notes; else with 1.
    """
    with call.screen.working("looking"):
        checks = examine(call.runtime, seconds=timeout)
    for check in checks:
        call.screen.lines(_lines(check), result=True)
    problems, notes = (sum(1 for one in checks if one.level == level) for level in ("problem", "note"))
    summary = "no problem" if not problems else plural(problems, "problem")
    call.screen.say()
    call.screen.say(f"{summary}, {plural(notes, 'note')}" if notes else summary)
    status = "problem" if problems else "note" if notes else "ok"
    call.screen.document({"status": status, "checks": [asdict(one) for one in checks]})
    call.finish(())
    if problems or (notes and call.strict):
        call.screen.exit_code = 1


def _lines(check: Check) -> list[str]:
    """A check in a line, and below it what that means and what mends it."""
    margin = " " * (_LEVEL_WIDTH + 1 + _NAME_WIDTH)
    lines = [f"{check.level:<{_LEVEL_WIDTH}} {check.name:<{_NAME_WIDTH}} {short(check.found, _TEXT)}"]
    if check.meaning is not None:
        lines.append(f"{margin} {short(check.meaning, _TEXT)}")
    if check.mend is not None:
        lines.append(f"{margin} try: {short(check.mend, _TEXT)}")
    return lines
