"""Fixtures of the package's tests."""

import sys

import pytest


@pytest.fixture(params=["zlib-ng", "zlib"])
def backend(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both libraries that deflate and inflate; the standard one is what a system without wheels has."""
    if request.param == "zlib":
        monkeypatch.setitem(sys.modules, "zlib_ng", None)
    else:
        pytest.importorskip("zlib_ng")
    return str(request.param)
