"""Hand context to people and their agents: pack, check and receive ALIVE walnuts as `.walnut` files.

The names below are the public interface; everything else may change. Nothing here prints, prompts or exits;
every failure is an `AliveP2PError` with a `code` and a `hint`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from alive_p2p.api import inspect, receive, share, undo, verify
    from alive_p2p.api.relays import Relay
    from alive_p2p.errors import AliveP2PError
    from alive_p2p.package.envelopes.base import Credentials
    from alive_p2p.receiving.inspection import PackageInfo, Verification
    from alive_p2p.receiving.plan import ReceivePlan, ReceiveResult
    from alive_p2p.receiving.undo_plan import UndoPlan
    from alive_p2p.receiving.undoing import UndoResult
    from alive_p2p.runtime import Runtime
    from alive_p2p.sharing.plan import SharePlan, ShareResult

__all__ = [
    "AliveP2PError",
    "Credentials",
    "PackageInfo",
    "ReceivePlan",
    "ReceiveResult",
    "Relay",
    "Runtime",
    "SharePlan",
    "ShareResult",
    "UndoPlan",
    "UndoResult",
    "Verification",
    "__version__",
    "inspect",
    "receive",
    "share",
    "undo",
    "verify",
]

_HOMES = {
    "alive_p2p.api": ("inspect", "receive", "share", "undo", "verify"),
    "alive_p2p.api.relays": ("Relay",),
    "alive_p2p.errors": ("AliveP2PError",),
    "alive_p2p.package.envelopes.base": ("Credentials",),
    "alive_p2p.receiving.inspection": ("PackageInfo", "Verification"),
    "alive_p2p.receiving.plan": ("ReceivePlan", "ReceiveResult"),
    "alive_p2p.receiving.undo_plan": ("UndoPlan",),
    "alive_p2p.receiving.undoing": ("UndoResult",),
    "alive_p2p.runtime": ("Runtime",),
    "alive_p2p.sharing.plan": ("SharePlan", "ShareResult"),
}


def __getattr__(name: str) -> Any:  # noqa: ANN401  (a module's attributes are of any type)
    """Import a public name when it is first used, so that asking for the version costs nothing."""
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(module), name)
    raise AttributeError(f"module 'alive_p2p' has no attribute '{name}'")
