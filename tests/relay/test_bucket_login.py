"""Where a login for a bucket is found, and which store it is for (relay.md §8)."""

import sys
from pathlib import Path

import pytest

from alive_p2p.errors import RelayError
from alive_p2p.relay.transports.s3_address import Address, parse
from alive_p2p.relay.transports.s3_login import Login, find_login, typed_address
from alive_p2p.runtime import Runtime

_AMAZON = parse("s3://bucket?region=eu-central-1")
_ANNA = parse("s3://bucket?endpoint=https://s3.example.org")
_KEYS = {"AWS_ACCESS_KEY_ID": "ENV", "AWS_SECRET_ACCESS_KEY": "env-secret"}


class Home:
    """A home with files in `~/.aws`."""

    def __init__(self, base: Path) -> None:
        self.base = base
        (base / ".aws").mkdir()

    def write(self, config: str = "", credentials: str = "") -> None:
        (self.base / ".aws" / "config").write_text(config, encoding="utf-8")
        (self.base / ".aws" / "credentials").write_text(credentials, encoding="utf-8")

    def runtime(self, **environ: str) -> Runtime:
        return Runtime(environ={"HOME": str(self.base), "PATH": "", **environ}, cwd=self.base)

    def login(self, address: Address, *, is_our_place: bool = False, **environ: str) -> Login:
        return find_login(address, self.runtime(**environ), is_our_place=is_our_place)

    def key(self, address: Address, *, is_our_place: bool = False, **environ: str) -> str:
        return self.login(address, is_our_place=is_our_place, **environ).settings["access_key_id"]

    def refusal(self, address: Address, **environ: str) -> RelayError:
        with pytest.raises(RelayError) as refused:
            self.login(address, **environ)
        return refused.value


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_the_environment_comes_first(home: Home) -> None:
    """With a token where there is one; half a login is none."""
    home.write(credentials="[default]\naws_access_key_id = FILE\naws_secret_access_key = file-secret\n")
    found = home.login(_AMAZON, AWS_SESSION_TOKEN="token", **_KEYS)
    assert found.settings == {"access_key_id": "ENV", "secret_access_key": "env-secret", "session_token": "token"}
    assert not any(secret in repr(found) for secret in found.secrets)
    assert home.key(_AMAZON, AWS_ACCESS_KEY_ID="ENV") == "FILE"


def test_profiles_are_read_from_both_files(home: Home) -> None:
    """Their keys from `credentials`, the rest from `config`, wherever the two lie."""
    home.write(
        config="[default]\nregion = eu-north-1\n[profile work]\nregion = eu-west-3\n[sso-session x]\na = b\n",
        credentials="[default]\naws_access_key_id = D\naws_secret_access_key = d\n"
        "[work]\naws_access_key_id = W\naws_secret_access_key = w\n",
    )
    assert home.key(_AMAZON) == "D"
    assert home.key(_AMAZON, AWS_PROFILE="work") == "W"
    assert typed_address("s3://bucket", home.runtime()).region == "eu-north-1"
    assert typed_address("s3://bucket", home.runtime(AWS_PROFILE="work")).region == "eu-west-3"
    assert typed_address("s3://bucket", home.runtime(AWS_REGION="us-west-2")).region == "us-west-2"
    other = home.base / "elsewhere"
    other.write_text("[default]\naws_access_key_id = E\naws_secret_access_key = e\n", encoding="utf-8")
    assert home.key(_AMAZON, AWS_SHARED_CREDENTIALS_FILE="~/elsewhere") == "E"
    error = home.refusal(_AMAZON, AWS_PROFILE="none")
    assert (error.code, "no profile 'none'" in error.message) == ("s3-no-login", True)


def test_a_store_has_the_profile_that_names_it(home: Home) -> None:
    """Whichever is chosen: one can have peers at several stores at the same time."""
    home.write(
        config="[profile anna]\nendpoint_url = https://S3.example.org:443/\naws_access_key_id = A\n"
        "aws_secret_access_key = a\n"
        "[profile bob]\nservices = bobs\n[services bobs]\ns3 =\n  endpoint_url = https://bob.example.org\n"
        "[profile plain]\nendpoint_url = http://10.0.0.1:9000\naws_access_key_id = P\naws_secret_access_key = p\n",
        credentials="[default]\naws_access_key_id = D\naws_secret_access_key = d\n"
        "[bob]\naws_access_key_id = B\naws_secret_access_key = b\n",
    )
    bob = parse("s3://bucket?endpoint=https://bob.example.org")
    assert [home.key(one) for one in (_AMAZON, _ANNA, bob)] == ["D", "A", "B"]
    assert [home.key(one, **_KEYS) for one in (_AMAZON, _ANNA, bob)] == ["ENV", "A", "B"]
    other = parse("s3://bucket?endpoint=https://other.example.org")
    assert home.refusal(other).code == "s3-other-login"
    assert home.key(other, is_our_place=True) == "D"
    assert home.key(other, is_our_place=True, **_KEYS) == "ENV"
    assert home.refusal(_AMAZON, AWS_PROFILE="anna").code == "s3-other-login"
    assert home.refusal(other, AWS_PROFILE="plain").code == "s3-other-login"
    with pytest.raises(RelayError, match="cannot be used"):
        typed_address("s3://bucket", home.runtime(AWS_PROFILE="plain"))


