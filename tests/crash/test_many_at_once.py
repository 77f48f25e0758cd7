"""Many at once on one walnut: every receive happens once, wholly, and nobody reads half of one."""

import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from alive_p2p.runtime import Runtime
from crash.scenarios import SCENARIOS, Place
from worlds import NOVA, craft, ledger_of, nothing_left, pack, plant, tree_of

MANY = 32
_KERNEL = {path: content for path, content in NOVA.items() if path.startswith("_kernel/")}
_KEY = {"_kernel/key.md": NOVA["_kernel/key.md"]}

pytestmark = pytest.mark.slow

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(program: str, tmp_path: Path) -> Run:
    """Runs the installed program in a home of its own."""
    home = tmp_path / "home"
    home.mkdir()
    environ = {"PATH": os.environ["PATH"], "HOME": str(home), "ALIVE_SESSION_ID": "spring"}

    def go(*arguments: object) -> "subprocess.CompletedProcess[str]":
        command = [program, *map(str, arguments)]
        return subprocess.run(command, env=environ, capture_output=True, text=True, check=False, cwd=tmp_path)

    return go


def _entries(walnut: Path) -> list[str]:
    entries = ledger_of(walnut)["imports"]
    assert isinstance(entries, list)
    return [entry["import_id"] for entry in entries]


def _is_settled(walnut: Path, tmp_path: Path) -> bool:
    transactions = tmp_path / "home" / ".alive" / "transactions"
    return nothing_left(walnut, walnut.parent, walnut / "_kernel") and not list(transactions.iterdir())


def test_different_packages_all_arrive(run: Run, tmp_path: Path) -> None:
    """All applied, the ledger is complete, and the log has each entry once."""
    walnut = plant(tmp_path / "place" / "nova", _KERNEL)
    packages = [
        craft(
            tmp_path / f"p{n}.walnut",
            {
                "_kernel/key.md": NOVA["_kernel/key.md"],
                f"b{n}/context.manifest.yaml": b"goal: x\n",
                f"b{n}/a": b"%d" % n,
            },
            scope="bundle",
            bundles=[f"b{n}"],
        )
        for n in range(MANY)
    ]
    with ThreadPoolExecutor(MANY) as pool:
        done = list(pool.map(lambda one: run("receive", one, "--target", walnut, "--yes", "--wait", "60"), packages))
    assert [one.stderr for one in done if one.returncode != 0] == []
    assert all((walnut / f"b{n}" / "a").read_bytes() == b"%d" % n for n in range(MANY))
    ids = _entries(walnut)
    assert len(ids) == len(set(ids)) == MANY
    log = (walnut / "_kernel" / "log.md").read_text(encoding="utf-8")
    assert [log.count(f"- import_id: {one[:16]}") for one in ids] == [1] * MANY
    assert f"entry-count: {MANY + 1}" in log
    assert _is_settled(walnut, tmp_path)


def test_the_same_package_arrives_once(run: Run, tmp_path: Path) -> None:
    """One applies it; the others find it applied, or the walnut busy."""
    walnut = plant(tmp_path / "place" / "nova", _KERNEL)
    tree = {"_kernel/key.md": NOVA["_kernel/key.md"], "b/context.manifest.yaml": b"goal: x\n"}
    package = craft(tmp_path / "p.walnut", tree, scope="bundle", bundles=["b"])
    arguments = ("receive", package, "--target", walnut, "--yes", "--json")
    with ThreadPoolExecutor(MANY) as pool:
        done = list(pool.map(lambda _: run(*arguments), range(MANY)))
    told = [json.loads(one.stdout) for one in done]
    words = [one["status"] if one["status"] != "error" else one["error"]["code"] for one in told]
    assert words.count("ok") == 1
    assert set(words) <= {"ok", "noop", "busy", "changed-meanwhile"}
    assert len(_entries(walnut)) == 1
    assert (walnut / "_kernel" / "log.md").read_bytes().count(b"Imported package") == 1
    assert _is_settled(walnut, tmp_path)


