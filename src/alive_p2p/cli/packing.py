"""What `create` and `share` have in common: their options, the request they make, and what they say when it is done."""

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from alive_p2p import files
from alive_p2p.cli.credentials import PassphraseFrom, passphrase_options
from alive_p2p.cli.hints import show_hints_after_sharing
from alive_p2p.cli.options import FOLDER, OUTPUT, Call, limit_options, wait_option
from alive_p2p.cli.preview import key_form, left_out_summary, plan_document, scope_text, sealed_text, signed_text
from alive_p2p.cli.screen import field_line, human_size, plural
from alive_p2p.cli.sealing import Whom, seal, signing_key, whom
from alive_p2p.package.envelopes.base import Envelope
from alive_p2p.pending import PendingFile
from alive_p2p.relay.config import kept_from, own_handle
from alive_p2p.sharing.output import Destination, page_name, resolve_output
from alive_p2p.sharing.plan import SharePlan, ShareRequest, ShareResult
from alive_p2p.walnut.walnut import open_walnut

_OPTIONS: tuple[Callable[[Callable[..., None]], Callable[..., None]], ...] = (
    click.option("--output", "-o", type=OUTPUT, help="The file to write; default: Desktop or current folder."),
    click.option("--force", is_flag=True, help="Replace the file that --output or --html names."),
    click.option("--bundle", "bundles", multiple=True, metavar="NAME", help="A bundle to pack; repeatable."),
    click.option("--exclude", "excludes", multiple=True, metavar="GLOB", help="Leave this out; repeatable."),
    click.option(
        "--include", "includes", multiple=True, metavar="GLOB", help="Bring back what is left out by default."
    ),
    click.option("--preset", "presets", multiple=True, metavar="NAME", help="Exclusions of a preset; repeatable."),
    click.option("--exclude-from", "peers", multiple=True, metavar="PEER", help="Exclusions kept for a peer."),
    click.option("--include-full-history", "full_history", is_flag=True, help="Pack the real log and insights."),
    click.option("--include-nested", "nested", is_flag=True, help="Take nested walnuts along."),
    click.option(
        "--key", type=click.Choice(["full", "reduced"]), help="Pack key.md whole, or without people and links."
    ),
    click.option(
        "--acknowledge",
        "acknowledged",
        multiple=True,
        metavar="NAME",
        help="Say that you know this bundle (or `walnut`, `key`, `history`) is restricted or personal; repeatable.",
    ),
    click.option(
        "--allow-finding", "allowed_findings", multiple=True, metavar="ID", help="Let this finding leave; repeatable."
    ),
    click.option("--scan", type=click.Choice(["normal", "deep"]), default="normal", help="How secrets are looked for."),
    click.option(
        "--encrypt", type=click.Choice(["none", "passphrase", "rsa", "age"]), help="How the package is sealed."
    ),
    click.option("--sign/--no-sign", default=None, help="Sign it with your key; default: where there is one."),
    click.option("--recipient", "recipients", multiple=True, metavar="PEER", help="Seal it for this peer; repeatable."),
    click.option(
        "--to",
        "to",
        multiple=True,
        metavar="WHOM",
        help="A peer, github:LOGIN, gitlab:LOGIN, or a file of keys; repeatable.",
    ),
    click.option(
        "--to-keys", "key_files", type=FOLDER, multiple=True, metavar="FILE", help="Seal it for the keys in a file."
    ),
    passphrase_options,
    click.option("--description", default="", metavar="TEXT", help="One line for the receiver."),
    click.option("--note", default="", metavar="TEXT", help="One more line for the receiver."),
    click.option("--dry-run", is_flag=True, help="Show what would leave, and write nothing."),
    click.option("--html", type=OUTPUT, metavar="FILE", help="Write what would leave as a page for any browser."),
    limit_options,
    wait_option,
)


def packing_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add everything that says what leaves, how it is sealed, and where it goes."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@dataclass
class Packing:
    """What the options of one call say; `share` fills in what is missing by asking.

    Attributes:
        options: the options as they were given, by the names of their parameters.
    """

    options: dict[str, Any]

    def request(self, call: Call) -> ShareRequest:
        """The request they make, with everything that a seal and a signature need.

        Raises:
            AliveP2PError: something of it is missing, wrong, or contradicts the rest.
        """
        given = dict(self.options)
        named = self.whom(call)
        for name in ("recipients", "to", "key_files"):
            given.pop(name)
        source = PassphraseFrom(given.pop("passphrase_env"), given.pop("passphrase_file"))
        chosen, shown = seal(call, given.pop("encrypt"), named, source)
        known = (call.keyring().find(one.pubkey_id) for one in shown)
        peers = {*named.peers, *(peer.name for peer in known if peer is not None)}
        walnut = call.runtime.cwd / given.pop("walnut")
        handle = own_handle(call.runtime)
        return ShareRequest(
            walnut=walnut,
            sender=handle or "unknown",
            signing_key=signing_key(call, sign=given.pop("sign"), handle=handle, walnut=walnut),
            seal=chosen,
            recipients=shown,
            peer_excludes=kept_from(call.runtime, sorted(peers), exclude_from=given.pop("peers")),
            deep_scan=given.pop("scan") == "deep",
            **given,
        )

    def whom(self, call: Call) -> Whom:
        """For whom it is."""
        return whom(call, self.options["recipients"], self.options["to"], self.options["key_files"])


