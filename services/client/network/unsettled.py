"""Transactions whose outcome a command did not learn, kept in the network's folder until one does.

A file each, below `unsettled/<channel>`, by transaction id; its user's alone: it holds what the contract returned.
"""

import base64
import json
from pathlib import Path

from deploy import layout
from deploy.manifest import Network
from privysharing.protocol.envelopes import TxId
from privysharing.sdk import Endorsed, Pending


class NotKept(ValueError):
    """No such transaction is kept here."""


class Unsettled:
    """Those of one channel."""

    def __init__(self, network: Network, channel: str) -> None:
        self._folder = network.path(str(layout.UNSETTLED)) / channel

    def keep(self, pending: Pending) -> None:
        """Remember a transaction."""
        self._folder.mkdir(parents=True, exist_ok=True)
        file = self._file(pending.endorsed.tx_id)
        file.touch(mode=0o600)
        document = {
            "since": pending.since,
            "envelope": base64.b64encode(pending.endorsed.envelope).decode(),
            "payload": base64.b64encode(pending.endorsed.payload).decode(),
        }
        file.write_text(json.dumps(document))

    def get(self, tx_id: TxId) -> Pending:
        """A transaction that was kept; NotKept names those that are."""
        kept = sorted(file.stem for file in self._folder.glob("*.json"))
        if tx_id not in kept:
            raise NotKept(f"no transaction {tx_id} is kept in {self._folder}; kept: {', '.join(kept) or 'none'}")
        try:
            document = json.loads(self._file(tx_id).read_text())
            envelope, payload = (base64.b64decode(document[name]) for name in ("envelope", "payload"))
            return Pending(Endorsed(tx_id, envelope, payload), int(document["since"]))
        except (ValueError, KeyError, TypeError):
            raise NotKept(f"{self._file(tx_id)} is damaged") from None

    def forget(self, tx_id: TxId) -> None:
        """Its verdict is known."""
        self._file(tx_id).unlink(missing_ok=True)

    def _file(self, tx_id: TxId) -> Path:
        return self._folder / f"{tx_id}.json"
