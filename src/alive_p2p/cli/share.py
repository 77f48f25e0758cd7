"""`share`: the interactive flow (share.md §8).

It asks only what it cannot know, in an order that never has to be gone back in, and everything it asks has a flag.
Nothing is written before the last yes.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from alive_p2p.cli.options import FOLDER, Call, common
from alive_p2p.cli.packing import Packing, PageFile, packing_options, show_result
from alive_p2p.cli.preview import plan_document, preview_lines
from alive_p2p.cli.questions import Answer, Questions
from alive_p2p.cli.screen import short
from alive_p2p.cli.sending import Sending, confirm_invited
from alive_p2p.errors import AliveP2PError, UsageError
from alive_p2p.globs import Pattern, pattern_for
from alive_p2p.keys.published import fetch_published_keys
from alive_p2p.sharing.gate import Outcome
from alive_p2p.sharing.pipeline import check_output, plan_share, refuse_blocked, write_share
from alive_p2p.sharing.plan import SharePlan, ShareRequest
from alive_p2p.walnut.bundles import Bundle, discover, effective_sensitivity, top_level
from alive_p2p.walnut.preferences import load_preferences
from alive_p2p.walnut.walnut import Walnut, open_walnut
from alive_p2p.walnut.world import find_walnut, find_world, walnuts_in

_SCOPES = "`--scope full`, `--scope snapshot` or `--bundle NAME`"
_READERS = "`--to PEER`, `--passphrase-env NAME` or `--to-nobody`"


@click.command(
    epilog="\b\nExample:\n  alive-p2p share --walnut 04_Ventures/nova-station \\\n"
    "    --scope full --to-nobody --dry-run"
)
@click.option("--scope", type=click.Choice(["full", "bundle", "snapshot"]), help="What to pack; else it asks.")
@click.option("--walnut", type=FOLDER, help="The walnut's folder; default: the one around the current folder.")
@click.option("--to-nobody", is_flag=True, help="A plain file that everybody who gets it can read.")
@click.option("--no-push", is_flag=True, help="Only make the file, and send it by no relay.")
@packing_options
@common
def share(
    call: Call,
    /,
    *,
    scope: str | None,
    walnut: Path | None,
    to_nobody: bool,
    no_push: bool,
    output: Path | None,
    force: bool,
    dry_run: bool,
    html: Path | None,
    wait: float,
    **options: Any,
) -> None:
    """Share a walnut step by step.

    What, for whom, a look at it, and off it goes: to peers with a relay at once, else as a file that you send.

    Every question has a flag, and nothing is written before the last yes.
    """
    questions = Questions(call)
    found = open_walnut(_walnut(call, questions, walnut))
    call.screen.note(f"sharing '{found.name}'")
    options["walnut"] = found.root
    options["scope"], options["bundles"] = _what(questions, found, scope, options["bundles"])
    confirm_invited(call, (*options["recipients"], *options["to"]))
    _for_whom(call, questions, options, to_nobody=to_nobody)
    _presets(call, questions, found, options)
    request = Packing(options).request(call)
    sending = Sending.of(call, request, output, is_wanted=not no_push)
    output = sending.output
    place = check_output(request, call.runtime, output=output, force=force)
    page = PageFile(call, request, html, force=force, apart_from=place)
    plan = _agreed_plan(call, questions, request, wait, page, dry_run=dry_run)
    if plan is None:
        return
    with sending:
        with call.screen.working("packing") as progress:
            result = write_share(
                plan,
                call.runtime,
                agreed=True,
                output=output,
                force=force,
                wait_seconds=wait,
                progress=progress,
            )
        show_result(call, result, send=sending.send, is_kept=sending.keeps_file)


# --- what -----------------------------------------------------------------------------------------------------


def _walnut(call: Call, questions: Questions, given: Path | None) -> Path:
    """The walnut that is named, else the one around us, else one of the world's."""
    here = call.runtime.cwd
    if given is not None:
        return here / given
    if (around := find_walnut(here)) is not None:
        return around
    world = find_world(here)
    known = [folder for folder in walnuts_in(world) if folder != world] if world is not None else []
    if world is None or not known:
        raise UsageError(
            "no-walnut",
            "there is no walnut around the current folder",
            hint="name one with `--walnut FOLDER`: a folder with a `_kernel/key.md`",
        )
    chosen: Path = questions.choose(
        "which walnut?",
        [Answer(folder.relative_to(world).as_posix(), folder) for folder in known],
        flag="`--walnut FOLDER`",
    )
    return chosen


