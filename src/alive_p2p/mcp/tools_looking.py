"""The tools that only look, as they are told to agents. Nothing here is made from anything outside."""

from alive_p2p.mcp import looking
from alive_p2p.mcp.arguments import Argument
from alive_p2p.mcp.schemas import (
    FLAG,
    MAYBE_TEXT,
    NUMBER,
    OUTSIDE,
    SIGNATURE,
    TEXT,
    TEXTS,
    fields,
    many,
    result,
    word,
)
from alive_p2p.mcp.tool import CHECK, COUNTS, DELIVERY, FILES, HIDDEN, LOOK, OK, WALNUT, WORLD, Tool

LOOKING: tuple[Tool, ...] = (
    Tool(
        "list_walnuts",
        "List walnuts",
        "List the walnuts that can be shared or received into: path, sensitivity and goal of each.",
        (WORLD,),
        result(
            {
                "worlds": TEXTS,
                "walnuts": many(fields({"path": TEXT, "world": TEXT, "sensitivity": TEXT, "from_outside": OUTSIDE})),
                "more": NUMBER,
            },
            status=OK,
        ),
        looking.list_walnuts,
    ),
    Tool(
        "list_bundles",
        "List bundles",
        "List the bundles of a walnut with their sensitivity and open tasks. Only those with `can_be_shared` can be"
        " named in `preview_share`; others travel inside their parents.",
        (WALNUT,),
        result(
            {
                "walnut": TEXT,
                "bundles": many(
                    fields(
                        {
                            "name": TEXT,
                            "path": TEXT,
                            "can_be_shared": FLAG,
                            "sensitivity": TEXT,
                            "pii": FLAG,
                            "tasks": COUNTS,
                            "from_outside": OUTSIDE,
                        }
                    )
                ),
                "more": NUMBER,
            },
            status=OK,
        ),
        looking.list_bundles,
    ),
    Tool(
        "inspect_package",
        "Look at a package",
        "Check a package without receiving it: who signed it, what is in it, whether it is whole. Without `package`,"
        " list what lies in the inbox. With `for_peer`, also give a token for `relay_push`.",
        (
            Argument("package", "The `.walnut` file, absolute. Without it the inbox is listed."),
            Argument("for_peer", "A peer that a package of the person's own is to be sent to."),
        ),
        result(
            {},
            {
                "packages": many(fields({"package": TEXT})),
                "more": NUMBER,
                "package": TEXT,
                "size_bytes": NUMBER,
                "encryption": TEXT,
                "is_open": FLAG,
                "sealed_for": TEXTS,
                "scope": TEXT,
                "created": TEXT,
                "format_version": TEXT,
                "import_id": TEXT,
                "files": FILES,
                "signature": SIGNATURE,
                "checks": many(CHECK),
                "hidden_text": HIDDEN,
                "from_outside": OUTSIDE,
                "push": fields({"peer": TEXT, "pubkey_id": TEXT, "goes": TEXT, "import_id": TEXT, "token": TEXT}),
            },
            status=word("ok", "refused"),
        ),
        looking.inspect_package,
    ),
    Tool(
        "relay_status",
        "Look at the relays",
        "Tell what is known of the person's relay and their peers: who is paired, what waits, what is not sent yet.",
        (LOOK,),
        result(
            {
                "relay": fields({"url": MAYBE_TEXT, "username": MAYBE_TEXT, "pubkey_id": MAYBE_TEXT}),
                "peers": many(
                    fields(
                        {
                            "name": TEXT,
                            "state": word("invited", "to-confirm", "mutual", "revoked"),
                            "pubkey_id": MAYBE_TEXT,
                        },
                        {
                            "last_delivery": {"anyOf": [DELIVERY, {"type": "null"}]},
                            "held": TEXTS,
                            "problem": MAYBE_TEXT,
                        },
                    )
                ),
                "outbox": many(fields({"peer": TEXT, "walnut": TEXT, "since": TEXT, "size_bytes": NUMBER})),
                "last_look": MAYBE_TEXT,
                "is_old": FLAG,
                "next": TEXTS,
                "warnings": TEXTS,
            },
            status=OK,
        ),
        looking.relay_status,
        goes_out=True,
    ),
    Tool(
        "list_receipts",
        "List receipts",
        "List what was sent to peers by relay, and what became of it: sent, applied, declined, gone. Newest first.",
        (Argument("peer", "Only what was sent to this peer."), LOOK),
        result({"receipts": many(DELIVERY), "more": NUMBER}, status=OK),
        looking.list_receipts,
        goes_out=True,
    ),
)
