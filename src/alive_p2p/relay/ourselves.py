"""Who we are towards our peers: a handle, a key, and where our relay is (relay.md §2)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from alive_p2p.errors import RelayError
from alive_p2p.keys.keyring import Keyring
from alive_p2p.keys.private import Ask, PrivateKey
from alive_p2p.package.envelopes.base import Addressees, Credentials
from alive_p2p.package.signature import Signer
from alive_p2p.receiving.signers import signers
from alive_p2p.relay.config import RelayConfig, own_handle, read_config
from alive_p2p.runtime import Runtime

ACCEPTS = ("age", "rsa")
"""The envelopes that this program reads, the best first."""


@dataclass(frozen=True)
class Ourselves:
    """What everything that is done with relays needs.

    Attributes:
        handle: what we call ourselves; fixed by our relay.
        key: our private key.
        keyring: the keys of our peers.
        config: `relay.json` as it was read.
        url: our relay.
    """

    handle: str
    key: PrivateKey = field(repr=False)
    keyring: Keyring = field(repr=False)
    config: RelayConfig
    url: str

    @property
    def credentials(self) -> Credentials:
        """What was sealed for us is opened with; keys that were ours before count as well."""

        def private_keys(_: Addressees) -> Sequence[PrivateKey]:
            return [self.key, *self.keyring.retired()]

        return Credentials(private_keys=private_keys)

    @property
    def find_signer(self) -> Callable[[str], Signer | None]:
        """Looks signers up in the keyring."""
        return signers(lambda: self.keyring, lambda: self.handle)


def ourselves(runtime: Runtime, ask: Ask | None = None) -> Ourselves:
    """Who we are.

    Args:
        runtime: the surroundings.
        ask: asks for the passphrase of our key, where it has one.

    Raises:
        RelayError: `no-relay`: there is none yet; `no-key`: the key is not there any more.
        AliveP2PError: `relay.json` or the key cannot be used.
    """
    config = read_config(runtime)
    if config.renaming is not None:
        from alive_p2p.relay.renaming import finish_renaming  # needs this module itself, and is hardly ever needed

        finish_renaming(runtime)
        config = read_config(runtime)
    if config.url is None:
        raise RelayError(
            "no-relay", "you have no relay yet", untouched="everything", hint="make one with `alive-p2p relay setup`"
        )
    keyring = Keyring.load(runtime)
    key = keyring.own(ask)
    if key is None:
        raise no_private_key()
    return Ourselves(config.username or own_handle(runtime) or "unknown", key, keyring, config, config.url)


def no_private_key() -> RelayError:
    """The error where our private key was, and is not any more."""
    return RelayError(
        "no-key",
        "your private key is not there any more",
        untouched="everything",
        hint="put it back from a copy, or bring it from another machine of yours:"
        " `alive-p2p keys export --private` there, and here `alive-p2p relay setup --adopt FILE`",
    )


def paired_already(name: str) -> RelayError:
    """The error where somebody is our peer who is to become it."""
    return RelayError(
        "paired-already",
        f"you and '{name}' are paired already",
        untouched="everything",
        hint=f"`alive-p2p relay peers remove {name}` comes first, if you want to begin anew",
    )