def _what(
    questions: Questions, walnut: Walnut, scope: str | None, names: tuple[str, ...]
) -> tuple[str, tuple[str, ...]]:
    """The scope, and with scope bundle the bundles."""
    if scope is None and names:
        scope = "bundle"
    bundles = discover(walnut)
    sharable = top_level(bundles)
    if scope is None:
        answers = [
            Answer("some bundles: single pieces of work", "bundle"),
            Answer("everything: the whole walnut, without its history", "full"),
            Answer("a snapshot: what it is about, and nothing more", "snapshot"),
        ]
        scope = str(questions.choose("what of it?", answers if sharable else answers[1:], flag=_SCOPES))
    if scope == "bundle" and not names:
        if not sharable:
            raise UsageError(
                "no-bundle",
                f"'{walnut.name}' has no bundles",
                hint="share it with `--scope full`",
                untouched="everything",
            )
        names = tuple(
            questions.tick(
                "which bundles?",
                [Answer(_described(one, bundles), name) for name, one in sharable.items()],
                flag="`--bundle NAME`",
            )
        )
    return scope, names


def _described(bundle: Bundle, bundles: list[Bundle]) -> str:
    marks = [effective_sensitivity(bundle, bundles).word, *(["pii"] if bundle.has_pii else [])]
    return f"{short(bundle.name, 60)} — {', '.join(marks)}; {bundle.tasks.describe()}"


# --- for whom -------------------------------------------------------------------------------------------------


def _for_whom(call: Call, questions: Questions, options: dict[str, Any], *, to_nobody: bool) -> None:
    """A peer, somebody new, a passphrase, or nobody in particular; sets what the flags would have set."""
    has_passphrase = options["passphrase_env"] or options["passphrase_file"] is not None
    named = options["recipients"] or options["to"] or options["key_files"]
    if to_nobody and (named or has_passphrase or options["encrypt"] not in {None, "none"}):
        raise UsageError("usage", "`--to-nobody` does not go with a recipient, a passphrase or an envelope")
    if named or has_passphrase or options["encrypt"] is not None or to_nobody:
        return
    peers = [peer for peer in call.keyring().peers.values() if peer.status != "revoked"]
    answers: list[Answer[tuple[str, str]]] = [
        Answer(f"{peer.name} ({peer.public.pubkey_id}, {peer.status})", ("peer", peer.name)) for peer in peers
    ]
    answers += [
        Answer("somebody by their name at GitHub or GitLab", ("published", "")),
        Answer("whoever has a passphrase", ("passphrase", "")),
        Answer("everybody who gets the file: no seal", ("none", "")),
    ]
    kind, name = questions.choose("for whom?", answers, flag=_READERS)
    if kind == "peer":
        options["recipients"] = (name,)
    elif kind == "published":
        options["to"] = (_login(call, questions),)
    else:
        options["encrypt"] = kind


def _login(call: Call, questions: Questions) -> str:
    """`host:login` of somebody who publishes a key there; a name that nobody has is asked for again."""
    names = {"github": "GitHub", "gitlab": "GitLab"}
    host = questions.choose("where?", [Answer(name, word) for word, name in names.items()])
    while True:
        login = questions.text(f"their name at {names[host]}:")
        if not login:
            questions.tell("a name is needed; Ctrl-C stops")
            continue
        try:
            with call.screen.working("fetching keys"):
                fetch_published_keys(f"{host}:{login}", call.runtime)
        except UsageError as error:
            questions.tell(f"{error.message}; type another name, or stop with Ctrl-C")
        else:
            return f"{host}:{login}"


def _presets(call: Call, questions: Questions, walnut: Walnut, options: dict[str, Any]) -> None:
    """One of the world's presets of exclusions, where there are any; none with `--yes`, or with nobody to ask."""
    known = load_preferences(walnut.world).share_presets
    if options["presets"] or not known:
        return
    if call.yes or not call.screen.can_ask:
        names = short(", ".join(known), 200)
        call.screen.note(f"no preset of exclusions was asked for; `--preset NAME` takes one: {names}")
        return
    answers = [Answer("none", "")]
    answers += [
        Answer(f"{name}: leaves out {short(', '.join(patterns), 80)}", name) for name, patterns in known.items()
    ]
    if chosen := questions.choose("a preset of exclusions?", answers):
        options["presets"] = (chosen,)


