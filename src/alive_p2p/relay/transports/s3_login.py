"""Who we are at a bucket: the usual places where a login for S3 is kept, and which store it is for (relay.md §8).

The environment, the files in `~/.aws`, and whatever the `aws` program knows (single sign-on, roles, other programs).

A login is used only at the store that it is for: at Amazon, at the endpoint that stands beside it (`endpoint_url` in a
profile, AWS_ENDPOINT_URL_S3), or at the endpoint of our own relay. Addresses come from others as well: a host of theirs
could hand a request that was signed for it on to the store that the login is for.
"""

import json
import shutil
import subprocess
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

from alive_p2p.errors import RelayError
from alive_p2p.relay.transports.s3_address import AMAZON, Address, parse
from alive_p2p.relay.transports.s3_settings import NOT_OURS, Profile, Settings, read_settings
from alive_p2p.runtime import Runtime
from alive_p2p.text import one_line

_SECONDS = 30
_KEYS = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
_ELSEWHERE = (
    "credential_process",
    "sso_session",
    "sso_start_url",
    "sso_account_id",
    "role_arn",
    "credential_source",
    "login_session",
)
"""What in a profile says that its login has to be asked for; the `aws` program knows how."""

_ROLES = {
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "container_credentials_relative_uri",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": "container_credentials_full_uri",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "container_authorization_token_file",
    "AWS_WEB_IDENTITY_TOKEN_FILE": "web_identity_token_file",
    "AWS_ROLE_ARN": "role_arn",
    "AWS_ROLE_SESSION_NAME": "role_session_name",
}
"""What a container is told of the role it runs in; the library fetches the login itself."""

_aws_lock = threading.Lock()
_aws_answers: dict[object, "Login"] = {}


