"""Groups of commands, whose help says in whole sentences what each of them does."""

import click

_LONGEST = 200


class Group(click.Group):
    """A group whose `--help` wraps what it says of its commands, where click would cut it to the terminal's width."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands, each with the first sentence of its help."""
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        lines = [
            (name, one.get_short_help_str(_LONGEST)) for name, one in commands if one is not None and not one.hidden
        ]
        if lines:
            with formatter.section("Commands"):
                formatter.write_dl(lines)