def test_the_environment_names_the_store_of_its_login(home: Home) -> None:
    """Then it is not for Amazon any more, nor for any other."""
    environ = {
        **_KEYS,
        "AWS_ENDPOINT_URL": "https://wrong.example.org",
        "AWS_ENDPOINT_URL_S3": "https://s3.example.org/",
    }
    assert home.key(_ANNA, **environ) == "ENV"
    assert home.refusal(_AMAZON, **environ).code == "s3-other-login"
    assert (
        typed_address("s3://bucket/p", home.runtime(**environ)).url == "s3://bucket/p?endpoint=https://s3.example.org"
    )
    said = typed_address("s3://bucket?endpoint=https://x.example.org", home.runtime(AWS_REGION="eu-west-1", **environ))
    assert said.url == "s3://bucket?endpoint=https://x.example.org"


def test_without_any_login_the_next_step_is_told(home: Home) -> None:
    """Another one for Amazon than for a store of somebody's."""
    assert "AWS_ACCESS_KEY_ID" in str(home.refusal(_AMAZON).hint)
    error = home.refusal(_ANNA)
    assert (error.code, "endpoint_url = https://s3.example.org" in str(error.hint)) == ("s3-no-login", True)


def test_what_only_the_aws_program_knows_is_asked_of_it(home: Home, tmp_path: Path) -> None:
    """Single sign-on and roles; where it is missing, or has no login, that is told with the command that helps."""
    home.write(
        config="[default]\nsso_session = s\n[profile anna]\nrole_arn = arn\nendpoint_url = https://s3.example.org\n"
    )
    assert "`aws`, which knows" in home.refusal(_AMAZON).message
    program = tmp_path / "bin" / "aws"
    program.parent.mkdir()
    program.write_text(
        f"""#!{sys.executable}
import json, os, sys
if os.environ.get("OUT"):
    sys.exit("the session has expired\\x1b[31m")
assert sys.argv[1:5] == ["configure", "export-credentials", "--format", "process"]
name = sys.argv[6]
open(os.environ["HOME"] + "/asked", "a").write(name + " ")
print(json.dumps({{"Version": 1, "AccessKeyId": name, "SecretAccessKey": "s", "SessionToken": "t"}}))
""",
        encoding="utf-8",
    )
    program.chmod(0o755)
    path = str(program.parent)
    assert home.key(_AMAZON, PATH=path) == "default"
    assert home.key(_ANNA, PATH=path) == "anna"
    assert home.key(_ANNA, PATH=path) == "anna"
    assert (home.base / "asked").read_text(encoding="ascii") == "default anna "
    error = home.refusal(_ANNA, PATH=path, OUT="1")
    assert (error.code, error.hint) == ("s3-no-login", "log in with `aws sso login --profile anna`")
    assert error.details == ("the session has expired [31m",)


def test_a_container_has_its_role(home: Home) -> None:
    """For Amazon; the library fetches the login by what the container was told."""
    web = {"AWS_WEB_IDENTITY_TOKEN_FILE": "/run/token", "AWS_ROLE_ARN": "arn:aws:iam::1:role/x"}
    assert home.login(_AMAZON, **web).settings == {
        "web_identity_token_file": "/run/token",
        "role_arn": "arn:aws:iam::1:role/x",
    }
    task = {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/x"}
    assert home.login(_AMAZON, **task).settings == {"container_credentials_relative_uri": "/v2/x"}
    assert home.refusal(_ANNA, **task).code == "s3-no-login"
    assert home.refusal(_AMAZON, AWS_ROLE_ARN="arn").code == "s3-no-login"


def test_files_that_are_none_are_named_and_not_shown(home: Home) -> None:
    """What cannot be read as settings may be a secret in the wrong place."""
    home.write(credentials="aws_secret_access_key = HUSH\n")
    error = home.refusal(_AMAZON)
    assert (error.code, "HUSH" in error.message, "credentials" in error.message) == ("s3-settings", False, True)
    (home.base / ".aws" / "credentials").write_bytes(b"\xff\xfe[default]")
    assert home.refusal(_AMAZON).code == "s3-settings"
