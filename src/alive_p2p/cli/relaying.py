"""What every relay command needs: who we are, how relays are reached, and what is done on the way (relay.md §5, §6)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

from alive_p2p.cli.credentials import ask_for_key
from alive_p2p.cli.options import Call
from alive_p2p.cli.screen import field_line, grouped, human_size, plural, short
from alive_p2p.errors import AliveP2PError, BusyError, RelayError
from alive_p2p.relay import outbox
from alive_p2p.relay.config import COPY, HOST, RelayConfig, change_config, read_config
from alive_p2p.relay.flushing import deliver_quietly
from alive_p2p.relay.hosting.base import Hosting
from alive_p2p.relay.hosting.choose import choose_hosting
from alive_p2p.relay.looking import Sight, look
from alive_p2p.relay.ourselves import Ourselves, ourselves
from alive_p2p.relay.outbox import Delivered, Outgoing
from alive_p2p.relay.peers import Confirmed, confirm_proven
from alive_p2p.relay.reach import reach
from alive_p2p.relay.transports.base import Listing, Transport

_FLUSH_SECONDS = 10.0
"""How long one exchange with a host may take, and after how long nothing more is begun, where a command sends what has
waited after its own work."""
_SENT_SHOWN = 3


@dataclass
class Desk:
    """One command at the relays.

    Attributes:
        call: the call.
        timeout_seconds: how long one exchange with a host may take; None for as long as it gets on.
    """

    call: Call
    timeout_seconds: float | None = None
    _we: list[Ourselves] = field(default_factory=list)
    _said: dict[str, bytes] = field(default_factory=dict, repr=False)

    def ask(self, prompt: str) -> bytes:
        """Ask for the passphrase of a key of ours, once in a command. Raises `AliveP2PError`."""
        if prompt not in self._said:
            self._said[prompt] = ask_for_key(self.call)(prompt)
        return self._said[prompt]

    @property
    def we(self) -> Ourselves:
        """Who we are. Raises `AliveP2PError`."""
        if not self._we:
            self._we.append(ourselves(self.call.runtime, self.ask))
        return self._we[0]

    def anew(self) -> Ourselves:
        """The same, read again: something has changed."""
        self._we.clear()
        return self.we

    def reach(self, url: str) -> Transport:
        """Access to a relay. Raises `RelayError`."""
        return reach(url, self.call.runtime, timeout_seconds=self.timeout_seconds)

    def reach_ours(self, url: str) -> Transport:
        """Access to where our relay is to be, as we have just said ourselves. Raises `RelayError`."""
        return reach(url, self.call.runtime, timeout_seconds=self.timeout_seconds, is_ours=True)

    def hosting(self, url: str | None = None) -> Hosting | None:
        """The host of a relay at this address (or of a new one), where it has an API that we speak."""
        return choose_hosting(self.call.runtime, url)

    # -- done on the way ---------------------------------------------------------------------------------------

    def confirm(self) -> list[Confirmed]:
        """Pin everybody whose answer is proven, say so, and do what of earlier pairings is left. `AliveP2PError`."""
        we = self.we
        unfinished = [peer for peer in we.config.peers.values() if peer.unfinished]
        invited = [f"inbox/{peer.folder}" for peer in we.config.peers.values() if peer.invitation is not None]
        confirmed: list[Confirmed] = []
        problems: list[str] = []
        if invited or any(COPY in peer.unfinished for peer in unfinished):
            with self.call.screen.working("looking"):
                relay = self.reach(we.url)
                listing = look(relay, Sight(we.url), invited).listing if invited else Listing()
                confirmed, problems = confirm_proven(we, relay, listing, self.call.runtime)
        for problem in problems:
            self.call.remember(problem)
        for one in confirmed:
            self.let_in(one.url, one.peer.name)
            self.call.screen.note(f"'{one.peer.name}' has answered: you are paired")
            self.call.screen.note(field_line("fingerprint", grouped(one.peer.public.fingerprint)))
        for peer in unfinished:
            if HOST in peer.unfinished and peer.url is not None:
                self.let_in(peer.url, peer.name)
        if confirmed or unfinished:
            self.anew()
        return confirmed

    def let_in(self, url: str, name: str) -> None:
        """Accept the host's invitation to a peer's relay; where that has to wait, the next command looks for it."""
        call = self.call
        with call.screen.working("accepting"):
            try:
                hosting = self.hosting(url)
                if hosting is not None and not hosting.accept(url):
                    call.remember(f"the invitation to the relay of '{name}' has not come yet; it is looked for again")
                    return
            except AliveP2PError as error:
                call.remember(f"the invitation to the relay of '{name}' could not be accepted: {error.message}")
                if not self._can_read(url):
                    return

        def change(config: RelayConfig) -> RelayConfig:
            known = config.peers.get(name)
            return config if known is None else config.with_unfinished(name, known.unfinished - {HOST})

        change_config(call.runtime, change)

    def _can_read(self, url: str) -> bool:
        """Whether somebody's relay is open to us already, so that no invitation is needed."""
        try:
            self.reach(url).list("keys")
        except AliveP2PError:
            return False
        return True

    def deliver(self, *, first: Sequence[str] = (), wait_seconds: float = outbox.WAIT_SECONDS) -> list[Delivered]:
        """Send what is in the outbox, and say what became of it.

        Args:
            first: the peers who come before all others.
            wait_seconds: how long to wait while another process is sending.

        Raises:
            AliveP2PError: the outbox cannot be read.
        """
        try:
            with self.call.screen.working("sending") as progress:
                found = outbox.deliver(
                    self.we, self.call.runtime, self.reach, first=first, wait_seconds=wait_seconds, progress=progress
                )
        except BusyError:
            self.call.remember(
                "another command is sending; what is in the outbox goes out with it, or with the next one"
            )
            return []
        self.show(found)
        return found

    def flush(self, *, reached: Collection[str] | None = None) -> None:
        """Send what is in the outbox at the end of a command about something else, in one line and in a few seconds.

        Large packages wait for a `push`, `pull` or `share`, and so does what is for a relay that was not reached a
        moment ago. Nothing that happens here is the command's failure.

        Args:
            reached: the peers whose relays have just been reached, where that is known: nobody else is tried then.
        """
        seconds = min(self.timeout_seconds or _FLUSH_SECONDS, _FLUSH_SECONDS)
        quick = replace(self, timeout_seconds=seconds)
        try:
            with self.call.screen.working("sending"):
                found = deliver_quietly(
                    self.we,
                    self.call.runtime,
                    quick.reach,
                    only=lambda one: reached is None or one.peer in reached,
                    reached=reached or (),
                    enough_after=seconds,
                )
        except AliveP2PError as error:
            self.call.screen.warn([f"what is in the outbox could not be sent: {error.message}"])
            return
        sent = [one.outgoing for one in found if one.error is None]
        if sent:
            what = ", ".join(f"'{short(one.walnut, 80)}' to {one.peer}" for one in sent[:_SENT_SHOWN])
            more = f" and {len(sent) - _SENT_SHOWN:,} more" if len(sent) > _SENT_SHOWN else ""
            self.call.screen.note(f"sent from the outbox: {what}{more}")
        if left := _left(found):
            self.call.screen.warn(["; ".join(left)])

    def try_to_confirm(self) -> None:
        """`confirm`, where going on does not depend on it: what goes wrong is a warning."""
        try:
            self.confirm()
        except AliveP2PError as error:
            self.call.remember(f"whether somebody has answered could not be looked at: {error.message}")

    def refuse_unanswered(self, names: Collection[str]) -> None:
        """Refuse to make something for somebody who was invited and has not answered: their key is not known yet.

        Raises:
            RelayError: `not-paired`.
            AliveP2PError: `relay.json` cannot be read.
        """
        for name, peer in read_config(self.call.runtime).peers.items():
            if name in names and peer.invitation is not None and name not in self.call.keyring().peers:
                raise RelayError(
                    "not-paired",
                    f"'{name}' was invited, and has not answered yet",
                    untouched="everything",
                    hint="ask them to run `alive-p2p relay accept` with the code, then run this again",
                )

    def show(self, found: Sequence[Delivered]) -> None:
        """Say what was sent, and what is still to be sent."""
        screen = self.call.screen
        for one in found:
            if one.error is None:
                screen.say(f"sent '{one.outgoing.walnut}' to {one.outgoing.peer}")
                screen.say(field_line("deposit", one.outgoing.deposit))
                screen.say(field_line("sent", human_size(one.bytes_sent or one.outgoing.size)))
                screen.say(field_line("import id", one.outgoing.import_id[:16]))
        for line in _left(found):
            self.call.remember(line)


def _left(found: Sequence[Delivered]) -> list[str]:
    """What stays in the outbox and why; the same about several packages for one peer in one line."""
    groups: dict[tuple[str, str], list[Outgoing]] = {}
    for one in found:
        if one.error is not None:
            groups.setdefault((one.outgoing.peer, one.error.message), []).append(one.outgoing)
    lines = []
    for (peer, why), members in groups.items():
        several = len(members) > 1
        what = plural(len(members), "package") if several else f"'{short(members[0].walnut, 80)}'"
        stays = "stay in the outbox, and go" if several else "stays in the outbox, and goes"
        lines.append(f"{what} for {peer} {stays} out with the next relay command: {why}")
    return lines
