"""A package of the old layout, with bundles in a container, as earlier versions made it; for tests.

A plan is flat whatever the layout; only what the manifest and the archive call things differs.
"""

from collections.abc import Callable, Collection, Iterable

from alive_p2p.errors import UsageError, WalnutError
from alive_p2p.runtime import Runtime
from alive_p2p.sharing.plan import ShareRequest
from alive_p2p.walnut import kernel

Placing = Callable[[str], str]


def refuse_outside_tests(request: ShareRequest, runtime: Runtime) -> None:
    """The old layout is made for tests only.

    Raises:
        UsageError: it is asked for elsewhere.
    """
    if request.source_layout == "v2" and not runtime.is_testing:
        raise UsageError("testing-only", "`--source-layout v2` is for tests; it needs ALIVE_P2P_TESTING=1")


def placing(layout: str, bundles: Collection[str]) -> Placing:
    """What a path of the plan is called in the package.

    Args:
        layout: `v2` or `v3`.
        bundles: the bundles that leave.
    """
    if layout != "v2":
        return lambda path: path
    inside = frozenset(bundles)
    return lambda path: f"{kernel.V2_CONTAINER}/{path}" if path.split("/")[0] in inside else path


def refuse_mixing(layout: str, leaving: Iterable[str]) -> None:
    """What lies in a folder of the container's name would be taken for bundles.

    Raises:
        WalnutError: something does.
    """
    if layout == "v2" and any(path.split("/")[0] == kernel.V2_CONTAINER for path in leaving):
        raise WalnutError(
            "container-taken",
            f"the walnut has a `{kernel.V2_CONTAINER}` of its own, which the old layout has no place for",
            hint="leave out `--source-layout v2`",
            untouched="everything",
        )
