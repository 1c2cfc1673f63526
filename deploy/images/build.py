"""Building the images of all roles."""

import subprocess
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final

from deploy.images import base
from deploy.images.context import HERE, ROOT, kafka_context, node_context
from deploy.images.engine import Engine
from deploy.packages import Missing

NAMES: Final = "privysharing"
NODE_ROLES: Final = ("orderer", "peer", "client")
KAFKA_ROLES: Final = ("kafka", "zookeeper")
ROLES: Final = (*NODE_ROLES, *KAFKA_ROLES)


@dataclass(frozen=True, slots=True)
class Image:
    """One that was built. `size` is in bytes, all of its layers together."""

    name: str
    size: int


def image_name(role: str) -> str:
    """What a role's image is called."""
    return f"{NAMES}/{role}:{metadata.version('privysharing')}"


def build(engine: Engine, base_image: str, roles: tuple[str, ...] = ROLES) -> list[Image]:
    """Build images of some roles, on a base that is there or can be fetched."""
    if not base.pull(engine, base_image):
        raise Missing(
            f"needed: the image {base_image}, which no registry gave; make one of Debian's packages with: "
            f"make image-base; then: make images BASE={base.OWN_BASE}"
        )
    architecture = engine.docker("version", "--format", "{{.Server.Arch}}").strip()
    if set(roles) & set(NODE_ROLES):
        _build(engine, base_image, [role for role in NODE_ROLES if role in roles], "node", node_context(architecture))
    if set(roles) & set(KAFKA_ROLES):
        _build(engine, base_image, [role for role in KAFKA_ROLES if role in roles], "kafka", kafka_context())
    return [_built(engine, role) for role in roles]


def _build(engine: Engine, base_image: str, roles: list[str], kind: str, context: Path) -> None:
    for role in roles:
        engine.docker(
            "build",
            "--quiet",
            "--network=host",  # Debian's packages; an engine may have no other network
            f"--file={HERE / f'{kind}.Dockerfile'}",
            f"--target={role}",
            f"--tag={image_name(role)}",
            f"--build-arg=BASE={base_image}",
            f"--build-arg=VERSION={metadata.version('privysharing')}",
            f"--build-arg=REVISION={_revision()}",
            str(context),
        )


def _built(engine: Engine, role: str) -> Image:
    name = image_name(role)
    return Image(name, int(engine.docker("image", "inspect", "--format", "{{.Size}}", name)))


def _revision() -> str:
    """The commit that this is, where it is one of a repository."""
    done = subprocess.run(  # noqa: S603
        ["git", "-C", str(ROOT), "rev-parse", "HEAD"],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or "unknown"
