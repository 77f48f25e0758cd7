"""Unpacking a package while it is checked, where its manifest already tells where everything goes (receive.md §2).

The pass that checks is then the only one. What it writes lies in staging, and is taken away unless the package passes
and the decision that is made then puts every file where it already is.
"""

from contextlib import suppress
from types import TracebackType
from typing import Self

from alive_p2p.errors import AliveP2PError
from alive_p2p.package.manifest import Manifest
from alive_p2p.package.reader import Contents
from alive_p2p.package.unpacking import Alongside
from alive_p2p.receiving.deciding import Checked, Surroundings, decide
from alive_p2p.receiving.plan import Installation, ReceivePlan, ReceiveRequest
from alive_p2p.receiving.staged import names_in_staging
from alive_p2p.runtime import Runtime
from alive_p2p.transactions.staging import Staging
from alive_p2p.walnut import kernel


class Ahead:
    """As a context manager it takes away on leaving what was unpacked and not taken over.

    Args:
        request: what is received.
        surroundings: what the world says about receiving.
        runtime: the surroundings.

    Attributes:
        installation: where everything goes, once that was decided from the manifest; else None.
    """

    def __init__(self, request: ReceiveRequest, surroundings: Surroundings, runtime: Runtime) -> None:
        self.installation: Installation | None = None
        self._request = request
        self._surroundings = surroundings
        self._runtime = runtime
        self._plan: ReceivePlan | None = None
        self._staging: Staging | None = None
        self._unpacking: Alongside | None = None

    def begin(self, manifest: Manifest) -> Alongside | None:
        """Make a place for the files, unless more than the manifest has to be known, or something is in the way.

        What is in the way is told once the package has passed its checks.

        Args:
            manifest: the package's, valid; nothing else is known of the package.
        """
        executables, empty_dirs = manifest.executables, manifest.empty_dirs
        if executables is None or empty_dirs is None or self._request.update or _has_task_lists(manifest):
            return None
        contents = Contents(manifest, executables, empty_dirs, {})
        with suppress(AliveP2PError):
            plan = decide(self._request, Checked(contents, (), {}, {}), self._surroundings, self._runtime)
            self.installation = plan.installation
            if plan.is_noop or plan.migration.errors:
                return None
            self._staging = Staging(plan.target, self._runtime)
            self._plan = plan
            self._unpacking = Alongside(manifest, self._staging.tree, names_in_staging(plan))
        return self._unpacking

    def staging(self, plan: ReceivePlan) -> Staging | None:
        """Hand over what was unpacked if it is what a plan needs; None where nothing was, or something else.

        Args:
            plan: what was decided when the package had passed its checks.

        Raises:
            FileSystemError: the disk refused one of the files.
        """
        staging, unpacking, before = self._staging, self._unpacking, self._plan
        if staging is None or unpacking is None or before is None:
            return None
        if (plan.target, plan.bundles, plan.converted) != (before.target, before.bundles, before.converted):
            return None
        unpacking.finish()
        unpacking.stop()
        self._staging = None
        return staging

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._unpacking is not None:
                self._unpacking.stop()
        finally:
            if self._staging is not None:
                self._staging.remove(without_trace=True)


def _has_task_lists(manifest: Manifest) -> bool:
    """Whether something may have to be converted, which is decided on its content."""
    return any(path.endswith(f"/{kernel.V2_BUNDLE_TASKS}") for path in manifest.hashes)
