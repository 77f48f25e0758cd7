"""What goes over the wire to a git relay and how long that takes, over smart HTTP on loopback: the tests' own host."""

import importlib
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench.bench import Bench
from bench.contestants import OURS, TOOLS
from bench.corpora import SEED, amount, noise, world
from bench.measuring import Contest, Contestant, FailedError, Ran, remove
from bench.results import BYTES, Case, said, timed

EMPTY = "alive-p2p, an empty relay"
ONE_PEER = "alive-p2p, one peer"
PACKAGE = 100_000
"""About how large the package is that is pushed."""
_PAST = 100_000
"""How large each past deposit was."""
_TESTS = Path(__file__).resolve().parent.parent / "tests"

CLONE = (
    'git clone --quiet --depth 1 "$URL" "$COPY"\n'
    'cp "$PACKAGE" "$COPY/inbox/ada/$(date +%s%N).walnut"\n'
    'cd "$COPY"\ngit add inbox\ngit commit --quiet -m deposit\ngit push --quiet'
)
"""What somebody without a program would type to leave a package, sealed beforehand, in somebody's relay."""


def relay(bench: Bench) -> Iterator[Case]:
    """Push a package into a relay with a past; look at many peers."""
    if str(_TESTS) not in sys.path:
        sys.path.insert(0, str(_TESTS))
    try:
        host = importlib.import_module("relay.github")
    except ImportError as problem:
        raise FailedError(f"the host of the tests is not there: {problem.name} is missing") from None
    place = bench.stage.root / "relays"
    place.mkdir()
    with ExitStack() as stack:
        site = stack.enter_context(host.GitHub(place))
        yield from _push(bench, site, place)
        yield from _probe(bench, site, place)
    remove(place)


class _At:
    """Somebody with an account at the host, without `gh`, and a world."""

    def __init__(self, bench: Bench, site: Any, login: str, place: Path) -> None:  # noqa: ANN401 -- of the tests
        self.person = site.person(login, place, has_gh=False)
        self.environ: dict[str, str] = self.person.environ
        self.environ["ALIVE_P2P_GITHUB_URL"] = site.url
        self.environ["TMPDIR"] = str(bench.stage.scratch)
        self.world = world(self.person.home / "world")
        self._program = bench.stage.programs.ours

    def __call__(self, *arguments: str, data: str = "", **environ: str) -> str:
        done = subprocess.run(
            [*self._program, *arguments],
            cwd=self.world,
            env={**self.environ, **environ},
            input=data.encode(),
            capture_output=True,
            check=False,
        )
        if done.returncode:
            raise FailedError(f"{' '.join(arguments[:2])} failed: {done.stderr.decode('utf-8', 'replace').strip()}")
        return done.stdout.decode()


def _past(repository: Path, number: int) -> None:
    """Let as many packages have been left and fetched in a relay, a commit for each."""
    noise_of = random.Random(f"{SEED}/past")  # noqa: S311 -- nothing here is a secret
    git = ["git", f"--git-dir={repository}"]
    environ = {"HOME": str(repository.parent), "PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1"}
    branch = [*git, "show-ref", "--verify", "--quiet", "refs/heads/main"]
    has_branch = subprocess.run(branch, env=environ, check=False).returncode == 0
    command = [*git, "fast-import", "--quiet"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, env=environ) as process:
        stream = process.stdin
        assert stream is not None  # noqa: S101 -- it was asked for
        last = ""
        for one in range(number):
            name = f"inbox/eve/20260101-{one:06}-{one:08x}.walnut"
            stream.write(b"commit refs/heads/main\ncommitter eve <eve@example.org> %d +0000\n" % (1775000000 + one))
            stream.write(b"data 1\n.\n" + (b"from refs/heads/main^0\n" if one == 0 and has_branch else b""))
            data = noise_of.randbytes(_PAST)
            stream.write(b"M 100644 inline %s\ndata %d\n%s\n" % (name.encode(), len(data), data))
            if last:
                stream.write(b"D %s\n" % last.encode())
            last = name
        stream.close()
    if process.returncode:
        raise FailedError("a relay with a past could not be made")


