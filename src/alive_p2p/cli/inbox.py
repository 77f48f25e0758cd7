"""`receive --inbox`: what lies in a world's inbox, and receiving it, also with nobody looking (receive.md §11)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from alive_p2p.cli.credentials import PassphraseFrom
from alive_p2p.cli.look import info_document, info_lines
from alive_p2p.cli.opening import addressee_names, credentials, find_signer
from alive_p2p.cli.options import Call
from alive_p2p.cli.receive import ask_about, receive_document, sender_text, show_received
from alive_p2p.cli.screen import field_line, human_size, plural, short
from alive_p2p.errors import AliveP2PError, PackageError, UsageError, WalnutError
from alive_p2p.receiving import inspection
from alive_p2p.receiving.automatic import NEEDS_A_PERSON, refuse_without_person
from alive_p2p.receiving.inbox import inbox_of, packages_in, put_away
from alive_p2p.receiving.pipeline import preview, receive
from alive_p2p.receiving.plan import ReceivePlan, ReceiveRequest, ReceiveResult
from alive_p2p.relay.arrivals import arrival, standing
from alive_p2p.relay.state import read_state
from alive_p2p.walnut.preferences import load_preferences
from alive_p2p.walnut.world import find_world

_DAY = 24 * 3600


@dataclass
class Item:
    """One package in the inbox, and what becomes of it.

    Attributes:
        file: where it lies.
        name: its path in the inbox.
        status: `waiting`, `received`, `here` (everything in it is here already), `held` (it is for a person to
            decide), or `failed`.
        info: what it says of itself, as far as it can be opened.
        error: why it could not be looked at, or was not received.
        result: what receiving it did.
    """

    file: Path
    name: str
    status: str = "waiting"
    info: inspection.PackageInfo | None = None
    error: AliveP2PError | None = None
    result: ReceiveResult | None = None


class Inbox:
    """The inbox of the world around us.

    Args:
        call: the call.
        request: what every receive is asked for; the package and what it is opened with are filled in.
        source: where a passphrase comes from.
        private_key: the only key to open packages with.

    Raises:
        UsageError: there is no world around us, or the private key does not exist.
    """

    def __init__(self, call: Call, request: ReceiveRequest, source: PassphraseFrom, private_key: Path | None) -> None:
        world = find_world(call.runtime.cwd)
        if world is None:
            raise UsageError("no-world", "this is not inside a world, so there is no inbox", hint="change into one")
        self._call, self._world, self._place = call, world, inbox_of(world)
        self._request = replace(request, find_signer=find_signer(call))
        is_given = source.is_given() or private_key is not None
        # Nobody is asked for a passphrase only to look.
        self._looked_with = credentials(call, source, private_key, may_ask=is_given)
        self._opened_with = credentials(call, source, private_key)

    def receive(self, *, auto: bool, dry_run: bool) -> None:
        """List what lies there, and receive what is chosen.

        Args:
            auto: receive what needs no person, and nothing else, without asking.
            dry_run: only list.

        Raises:
            AliveP2PError: nothing is to be received by itself in this world; or there is nobody to ask.
        """
        call = self._call
        if auto:
            require_switched_on(self._world)
        items = [self._looked_at(file) for file in packages_in(self._place)]
        if not items:
            call.screen.say("nothing lies in your inbox")
        elif auto:
            for item in items:
                self._without_person(item, dry_run=dry_run)
        elif dry_run or not (call.yes or call.screen.can_ask):
            self._list(items, is_result=dry_run)
        else:
            self._list(items, is_result=False)
            for item in items:
                self._ask(item)
        if items and not (auto or dry_run or call.yes or call.screen.can_ask):
            call.screen.beside_error["packages"] = [self._document(item) for item in items]
            raise AliveP2PError(
                "which",
                "it is not said which of them to receive, and there is no terminal to ask on",
                untouched="everything",
                hint="receive one by its name, `alive-p2p receive FILE`, or all of them with `--yes`",
            )
        document = {"status": _status(items, is_dry=dry_run), "packages": [self._document(item) for item in items]}
        call.screen.document(document)
        if any(item.status == "failed" for item in items):
            call.screen.exit_code = 1
        call.finish(tuple(warning for item in items if item.result for warning in item.result.warnings))

    # -- looking -----------------------------------------------------------------------------------------------

    def _looked_at(self, file: Path) -> Item:
        item = Item(file, file.relative_to(self._place).as_posix())
        try:
            item.info = inspection.inspect(file, credentials=self._looked_with, find_signer=self._request.find_signer)
        except AliveP2PError as error:
            item.error = error
        return item

    def _list(self, items: Sequence[Item], *, is_result: bool) -> None:
        screen = self._call.screen
        lines = [f"{plural(len(items), 'package')} in {self._place}"]
        for item in items:
            lines += ["", *self._lines(item)]
        screen.lines(lines, result=is_result, is_asked_about=screen.can_ask)

    def _lines(self, item: Item) -> list[str]:
        lines = [item.name]
        if item.info is not None and item.info.manifest is not None:
            manifest = item.info.manifest
            bundles = f": {short(', '.join(manifest.bundles))}" if manifest.scope == "bundle" else ""
            lines += [
                field_line("walnut", short(manifest.walnut, 120)),
                field_line("from", sender_text(manifest, item.info.verdict)),
                field_line("scope", f"{manifest.scope}{bundles}"),
                field_line("size", f"{plural(len(manifest.files), 'file')}, {human_size(manifest.total_size)}"),
            ]
        elif item.info is not None:
            lines += info_lines(item.info, addressee_names(self._call, item.info.addressees))[1:]
        if (age := self._age(item)) is not None:
            lines.append(field_line("lies here", age))
        if item.error is not None:
            lines.append(field_line("problem", item.error.message))
        return lines

    def _age(self, item: Item) -> str | None:
        try:
            seconds = self._call.runtime.now().timestamp() - item.file.stat().st_mtime
        except OSError:
            return None
        return "since today" if seconds < _DAY else f"for {plural(int(seconds // _DAY), 'day')}"

    # -- receiving ---------------------------------------------------------------------------------------------

    def _ask(self, item: Item) -> None:
        """Show what receiving a package would do, and receive it after a yes; what goes wrong stops no other."""
        screen = self._call.screen
        screen.note()
        screen.note(item.name, is_asked_about=True)
        request = replace(self._request, package=item.file, credentials=self._opened_with)
        try:
            with screen.working("receiving") as progress:
                item.result = receive(request, self._call.runtime, approve=ask_about(self._call), progress=progress)
        except AliveP2PError as error:
            if error.code == "declined":
                return
            item.status, item.error = "failed", error
            screen.note(f"not received: '{item.name}' stays: {_told(error)}", is_asked_about=True)
            return
        self._received(item, was_seen=not self._call.yes)

    def _without_person(self, item: Item, *, dry_run: bool) -> None:
        """Receive a package that needs nobody; of any other say what it needs."""
        request = replace(self._request, package=item.file, credentials=self._looked_with)

        def approve(plan: ReceivePlan) -> None:
            state = read_state(self._call.runtime)
            who = standing(plan.verdict.signer, self._call.keyring(), state)
            refuse_without_person(plan, who, arrival(item.file, self._place, state))

        try:
            if dry_run:
                with self._call.screen.working("checking") as progress:
                    plan = preview(request, self._call.runtime, progress=progress)
                approve(plan)
                self._call.screen.say(f"would receive '{short(plan.manifest.walnut, 80)}' ({item.name})")
                return
            with self._call.screen.working("receiving") as progress:
                item.result = receive(request, self._call.runtime, approve=approve, progress=progress)
            if item.result.status == "noop":
                approve(item.result.plan)
        except (PackageError, UsageError, WalnutError) as error:
            item.status, item.error, item.result = "held", error, None
        except AliveP2PError as error:
            item.status = "held" if error.code == NEEDS_A_PERSON else "failed"
            item.error, item.result = error, None
        if item.error is not None:
            self._call.remember(f"'{item.name}' stays: {_told(item.error)}")
            return
        self._received(item, was_seen=False)

    def _received(self, item: Item, *, was_seen: bool) -> None:
        if item.result is None:
            return
        show_received(self._call, item.result, was_seen=was_seen)
        item.status = "here" if item.result.status == "noop" else "received"
        item.file = put_away(item.file, self._place)

    # -- as data -----------------------------------------------------------------------------------------------

    def _document(self, item: Item) -> dict[str, Any]:
        document: dict[str, Any] = {"file": str(item.file), "status": item.status}
        if item.info is not None:
            document["info"] = info_document(item.info, addressee_names(self._call, item.info.addressees))
        if item.error is not None:
            error = item.error
            document["error"] = {"code": error.code, "message": error.message, "hint": error.hint}
            document["needs"] = list(error.details) if error.code == NEEDS_A_PERSON else [_told(error)]
        if item.result is not None:
            document["received"] = receive_document(item.result.plan, item.result)
        return document


def require_switched_on(world: Path) -> None:
    """Look that a world lets packages be received with nobody looking.

    Raises:
        AliveP2PError: `auto-receive-off`.
    """
    if not load_preferences(world).auto_receive:
        raise AliveP2PError(
            "auto-receive-off",
            f"nothing is received by itself in '{world}': its preferences do not say `auto_receive: true`",
            untouched="everything",
            hint="`alive-p2p receive --inbox` lists what there is",
        )


def _told(error: AliveP2PError) -> str:
    return error.message if error.code == NEEDS_A_PERSON or not error.hint else f"{error.message}; {error.hint}"


def _status(items: Sequence[Item], *, is_dry: bool) -> str:
    if is_dry:
        return "dry-run"
    if all(item.status == "waiting" for item in items):
        return "noop"
    return "ok" if all(item.status in {"received", "here", "waiting"} for item in items) else "warn"
