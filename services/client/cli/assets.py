"""`privy asset`: data assets and their readings."""

import json

import click

from privysharing.contract.sharing import SHARED
from services.client.cli.output import in_short
from services.client.cli.session import Session, acting

COLUMNS = ("id", "type", "status", "confidentiality", "created_at")
READING_COLUMNS = ("time", "value", "unit")


@click.group()
def command() -> None:
    """Create, read, share and delete data assets.

    An asset is named `pulse` by its owner and `alice/pulse` by others, where alice is a label of the wallet or a party
    such as alice@CitizensMSP.
    """


@command.command("create")
@click.argument("asset_type", metavar="TYPE")
@click.argument("name")
@click.option("--description", default="", help="What it holds, for people.")
@click.option("--confidentiality", default="plain", show_default=True, help="Where its values are kept.")
@acting
def create(session: Session, asset_type: str, name: str, description: str, confidentiality: str) -> None:
    """Create an asset NAME of TYPE, such as heart_rate, owned by whoever acts."""
    asset = session.submit("CreateAsset", asset_type, name, confidentiality, description)
    session.output.done(f"{asset['id']} is created", asset)


@command.command("add", context_settings={"ignore_unknown_options": True})  # a VALUE may be -3.5
@click.argument("name")
@click.argument("value")
@click.argument("unit")
@click.option("--time", default="", help="When it was measured, RFC 3339.  [default: now]")
@acting
def add(session: Session, name: str, value: str, unit: str, time: str) -> None:
    """Add a reading to one's own asset: VALUE (JSON, or text) and UNIT."""
    arguments = [session.asset(name), _json(value), unit, *([time] if time else [])]
    reading = session.submit("AddReading", *arguments)
    session.output.done("the reading is added", reading)


@command.command("show")
@click.argument("name")
@click.option("--limit", default=20, show_default=True, help="How many readings at most, newest first.")
@acting
def show(session: Session, name: str, limit: int) -> None:
    """Show an asset and its newest readings: its owner, or the holder of a valid grant."""
    answer = session.evaluate("ReadAsset", session.asset(name), "", str(limit))
    if session.output.as_json:
        session.output.document(answer)
        return
    session.output.record(name, answer["asset"])
    session.output.rows("readings", READING_COLUMNS, answer["readings"])


@command.command("list")
@click.option("--shared", is_flag=True, help="Assets of others that one may read now, instead of one's own.")
@acting
def list_assets(session: Session, shared: bool) -> None:
    """List one's own assets, or those shared with oneself."""
    rows = session.pages("ListSharedWithMe" if shared else "ListMyAssets")
    session.output.rows("assets", COLUMNS if not shared else ("id", "type", "owner", "not_after"), rows)


@command.command("share")
@click.argument("name")
@click.option("--days", required=True, type=int, help="For how many days; each costs the reader one coin.")
@click.option("--with", "stakeholders", required=True, multiple=True, help="Who has asked for it; may be repeated.")
@acting
def share(session: Session, name: str, days: int, stakeholders: tuple[str, ...]) -> None:
    """Share one's own asset with those who have asked for it."""
    asset = session.asset(name)
    asset_type = session.evaluate("ReadAsset", asset, "", "1")["asset"]["type"]
    parties = json.dumps([session.party(stakeholder) for stakeholder in stakeholders])
    answer = session.submit("ShareAsset", asset_type, asset, str(days), parties)
    if session.output.as_json:
        session.output.document(answer)
        return
    for outcome in answer["stakeholders"]:
        said = f"{outcome['stakeholder']}: {outcome['message']}, until {in_short(outcome['not_after'])}"
        session.output.item(said, achieved=outcome["message"] == SHARED)


@command.command("update")
@click.argument("name")
@click.option("--status", type=click.Choice(["active", "retired"]), help="A retired asset takes no readings or grants.")
@click.option("--description", help="What it holds, for people.")
@acting
def update(session: Session, name: str, status: str | None, description: str | None) -> None:
    """Change one's own asset; what is not named stays."""
    if status is None and description is None:
        raise click.UsageError("needed --status or --description: what to change")
    changes = {key: value for key, value in (("status", status), ("description", description)) if value is not None}
    asset = session.submit("UpdateAsset", session.asset(name), json.dumps(changes))
    session.output.done(f"{asset['id']} is changed", asset)


@command.command("delete")
@click.argument("name")
@click.option("--decline", "requesters", multiple=True, help="Whose open requests for it to decline with it.")
@acting
def delete(session: Session, name: str, requesters: tuple[str, ...]) -> None:
    """Delete one's own asset with its readings and grants. Its history stays."""
    asset = session.asset(name)
    parties = json.dumps([session.party(requester) for requester in requesters])
    answer = session.submit("DeleteAsset", asset, parties)
    while answer["status"] != "deleted":  # too large for one transaction
        answer = session.submit("DeleteAsset", asset)
    session.output.done(f"{asset} is deleted", answer)


@command.command("history")
@click.argument("name")
@acting
def history(session: Session, name: str) -> None:
    """Show what was done with one's own asset, newest first, also after it was deleted."""
    rows = session.pages("AssetHistory", session.asset(name))
    session.output.rows(f"history of {name}", ("time", "act", "by", "details", "tx_id"), rows)


def _json(value: str) -> str:
    """A value as JSON: as given when it is JSON already, else as text."""
    try:
        json.loads(value)
    except ValueError:
        return json.dumps(value)
    return value