class PageFile:
    """The file that `--html` names, if it names one.

    Args:
        call: the call it belongs to.
        request: what is shared.
        path: the file, or an existing folder; None where no page is wanted.
        force: replace the file that is there.
        apart_from: where the package goes.

    Raises:
        AliveP2PError: it would lie inside the walnut, or it cannot be a file.
    """

    def __init__(
        self, call: Call, request: ShareRequest, path: Path | None, *, force: bool, apart_from: Destination
    ) -> None:
        self._call = call
        self._place: Destination | None = None
        if path is not None:
            root = open_walnut(request.walnut).root
            name = page_name(root.name, request.scope, call.runtime.created())
            self._place = resolve_output(
                root,
                name,
                call.runtime,
                output=path,
                force=force,
                what="page",
                option="--html",
                apart_from=apart_from,
            )

    def write(self, plan: SharePlan) -> None:
        """Write the plan as a page, readable by its owner alone: it holds names of what stays at home.

        A second look replaces the page of the first.

        Raises:
            FileSystemError: it cannot be written.
        """
        from alive_p2p.cli.page import page

        if self._place is None:
            return
        folder = self._place.folder
        with PendingFile(folder) as pending:
            with files.translating("write", folder / self._place.name):
                pending.stream.write(page(plan).encode())
            final = self._place.publish(pending)
        self._place = Destination(folder, final.name, replaces=True)
        self._call.screen.note(f"wrote what would leave to {final}")


def show_result(
    call: Call,
    result: ShareResult,
    *,
    send: Callable[[ShareResult], Sequence[dict[str, Any]]] = lambda _: (),
    is_kept: bool = True,
) -> None:
    """Say what was made, send it, and say how somebody opens it who has set up nothing.

    Args:
        call: the call.
        result: what was made.
        send: leaves it in the relays of peers, and says what became of it.
        is_kept: whether the file stays.
    """
    plan, manifest = result.plan, result.plan.manifest
    screen = call.screen
    screen.say(f"packed '{plan.root.name}'" + (f" into {result.path}" if is_kept else ""))
    screen.say(field_line("scope", scope_text(manifest)))
    screen.say(
        field_line(
            "files", f"{plural(len(plan.files), 'file')}, {human_size(plan.total_size)} → {human_size(result.size)}"
        )
    )
    screen.say(field_line("key.md", key_form(plan)))
    screen.say(field_line("sealed", sealed_text(plan)))
    screen.say(field_line("signed", signed_text(plan)))
    if line := left_out_summary(plan):
        screen.say(field_line("left out", line))
    screen.say(field_line("import id", manifest.import_id[:16]))
    screen.lines(_instructions(plan, result.path.name), result=True)
    deliveries = send(result)
    status = "warn" if result.warnings or any(one["queued"] for one in deliveries) else "ok"
    document = {
        "status": status,
        **plan_document(plan, result),
        **({"deliveries": list(deliveries)} if deliveries else {}),
    }
    screen.document(document if is_kept else {**document, "package_path": None})
    call.finish(result.warnings)
    show_hints_after_sharing(call, plan)


_KEY_FILES = {"ed25519": "~/.ssh/id_ed25519", "rsa": "~/.ssh/id_rsa", "x25519": "key.txt"}


def _instructions(plan: SharePlan, name: str) -> list[str]:
    """How somebody opens it who has set up nothing (relay.md §7)."""
    kinds = {one.kind for one in plan.request.recipients if not one.is_peer}
    if not kinds or plan.request.seal.envelope is not Envelope.AGE:
        return []
    quoted = shlex.quote(f"./{name}" if name.startswith("-") else name)
    return [
        "to open it they need one of these lines:",
        f"  alive-p2p receive {quoted}",
        *(f"  age -d -i {path} {quoted} | tar xz" for kind, path in _KEY_FILES.items() if kind in kinds),
    ]
