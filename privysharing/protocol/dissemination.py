"""What a peer says when too few others took private data: it endorses nothing then. People read it, and clients."""

import re

from privysharing.protocol.values import value

_TEXT = re.compile(
    r"private data of collection (\S+) of chaincode (\S+) must reach at least (\d+) other peers of its members before "
    r"it is endorsed, and reached (\d+)"
)


@value
class TooFewPeers:
    """Of a collection's members. More may be there in a moment."""

    chaincode: str
    collection: str
    required: int  # collection's requiredPeerCount
    reached: int

    def __str__(self) -> str:
        # It begins as Fabric's (gossip/service DistributePrivateData), which comes with the same status.
        return (
            f"failed to distribute private collection: private data of collection {self.collection} of chaincode "
            f"{self.chaincode} must reach at least {self.required} other peers of its members before it is endorsed, "
            f"and reached {self.reached}; see that they run, and try again"
        )

    @classmethod
    def parse(cls, text: str) -> "TooFewPeers | None":
        """What a peer's message says; None when it is about something else."""
        if (found := _TEXT.search(text)) is None:
            return None
        collection, chaincode, required, reached = found.groups()
        return cls(chaincode, collection, int(required), int(reached))