@dataclass(frozen=True)
class Login:
    """A login.

    Attributes:
        settings: for the library, by its names.
        source: where it was found.
        hint: what to do when it does not count any more.
    """

    settings: Mapping[str, str] = field(repr=False)
    source: str
    hint: str = "renew it where you have it from"

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not be shown."""
        names = ("access_key_id", "secret_access_key", "session_token")
        return tuple(value for name in names if (value := self.settings.get(name)))


def typed_address(text: str, runtime: Runtime) -> Address:
    """The address of a bucket as somebody has typed it for themselves; what it does not say their settings say.

    Raises:
        RelayError: it is none, or the settings cannot be used.
    """
    address, known = parse(text), read_settings(runtime)
    is_whole = address.endpoint is not None  # then a region in the settings is another store's
    endpoint = address.endpoint if is_whole else known.endpoint
    if endpoint == NOT_OURS:
        raise RelayError(
            "bad-address",
            "your settings for S3 name an endpoint that cannot be used: it is not `https`, or no address",
            untouched="everything",
            hint="look at AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL and `endpoint_url` in ~/.aws/config",
        )
    region = known.region if known.region and not is_whole and "region=" not in text else address.region
    return parse(Address(address.bucket, address.prefix, endpoint, region).url)


def find_login(address: Address, runtime: Runtime, *, is_our_place: bool) -> Login:
    """The login for a bucket.

    Args:
        address: the bucket.
        runtime: the surroundings.
        is_our_place: our own relay lies at the same store.

    Raises:
        RelayError: `s3-no-login`: there is none; `s3-other-login`: there is one, for another store; `s3-settings`: a
            file cannot be used.
    """
    known = read_settings(runtime)
    named = _keys_in(runtime.environ)
    in_environ = None if named is None else Login(named, "AWS_ACCESS_KEY_ID")
    profile = known.profiles.get(known.chosen)
    environ_place = known.endpoint if known.is_from_environ else None
    if in_environ is not None and environ_place == address.endpoint:
        return in_environ
    same_place = [profile] if profile is not None and _place_of(profile, known) == address.endpoint else []
    if address.endpoint is not None:
        same_place += [one for one in known.profiles.values() if one.endpoint == address.endpoint]
    for one in same_place:
        if (login := _of_profile(one, runtime)) is not None:
            return login
    if is_our_place and environ_place is None and in_environ is not None:
        return in_environ
    is_general = profile is not None and _place_of(profile, known) is None
    if is_our_place and profile is not None and is_general and (login := _of_profile(profile, runtime)) is not None:
        return login
    if address.endpoint is None and environ_place is None:
        if (role := _role(runtime)) is not None:
            return role
        if profile is None and in_environ is None and (login := _from_aws(None, runtime)) is not None:
            return login
    raise _none(address, known, is_there=in_environ is not None or (profile is not None and _may_log_in(profile)))


def _place_of(profile: Profile, known: Settings) -> str | None:
    """The store that the chosen profile is for: the environment speaks for it as well."""
    return known.endpoint if known.is_from_environ else profile.endpoint


def _none(address: Address, known: Settings, *, is_there: bool) -> RelayError:
    if known.chosen not in known.profiles and known.chosen != "default" and not is_there:
        return RelayError(
            "s3-no-login",
            f"there is no profile '{known.chosen}' in ~/.aws",
            untouched="everything",
            hint="look at AWS_PROFILE; `aws configure list-profiles` says which there are",
        )
    how = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or put a profile into ~/.aws with `aws configure`"
    if address.endpoint is not None:
        how = (
            f"put `endpoint_url = {address.endpoint}` and its access key into a profile in ~/.aws, or set"
            " AWS_ENDPOINT_URL_S3 beside AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        )
    if not is_there or address.endpoint == known.endpoint:
        return RelayError("s3-no-login", f"you have no login for {address.place}", untouched="everything", hint=how)
    if address.endpoint is None:
        how = "choose a profile without `endpoint_url` (AWS_PROFILE), and unset AWS_ENDPOINT_URL_S3"
    return RelayError(
        "s3-other-login",
        f"your login for S3 is for {known.endpoint or AMAZON}, and is not shown to {address.place}",
        untouched="everything; nothing was sent there",
        hint=f"if you trust it, and have a login there: {how}",
    )


# -- where it can stand ----------------------------------------------------------------------------------------


def _keys_in(said: Mapping[str, str]) -> dict[str, str] | None:
    """A login as a key, its secret and perhaps a token; None where it is not whole."""
    found = {key.lower(): value.strip() for key, value in said.items() if key.lower() in _KEYS and value.strip()}
    if "aws_access_key_id" not in found or "aws_secret_access_key" not in found:
        return None
    return {key.removeprefix("aws_"): value for key, value in found.items()}


def _may_log_in(profile: Profile) -> bool:
    return _keys_in(profile.said) is not None or any(name in profile.said for name in _ELSEWHERE)


def _of_profile(profile: Profile, runtime: Runtime) -> Login | None:
    if (keys := _keys_in(profile.said)) is not None:
        return Login(keys, f"the profile '{profile.name}'")
    return _from_aws(profile, runtime) if any(name in profile.said for name in _ELSEWHERE) else None


def _role(runtime: Runtime) -> Login | None:
    """The role that a container runs in, where it is told of one."""
    found = {_ROLES[name]: runtime.environ[name] for name in _ROLES if runtime.environ.get(name)}
    is_container = any(name.startswith("container_credentials_") for name in found)
    is_identity = {"web_identity_token_file", "role_arn"} <= found.keys()
    return Login(found, "the role of this container") if is_container or is_identity else None


def _from_aws(profile: Profile | None, runtime: Runtime) -> Login | None:
    """Ask the `aws` program; once for a profile, because it may take a second.

    Raises:
        RelayError: `s3-no-login`: it is not installed, or has none.
    """
    program = shutil.which("aws", path=runtime.environ.get("PATH", ""))
    name = None if profile is None else profile.name
    if program is None:
        if name is None:
            return None
        raise RelayError(
            "s3-no-login",
            f"the profile '{name}' in ~/.aws has no access key of its own, and `aws`, which knows where it has it from,"
            " is not installed",
            untouched="everything",
            hint="install the AWS command line, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        )
    question = (program, name, tuple(sorted(runtime.environ.items())))
    with _aws_lock:
        if question not in _aws_answers:
            _aws_answers[question] = _asked(program, name, runtime)
        return _aws_answers[question]


def _asked(program: str, name: str | None, runtime: Runtime) -> Login:
    command = [program, "configure", "export-credentials", "--format", "process"]
    login = "aws sso login" if name is None else f"aws sso login --profile {name}"
    try:
        done = subprocess.run(
            [*command, *(["--profile", name] if name is not None else [])],
            env=dict(runtime.environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
        said = json.loads(done.stdout) if done.returncode == 0 else None
        told = done.stderr.decode("utf-8", "replace").strip()
    except (OSError, subprocess.TimeoutExpired, ValueError, RecursionError):
        said, told = None, ""
    pairs = {
        "aws_access_key_id": "AccessKeyId",
        "aws_secret_access_key": "SecretAccessKey",
        "aws_session_token": "SessionToken",
    }
    texts = {ours: said.get(theirs) for ours, theirs in pairs.items()} if isinstance(said, dict) else {}
    keys = _keys_in({key: value for key, value in texts.items() if isinstance(value, str)})
    if keys is None:
        raise RelayError(
            "s3-no-login",
            "the `aws` program has no login for you"
            if name is None
            else f"`aws` has no login for the profile '{name}'",
            untouched="everything",
            hint=f"log in with `{login}`",
            details=[one_line(told)] if told else [],
        )
    return Login(keys, "the `aws` program", hint=f"log in again with `{login}`")
