"""The machine that a node runs on, as the node's composition root is given it."""

from collections.abc import Callable
from dataclasses import dataclass, field

import grpc

from privysharing.rpc.outside import Outside
from services.runtime.database import Databases, LevelDatabases
from services.runtime.disk import Disk, RealDisk


@dataclass(frozen=True, slots=True)
class Machine:
    """Everything around a process: this computer, unless it is given another one."""

    disk: Disk = field(default_factory=RealDisk)
    databases: Databases = field(default_factory=LevelDatabases)
    outside: Outside = Outside()
    make_server: Callable[..., grpc.aio.Server] = grpc.aio.server