def _push(bench: Bench, site: Any, place: Path) -> Iterator[Case]:  # noqa: ANN401 -- of the tests
    bench.say(f"  making a relay with {bench.scale.deposits:,} past deposits")
    ada, ben, cleo = (_At(bench, site, login, place) for login in ("ada", "ben", "cleo"))
    for peer, name in ((ben, "ben"), (cleo, "cleo")):
        code = ada("relay", "invite", name, "--github").strip()
        peer("relay", "accept", "-", "--github", data=code)
    ada("relay", "pull", "--yes")
    _past(site.repository("cleo/alive-relay").path, bench.scale.deposits)

    walnut = place / "walnut"
    (walnut / "_kernel").mkdir(parents=True)
    (walnut / "_kernel" / "key.md").write_text("---\ntype: venture\nsensitivity: open\n---\n\n# Relay\n", "utf-8")
    (walnut / "film.mp4").write_bytes(b"".join(noise(0, PACKAGE - 1500)))
    package = place / "package.walnut"
    home = ada.person.home
    fresh = place / "ada-fresh"
    shutil.copytree(home, fresh, symlinks=True)
    number = iter(range(1 << 30))
    wire: dict[str, list[float]] = {}
    copy = bench.stage.scratch / "clone"

    def prepare() -> None:
        remove(home, package, copy)
        shutil.copytree(fresh, home, symlinks=True)
        date = str(1_775_000_000 + next(number))
        ada("create", "--scope", "full", "--walnut", str(walnut), "-o", str(package), "--yes", SOURCE_DATE_EPOCH=date)
        site.wire.forget()

    def checked(name: str) -> Callable[[Ran], None]:
        def check(ran: Ran) -> None:
            if ran.output and json.loads(ran.output).get("queued"):
                raise FailedError("the package stayed in the outbox")
            traffic = site.wire.traffic()
            wire.setdefault(name, []).append(float(traffic.up + traffic.down))

        return check

    def pushing(name: str, program: tuple[str, ...], to: str) -> Contestant:
        command = [*program, "relay", "push", "--peer", to, str(package), "--json"]
        return Contestant(name, command, ada.environ, ada.world, prepare, checked(name), keep_output=True)

    made = [pushing(name, program, "cleo") for name, program in bench.stage.programs.builds.items()]
    made.append(pushing(EMPTY, bench.stage.programs.ours, "ben"))
    environ = {
        **ada.environ,
        "URL": site.clone_url("cleo/alive-relay"),
        "PACKAGE": str(package),
        "COPY": str(copy),
    }
    made.append(Contestant(TOOLS, ["sh", "-ec", CLONE], environ, place, prepare, checked(TOOLS), lambda: remove(copy)))
    bench.say("  push")
    done = bench.meter.contest(made, bench.scale.rounds, bench.scale.warm)
    title = f"push, {bench.scale.deposits:,} past deposits"
    detail = f"a package of {amount(package.stat().st_size)}"
    yield timed("relay", title, done, detail=detail)
    yield _bytes(title, done, wire, detail, float(package.stat().st_size))


def _bytes(title: str, done: Contest, wire: dict[str, list[float]], detail: str, x: float | None) -> Case:
    values = {name: wire[name][-len(runs) :] for name, runs in done.runs.items()}
    return Case("relay", title, BYTES, values, "on the wire", detail, said(done.left_out), x)


def _probe(bench: Bench, site: Any, place: Path) -> Iterator[Case]:  # noqa: ANN401 -- of the tests
    names = [f"peer-{number}" for number in range(bench.scale.peers)]
    finn = _At(bench, site, "finn", place)
    finn("relay", "setup", "--github", "--yes")
    bench.say(f"  making {len(names)} peers")
    for name in names:
        site.create(f"{name}/alive-relay", ["finn"])
        _past(site.repository(f"{name}/alive-relay").path, 1)
    urls = {name: site.clone_url(f"{name}/alive-relay") for name in names}
    homes = {}
    for many, known in ((True, names), (False, names[:1])):
        homes[many] = place / f"finn-{len(known)}"
        shutil.copytree(finn.person.home, homes[many], symlinks=True)
        _know(homes[many], {name: urls[name] for name in known})
    for seconds in (0.0, 1.0):
        wire: dict[str, list[float]] = {}

        def prepare(seconds: float = seconds) -> None:
            site.wire.heal()
            if seconds:
                site.wire.slow("GET", r"/[^/]+/[^/]+/info/refs", seconds, times=None)
            site.wire.forget()

        def checked(name: str, wire: dict[str, list[float]] = wire) -> Callable[[Ran], None]:
            def check(ran: Ran) -> None:
                peers = json.loads(ran.output)["peers"]
                seen = peers.values() if isinstance(peers, dict) else peers
                if unseen := [one["error"] for one in seen if one.get("error")]:
                    raise FailedError(f"{len(unseen)} peers were not seen: {unseen[0]}")
                traffic = site.wire.traffic()
                wire.setdefault(name, []).append(float(traffic.up + traffic.down))

            return check

        def probing(name: str, program: tuple[str, ...], home: Path, checks: Callable[[Ran], None]) -> Contestant:
            environ = {**finn.environ, "HOME": str(home)}
            command = [*program, "relay", "probe", "--timeout", "60", "--json"]
            return Contestant(name, command, environ, home, prepare, checks, site.wire.heal, keep_output=True)

        builds = bench.stage.programs.builds
        made = [probing(name, program, homes[True], checked(name)) for name, program in builds.items()]
        made.append(probing(ONE_PEER, builds[OURS], homes[False], checked(ONE_PEER)))
        bench.say(f"  probe, every answer after {seconds:.0f} s")
        done = bench.meter.contest(made, bench.scale.rounds)
        title = f"probe of {len(names)} peers"
        detail = f"every answer after {seconds:.0f} s" if seconds else "answered at once"
        yield timed("relay", title, done, detail=detail, x=seconds)
        yield _bytes(title, done, wire, detail, seconds)


def _know(home: Path, urls: dict[str, str]) -> None:
    """Let somebody know peers by their relays' addresses, without a key of theirs."""
    path = home / ".alive" / "relay" / "relay.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    for name, url in urls.items():
        config["peers"][name] = {
            "url": url,
            "inbox": "finn",
            "added_at": "2026-04-01T09:00:00Z",
            "accepted": True,
            "exclude_patterns": [],
        }
    path.write_text(json.dumps(config), encoding="utf-8")
