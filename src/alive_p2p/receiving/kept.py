"""A package that cannot be brought forward without loss: it is kept unpacked, to be put right (receive.md §2).

Its files lie as they came, in the old container; what is never installed is left out, and what agents obey is inert.
"""

import shlex

from alive_p2p import files
from alive_p2p.errors import PackageError
from alive_p2p.package.reader import Contents, PackageReader, Progress
from alive_p2p.receiving.plan import ReceivePlan
from alive_p2p.runtime import Runtime
from alive_p2p.transactions.staging import Staging, set_aside


def refusal(plan: ReceivePlan, *, kept: str | None = None) -> PackageError:
    """The error for a package whose plan has a migration with errors.

    Args:
        plan: what was decided.
        kept: where its files lie now, or None where nothing was unpacked.
    """
    errors = plan.migration.errors
    hint = "ask the sender to rename it; or receive it all the same, and it is kept unpacked beside the target"
    if kept is not None:
        hint = (
            f"rename one of them in '{kept}', run `alive-p2p migrate --staging {shlex.quote(kept)}`, and move what"
            " you need"
        )
    return PackageError(
        "migration-collision",
        f"the package's older layout cannot be brought forward: {errors[0]}",
        untouched="everything" if kept is None else "the target; the package lies unpacked beside it",
        hint=hint,
        details=errors if len(errors) > 1 else (),
    )


def keep_unpacked(
    package: PackageReader, contents: Contents, plan: ReceivePlan, runtime: Runtime, progress: Progress | None = None
) -> PackageError:
    """Unpack a package beside the target, as it came, and return the error that says where.

    The folder is complete when it gets its name; what is interrupted before leaves nothing.

    Args:
        package: the package.
        contents: what its check returned.
        plan: what was decided; its migration has errors.
        runtime: the surroundings.
        progress: called with bytes done and bytes in all.

    Raises:
        PackageError: the package is no longer what was checked.
        FileSystemError: the disk refused.
    """
    with Staging(plan.target, runtime) as staging:
        package.unpack(contents, staging.tree, plan.installation.names, progress)
        with files.translating("prepare", staging.tree):
            files.flush_tree(staging.tree)
        kept = set_aside(staging.tree, staging.path.parent, runtime)
    return refusal(plan, kept=str(kept))
