"""Finds which test causes which message: by running the tests, never by reading them.

    python tests/messages/message_recording.py FOLDER tests/journeys tests/relay …

The program is copied to FOLDER, and in the copy every place that makes a message tells that it was reached. The tests
are run against the copy, also where they run the installed program; nothing else may use the environment meanwhile.
What is found is put into `causes.json` where a message has no test yet. Run again with the same FOLDER it goes on from
what is there.
"""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from message_page import CAUSES, ROOT, load_causes
from message_sites import SOURCE, Site, is_in_table, sites

_REACHED = "reached"
_NOW = "now"

_TELLER = '''
import os
import sys
from pathlib import Path

_FOLDER = Path(__file__).parent
_TOLD = set()


def reached(place, value):
    """Note that a place was reached, once for each test; it never gets in the way of what is going on."""
    try:
        test = os.environ.get("MESSAGE_RECORDING_TEST") or (_FOLDER / "now").read_text(encoding="utf-8")
        made = (value.code, value.message) if hasattr(value, "untouched") else ("", "")
        line = "\\t".join([place, test, *(" ".join(one.split()) for one in made)]) + "\\n"
        if line not in _TOLD:
            _TOLD.add(line)
            descriptor = os.open(_FOLDER / "reached", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            os.write(descriptor, line.encode("utf-8", "backslashreplace"))
            os.close(descriptor)
    except Exception:
        pass
    return value
'''


class _Telling(ast.NodeTransformer):
    """Wraps the expressions of places; and every error, because the words of tables are known by what was made."""

    def __init__(self, module: str, places: dict[tuple[object, ...], list[str]]) -> None:
        self._module = module
        self._places = places
        self._depth = 0

    def visit(self, node: ast.AST) -> Any:
        is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        self._depth += is_function
        where = _where(node)
        if not isinstance(node, ast.JoinedStr):
            self.generic_visit(node)
        self._depth -= is_function
        if self._depth and isinstance(node, ast.expr):
            for place in self._places.get(where, [self._module] if _is_error(node) else []):
                node = ast.Call(ast.Name("_reached", ast.Load()), [ast.Constant(place), node], [])
        return node


def _where(node: ast.AST) -> tuple[object, ...]:
    names = ("lineno", "col_offset", "end_lineno", "end_col_offset")
    return (type(node).__name__, *(getattr(node, name, None) for name in names))


def _is_error(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    name = ast.unparse(node.func).rpartition(".")[2].lstrip("_")
    return name.endswith(("Error", "Problem")) and name[:1].isupper()


def make_copy(folder: Path) -> None:
    """A copy of the program that tells what is reached."""
    shutil.copytree(SOURCE, folder / "alive_p2p", ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    (folder / "reached_teller.py").write_text(_TELLER, encoding="utf-8")
    places: dict[str, dict[tuple[object, ...], list[str]]] = defaultdict(lambda: defaultdict(list))
    for site in sites():
        places[site.module][_where(site.node)].append(site.key)
    for path in (folder / "alive_p2p").rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        module = path.relative_to(folder / "alive_p2p").as_posix()
        telling = _Telling(module, places[module]).visit(tree)
        at = 1 if ast.get_docstring(tree) is not None else 0
        telling.body.insert(at, ast.parse("from reached_teller import reached as _reached").body[0])
        path.write_text(ast.unparse(ast.fix_missing_locations(telling)), encoding="utf-8")


def pytest_runtest_logstart(nodeid: str) -> None:
    """Told by pytest before each test, where this module is its plugin."""
    os.environ["MESSAGE_RECORDING_TEST"] = nodeid
    (Path(os.environ["MESSAGE_RECORDING"]) / _NOW).write_text(nodeid, encoding="utf-8")


def run(folder: Path, tests: list[str]) -> None:
    """Run tests against the copy, one after the other: a program that they start only knows which one is now."""
    (installed,) = Path(sysconfig.get_path("purelib")).glob("_editable_impl_alive_p2p.pth")
    before = installed.read_text(encoding="utf-8")
    environ = {
        **os.environ,
        "MESSAGE_RECORDING": str(folder),
        "PYTHONPATH": os.pathsep.join([str(folder), str(Path(__file__).parent)]),
    }
    command = ["-m", "pytest", "-n0", "-p", "no:randomly", "-p", "no:cacheprovider", "-p", Path(__file__).stem]
    try:
        installed.write_text(f"{folder}\n", encoding="utf-8")
        subprocess.run([sys.executable, *command, *tests], cwd=ROOT, env=environ, check=False)
    finally:
        installed.write_text(before, encoding="utf-8")


def found_in(folder: Path) -> dict[str, set[str]]:
    """The tests that reached each place."""
    found: dict[str, set[str]] = defaultdict(set)
    made: dict[tuple[str, str], set[tuple[str, str]]] = defaultdict(set)
    for line in (folder / _REACHED).read_text(encoding="utf-8", errors="replace").splitlines():
        place, test, code, message = (line.split("\t") + [""] * 4)[:4]
        if "::" in test:
            found[place].add(test)
            made[place.partition(" ")[0], code].add((message, test))
    for site in sites():
        if is_in_table(site):
            found[site.key] = {
                test for message, test in made[site.module, site.code] if _words(site).fullmatch(message)
            }
    return found


def _words(site: Site) -> re.Pattern[str]:
    pieces = re.split(r"<[^<>]*>", site.message)
    return re.compile(".*".join(re.escape(piece) for piece in pieces) + "(?:: .*)?")


def take(found: dict[str, set[str]]) -> list[str]:
    """Put into `causes.json` what is missing there: for each place the test that reaches the fewest others.

    Returns:
        The places without a test.
    """
    causes = load_causes()
    reaches = Counter(test for tests in found.values() for test in tests)
    keys = [site.key for site in sites()]
    caused = {key: test for key, test in causes["caused"].items() if key in keys}
    for key in keys:
        if key not in caused and found.get(key):
            caused[key] = min(found[key], key=lambda test: (reaches[test], test)).partition("[")[0]
    document = {"caused": dict(sorted(caused.items()))}
    rest = {key: why for key, why in causes["stays"].items() if key in keys and key not in caused}
    document["stays"] = dict(sorted(rest.items()))
    CAUSES.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8", newline="\n")
    known = {key for group in document.values() for key in group}
    return [key for key in keys if key not in known]


if __name__ == "__main__":
    place = Path(sys.argv[1]).absolute()
    make_copy(place)
    run(place, sys.argv[2:])
    for missing in take(found_in(place)):
        sys.stdout.write(f"no test: {missing}\n")
