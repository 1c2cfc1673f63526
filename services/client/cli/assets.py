"""`privy asset`: data assets and their readings."""

import json
from typing import Any

import click

from privysharing.contract.assets import AVAILABLE, PLAIN
from privysharing.contract.sharing import SHARED
from services.client.cli.output import in_short
from services.client.cli.purges import PURGES
from services.client.cli.session import Session, acting
from services.client.network.levels import add_readings, read_asset

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
@click.option(
    "--confidentiality",
    type=click.Choice(AVAILABLE),
    default=PLAIN,
    show_default=True,
    help="Who keeps its values: every member of the channel, or the organisations concerned alone.",
)
@acting
def create(session: Session, asset_type: str, name: str, description: str, confidentiality: str) -> None:
    """Create an asset NAME of TYPE, such as heart_rate, owned by whoever acts.

    Values of a `private` asset are in no block: peers of the organisations concerned hold them, and everybody else has
    salted hashes. `privy contract definition` shows who they are. Who may read it is up to its owner all the same.
    """
    asset = session.submit("CreateAsset", asset_type, name, confidentiality, description)
    session.output.done(f"{asset['id']} is created", asset)


@command.command("add", context_settings={"ignore_unknown_options": True})  # a VALUE may be -3.5
@click.argument("name")
@click.argument("value")
@click.argument("unit")
@click.option("--time", default="", help="When it was measured, RFC 3339.  [default: now]")
@acting
def add(session: Session, name: str, value: str, unit: str, time: str) -> None:
    """Add a reading to one's own asset: VALUE (JSON, or text) and UNIT.

    A VALUE of `-` is read from standard input, and `@FILE` from that file: what is on the command line stays in the
    shell's history, and other users of the machine see it. If the asset is private, only peers of the organisations
    concerned are shown it.
    """
    reading = {"value": _value(value), "unit": unit, **({"time": time} if time else {})}
    asset = session.asset(name)
    with session.output.busy("waiting for the commit"):
        answer = session.use(lambda contract: add_readings(contract, asset, reading))
    session.output.done("the reading is added", answer)


@command.command("show")
@click.argument("name")
@click.option("--limit", default=20, show_default=True, help="How many readings at most, newest first.")
@acting
def show(session: Session, name: str, limit: int) -> None:
    """Show an asset and its newest readings: its owner, or the holder of a valid grant."""
    asset = session.asset(name)
    answer = session.use(lambda contract: read_asset(contract, asset, "", limit))
    if session.output.as_json:
        session.output.document(answer)
        return
    session.output.record(name, answer["asset"])
    session.output.rows("readings", READING_COLUMNS, answer["readings"])
    if answer.get("expired"):
        session.output.note(f"{answer['expired']} more have outlived the time that the collection keeps them")


@command.command("hashes")
@click.argument("name")
@acting
def hashes(session: Session, name: str) -> None:
    """Show all that the channel has of a private asset's readings: hashes, newest first. For whoever may read it."""
    rows = session.pages("ReadingHashes", session.asset(name))
    session.output.rows(f"hashes of {name}", ("key_hash", "value_hash"), rows)


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
    asset_type = session.evaluate("GetAsset", asset)["type"]
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


@command.command("history")
@click.argument("name")
@acting
def history(session: Session, name: str) -> None:
    """Show what was done with one's own asset, newest first, also after it was deleted."""
    rows = session.pages("AssetHistory", session.asset(name))
    session.output.rows(f"history of {name}", ("time", "act", "by", "details", "tx_id"), rows)


for each in PURGES:
    command.add_command(each)


def _value(text: str) -> Any:
    """A value that was typed, or is in a file or on standard input: JSON, or else text."""
    if text == "-" or text.startswith("@"):
        try:
            with click.open_file(text if text == "-" else text[1:], encoding="utf-8") as source:
                text = source.read().removesuffix("\n")
        except UnicodeDecodeError:
            raise click.BadParameter(f"needed text in UTF-8, found other bytes in {text}") from None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
