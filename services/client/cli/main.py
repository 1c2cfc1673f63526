"""The command `privy`: its sub-commands, and what happens to errors."""

import importlib
import sys
from typing import Any

import click

from privysharing.sdk.errors import ContractRefused, SdkError
from services.client.cli.output import Output

# Sub-command -> module below this package whose `command` it is, and its line in the help: imported when called.
_COMMANDS = {
    "asset": ("assets", "Create, read, share and delete data assets."),
    "block": ("blocks", "Look into blocks, and verify chains of them."),
    "channel": ("channels", "What a channel's peers know: height and hashes."),
    "coin": ("coins", "See, transfer, mint and audit PrivyCoins."),
    "contract": ("contracts", "What a contract offers, and any call to it."),
    "demo": ("demo", "A day in Alice's life, on a network of its own."),
    "doctor": ("doctor", "Find what usually goes wrong on this machine."),
    "grant": ("grants", "Who may read what, and revoking it."),
    "network": ("networks", "Start, watch and stop a network on this machine."),
    "peer": ("peers", "Look into the data of a stopped peer."),
    "profile": ("profiles", "See and change one's own profile."),
    "request": ("requests", "Ask for access, and answer those who ask."),
    "wallet": ("wallets", "Identities to act as."),
}


class _Lazy(click.Group):
    """A group that imports a sub-command when it is called, so that `privy` starts fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"services.client.cli.{_COMMANDS[cmd_name][0]}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, about) for name, (_, about) in sorted(_COMMANDS.items())])


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="privysharing")
def privy() -> None:
    """PrivySharing: citizens own their data, organisations share a ledger.

    Begin with `privy demo`. To play yourself: `privy network up`, then
    `privy asset create --as alice heart_rate`, and so on.
    """


def main(arguments: list[str] | None = None) -> None:
    """Run `privy`, turning expected errors into one clear message."""
    arguments = sys.argv[1:] if arguments is None else arguments
    output = Output(as_json="--json" in arguments)
    try:
        privy.main(args=arguments, prog_name="privy", standalone_mode=True)
    except Exception as error:
        message = _expected(error)
        if message is None:
            raise
        output.fail(message, _details(error))


def _expected(error: Exception) -> str | None:
    """The message of an error that a user can do something about; None for a defect of ours."""
    if isinstance(error, ContractRefused):
        return error.refusal.message
    if isinstance(error, SdkError):
        return str(error)
    name = type(error).__module__
    if name.startswith(("services.", "privysharing.", "deploy.")):
        return str(error)
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return None


def _details(error: Exception) -> dict[str, Any]:
    if isinstance(error, ContractRefused):
        refusal = error.refusal
        return {"code": refusal.code, "needed": refusal.needed, "found": refusal.found, "retry": refusal.retry}
    return {"retry": error.retryable} if isinstance(error, SdkError) else {}
