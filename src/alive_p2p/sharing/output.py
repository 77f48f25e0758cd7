"""Where a package or a page goes: never over another file, never into the walnut it tells of (share.md §7)."""

import os
import shlex
from dataclasses import dataclass
from pathlib import Path

from alive_p2p import files
from alive_p2p.errors import FileSystemError, UsageError, WalnutError
from alive_p2p.pending import PendingFile
from alive_p2p.runtime import Runtime

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
        raise FileSystemError(
            "no-free-name",
            f"every name from '{self.name}' on is taken in '{self.folder}'",
            untouched="everything",
            hint="name the file with `--output FILE`",
        )


def default_name(walnut: str, scope: str, created: str) -> str:
    """`<walnut>-<scope>-<YYYY-MM-DD>.walnut`."""
    stem = walnut.encode("utf-8", "replace")[:_MAX_STEM_BYTES].decode("utf-8", "ignore")
    return f"{stem}-{scope}-{created[:10]}.walnut"


def page_name(walnut: str, scope: str, created: str) -> str:
    """The same for a page: `<walnut>-<scope>-<YYYY-MM-DD>.html`."""
    return default_name(walnut, scope, created).removesuffix(".walnut") + ".html"


def resolve_output(
    root: Path,
    name: str,
    runtime: Runtime,
    *,
    output: Path | None,
    force: bool,
    what: str = "package",
    option: str = "--output",
    apart_from: Destination | None = None,
) -> Destination:
    """Decide the file to write. Looks, and writes nothing.

    Args:
        root: the walnut's real path.
        name: the default name.
        runtime: for the home and current folder.
        output: a file, or an existing folder to put a file of the default name into; None for the default place:
            the Desktop, or where there is none the current folder, or the walnut's parent from inside the walnut.
        force: replace the file that `output` names.
        what: what is written, in words.
        option: the flag that names it.
        apart_from: what else the same call writes, which must not be the same file.

    Raises:
        UsageError: the folder does not exist, or what is to be replaced is not a file.
        WalnutError: it lies inside the walnut.
    """
    if output is None:
        desktop = runtime.home / "Desktop"
        folder = desktop if files.is_folder(desktop) else runtime.cwd
        is_inside = _is_inside(folder, root)
        return Destination(root.parent if is_inside else folder, name, replaces=False)
    output = runtime.cwd / output
    is_folder = files.is_folder(output)
    folder, name = (output, name) if is_folder else (output.parent, output.name)
    if not files.is_folder(folder):
        raise UsageError(
            "no-output-folder",
            f"the folder '{folder}' to write into does not exist",
            untouched="everything",
            hint=f"make it first, or choose another place with `{option}`",
        )
    if _is_inside(folder, root):
        raise WalnutError(
            "output-inside-walnut",
            f"the {what} would lie inside the walnut it is made from ('{root}')",
            untouched="everything",
            hint=f"choose another place, such as `{option} {shlex.quote(str(root.parent / name))}`",
        )
    replaces = force and not is_folder
    if replaces and files.exists(output) and not files.is_link(output) and not files.is_file(output):
        raise UsageError(
            "not-a-file",
            f"'{output}' is not a file, so it is not replaced",
            untouched="everything",
            hint=f"choose another place with `{option}`",
        )
    place = Destination(Path(os.path.realpath(folder)), name, replaces)
    if apart_from is not None and (place.folder, place.name) == (apart_from.folder, apart_from.name):
        raise UsageError(
            "same-file",
            f"the {what} would take the place of the package: both are to be '{output}'",
            untouched="everything",
            hint=f"choose another place with `{option}`",
        )
    return place


def _is_inside(folder: Path, root: Path) -> bool:
    real = Path(os.path.realpath(folder))
    return real == root or root in real.parents
