"""`<world>/.alive/preferences.yaml` (cli.md, "Preferences"): a wrong setting is said, never ignored."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alive_p2p.errors import AliveP2PError, FileSystemError, WalnutError
from alive_p2p.walnut.preferences import Preferences, load_preferences


def load(world: Path, text: str | bytes) -> Preferences:
    path = world / ".alive" / "preferences.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_preferences(world)


def test_what_is_missing_has_its_default(tmp_path: Path) -> None:
    """No world, no file, an empty file, an empty section: the defaults, and no warning."""
    assert load_preferences(None) == load_preferences(tmp_path) == Preferences()
    path = tmp_path / ".alive" / "preferences.yaml"
    for text in ("", "# nothing\n", "p2p:\n", "p2p: {}\n", "p2p:\n  share_presets:\n  limits:\n  relay: ~\n"):
        assert load(tmp_path, text) == Preferences(path=path)


def test_every_setting_is_read(tmp_path: Path) -> None:
    """As it is written, also with a byte-order mark and Windows line endings."""
    text = """\
theme: dark
discovery_hints: no
p2p:
  share_presets:
    external:
      exclude_patterns:
        - "**/pricing*"
        - drafts/
    'for a friend': {exclude_patterns: []}
  relay: {url: "git@example.org:relay", token_env: TOKEN}
  auto_receive: false
  signing_key_path: ~/key.pem
  require_signature: true
  limits:
    max_files: 20000
    max_bytes: 1073741824
  sensitive_names: ["**/taxes*"]
  agent_files: [PROMPT.md]
  sign: true
