"""`relay`: mailboxes between people."""

import click

from alive_p2p.cli.groups import Group
from alive_p2p.cli.relay_deposits import compact, decline, push, recall
from alive_p2p.cli.relay_looking import probe, status
from alive_p2p.cli.relay_pairing import accept, invite, setup
from alive_p2p.cli.relay_peers import peers
from alive_p2p.cli.relay_pull import pull
from alive_p2p.cli.relay_rotating import rotate


@click.group(
    cls=Group,
    epilog="\b\nExamples:\n  alive-p2p relay status\n  alive-p2p relay pull",
    context_settings={"help_option_names": ["-h", "--help"]},
)
def relay() -> None:
    """Your relay, a mailbox for packages, and those of your peers.

    Two people become peers by one line: `relay invite` on one side, `relay accept` on the other. From then on `relay
    push` and `share --to` leave packages in the relay of the other, and `relay pull` receives them.
    """


for command in (setup, invite, accept, push, pull, probe, status, decline, recall, compact, rotate, peers):
    relay.add_command(command)
