"""GitHub's API as it is asked here: again where that helps, page by page, and every failure one of ours."""

from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

from alive_p2p.relay.hosting import github_refusals as refusals
from alive_p2p.relay.hosting.github_refusals import Wish
from alive_p2p.relay.hosting.github_site import Site
from alive_p2p.relay.hosting.github_ways import NoAnswerError, Reply, Way
from alive_p2p.runtime import Runtime

PAUSES = (0.5, 2.0)
"""Seconds before it is tried again; most of GitHub's troubles are over by then."""

PATIENCE = 60.0
"""Seconds: a pause that GitHub asks for is kept up to here, which is what it mostly asks for; beyond, it is told."""

_PASSING = frozenset({"cut", "no-address", "not-answering", "network"})
"""What may be gone a moment later. What was slow has taken long enough already."""

_PER_PAGE = 100
_MOST_PAGES = 50
"""Of a list: strangers can send any number of invitations."""


class Api:
    """The API of a GitHub, asked in one way.

    Args:
        site: whom.
        way: how.
        runtime: for pauses.
    """

    def __init__(self, site: Site, way: Way, runtime: Runtime) -> None:
        self._site = site
        self._way = way
        self._runtime = runtime

    def ask(
        self,
        method: str,
        path: str,
        wish: Wish,
        body: Mapping[str, object] | None = None,
        *,
        wanted: tuple[int, ...] = (200,),
    ) -> Reply:
        """Ask until there is an answer.

        Args:
            method: GET and so on; whatever it is, it has to be harmless to ask twice.
            path: below the API's address.
            wish: what for, for an error.
            body: what is sent along.
            wanted: the statuses that are no error.

        Raises:
            RelayError: any other status, or no answer at all; see `github_refusals`.
        """
        waited = 0.0
        usual = iter(PAUSES)
        while True:
            outcome = self._once(method, path, body)
            if isinstance(outcome, Reply) and outcome.status in wanted:
                return outcome
            pause = self._pause(outcome, next(usual, None))
            if pause is None or waited + pause > PATIENCE:
                self._fail(outcome, wish, is_change=method != "GET")
            waited += pause
            self._runtime.sleep(pause)

    def _once(self, method: str, path: str, body: Mapping[str, object] | None) -> Reply | NoAnswerError:
        try:
            return self._way.ask(method, path, body)
        except NoAnswerError as error:
            return error

    def _pause(self, outcome: Reply | NoAnswerError, usual: float | None) -> float | None:
        """Seconds until asking again can help; None where it cannot."""
        if usual is None:
            return None
        if isinstance(outcome, NoAnswerError):
            return usual if outcome.kind in _PASSING else None
        asked_for = refusals.pause_wanted(outcome, self._runtime.now())
        if outcome.status >= 500 or (refusals.is_slow_down(outcome) and asked_for is not None):
            return max(usual, asked_for or 0.0)
        return None

    def _fail(self, outcome: Reply | NoAnswerError, wish: Wish, *, is_change: bool) -> NoReturn:
        if isinstance(outcome, Reply):
            self.refuse(outcome, wish)
        raise refusals.no_answer(outcome, self._site, self._way, wish, is_change=is_change)

    def pages(self, path: str, wish: Wish) -> Iterator[Any]:
        """Everything in a list, whatever it is. Raises `RelayError`."""
        for page in range(1, _MOST_PAGES + 1):
            reply = self.ask("GET", f"{path}?per_page={_PER_PAGE}&page={page}", wish)
            if not isinstance(reply.document, list):
                raise refusals.nonsense(self._site, wish)
            yield from reply.document
            if 'rel="next"' not in reply.headers.get("link", ""):
                return

    def refuse(self, reply: Reply, wish: Wish) -> NoReturn:
        """Raise the error for an answer that is not what was hoped for."""
        raise refusals.refusal(reply, self._site, self._way, wish, self._runtime.now())
