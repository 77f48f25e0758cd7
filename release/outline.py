"""A picture of all commands, so that completion need not import them (`alive_p2p/cli/completing.py`)."""

import json
from collections.abc import Iterator
from typing import Any

import click

from alive_p2p.cli.program import cli

KINDS = {
    "bundles": "bundle",
    "acknowledged": "acknowledged",
    "presets": "preset",
    "peers": "peer",
    "recipients": "peer",
    "to": "peer",
    "peer": "peer",
    "walnut": "folder",
    "worlds": "folder",
    "world": "folder",
    "folder": "folder",
    "staging": "folder",
    "place": "folder",
    "target": "folder",
    "package": "package",
}
"""What can be proposed, by the name of a parameter."""

ELSEWHERE = {
    ("receive", "bundles"): None,  # they lie in the package
    ("log-import", "bundles"): None,  # a list, and of what was received once
    ("relay invite", "peer"): None,  # a new name
    ("verify", "file"): "package",
    ("relay push", "file"): "package",
    ("relay peers confirm", "name"): "peer",
    ("relay peers remove", "name"): "peer",
    ("relay peers rename", "name"): "peer",
    ("relay peers trust", "name"): "peer",
}
"""The same, where the name alone does not say it."""


def outline() -> str:
    """The picture as JSON, a line for each parameter."""
    return "\n".join(_lines(_command(cli, ""), "")) + "\n"


def parameters() -> set[tuple[str, str]]:
    """Every parameter that is drawn: its command, and its name."""
    return set(_walk(cli, ""))


def _walk(command: click.Command, path: str) -> Iterator[tuple[str, str]]:
    yield from ((path, one.name or "") for one in command.params)
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            if below is not None:
                yield from _walk(below, f"{path} {name}".strip())


def _lines(drawn: dict[str, Any], indent: str) -> Iterator[str]:
    yield f'{{"help": {json.dumps(drawn["help"])}, "parameters": ['
    parameters = [json.dumps(one) for one in drawn["parameters"]]
    yield from (f"{indent} {one}," for one in parameters[:-1])
    yield from (f"{indent} {one}" for one in parameters[-1:])
    if "commands" not in drawn:
        yield f"{indent}]}}"
        return
    yield f'{indent}], "commands": {{'
    for number, (name, below) in enumerate(drawn["commands"].items(), 1):
        first, *rest = _lines(below, indent + " ")
        yield f"{indent} {json.dumps(name)}: {first}"
        yield from rest[:-1]
        yield rest[-1] + ("," if number < len(drawn["commands"]) else "")
    yield f"{indent}}}}}"


def _command(command: click.Command, path: str) -> dict[str, Any]:
    context = click.Context(command)
    drawn: dict[str, Any] = {"help": command.get_short_help_str(limit=200), "parameters": []}
    drawn["parameters"] = [_parameter(one, path) for one in command.params if not getattr(one, "hidden", False)]
    if isinstance(command, click.Group):
        below = {name: command.get_command(context, name) for name in command.list_commands(context)}
        drawn["commands"] = {
            name: _command(one, f"{path} {name}".strip())
            for name, one in below.items()
            if one is not None and not one.hidden
        }
    return drawn


def _parameter(parameter: click.Parameter, path: str) -> dict[str, Any]:
    drawn: dict[str, Any] = {}
    if isinstance(parameter, click.Option):
        drawn["option"] = _declared(parameter)
        drawn["help"] = parameter.help or ""
        if parameter.is_flag:
            return drawn
    else:
        drawn["argument"] = parameter.name
    drawn["kind"] = _kind(parameter, path)
    if parameter.multiple or parameter.nargs == -1:
        drawn["many"] = True
    return drawn


def _declared(option: click.Option) -> list[str]:
    if option.secondary_opts:
        return [f"{option.opts[0]}/{option.secondary_opts[0]}"]
    return list(option.opts)


def _kind(parameter: click.Parameter, path: str) -> str | list[str]:
    if isinstance(parameter.type, click.Choice):
        return [str(choice) for choice in parameter.type.choices]
    by_default = "file" if isinstance(parameter.type, click.Path) else ""
    name = parameter.name or ""
    return ELSEWHERE.get((path, name), KINDS.get(name, by_default)) or ""
