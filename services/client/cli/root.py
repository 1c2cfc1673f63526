"""The command `privy`: its sub-commands, and what happens to errors.

Imports little, so that `privy --help` answers at once: everything else is imported when it is needed.
"""

import importlib
import io
import os
import sys
import traceback
from collections.abc import Mapping
from typing import Any, NoReturn

import click

# Sub-command -> module below this package whose `command` it is, and its line in the help: imported when called.
COMMANDS = {
    "asset": ("assets", "Create, read, share and delete data assets."),
    "block": ("blocks", "Fetch blocks, look into them, and verify chains."),
    "channel": ("channels", "A channel's height, settings and transactions."),
    "coin": ("coins", "See, transfer, mint, burn and audit PrivyCoins."),
    "contract": ("contracts", "What a contract offers, and any call to it."),
    "demo": ("demo", "A day in Alice's life, on a network of its own."),
    "doctor": ("doctor", "Find what usually goes wrong on this machine."),
    "grant": ("grants", "Who may read what, and revoking it."),
    "network": ("networks", "Start, watch and stop a network on this machine."),
    "orderer": ("orderers", "Which orderers live; move the log of a stopped one to Kafka."),
    "peer": ("peers", "Check, rebuild and dump the data of a stopped peer."),
    "profile": ("profiles", "See and change one's own profile."),
    "request": ("requests", "Ask for access, and answer those who ask."),
    "transaction": ("transactions", "What became of a transaction, for whoever was not told."),
    "wallet": ("wallets", "Identities to act as."),
}


class _Lazy(click.Group):
    """A group that imports a sub-command when it is called, so that `privy` starts fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"services.client.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, about) for name, (_, about) in sorted(COMMANDS.items())])


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="privysharing")
def privy() -> None:
    """PrivySharing: citizens own their data, organisations share a ledger.

    Begin with `privy demo`. To play yourself: `privy network up`, then
    `privy asset create heart_rate pulse --as alice`, and so on.
    """


def run(arguments: list[str]) -> int:
    """Run a command; its exit status. KeyboardInterrupt when somebody interrupts it."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that lacks a character shows another, and goes on
    as_json = "--json" in arguments
    try:
        status = privy.main(args=arguments, prog_name="privy", standalone_mode=False)
    except click.ClickException as error:
        if not as_json:
            error.show()
            return error.exit_code
        _fail(error.format_message(), {}, as_json, error.exit_code)
    except click.Abort:
        raise KeyboardInterrupt from None
    except Exception as error:
        if os.environ.get("PRIVY_DEBUG"):
            traceback.print_exception(error)
        from services.client.cli.failures import details_of, message_of

        _fail(message_of(error), details_of(error), as_json)
    return status if isinstance(status, int) else 0


def _fail(message: str, details: Mapping[str, Any], as_json: bool, status: int = 1) -> NoReturn:
    from services.client.cli.output import Output

    Output(as_json=as_json).fail(message, details, status)
