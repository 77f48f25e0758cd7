"""The plan of a share as one HTML page: to read at leisure, on a phone, on paper, or to ask somebody for approval.

The third face of the plan, beside the terminal and `--json` (share.md §6). It needs no network and no script, holds
no content of any file, and for the same plan it is the same bytes.
"""

import functools
import importlib.resources

from alive_p2p.cli.page_attention import attention_section, to_settle, worth_a_look
from alive_p2p.cli.page_contents import leaving_section, staying_section
from alive_p2p.cli.page_markup import (
    NOTHING,
    Html,
    code,
    element,
    facts,
    fingerprint,
    join,
    listed,
    name,
    plain,
    prose,
    section,
)
from alive_p2p.cli.preview import key_form, scope_text
from alive_p2p.cli.screen import human_size, plural
from alive_p2p.package.envelopes.base import Envelope
from alive_p2p.runtime import parse_timestamp
from alive_p2p.sharing.audience import Recipient
from alive_p2p.sharing.pipeline import plan_name
from alive_p2p.sharing.plan import SharePlan
from alive_p2p.walnut import kernel

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
"""What a browser may do with the page: apply the style that is in it, and nothing else."""

_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_SHOWN_RECIPIENTS = 8
_SHOWN_PATHS = 8


def page(plan: SharePlan) -> str:
    """One self-contained HTML document that says what would leave, for whom, and what stays (share.md §6).

    Everything that comes from the walnut is escaped. The page names no folder outside the walnut.
    """
    body = join(
        [
            _header(plan),
            element(
                "main",
                _recipients(plan),
                attention_section(plan),
                _measure(plan),
                leaving_section(plan),
                staying_section(plan),
                _exclusions(plan),
                _about_package(plan),
            ),
            _footer(plan),
        ]
    )
    return f"<!doctype html>\n{element('html', _head(plan), element('body', body), lang='en')}\n"


@functools.cache
def _style() -> Html:
    css = importlib.resources.files("alive_p2p.cli").joinpath("page.css").read_text(encoding="utf-8")
    return element("style", Html(f"\n{css}"))


def _head(plan: SharePlan) -> Html:
    return element(
        "head",
        Html('<meta charset="utf-8">'),
        element("meta", http_equiv="Content-Security-Policy", content=POLICY),
        element("meta", name="referrer", content="no-referrer"),
        element("meta", name="robots", content="noindex"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="format-detection", content="telephone=no, date=no, address=no, email=no"),
        element("link", rel="icon", href="data:,"),
        element("title", plain(f"{_verdict(plan)} – {plan.root.name}")),
        _style(),
    )


# -- the verdict -------------------------------------------------------------------------------------------------


def _verdict(plan: SharePlan) -> str:
    """Whether it may leave, in plain words."""
    if plan.is_blocked:
        return f"May not leave: {plural(to_settle(plan), 'thing')} to settle"
    return "Will ask before it leaves" if plan.gate.questions else "Ready to leave"


def _in_phrases(verdict: str) -> list[str]:
    """Cut where a narrow screen may break the line: after the colon, and not between a number and its noun."""
    first, colon, rest = verdict.partition(": ")
    return [element("span", f"{first}:"), " ", element("span", rest)] if colon else [verdict]


def _header(plan: SharePlan) -> Html:
    state = "blocked" if plan.is_blocked else "asks" if plan.gate.questions else "ready"
    manifest = plan.manifest
    return element(
        "header",
        element("p", "Preview of a package", class_="eyebrow"),
        element("h1", *_in_phrases(_verdict(plan))),
        element(
            "p", element("strong", name(plan.root.name)), f", {_in_words(plan)}, for ", _for_whom(plan), class_="lede"
        ),
        facts(
            [
                ("Scope", name(scope_text(manifest))),
                ("Planned", element("time", _moment(manifest.created), datetime=manifest.created)),
                ("Package", element("code", name(plan_name(plan)))),
            ]
        ),
        _contents(plan),
        element("p", "This browser prints closed folders closed: open those that matter first.", class_="old-print"),
        class_=state,
    )


