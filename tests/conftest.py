"""What every test shares: a home of its own, a fixed clock, and walnuts to work on."""

import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from alive_p2p.runtime import Runtime
from worlds import Clock

settings.register_profile(
    "default",
    deadline=None,  # time is never asserted
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    derandomize=False,
)
settings.load_profile("default")

for _name in ("SIGINT", "SIGTERM", "SIGHUP"):
    # What the tests start heeds signals, also where whoever started the tests has them ignored.
    if getattr(signal, _name, None) and signal.getsignal(getattr(signal, _name)) is signal.SIG_IGN:
        signal.signal(getattr(signal, _name), signal.SIG_DFL)

FIXTURES = Path(__file__).resolve().parents[2] / "shared" / "fixtures"
"""Packages of the earlier implementation; tests that use them skip where the folder is absent."""


@pytest.fixture(autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the real home folder or this machine's settings."""
    home = tmp_path_factory.mktemp("home")
    for name in list(os.environ):
        if name.startswith(("ALIVE_", "GH_", "CLAUDE_", "SOURCE_DATE")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))


@pytest.fixture
def fixtures() -> Path:
    """The folder of shared fixtures."""
    if not FIXTURES.is_dir():
        pytest.skip("the shared fixtures are not beside this checkout")
    return FIXTURES


@pytest.fixture
def make_runtime(tmp_path: Path) -> Callable[..., Runtime]:
    """Makes a `Runtime` with a fixed clock, a home below `tmp_path` and an environment of its own."""

    def make(cwd: Path | None = None, clock: Clock | None = None, **environ: str) -> Runtime:
        home = tmp_path / "home"
        home.mkdir(exist_ok=True)
        return Runtime(environ={"HOME": str(home), **environ}, cwd=cwd or tmp_path, clock=clock or Clock())

    return make


@pytest.fixture
def runtime(make_runtime: Callable[..., Runtime]) -> Runtime:
    """A `Runtime` with nothing set."""
    return make_runtime()


@pytest.fixture(scope="session")
def program() -> str:
    """The installed console script."""
    beside = Path(sys.executable).with_name("alive-p2p.exe" if os.name == "nt" else "alive-p2p")
    found = str(beside) if beside.exists() else shutil.which("alive-p2p")
    if not found:
        pytest.fail("the program is not installed; run `make test`")
    return found
