"""`privy profile`: one's own profile."""

import json
from typing import Any

import click

from services.client.cli.session import Session, acting


@click.group()
def command() -> None:
    """See and change one's own profile; nobody else's can be seen."""


@command.command("show")
@acting
def show(session: Session) -> None:
    """Show one's own profile."""
    session.output.document(session.evaluate("GetProfile"))


@command.command("set")
@click.argument("fields", nargs=-1, required=True, metavar="NAME=VALUE...")
@acting
def set_fields(session: Session, fields: tuple[str, ...]) -> None:
    """Replace one's own profile by the given fields, such as city=Sydney."""
    if bad := [field for field in fields if "=" not in field]:
        raise click.BadParameter(f"needed NAME=VALUE, found {bad[0]!r}")
    profile: dict[str, Any] = dict(field.split("=", 1) for field in fields)
    session.output.done("the profile is set", session.submit("SetProfile", json.dumps(profile)))