def _in_words(plan: SharePlan) -> str:
    if plan.manifest.scope == "bundle":
        return plural(len(plan.manifest.bundles), "bundle")
    return {"full": "the whole walnut", "snapshot": "a snapshot"}.get(plan.manifest.scope, plan.manifest.scope)


def _for_whom(plan: SharePlan) -> Html:
    people = plan.request.recipients
    if not people:
        return prose(_NAMELESS.get(plan.request.seal.envelope, "whoever has the passphrase"))
    shown = [name(one.name) for one in people[:3]]
    rest = len(people) - len(shown)
    if rest:
        return join([*(join([one, ", "]) for one in shown[:-1]), shown[-1], f" and {rest:,} more"])
    return join(
        [*(join([one, ", "]) for one in shown[:-2]), *(join([one, " and "]) for one in shown[-2:-1]), shown[-1]]
    )


def _moment(timestamp: str) -> str:
    moment = parse_timestamp(timestamp)
    return f"{moment.day} {_MONTHS[moment.month - 1]} {moment.year}, {moment:%H:%M} UTC"


def _contents(plan: SharePlan) -> Html:
    """Where the parts of the page are, each with the one number that says whether to go there."""
    settle, ask = to_settle(plan), len(plan.gate.questions)
    first = (settle, "to settle") if settle else (ask, "to be asked") if ask else (worth_a_look(plan), "worth a look")
    staying = len(plan.left_out)
    links = [
        ("attention", f"{first[0]:,}", first[1]),
        ("leaves", f"{len(plan.files):,}", "files leave" if len(plan.files) != 1 else "file leaves"),
        ("stays", f"{staying:,}", "paths stay" if staying != 1 else "path stays"),
        ("measure", human_size(plan.total_size), plan.sensitivity.word),
    ]
    return element(
        "nav",
        element(
            "ul",
            *(
                element("li", element("a", element("b", figure), f" {label}", href=f"#{anchor}"))
                for anchor, figure, label in links
            ),
        ),
        aria_label="On this page",
    )


# -- for whom ----------------------------------------------------------------------------------------------------

_NAMELESS = {Envelope.PLAIN: "everybody who gets the file"}

_ENVELOPES = {
    Envelope.PLAIN: "no: everybody who gets the file can read it",
    Envelope.PASSPHRASE: "with a passphrase",
    Envelope.RSA: "with RSA public keys",
    Envelope.AGE: "with age",
}


def _recipients(plan: SharePlan) -> Html:
    request = plan.request
    sealed = _ENVELOPES.get(request.seal.envelope, request.seal.envelope.value)
    if request.seal.envelope is Envelope.AGE:
        sealed += ", for public keys" if request.recipients else ", with a passphrase"
    return section(
        "recipients",
        "For whom",
        facts([("Sealed", sealed), ("Readable by", plan.readers), ("Signed", _signed(plan))]),
        listed([_recipient(one) for one in request.recipients], shown=_SHOWN_RECIPIENTS, what="key", class_="people"),
    )


def _recipient(one: Recipient) -> Html:
    if one.is_paired:
        trust = "paired"
    else:
        trust = "a peer, not paired" if one.is_peer else "not a peer: nobody vouched for this key"
    return element(
        "li",
        element("p", element("strong", name(one.name)), element("span", trust, class_="trust"), class_="person"),
        element("p", fingerprint(one.pubkey_id), element("span", one.kind, class_="kind"), class_="key"),
    )


def _signed(plan: SharePlan) -> Html:
    key = plan.request.signing_key
    if key is None:
        return Html("no: nobody can check who it is from")
    return join(["by ", name(plan.manifest.sender), " ", fingerprint(key.public.pubkey_id)])


# -- how much, and how private -------------------------------------------------------------------------------------


