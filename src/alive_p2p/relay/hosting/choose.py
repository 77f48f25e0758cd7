"""Which host makes a relay, and lets people in (relay.md §5, §8)."""

from alive_p2p.relay.hosting.base import Hosting
from alive_p2p.relay.hosting.github import GitHub
from alive_p2p.relay.hosting.github_gh import Gh
from alive_p2p.relay.hosting.github_site import Site
from alive_p2p.relay.hosting.github_ways import Rest, Way
from alive_p2p.runtime import Runtime
from alive_p2p.walnut.preferences import TOKEN_ENV, load_preferences
from alive_p2p.walnut.world import find_world

_ENTERPRISE_TOKEN_ENV = "GH_ENTERPRISE_TOKEN"  # noqa: S105  (the name of a variable)


def choose_hosting(runtime: Runtime, url: str | None = None) -> Hosting | None:
    """The host with an API for a relay. Nothing is asked over the network.

    Args:
        runtime: the surroundings; also the current folder's world, whose preferences name the token's variable.
        url: the relay; None for a new one.

    Returns:
        The host; None where nothing but the address is known of it, or, for a new relay, where we have no login at
        any. For an address at a host where we have no login, it is one that says so when something is asked.

    Raises:
        RelayError: `bad-host`: the environment names something that is none.
        WalnutError: the preferences cannot be read.
    """
    ours = site = Site.of(runtime)
    if url is not None and site.place(url) is None:
        site = Site()  # a peer's relay may be on the web where ours is at an Enterprise server
        if site.place(url) is None:
            return None
    variable = _token_variable(site, runtime, is_ours=site == ours)
    way = _way(site, runtime, variable)
    if way is None and url is None:
        return None
    return GitHub(site, way, runtime, variable=variable)


def _way(site: Site, runtime: Runtime, variable: str) -> Way | None:
    """Through `gh` where it has a login there, else with the token, else none."""
    if (gh := Gh.find(site, runtime)) is not None:
        return gh
    token = runtime.environ.get(variable, "").strip()
    return Rest(site, token, variable, runtime) if token else None


def _token_variable(site: Site, runtime: Runtime, *, is_ours: bool) -> str:
    """Where the token is: one for GitHub is not shown to an Enterprise server, nor the other way round."""
    chosen = load_preferences(find_world(runtime.cwd)).relay_token_env
    if is_ours and chosen != TOKEN_ENV:
        return chosen
    return TOKEN_ENV if site.is_on_the_web else _ENTERPRISE_TOKEN_ENV
