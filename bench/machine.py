"""What a result depends on, without anything that says whose machine it was."""

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_VERSIONS: dict[str, Sequence[str]] = {
    "tar": ("tar", "--version"),
    "gzip": ("gzip", "--version"),
    "openssl": ("openssl", "version"),
    "age": ("age", "--version"),
    "sha256sum": ("sha256sum", "--version"),
    "git": ("git", "--version"),
}


def described(place: Path) -> dict[str, Any]:
    """The machine, what is installed, and the file system below the bench's own folder; no names and no paths."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": _memory(),
        "system": f"{platform.system()} {platform.release()}",
        "file_system": _file_system(place),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "tools": {
            name: version if name in version.lower() else f"{name} {version}"
            for name, command in _VERSIONS.items()
            if (version := _version(command))
        },
        "libraries": {name: version for name in ("cryptography", "zlib-ng", "pyrage") if (version := _library(name))},
    }


def missing() -> list[str]:
    """The tools that are not installed."""
    return [name for name in _VERSIONS if not shutil.which(name)]


def _processor() -> str:
    if sys.platform == "darwin":
        return _version(("sysctl", "-n", "machdep.cpu.brand_string")) or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.machine()


def _memory() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30), 1)
    except (ValueError, OSError, AttributeError):
        return None


def _file_system(place: Path) -> str | None:
    found = _version(("stat", "-f", "-c", "%T", str(place)))
    return None if found is None or sys.platform == "darwin" else found


def _version(command: Sequence[str]) -> str | None:
    if not shutil.which(command[0]):
        return None
    done = subprocess.run(command, capture_output=True, check=False, env={**os.environ, "LC_ALL": "C"})
    lines = done.stdout.decode("utf-8", "replace").splitlines()
    return lines[0].strip() if done.returncode == 0 and lines else None


def _library(name: str) -> str | None:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(name)
    except PackageNotFoundError:
        return None
