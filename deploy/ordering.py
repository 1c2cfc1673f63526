"""Where the ordering log of a network is: what `network.yaml` may say of it, and a command line over that."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click

EMBEDDED, KAFKA = "embedded", "kafka"


@dataclass(frozen=True, slots=True)
class OwnKafka:
    """On a Kafka cluster that starts and stops with the network. Without ZooKeeper nodes it is one of KRaft."""

    brokers: int = 1
    zookeepers: int = 1


@dataclass(frozen=True, slots=True)
class ExistingKafka:
    """On a cluster that somebody else runs: the addresses of brokers to begin with, and of ZooKeeper nodes, if any."""

    brokers: tuple[str, ...]
    zookeepers: tuple[str, ...] = ()


Ordering = OwnKafka | ExistingKafka | None  # None: on the disk of the one orderer there is


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody asks for on a command line; None: as the network is described."""

    kind: str | None = None
    brokers: int | None = None
    zookeepers: int | None = None

    @property
    def through_kafka(self) -> bool | None:
        """Whether to order through Kafka; None: as the network is described."""
        if self.brokers is not None or self.zookeepers is not None:
            return True
        return None if self.kind is None else self.kind == KAFKA

    def over(self, described: Ordering) -> Ordering:
        """The wish, where it is one."""
        if self.through_kafka is None:
            return described
        if not self.through_kafka:
            return None
        if isinstance(described, ExistingKafka) and self.brokers is None and self.zookeepers is None:
            return described
        own = described if isinstance(described, OwnKafka) else OwnKafka()
        return OwnKafka(
            own.brokers if self.brokers is None else self.brokers,
            own.zookeepers if self.zookeepers is None else self.zookeepers,
        )


def with_ordering(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command `--ordering`, `--brokers` and `--zookeepers`, as one wish `ordering`."""

    @click.option("--ordering", "kind", type=click.Choice([EMBEDDED, KAFKA]), help="Where to keep the ordering log.")
    @click.option("--brokers", type=click.IntRange(1, 16), help="Start so many Kafka brokers for it.  [default: 1]")
    @click.option("--zookeepers", type=click.IntRange(0, 7), help="And ZooKeeper nodes; 0: KRaft.  [default: 1]")
    @functools.wraps(command)
    def wrapped(kind: str | None, brokers: int | None, zookeepers: int | None, **arguments: Any) -> Any:
        if kind == EMBEDDED and (brokers is not None or zookeepers is not None):
            raise click.UsageError("--brokers and --zookeepers are for --ordering kafka")
        return command(ordering=Wish(kind, brokers, zookeepers), **arguments)

    return wrapped
