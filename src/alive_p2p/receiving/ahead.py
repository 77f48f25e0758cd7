"""Unpacking a package while it is checked, where its manifest already tells where everything goes (receive.md §2).

The pass that checks is then the only one. What it writes lies in staging, and is used only if the package passes and
the decision that is made then puts every file where it already is; else a second pass unpacks it anew.
"""

from contextlib import suppress
from types import TracebackType
from typing import Self

from alive_p2p.errors import AliveP2PError
from alive_p2p.package.manifest import Manifest
from alive_p2p.package.reader import Contents, PackageReader, Progress
from alive_p2p.package.unpacking import Alongside
from alive_p2p.receiving.deciding import Checked, Surroundings, decide
from alive_p2p.receiving.plan import Installation, ReceivePlan, ReceiveRequest
from alive_p2p.receiving.staged import names_in_staging
from alive_p2p.runtime import Runtime
from alive_p2p.transactions.staging import Staging
from alive_p2p.walnut import kernel


class Ahead:
    """The staging of one receive, filled ahead of the decision or after it. A context manager: it ends with it.

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
        self._is_wanted = False  # the package has passed, and somebody goes on with what lies there

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
        with suppress(AliveP2PError, OSError):
            plan = decide(self._request, Checked(contents, (), {}, {}), self._surroundings, self._runtime)
            self.installation = plan.installation
            if plan.is_noop or plan.migration.errors:
                return None
            self._staging = Staging(plan.target, self._runtime)
            self._plan = plan
            self._unpacking = Alongside(manifest, self._staging.tree, names_in_staging(plan))
        return self._unpacking

    def staging(
        self, plan: ReceivePlan, package: PackageReader, contents: Contents, progress: Progress | None
    ) -> Staging:
        """Where the files that a plan needs lie, unpacked; they stay until this context ends.

        Args:
            plan: what was decided when the package had passed its checks.
            package: the package.
            contents: what its check returned.
            progress: called with bytes done and bytes in all, where there is a second pass.

        Raises:
            PackageError: the package is no longer what was checked.
            FileSystemError: the disk refused.
        """
        if self._staging is not None and self._unpacking is not None and self._is_what_was_unpacked(plan):
            self._unpacking.finish()
            self._unpacking.stop()
            staging = self._staging
        else:
            self._end()
            self._staging = staging = Staging(plan.target, self._runtime)
            package.unpack(contents, staging.tree, names_in_staging(plan), progress)
        self._is_wanted = True
        return staging

    def _is_what_was_unpacked(self, plan: ReceivePlan) -> bool:
        before = self._plan
        return before is not None and (
            (plan.target, plan.bundles, plan.converted) == (before.target, before.bundles, before.converted)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._end()
        except BaseException:  # an interrupt: once more, and then out
            self._end()
            raise

    def _end(self) -> None:
        try:
            if self._unpacking is not None:
                self._unpacking.stop()
        finally:
            if self._staging is not None:
                self._staging.end(without_trace=not self._is_wanted)


def _has_task_lists(manifest: Manifest) -> bool:
    """Whether something may have to be converted, which is decided on its content."""
    return any(path.endswith(f"/{kernel.V2_BUNDLE_TASKS}") for path in manifest.hashes)
