"""`privy grant`: who may read what."""

import click

from services.client.cli.session import Session, acting


@click.group()
def command() -> None:
    """Who may read one's own assets, and revoking it."""


@command.command("list")
@click.argument("asset")
@acting
def list_grants(session: Session, asset: str) -> None:
    """Show every grant of one's own ASSET, also lapsed and revoked ones."""
    rows = session.pages("ListGrants", session.asset(asset))
    columns = ("grantee", "valid", "status", "not_before", "not_after", "purpose")
    session.output.rows(f"grants of {asset}", columns, rows)


@command.command("revoke")
@click.argument("asset")
@click.option("--of", "stakeholder", required=True, help="Whose grant to end.")
@acting
def revoke(session: Session, asset: str, stakeholder: str) -> None:
    """End a grant on one's own ASSET at once."""
    answer = session.submit("RevokeGrant", session.asset(asset), session.party(stakeholder))
    session.output.done(f"{session.party(stakeholder)} no longer reads {session.asset(asset)}", answer)
