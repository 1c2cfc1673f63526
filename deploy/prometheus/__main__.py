"""`python -m deploy.prometheus fetch`: get Prometheus and promtool, where they are not."""

import click

from deploy.packages import Missing
from deploy.prometheus import programs


@click.group()
def main() -> None:
    """Prometheus on this machine."""


@main.command()
def fetch() -> None:
    """Get Prometheus and promtool: those of this machine, or Debian's, unpacked into var/prometheus."""
    try:
        for name in (programs.PROMETHEUS, programs.PROMTOOL):
            programs.program(name)
    except Missing as missing:
        raise click.ClickException(str(missing)) from None


if __name__ == "__main__":
    main()
