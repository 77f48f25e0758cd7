"""The tools that act, and their previews, as they are told to agents. Nothing here is made from anything outside."""

from alive_p2p.mcp import receiving, relaying, sharing
from alive_p2p.mcp.arguments import Argument
from alive_p2p.mcp.schemas import (
    FLAG,
    KEY,
    LISTED,
    MAYBE_NUMBER,
    MAYBE_TEXT,
    NUMBER,
    OUTSIDE,
    SIGNATURE,
    TEXT,
    TEXTS,
    TOKEN,
    fields,
    many,
    result,
    word,
)
from alive_p2p.mcp.tool import COUNTS, FILES, HIDDEN, PACKAGE, TOKEN_OF_PREVIEW, WALNUT, WORLD, Tool

ACTING: tuple[Tool, ...] = (
    Tool(
        "preview_share",
        "Preview a share",
        "Show exactly what would leave a walnut, for whom, what stays, and what stands in the way. Writes nothing."
        " Gives a token for `create_package` where nothing blocks it. Show the preview to the person.",
        (
            WALNUT,
            Argument(
                "scope",
                "All of it, some bundles, or a snapshot.",
                choices=("full", "bundle", "snapshot"),
                is_required=True,
            ),
            Argument("bundles", "With scope `bundle`: their names.", "texts"),
            Argument(
                "to",
                "Whom it is sealed for: peers by name, or `github:LOGIN` or `gitlab:LOGIN` for the keys that somebody"
                " publishes. Without anybody it is not sealed, and everybody who gets the file can read it.",
                "texts",
            ),
            Argument("exclude", "Patterns of what to leave out, such as `drafts/` or `*.mov`.", "texts"),
            Argument("include", "Patterns of what to bring back of that which stays at home by default.", "texts"),
            Argument("presets", "Names of presets of exclusions from the world's preferences.", "texts"),
            Argument("key", "Send `key.md` whole, or without people and links.", choices=("full", "reduced")),
            Argument("full_history", "Send the real log and insights.", "flag"),
            Argument("nested", "Take walnuts inside this walnut along.", "flag"),
            Argument(
                "acknowledge",
                "What the gate wants acknowledged, by the names in `gate`. The person is asked about each.",
                "texts",
            ),
            Argument(
                "allow_findings",
                "Secrets that may leave, by the ids in `findings`. The person is asked about each.",
                "texts",
            ),
            Argument("description", "One line for the receiver."),
            Argument("note", "One more line for the receiver."),
            Argument(
                "encrypt", "The envelope; by default what all recipients can read.", choices=("none", "rsa", "age")
            ),
            Argument(
                "output", "The file to write, or an existing folder, absolute. An existing file is never replaced."
            ),
        ),
        result(
            {
                "token": TOKEN,
                "expires_in_seconds": NUMBER,
                "walnut": TEXT,
                "scope": TEXT,
                "bundles": TEXTS,
                "recipients": many(KEY),
                "readers": TEXT,
                "encryption": TEXT,
                "signed": FLAG,
                "relay_peers": TEXTS,
                "sensitivity": TEXT,
                "key": word("full", "reduced"),
                "history": word("real", "stubbed"),
                "files": fields({"count": NUMBER, "first": TEXTS, "more": NUMBER, "bytes": NUMBER}),
                "left_out": many(fields({"reason": TEXT, "why": TEXT, "paths": LISTED})),
                "brought_back": LISTED,
                "exclusions": many(fields({"pattern": TEXT, "origin": TEXT, "matched": NUMBER})),
                "findings": many(
                    fields(
                        {
                            "id": TEXT,
                            "path": TEXT,
                            "line": MAYBE_NUMBER,
                            "what": TEXT,
                            "excerpt": TEXT,
                            "blocks": FLAG,
                            "allowed": FLAG,
                        }
                    )
                ),
                "more_findings": NUMBER,
                "gate": many(fields({"name": TEXT, "outcome": TEXT, "why": TEXT, "hint": MAYBE_TEXT})),
                "person_is_asked": TEXTS,
                "output": MAYBE_TEXT,
                "import_id": TEXT,
                "warnings": TEXTS,
            },
            status=word("ready", "blocked"),
        ),
        sharing.preview_share,
        goes_out=True,
    ),
    Tool(
        "create_package",
        "Make a package",
        "Make exactly the package that `preview_share` showed. The person is asked first. Gives a token for"
        " `relay_push` for every recipient with a relay.",
        (TOKEN_OF_PREVIEW, WALNUT),
        result(
            {
                "package": TEXT,
                "size_bytes": NUMBER,
                "import_id": TEXT,
                "recipients": many(KEY),
                "signed": FLAG,
                "pushes": many(fields({"peer": TEXT, "token": TEXT})),
                "warnings": TEXTS,
            },
            status=word("ok", "warn"),
        ),
        sharing.create_package,
        only_reads=False,
        is_repeatable=False,
    ),
    Tool(
        "preview_receive",
        "Preview a receive",
        "Check a package and show what receiving it would do: where it goes, what is new, what changes. Writes nothing."
        " Gives a token for `apply_receive`. Show the preview to the person.",
        (
            PACKAGE,
            WORLD,
            Argument("target", "The walnut to make, or to add bundles to, absolute; by default it is found."),
            Argument("bundles", "Of a bundle package, only these.", "texts"),
            Argument("rename", "Put a bundle whose name is taken under another name.", "flag"),
            Argument("update", "Merge what changed into what came before, file by file.", "flag"),
            Argument("allow_older", "With `update`: go back to an older package.", "flag"),
            Argument("into_other_walnut", "Add bundles to a walnut that they do not come from.", "flag"),
            Argument("differences", "With `update`: show what changes in text files.", "flag"),
        ),
        result(
            {
                "token": TOKEN,
                "expires_in_seconds": NUMBER,
                "from_relay": FLAG,
                "package": TEXT,
                "target": TEXT,
                "target_is": TEXT,
                "scope": TEXT,
                "created": TEXT,
                "import_id": TEXT,
                "signature": SIGNATURE,
                "files": FILES,
                "bundles": many(fields({"name": TEXT, "folder": TEXT, "fate": TEXT})),
                "changes": COUNTS,
                "changed_files": many(fields({"path": TEXT, "fate": TEXT, "beside": MAYBE_TEXT})),
                "differences": TEXTS,
                "kept_inert": LISTED,
                "not_installed": LISTED,
                "hidden_text": HIDDEN,
                "migration": TEXTS,
                "from_outside": OUTSIDE,
                "person_is_asked": TEXTS,
                "warnings": TEXTS,
            },
            status=word("ready", "nothing-to-do"),
        ),
        receiving.preview_receive,
        goes_out=True,
    ),
    Tool(
        "apply_receive",
        "Receive a package",
        "Receive exactly what `preview_receive` showed, all of it or nothing. The person is asked first. What came"
        " by the relay is removed from it afterwards, and its sender gets a receipt.",
        (TOKEN_OF_PREVIEW, PACKAGE),
        result(
            {
                "target": TEXT,
                "import_id": TEXT,
                "scope": TEXT,
                "applied_bundles": TEXTS,
                "changes": COUNTS,
                "kept_inert": LISTED,
                "warnings": TEXTS,
            },
            status=word("ok", "warn", "noop"),
        ),
        receiving.apply_receive,
        only_reads=False,
        may_replace=True,
        is_repeatable=False,
        goes_out=True,
    ),
    Tool(
        "relay_pull",
        "Fetch from the relay",
        "Fetch what waits in the person's relay into the inbox of their world; senders learn that it was fetched."
        " Nothing is received by that, and nothing removed: `preview_receive` and `apply_receive` come next.",
        (
            WORLD,
            Argument("peer", "Only what is from this peer."),
            Argument("deposits", "Only these, by the names in `deposit`.", "texts"),
        ),
        result(
            {
                "inbox": TEXT,
                "packages": many(
                    fields(
                        {
                            "deposit": TEXT,
                            "peer": MAYBE_TEXT,
                            "status": word("fetched", "held", "failed"),
                            "package": MAYBE_TEXT,
                            "problem": MAYBE_TEXT,
                        }
                    )
                ),
                "warnings": TEXTS,
            },
            status=word("ok", "warn", "noop"),
        ),
        relaying.relay_pull,
        only_reads=False,
        goes_out=True,
    ),
    Tool(
        "relay_push",
        "Send a package",
        "Leave a package in a peer's mailbox. Needs a token that `create_package` or `inspect_package` gave for this"
        " package and this peer. The person is asked first.",
        (TOKEN_OF_PREVIEW, PACKAGE, Argument("peer", "Whom it is for, as the token was given for.", is_required=True)),
        result(
            {
                "peer": TEXT,
                "deposit": TEXT,
                "import_id": TEXT,
                "bytes_sent": NUMBER,
                "problem": MAYBE_TEXT,
            },
            status=word("ok", "queued"),
        ),
        relaying.relay_push,
        only_reads=False,
        may_replace=True,
        is_repeatable=False,
        goes_out=True,
    ),
)
