"""`python -m tests.canary`: canaries are planted in a network of its own and looked for; JSON on the last line."""

import asyncio
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from tests.canary.controls import PLANTS
from tests.canary.hunt import Hunt, Planted
from tests.canary.network import WatchedNetwork
from tests.canary.places import back_up, connections, files, memories, pages
from tests.canary.story import Story

EXIT_FOUND = 1
SHOWN_MAX = 20  # findings, in words


@click.command()
@click.option("--plant", type=click.Choice([*PLANTS]), help="Put a canary where none may be: the run must fail.")
def main(plant: str | None) -> None:
    """Plant canaries in everything private, then look for them in everything that anybody has."""
    console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    folder = Path(tempfile.mkdtemp(prefix="privy-canary-"))
    began = time.monotonic()
    try:
        result, wrong = run(folder / "network", plant, console)
    except BaseException:
        console.print(f"broke off; logs and data are in {folder}")
        raise
    for line in wrong[:SHOWN_MAX]:
        console.print(line)
    if wrong:
        console.print(f"{len(wrong)} findings; logs and data are in {folder}")
    else:
        shutil.rmtree(folder)
    click.echo(json.dumps({**result, "seconds": round(time.monotonic() - began)}))
    sys.exit(EXIT_FOUND if wrong else 0)


def run(folder: Path, plant: str | None, console: Console) -> tuple[dict[str, Any], list[str]]:
    """The figures of one run, and everything that is wrong, in words."""
    network = WatchedNetwork(folder)
    wrong: list[str] = []
    try:
        story = Story(network)
        asyncio.run(story.written())
        controls = {name: asyncio.run(put(network)) for name, put in PLANTS.items()}
        planted = [*story.planted, *story.left_lying]
        if plant is not None:
            planted.append(Planted(controls.pop(plant).canary, frozenset()))
        console.print(f"{len(planted)} canaries are planted; looking for them")
        written = Hunt(planted, [*controls.values()])
        _look_everywhere(network, story, written)
        purged = _purged(network, story, wrong)
    finally:
        network.close()
    result = {
        "places": written.places + purged.places,
        "bytes": written.bytes + purged.bytes,
        "canaries": written.canaries,
        "found_outside": len(written.outside()),
        "found_on_members": len(written.on_members()),
        "purged": purged.canaries,
        "found_after_purge": len(purged.outside()),
        "controls": len(controls),
        "controls_missed": len(written.missed()),
    }
    return result, [
        *wrong,
        *(f"outside: {finding}" for finding in written.outside()),
        *(f"not on every member: {name}" for name in written.not_on_members()),
        *(f"after the purge: {finding}" for finding in purged.outside()),
        *(f"missed, though it is there: {name}" for name in written.missed()),
    ]


def _look_everywhere(network: WatchedNetwork, story: Story, hunt: Hunt) -> None:
    """In what runs, then in what it leaves behind. The network has stopped then."""
    outsiders = [node.name for node in network.network.nodes if node.name not in story.members]
    hunt.look(pages(network.network.nodes))
    hunt.look(memories(network.processes, outsiders))
    network.stop()
    hunt.look(connections(network.proxies.recorded))
    hunt.look(files(network.network.folder, network.network.nodes))


def _purged(network: WatchedNetwork, story: Story, wrong: list[str]) -> Hunt:
    """Purge everything while one member is away, and bring another back from a backup; then look on all of them.

    Nothing may be left on disks; nor in memory, once the processes are other ones.
    """
    away = next(peer for peer in network.peers if peer.name in story.members and not peer.endorses)
    restored = next(peer for peer in network.endorsers if peer.name in story.members and peer.org != away.org)
    data, backup = network.network.path(restored.data), network.network.folder.parent / "backup"
    back_up(data, backup)
    network.restart()
    with network.stopped([away.name]):
        asyncio.run(story.purged())
        wrong += asyncio.run(story.unconfirmed({away.name}))
    with network.stopped([restored.name]):
        back_up(backup, data)
    wrong += asyncio.run(story.unconfirmed(set()))
    network.stop()
    network.restart()
    hunt = Hunt(_known_to_nobody(story.planted))
    hunt.look(memories(network.processes, story.members))
    network.stop()
    hunt.look(files(network.network.folder, network.network.nodes))
    return hunt


def _known_to_nobody(planted: Sequence[Planted]) -> list[Planted]:
    return [Planted(each.canary, frozenset()) for each in planted]


if __name__ == "__main__":
    main()