def test_one_new_walnut_is_made_once(run: Run, tmp_path: Path, runtime: Runtime) -> None:
    """Of many full receives into one place one makes it; whoever comes later finds it made."""
    package = pack(plant(tmp_path / "source" / "nova", NOVA), tmp_path / "p.walnut", runtime)
    (tmp_path / "place").mkdir()
    walnut = tmp_path / "place" / "nova"
    arguments = ("receive", package, "--target", walnut, "--yes", "--json")
    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda _: run(*arguments), range(8)))
    told = [json.loads(one.stdout) for one in done]
    words = [one["status"] if one["status"] != "error" else one["error"]["code"] for one in told]
    assert words.count("ok") == 1, words
    assert set(words) <= {"ok", "noop", "busy", "changed-meanwhile"}
    assert len(_entries(walnut)) == 1
    assert _is_settled(walnut, tmp_path)


def test_a_share_never_sees_half_a_receive(run: Run, tmp_path: Path) -> None:
    """Packages made while bundles arrive two by two hold both of a pair, or neither."""
    walnut = plant(tmp_path / "place" / "nova", _KERNEL)
    packages = [
        craft(
            tmp_path / f"p{n}.walnut",
            {
                "_kernel/key.md": NOVA["_kernel/key.md"],
                f"left{n}/context.manifest.yaml": b"goal: x\n",
                f"right{n}/context.manifest.yaml": b"goal: x\n",
            },
            scope="bundle",
            bundles=[f"left{n}", f"right{n}"],
        )
        for n in range(6)
    ]

    def share(n: int) -> "subprocess.CompletedProcess[str]":
        output = tmp_path / f"out{n}.walnut"
        return run("create", "--scope", "full", "--walnut", walnut, "-o", output, "--yes", "--wait", "60", "--json")

    with ThreadPoolExecutor(8) as pool:
        received = [pool.submit(run, "receive", one, "--target", walnut, "--yes", "--wait", "60") for one in packages]
        shared = [pool.submit(share, n) for n in range(6)]
        assert [one.result().stderr for one in received if one.result().returncode] == []
    for one in shared:
        document = json.loads(one.result().stdout)
        if document["status"] == "error":  # what was planned had changed when it was to be written
            assert document["error"]["code"] in {"changed-meanwhile", "changed"}, document
            continue
        names = set(document["bundles"])
        assert {name.removeprefix("left") for name in names if "left" in name} == {
            name.removeprefix("right") for name in names if "right" in name
        }


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
@pytest.mark.parametrize("name", ["full", "bundles"])
@pytest.mark.parametrize("signum", ["SIGINT", "SIGTERM"])
def test_a_signal_at_any_moment_leaves_nothing(name: str, signum: str, program: str, tmp_path: Path) -> None:
    """Interrupted, it ends with 130 and the walnut is as before; or it had happened already.

    `now.json` is made after that, and can be made again.
    """
    prepared = SCENARIOS[name].prepare(tmp_path / "made")
    dice = random.Random(f"{name} {signum}")
    place = prepared.begin(tmp_path / "run")
    old = tree_of(place.walnut) if place.walnut.exists() else {}
    began = time.monotonic()
    child = _receive(program, place)
    child.communicate()
    assert child.returncode == 0
    whole, new = time.monotonic() - began, place.state()
    codes = set()
    for _ in range(12):
        place = prepared.begin(tmp_path / "run")
        child = _receive(program, place)
        time.sleep(dice.uniform(0.3, 1.0) * whole)
        child.send_signal(getattr(signal, signum))
        _, err = child.communicate()
        code = -getattr(signal, signum) if _was_python_itself(err) else child.returncode
        codes.add(code)
        assert code in {0, 130, -getattr(signal, signum)}, err  # the last: before the program was there
        here = tree_of(place.walnut) if place.walnut.exists() else {}
        now = {path: what for path, what in place.state().items() if path != "_kernel/now.json"}
        assert here == old or now == {path: what for path, what in new.items() if path != "_kernel/now.json"}
        assert place.left_over() == []
    assert codes & {0, 130}


def _was_python_itself(err: bytes) -> bool:
    """Whether Python was interrupted before it came to the program, and ended as it ends then."""
    return (
        b"KeyboardInterrupt" in err
        and b"alive_p2p" not in err
        and b"error: " not in err.replace(b"Python error: ", b"")
    )


def _receive(program: str, place: Place) -> "subprocess.Popen[bytes]":
    environ = {"PATH": os.environ["PATH"], "HOME": str(place.home), "ALIVE_SESSION_ID": "spring"}
    return subprocess.Popen(
        [program, *place.arguments()], env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