# --- the look at it -------------------------------------------------------------------------------------------


def _agreed_plan(
    call: Call, questions: Questions, request: ShareRequest, wait: float, page: PageFile, *, dry_run: bool
) -> SharePlan | None:
    """Plan, show, and ask until it is to go; None after a dry run.

    Raises:
        AliveP2PError: it was cancelled, or the gate blocks it and there is nobody to settle that.
    """
    before = request
    while True:
        try:
            with call.screen.working("reading") as progress:
                plan = plan_share(request, call.runtime, wait_seconds=wait, progress=progress)
        except AliveP2PError as error:
            if request == before:
                raise
            questions.tell(f"{error.message}; that stays as it was")
            request = before
            continue
        call.screen.beside_error["plan"] = plan_document(plan)
        page.write(plan)
        if dry_run:
            call.screen.lines(preview_lines(plan), result=True)
            call.screen.document({"status": "dry-run", **plan_document(plan)})
            call.finish(plan.warnings)
            return None
        if call.yes:
            refuse_blocked(plan, agreed=True)
            return plan
        call.screen.lines(preview_lines(plan), result=False, is_asked_about=call.screen.can_ask)
        call.screen.warn(plan.warnings)
        if not call.screen.can_ask:
            refuse_blocked(plan, agreed=False)
            call.approve("ship it?")
        changed = _next(questions, plan, request)
        if changed is None:
            return plan
        before, request = request, changed


def _next(questions: Questions, plan: SharePlan, request: ShareRequest) -> ShareRequest | None:
    """What comes after the preview: a changed request, or None to ship the plan."""
    action = questions.choose("and now?", _actions(plan))
    if action == "cancel":
        raise AliveP2PError("declined", "stopped, as you asked", untouched="everything; nothing was written")
    if action == "ship":
        return None
    if action == "exclude":
        return _with_exclusion(questions, request)
    kind, name = action
    if kind == "acknowledge":
        return replace(request, acknowledged=(*request.acknowledged, name))
    if kind == "drop":
        return replace(request, bundles=tuple(one for one in request.bundles if one != name))
    if kind == "leave-out":
        return replace(request, excludes=(*request.excludes, name))
    return replace(request, allowed_findings=(*request.allowed_findings, name))


def _actions(plan: SharePlan) -> list[Answer[Any]]:
    """Shipping where nothing blocks, else the ways on for each thing that does; then editing, then stopping."""
    answers: list[Answer[Any]] = []
    if not plan.is_blocked:
        asks = f", for {plan.readers}" if plan.gate.questions else ""
        answers.append(Answer(f"ship it{asks}", "ship"))
    for ruling in plan.gate.blocks:
        if ruling.outcome is Outcome.NEEDS_ACKNOWLEDGE:
            answers.append(Answer(f"I know that {short(ruling.why, 160)}: let it leave", ("acknowledge", ruling.name)))
        if ruling.name in {bundle.name for bundle in plan.bundles}:
            is_named = len(plan.request.bundles) > 1
            way = ("drop", ruling.name) if is_named else ("leave-out", f"{pattern_for(ruling.name)}/")
            answers.append(Answer(f"leave out '{short(ruling.name, 60)}'", way))
    for finding in plan.blocking_findings:
        where = f"{short(finding.path, 80)}{f':{finding.line}' if finding.line else ''}"
        text = f"leave out '{short(finding.path, 80)}', which holds {finding.what}"
        answers.append(Answer(text, ("leave-out", pattern_for(finding.path))))
        answers.append(Answer(f"let {finding.what} leave ({where}, {finding.excerpt})", ("allow", finding.id)))
    answers.append(Answer("leave something out", "exclude"))
    answers.append(Answer("cancel", "cancel"))
    return answers


def _with_exclusion(questions: Questions, request: ShareRequest) -> ShareRequest:
    """One more pattern; a wrong one is told and asked for again."""
    while True:
        text = questions.text(
            "what to leave out (a name, a path, or a pattern such as drafts/ or *.mov; empty: nothing):"
        )
        if not text:
            return request
        try:
            Pattern.parse(text)
        except UsageError as error:
            questions.tell(error.message)
            continue
        return replace(request, excludes=(*request.excludes, text))
