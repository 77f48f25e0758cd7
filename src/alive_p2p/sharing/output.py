"""Where a package goes: never over another file, never into the walnut it was made from (share.md §7)."""

import os
from dataclasses import dataclass
from pathlib import Path

from alive_p2p.errors import FileSystemError, UsageError, WalnutError
from alive_p2p.files import PendingFile
from alive_p2p.runtime import Runtime
from alive_p2p.sharing.plan import SharePlan

_MAX_STEM_BYTES = 200
_MAX_NUMBER = 9_999


@dataclass(frozen=True)
class Destination:
    """An existing folder, the wanted file name, and whether a file of that name is replaced."""

    folder: Path
    name: str
    replaces: bool

    def publish(self, pending: PendingFile) -> Path:
        """Give a finished file its name; where that is taken, `-2`, `-3` and so on.

        Raises:
            FileSystemError: the disk refused, or thousands of names are taken.
        """
        stem, suffix = os.path.splitext(self.name)  # noqa: PTH122  (`Path.suffix` would lose a trailing dot)
        for number in range(1, _MAX_NUMBER):
            final = self.folder / (self.name if number == 1 else f"{stem}-{number}{suffix}")
            try:
                pending.publish(final, replace_existing=self.replaces)
            except FileExistsError:
                continue
            return final
        raise FileSystemError("no-free-name", f"every name from '{self.name}' on is taken in '{self.folder}'")


def default_name(plan: SharePlan) -> str:
    """`<walnut>-<scope>-<YYYY-MM-DD>.walnut`."""
    stem = plan.root.name.encode("utf-8", "replace")[:_MAX_STEM_BYTES].decode("utf-8", "ignore")
    return f"{stem}-{plan.manifest.scope}-{plan.manifest.created[:10]}.walnut"


def resolve_output(plan: SharePlan, runtime: Runtime, *, output: Path | None, force: bool) -> Destination:
    """Decide the file to write.

    Args:
        plan: what will be written.
        runtime: for the home and current folder.
        output: a file, or an existing folder to put a file of the default name into; None for the default place.
        force: replace the file that `output` names.

    Raises:
        UsageError: the folder does not exist.
        WalnutError: it lies inside the walnut.
    """
    if output is None:
        desktop = runtime.home / "Desktop"
        folder, name = (desktop if desktop.is_dir() else runtime.cwd), default_name(plan)
    else:
        output = runtime.cwd / output
        is_folder = output.is_dir()
        folder, name = (output, default_name(plan)) if is_folder else (output.parent, output.name)
        if not folder.is_dir():
            raise UsageError(
                "no-output-folder",
                f"the folder '{folder}' does not exist",
                untouched="everything",
                hint=f"make it first, or choose another place with `--output {default_name(plan)}`",
            )
    real = folder.resolve()
    if real == plan.root or plan.root in real.parents:
        raise WalnutError(
            "output-inside-walnut",
            f"the package would lie inside the walnut it is made from ('{plan.root}')",
            untouched="everything",
            hint=f"choose another place, such as `--output {plan.root.parent / name}`",
        )
    return Destination(real, name, replaces=force and output is not None)
