"""What is where in a peer's data folder, `peer.fileSystemPath`."""

LEDGERS = "ledgersData"  # a folder a channel, as in Fabric: see `ledger.ledger`
PRIVATE = "private"  # in a channel's folder: see `private_data.store`