"""
    expected = Preferences(
        path=tmp_path / ".alive" / "preferences.yaml",
        discovery_hints=False,
        share_presets={"external": ("**/pricing*", "drafts/"), "for a friend": ()},
        sensitive_names=("**/taxes*",),
        max_files=20_000,
        max_bytes=1 << 30,
        agent_files=("PROMPT.md",),
        require_signature=True,
        signing_key_path="~/key.pem",
        relay_url="git@example.org:relay",
        relay_token_env="TOKEN",
    )
    assert load(tmp_path, text) == expected
    assert load(tmp_path, b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode()) == expected


WRONG = {
    "discovery_hints as text": ('discovery_hints: "yes"', "discovery_hints", 1),
    "discovery_hints as a number": ("# c\ndiscovery_hints: 1", "discovery_hints", 2),
    "p2p as a list": ("\np2p:\n- x", "p2p", 2),
    "p2p as text": ("p2p: on and on", "p2p", 1),
    "share_presets as a list": ("p2p:\n  share_presets: [x]", "p2p.share_presets", 2),
    "a preset as a list": ("p2p:\n  share_presets:\n    a:\n      - x", "p2p.share_presets.a", 3),
    "a preset as text": ("p2p:\n  share_presets:\n    a: '*.md'", "p2p.share_presets.a", 3),
    "patterns as text": (
        "p2p:\n  share_presets:\n    a:\n      exclude_patterns: '*.md'",
        "p2p.share_presets.a.exclude_patterns",
        4,
    ),
    "patterns as a mapping": (
        "p2p: {share_presets: {a: {exclude_patterns: {b: c}}}}",
        "p2p.share_presets.a.exclude_patterns",
        1,
    ),
    "a pattern as a number": (
        "p2p:\n  share_presets:\n    a:\n      exclude_patterns:\n        - ok\n        - 5",
        "p2p.share_presets.a.exclude_patterns.1",
        6,
    ),
    "a pattern as nothing": (
        "p2p:\n  share_presets:\n    a:\n      exclude_patterns:\n        -",
        "p2p.share_presets.a.exclude_patterns.0",
        5,
    ),
    "a pattern of another language": (
        "p2p:\n  share_presets:\n    a:\n      exclude_patterns: ['!keep']",
        "p2p.share_presets.a.exclude_patterns.0",
        4,
    ),
    "a misspelt key of a preset": (
        "p2p:\n  share_presets:\n    a:\n      exclude_pattern: [x]",
        "p2p.share_presets.a.exclude_pattern",
        4,
    ),
    "a further key of a preset": (
        "p2p:\n  share_presets:\n    a:\n      exclude_patterns: [x]\n      include: [y]",
        "p2p.share_presets.a.include",
        5,
    ),
    "a preset without patterns": ("p2p:\n  share_presets:\n    a:", "p2p.share_presets.a", 3),
    "patterns as nothing": ("p2p:\n  share_presets:\n    a:\n      exclude_patterns:", "p2p.share_presets.a", 3),
    "relay as text": ("p2p:\n  relay: x", "p2p.relay", 2),
    "limits as a number": ("p2p:\n  limits: 5", "p2p.limits", 2),
    "max_files as text": ("p2p:\n  limits:\n    max_files: many", "p2p.limits.max_files", 3),
    "max_files as zero": ("p2p:\n  limits:\n    max_files: 0", "p2p.limits.max_files", 3),
    "max_files as yes": ("p2p:\n  limits:\n    max_files: yes", "p2p.limits.max_files", 3),
    "max_bytes as a decimal": ("p2p:\n  limits:\n    max_bytes: 1.5", "p2p.limits.max_bytes", 3),
    "max_bytes below zero": ("p2p:\n  limits:\n    max_bytes: -1", "p2p.limits.max_bytes", 3),
    "max_bytes with a unit": ("p2p:\n  limits:\n    max_bytes: 500 MB", "p2p.limits.max_bytes", 3),
}


@pytest.mark.parametrize(("text", "key", "line"), WRONG.values(), ids=WRONG.keys())
def test_a_value_of_the_wrong_type_names_key_file_and_line(tmp_path: Path, text: str, key: str, line: int) -> None:
    """A setting that is silently ignored could be the one that was meant to keep something private."""
    with pytest.raises(WalnutError) as refused:
        load(tmp_path, text + "\n")
    assert refused.value.code == "bad-preferences"
    assert f"'{key}'" in refused.value.message
    assert f"'{tmp_path / '.alive' / 'preferences.yaml'}', line {line})" in refused.value.message
    assert refused.value.hint
    assert refused.value.untouched


@pytest.mark.parametrize(
    "text",
    [
        "require_signature: 'yes'",
        "auto_receive: 1",
        "sign: perhaps",
        "signing_key_path: [x]",
        "sensitive_names: taxes",
        "agent_files: 5",
        "relay: {url: [x]}",
        "relay: {token_env: 5}",
        "relay: {token_env: 'MY TOKEN'}",
        "relay: {token_env: $GH_TOKEN}",
        "limits: {inbox_files: many}",
        "limits: {inbox_bytes: -1}",
    ],
)
def test_a_setting_of_the_wrong_type_is_refused_wherever_it_is_used(tmp_path: Path, text: str) -> None:
    """Every known setting has a type, also those that only the relay or a receive looks at."""
    with pytest.raises(WalnutError):
        load(tmp_path, f"p2p:\n  {text}\n")


def test_the_token_s_variable_has_a_default(tmp_path: Path) -> None:
    """Also where the setting is there and says nothing."""
    assert Preferences().relay_token_env == "GH_TOKEN"
    for text in ("", "  relay:\n", "  relay: {token_env: }\n", "  relay: {token_env: '', url: ''}\n"):
        read = load(tmp_path, f"p2p:\n{text}")
        assert (read.relay_token_env, read.relay_url) == ("GH_TOKEN", None)


@pytest.mark.parametrize("token", ["ghp_0123456789abcdef", "gho_x", "github_pat_11AAAA", "glpat-xyz"])
def test_a_token_where_its_variable_belongs_is_refused_and_not_shown(tmp_path: Path, token: str) -> None:
    """It would be looked up as a variable, and shown as the name of one that is not set."""
    with pytest.raises(WalnutError, match="and not the token itself") as refused:
        load(tmp_path, f"p2p:\n  relay: {{token_env: {token}}}\n")
    assert token not in refused.value.message


def test_an_unknown_setting_suggests_the_nearest(tmp_path: Path) -> None:
    """With its line; other programs keep their own at the top level, and nothing is said about those."""
    read = load(tmp_path, "theme: dark\np2p:\n  share_preset: {}\n  limits:\n    max_file: 5\n  zzz: 1\n")
    assert read.warnings == (
        "the preference 'p2p.share_preset' (line 3) is not known; did you mean 'share_presets'?",
        "the preference 'p2p.zzz' (line 6) is not known",
        "the preference 'p2p.limits.max_file' (line 5) is not known; did you mean 'max_files'?",
    )


def test_a_file_that_is_not_yaml_names_the_line(tmp_path: Path) -> None:
    """With the file, and that nothing was touched."""
    for text, line in (("p2p:\n  limits: [\n", 3), ("a: 1\na: 2\n", 2), ("- a\n", 1), (b"a: 1\nb: \xff\n", 2)):
        with pytest.raises(WalnutError) as refused:
            load(tmp_path, text)
        assert refused.value.code == "bad-preferences"
        assert f"preferences.yaml', line {line} " in refused.value.message


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    """A folder, a link that leads nowhere, or a megabyte too much: never the defaults in silence."""
    (tmp_path / ".alive" / "preferences.yaml").mkdir(parents=True)
    with pytest.raises(FileSystemError):
        load_preferences(tmp_path)
    (tmp_path / ".alive" / "preferences.yaml").rmdir()
    (tmp_path / ".alive" / "preferences.yaml").symlink_to("nowhere")
    with pytest.raises(FileSystemError):
        load_preferences(tmp_path)
    (tmp_path / ".alive" / "preferences.yaml").unlink()
    with pytest.raises(FileSystemError):
        load(tmp_path, "#" * ((1 << 20) + 1))


_yaml = st.recursive(
    st.sampled_from(["x", "5", "yes", "~", "'*.md'", "[]", "{}", "1.5", "!keep", '"'])
    | st.text("ab: -[]{}#\n", max_size=8),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
        st.dictionaries(
            st.sampled_from(["p2p", "share_presets", "limits", "relay", "max_files", "exclude_patterns", "a"]),
            inner,
            max_size=3,
        ).map(lambda rows: "{" + ", ".join(f"{k}: {v}" for k, v in rows.items()) + "}"),
    ),
    max_leaves=8,
)


@given(st.one_of(_yaml, _yaml.map(lambda text: f"p2p: {text}"), st.binary(max_size=40)))
def test_any_file_is_read_or_refused(tmp_path: Path, text: str | bytes) -> None:
    """Nothing but our own errors is raised, and what is read has the right types."""
    try:
        read = load(tmp_path, text)
    except AliveP2PError:
        return
    assert isinstance(read.discovery_hints, bool)
    assert all(isinstance(pattern, str) for patterns in read.share_presets.values() for pattern in patterns)
    assert all(count is None or count > 0 for count in (read.max_files, read.max_bytes))
