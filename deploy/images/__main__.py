"""`python -m deploy.images base|build|stop`: images of every role."""

import click

from deploy.images import base as base_image
from deploy.images.build import ROLES, build
from deploy.images.engine import DockerFault, engine, stop
from deploy.packages import Missing


@click.group()
def main() -> None:
    """Images of every role, in the Docker engine that answers; where none does, one is started, if that may be."""


@main.command("base")
def make_base() -> None:
    """Make a base for images from Debian's packages; no registry is asked."""
    try:
        name = base_image.make(engine())
    except (Missing, DockerFault) as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"{name} is there; build on it with: make images BASE={name}")


@main.command("build")
@click.option("--base", default=base_image.REGISTRY_BASE, show_default=True, help="Image to put things together in.")
@click.argument("roles", nargs=-1, metavar="[ROLE]...")
def build_images(base: str, roles: tuple[str, ...]) -> None:
    """Build the images of all roles, or of some."""
    if unknown := [role for role in roles if role not in ROLES]:
        raise click.UsageError(f"needed roles of {', '.join(ROLES)}; found {', '.join(unknown)}")
    try:
        there = engine()
        for image in build(there, base, roles or ROLES):
            click.echo(f"{image.name:<32} {image.size / 1e6:6.1f} MB")
    except (Missing, DockerFault) as error:
        raise click.ClickException(str(error)) from None
    if host := there.environment.get("DOCKER_HOST"):
        click.echo(f"they are in the engine at {host}")


@main.command("stop")
def stop_engine() -> None:
    """Stop the engine that was started here, if one was, and its containers; its images stay."""
    stop()


if __name__ == "__main__":
    main()
