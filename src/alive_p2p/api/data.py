"""The kinds of things that the other modules of this room give out; they are defined where they are made."""

from alive_p2p.package.manifest import Manifest
from alive_p2p.package.signature import Verdict
from alive_p2p.receiving.inspection import PackageInfo, Verification
from alive_p2p.receiving.plan import ReceivePlan, ReceiveResult
from alive_p2p.relay.pulling import Pulled
from alive_p2p.relay.status import PeerStatus, Status
from alive_p2p.sharing.plan import SharePlan

__all__ = [
    "Manifest",
    "PackageInfo",
    "PeerStatus",
    "Pulled",
    "ReceivePlan",
    "ReceiveResult",
    "SharePlan",
    "Status",
    "Verdict",
    "Verification",
]