def _measure(plan: SharePlan) -> Html:
    sensitivity = join([element("strong", plan.sensitivity.word), " – ", prose(plan.sensitivity_reason)])
    size = human_size(plan.total_size)
    exact = f" ({plural(plan.total_size, 'byte')})" if plan.total_size >= 1000 else ""
    return section(
        "measure",
        "How private, how much",
        facts(
            [
                ("Sensitivity", sensitivity),
                ("key.md", prose(key_form(plan))),
                ("History", _history(plan)),
                ("Files", plural(len(plan.files), "file")),
                ("Size", f"{size}{exact} before packing"),
            ]
        ),
    )


def _history(plan: SharePlan) -> str:
    leaving = {planned.entry.path for planned in plan.files} & {kernel.LOG, kernel.INSIGHTS}
    if not leaving:
        return "none leaves"
    is_stub = all(plan.manifest.substitutions.get(path) == "baseline-stub" for path in leaving)
    return "stubs; the real log and insights stay here" if is_stub else "the real log and insights leave"


# -- exclusions, and the package itself ----------------------------------------------------------------------------


def _exclusions(plan: SharePlan) -> Html:
    if not plan.exclusions and not plan.included:
        return section("exclusions", "Exclusions", element("p", "No patterns are in force.", class_="calm"))
    rows = (
        element(
            "tr",
            element("th", code(use.pattern), scope="row"),
            element("td", name(use.origin)),
            element("td", f"{use.matched:,}", class_="number"),
        )
        for use in plan.exclusions
    )
    table = element(
        "table",
        element(
            "thead",
            element(
                "tr",
                element("th", "Pattern", scope="col"),
                element("th", "From", scope="col"),
                element("th", "Files kept back", scope="col", class_="number"),
            ),
        ),
        element("tbody", *rows),
    )
    brought = [element("li", name(path)) for path in plan.included]
    count = element("span", plural(len(brought), "path"), class_="amount")
    return section(
        "exclusions",
        "Exclusions",
        table if plan.exclusions else NOTHING,
        element("h3", "Brought back by ", code("--include"), " ", count) if brought else NOTHING,
        listed(brought, shown=_SHOWN_PATHS, what="path", class_="tree"),
    )


def _about_package(plan: SharePlan) -> Html:
    """The manifest leaves as well, and says more than the files do."""
    manifest, source = plan.manifest, plan.manifest.source
    patterns = [join([code(pattern), " "]) for pattern in manifest.exclusions]
    walnut_id = manifest.walnut_id
    new = prose(" (new; the walnut keeps it from this share on)") if plan.new_walnut_id else NOTHING
    return section(
        "manifest",
        "What the package says",
        element(
            "p", prose("`manifest.yaml` leaves too. It lists the files with their hashes, and says:"), class_="quiet"
        ),
        facts(
            [
                ("Sender", name(manifest.sender)),
                ("Description", name(manifest.description) if manifest.description else ""),
                ("Note", name(manifest.note) if manifest.note else ""),
                ("Made with", _plain(source.get("engine"))),
                ("Session", _plain(source.get("session_id"))),
                ("Walnut id", join([code(walnut_id), new]) if walnut_id else ""),
                ("Patterns", join(patterns)),
            ]
        ),
    )


def _plain(value: object) -> Html:
    return name(value) if isinstance(value, str) and value else NOTHING


def _footer(plan: SharePlan) -> Html:
    import_id = plan.manifest.import_id
    return element(
        "footer",
        facts(
            [
                ("Import id", join([fingerprint(import_id[:16]), element("code", import_id, class_="whole")])),
                ("Format", f"alive {plan.manifest.format_version}"),
            ]
        ),
        element(
            "p",
            element("strong", "Treat this page as private."),
            " alive-p2p made it on the sender's machine. It holds the names of files, and no contents; the id of a"
            " finding lets somebody check a guess at the secret.",
        ),
    )
