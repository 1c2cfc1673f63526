"""What the operator of a peer has in his hands: no rule of the contract reaches there."""

import secrets

from tests.support.live import LiveNetwork


async def test_a_plain_value_stays_on_every_peers_disk_even_when_the_asset_is_deleted(demo: LiveNetwork) -> None:
    value = secrets.token_hex(16)
    async with demo.people("bob") as (bob,):
        asset = (await bob.does("CreateAsset", "heart_rate", f"pulse-{secrets.token_hex(4)}"))["id"]
        await bob.does("AddReading", asset, {"beats": value}, "bpm")
        await bob.does("DeleteAsset", asset)
        assert asset not in [item["id"] for item in (await bob.asks("ListMyAssets"))["items"]]
    for node in (*demo.peers, demo.orderer):
        files = [path for path in demo.network.path(node.data).rglob("*") if path.is_file()]
        assert any(value.encode() in path.read_bytes() for path in files), node.name
