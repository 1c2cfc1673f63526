"""What calls need from outside: time, chance, and connections."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import grpc

from privysharing.rpc.channels import ClientTls, open_channel


class OpenChannel(Protocol):
    """See `channels.open_channel`."""

    def __call__(
        self, address: str, tls: ClientTls | None, *, server_name: str | None = None, shared: bool = True
    ) -> grpc.aio.Channel:
        """A channel to `host:port`."""
        ...


@dataclass(frozen=True, slots=True)
class Outside:
    """The world of a program, unless it is given another one."""

    now_ns: Callable[[], int] = time.time_ns  # since 1970, as far as this machine knows
    monotonic: Callable[[], float] = time.monotonic  # seconds; only differences mean something
    random_bytes: Callable[[int], bytes] = os.urandom  # that nobody can guess
    open_channel: OpenChannel = open_channel
