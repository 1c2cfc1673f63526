"""Moves a stopped orderer's channels to Kafka: `python -m services.orderer.kafka.migrate orderer.yaml`."""

import sys
from functools import partial
from pathlib import Path

import click
from kafka.errors import KafkaError

from privysharing.protocol.channel.bundle import ChannelConfig
from services.orderer.channels import CHAINS_FOLDER, LOCK_FILE, LOGS_FOLDER
from services.orderer.config import load
from services.orderer.kafka.config import KafkaConfig
from services.orderer.kafka.connecting import Connecting
from services.orderer.kafka.migrating import migrate
from services.orderer.kafka.ordering import ASIDE
from services.orderer.store import BlockStore
from services.runtime.config import ConfigError
from services.runtime.disk import Disk, InUse, RealDisk, StorageError


@click.command()
@click.argument("path", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--channel", help="This channel only.  [default: all that have an embedded log]")
def main(path: Path, channel: str | None) -> None:
    """Copy the embedded logs of the stopped orderer that FILE, its orderer.yaml, describes to the brokers it names.

    May be broken off and run again. The orderer takes its order from Kafka once FILE says so, or the channel does.
    """
    try:
        config = load(path)
        disk = RealDisk()
        lock = disk.lock(config.location / LOCK_FILE)
        try:
            _migrate_all(disk, config.location, config.kafka, channel)
        finally:
            lock.release()
    except InUse:
        raise click.ClickException("the orderer runs; stop it first") from None
    except (ConfigError, StorageError, KafkaError) as error:
        raise click.ClickException(str(error)) from None


def _migrate_all(disk: Disk, location: Path, kafka: KafkaConfig, only: str | None) -> None:
    logs = location / LOGS_FOLDER
    found = [name for name in disk.folders(logs) if not name.endswith(ASIDE)]
    if only is not None and only not in found:
        raise click.UsageError(f"needed a channel with a log in {logs}; found {', '.join(found) or 'none'}")
    for name in sorted(found if only is None else [only]):
        config = _newest_config(disk, location / CHAINS_FOLDER / name)
        brokers = kafka.brokers or config.orderer.kafka_brokers
        if not brokers:
            raise ConfigError("privysharing.Kafka.Brokers is missing, and the channel's configuration names none")

        def tell(done: int, of: int, name: str = name) -> None:
            if sys.stderr.isatty():
                click.echo(f"\r{name}: {done} of {of} records", nl=done == of, err=True)

        largest = config.orderer.batch_size.absolute_max_bytes
        count = migrate(disk, logs / name, name, Connecting(kafka, partial(tuple, brokers)), largest, tell)
        click.echo(f"{name}: {count} records are in topic {name}; {logs / name} is now {name}{ASIDE}")


def _newest_config(disk: Disk, folder: Path) -> ChannelConfig:
    store = BlockStore(disk, folder)
    try:
        return store.config_behind(store.block(store.height - 1))
    finally:
        store.close()


if __name__ == "__main__":
    main()
