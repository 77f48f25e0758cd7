"""What leaves and what stays, on the page of a plan: every path, in folders that open without a script."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from alive_p2p.cli.page_markup import NOTHING, Html, code, element, join, name, prose, section
from alive_p2p.cli.screen import human_size, plural
from alive_p2p.cli.substitutions import substitution_text
from alive_p2p.package import paths
from alive_p2p.sharing.plan import RETURNABLE, LeftOut, PlannedBundle, PlannedFile, Reason, SharePlan
from alive_p2p.walnut import kernel

_SMALL_PLAN = 200
"""Up to so many paths a reader is shown small folders open; beyond, everything but the kernel begins closed."""
_SMALL_FOLDER = 12
_MANY_LOOSE = 40
"""More files than this that lie in no folder are folded away too."""
_DEPTH = 6
"""Folders deeper than this are written out in the name: a phone has no room to move text further to the right."""


@dataclass
class _Folder:
    """A folder of the package, and everything in it."""

    path: str
    folders: "dict[str, _Folder]" = field(default_factory=dict)
    files: list[PlannedFile] = field(default_factory=list)
    count: int = 0
    size: int = 0

    def below(self, segments: Iterable[str]) -> "Iterable[_Folder]":
        """The folder and those on the way to one below it, which are made where they are not there yet."""
        here = self
        yield here
        for segment in segments:
            here = here.folders.setdefault(segment, _Folder(f"{here.path}{segment}/"))
            yield here

    def everything(self) -> "Iterable[tuple[str, PlannedFile | None]]":
        """Every file below and every empty folder, by path."""
        yield from ((one.entry.path, one) for one in self.files)
        for inner in self.folders.values():
            yield from inner.everything()
        if not self.files and not self.folders:
            yield self.path, None


class _Leaving:
    """Writes the tree of one plan."""

    def __init__(self, plan: SharePlan) -> None:
        self.bundles: Mapping[str, PlannedBundle] = {f"{bundle.name}/": bundle for bundle in plan.bundles}
        self.substitutions = plan.manifest.substitutions
        self.is_small = len(plan.files) <= _SMALL_PLAN
        self.moved = _moved(plan)
        self.root = _Folder("")
        for planned in plan.files:
            for folder in self.root.below(planned.entry.path.split("/")[:-1]):
                folder.count += 1
                folder.size += planned.entry.size
            folder.files.append(planned)
        for path in sorted(plan.manifest.empty_dirs or ()):
            list(self.root.below(path.split("/")))

    def groups(self) -> Iterable[tuple[str, str, list[Html]]]:
        """The parts of the package in the order of their weight: heading, what is in them, rows."""
        ours = {one.entry.path for one in self.root.files if self._is_primer(one)}
        roots = sorted(self.root.folders.values(), key=lambda one: one.path)
        loose = [one for one in self.root.files if one.entry.path not in ours]
        parts = [
            ("Kernel", [one for one in roots if one.path == f"{kernel.KERNEL}/"], []),
            ("Bundles", [one for one in roots if one.path in self.bundles], []),
            (
                "Live context",
                [one for one in roots if one.path != f"{kernel.KERNEL}/" and one.path not in self.bundles],
                loose,
            ),
            ("Generated", [], [one for one in self.root.files if one.entry.path in ours]),
        ]
        for heading, folders, files in parts:
            if folders or files:
                count = sum(one.count for one in folders) + len(files)
                size = sum(one.size for one in folders) + sum(one.entry.size for one in files)
                rows = [*(self._folder(one, 0) for one in folders), *self._loose(files)]
                yield heading, f"{plural(count, 'file')}, {human_size(size)}", rows

    def _is_primer(self, planned: PlannedFile) -> bool:
        path = planned.entry.path
        return path in {paths.README, paths.PRIMER} and self.substitutions.get(path) == "package-readme"

    def _loose(self, files: list[PlannedFile]) -> list[Html]:
        rows = [self._file(one.entry.path, one) for one in files]
        if len(rows) <= _MANY_LOOSE:
            return rows
        size = element("span", human_size(sum(one.entry.size for one in files)))
        summary = element("summary", element("b", f"{plural(len(rows), 'file')} in no folder"), size)
        return [_opening(summary, rows, is_open=False)]

    def _folder(self, folder: _Folder, depth: int, above: str = "") -> Html:
        """A folder as a row that opens; `above` is the path that the rows around it have said already."""
        while depth and len(folder.folders) == 1 and not folder.files:  # a folder in a folder is one row
            folder = next(iter(folder.folders.values()))
        shown = folder.path.removeprefix(above)
        if not folder.count:
            inner = [path for path, _ in folder.everything()]
            rows = [element("li", name(path.removeprefix(above)), _note("an empty folder")) for path in inner]
            return join(rows)
        if depth < _DEPTH:
            below = sorted(folder.folders.values(), key=lambda one: one.path)
            rows = [
                *(self._folder(one, depth + 1, folder.path) for one in below),
                *(self._file(one.entry.path.removeprefix(folder.path), one) for one in folder.files),
            ]
        else:
            rows = [
                self._file(path.removeprefix(folder.path), one)
                if one is not None
                else element("li", name(path.removeprefix(folder.path)), _note("an empty folder"))
                for path, one in sorted(folder.everything(), key=lambda pair: pair[0])
            ]
        summary = element(
            "summary",
            name(shown),
            element("span", plural(folder.count, "file"), class_="n"),
            element("span", human_size(folder.size)),
            *self._about_folder(folder.path),
        )
        is_open = folder.path == f"{kernel.KERNEL}/" or (self.is_small and folder.count <= _SMALL_FOLDER)
        return _opening(summary, rows, is_open=is_open)

    def _about_folder(self, path: str) -> Iterable[Html]:
        bundle = self.bundles.get(path)
        if bundle is not None:
            pii = ", pii (personal data)" if bundle.has_pii else ""
            yield _note(f"bundle, {bundle.sensitivity.word}{pii}; {bundle.tasks.describe()}")
        if origin := self.moved.get(path.rstrip("/")):
            yield _note("from ", code(origin))

    def _file(self, shown: str, planned: PlannedFile) -> Html:
        path = planned.entry.path
        notes: list[Html] = []
        if path in self.substitutions:
            notes.append(_note(substitution_text(self.substitutions[path])))
        if planned.is_executable:
            notes.append(_note("executable"))
        if origin := self.moved.get(path):
            notes.append(_note("from ", code(origin)))
        return element("li", name(shown), element("span", human_size(planned.entry.size)), *notes)


def _note(*content: str) -> Html:
    """What is to be said of a row, beneath its name."""
    return element("em", *content)


def _opening(summary: Html, rows: Iterable[Html], *, is_open: bool) -> Html:
    """A row that opens to others."""
    return element("li", element("details", summary, element("ul", *rows), open=is_open), class_="folder")


def _moved(plan: SharePlan) -> dict[str, str]:
    """What has another path in the package than in the walnut: the outermost such folder, or the file."""
    found: dict[str, str] = {}
    for planned in plan.files:
        if planned.origin is None or not planned.origin.is_relative_to(plan.root):
            continue
        here = planned.entry.path.split("/")
        there = list(planned.origin.relative_to(plan.root).parts)
        while len(here) > 1 and len(there) > 1 and here[-1] == there[-1]:
            del here[-1], there[-1]
        if here != there:
            found["/".join(here)] = "/".join(there)
    return found


def leaving_section(plan: SharePlan) -> Html:
    """Every file and empty folder of the package, the kernel first."""
    groups = [
        join([element("h3", f"{heading} ", element("span", amount, class_="amount")), _tree(rows)])
        for heading, amount, rows in _Leaving(plan).groups()
    ]
    return section("leaves", "What leaves", *groups)


def _tree(rows: list[Html]) -> Html:
    return element("ul", *rows, class_="tree")


def staying_section(plan: SharePlan) -> Html:
    """Every path that stays, by the reason; what stays by itself, the path of a folder stands for all it holds."""
    groups: dict[Reason, list[LeftOut]] = {}
    for one in plan.left_out:
        groups.setdefault(one.reason, []).append(one)
    if not groups:
        return section("stays", "What stays", element("p", "Nothing of what was asked for stays.", class_="calm"))
    is_small = len(plan.left_out) <= _SMALL_PLAN
    rows = [_reason(reason, found, is_small=is_small) for reason, found in groups.items()]
    explanation = "A folder stands for everything in it."
    return section("stays", "What stays", element("p", explanation, class_="quiet"), _tree(rows))


def _detail(one: LeftOut) -> Html:
    """The pattern, or what is wrong with the name."""
    if not one.detail:
        return NOTHING
    return _note("by ", code(one.detail)) if one.reason is Reason.EXCLUDED else _note(one.detail)


def _reason(reason: Reason, found: list[LeftOut], *, is_small: bool) -> Html:
    returns = _note(prose("`--include` brings it back, by its name")) if reason in RETURNABLE else NOTHING
    summary = element(
        "summary", element("b", prose(reason.explanation)), element("span", plural(len(found), "path")), returns
    )
    rows = [element("li", name(one.path), _detail(one)) for one in found]
    is_open = is_small and len(found) <= _SMALL_FOLDER
    return _opening(summary, rows, is_open=is_open)
