"""Asking a web host; what hosts answer badly is tried with published keys and with GitHub."""

import pytest

from alive_p2p.runtime import Runtime
from alive_p2p.web import Question, WebError, ask_host, is_safe_address


@pytest.mark.parametrize(
    ("url", "is_safe"),
    [
        ("https://example.org/x", True),
        ("http://127.0.0.1:1/x", True),
        ("http://[::1]:1/x", True),
        ("http://localhost/x", True),
        ("http://example.org/x", False),
        ("http://127.0.0.1.example.org/x", False),
        ("http://127.0.0.1@example.org/x", False),
        ("file:///etc/passwd", False),
        ("ftp://127.0.0.1/x", False),
        ("//example.org/x", False),
        ("http://[", False),
        ("", False),
    ],
)
def test_only_https_or_this_machine_is_asked(url: str, *, is_safe: bool, runtime: Runtime) -> None:
    """Whoever forgets to look is stopped here."""
    assert is_safe_address(url) is is_safe
    if not is_safe:
        with pytest.raises(WebError, match="not one that is asked"):
            ask_host(Question(url), runtime, seconds=1)


def test_what_is_secret_is_not_shown() -> None:
    """A question can be printed."""
    assert "gho_" not in repr(Question("https://example.org", headers={"Authorization": "gho_x"}, body=b"gho_x"))
