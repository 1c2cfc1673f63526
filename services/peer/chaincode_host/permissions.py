"""What the sender of a proposal may do with a chaincode's collections (core/chaincode Handler's checks)."""

from typing import Final

from privysharing.protocol.channel.bundle import ChannelConfig
from services.peer.chaincode_host.errors import ChaincodeError
from services.peer.chaincode_host.transaction import Transaction
from services.peer.private_data.membership import is_member

PURGE_CAPABILITY: Final = "V2_5"  # of the application


class CollectionPermissions:
    """The permissions of one invocation. A collection's are looked up once."""

    __slots__ = ("_chaincode", "_is_init", "_known", "_transaction")

    def __init__(self, transaction: Transaction, chaincode: str, is_init: bool) -> None:
        self._transaction = transaction
        self._chaincode = chaincode
        self._is_init = is_init
        self._known: dict[str, tuple[bool, bool]] = {}  # whether it may read, and write

    def check_not_initializing(self) -> None:
        """Raises ChaincodeError for a chaincode that initialises itself."""
        if self._is_init:
            raise ChaincodeError("private data APIs are not allowed in chaincode Init()")

    def check_read(self, collection: str) -> None:
        """Raises ChaincodeError for a collection that is not defined, or that the sender may not read."""
        self.check_not_initializing()
        if not self._of(collection)[0]:
            raise self._refusal("read", collection)

    def check_write(self, collection: str) -> None:
        """Raises ChaincodeError for a collection that is not defined, or to which the sender may not write."""
        self.check_not_initializing()
        if not self._of(collection)[1]:
            raise self._refusal("write", collection)

    def check_purge(self) -> None:
        """Raises ChaincodeError on a channel whose peers need not know what a purge is."""
        if PURGE_CAPABILITY not in self._config.capabilities.application:
            raise ChaincodeError(
                "purge private data is not enabled, channel application capability of V2_5 or later is required"
            )

    @property
    def _config(self) -> ChannelConfig:
        assert self._transaction.channel is not None
        return self._transaction.channel.config

    def _of(self, collection: str) -> tuple[bool, bool]:
        """SimpleCollectionStore RetrieveReadWritePermission: members may all, others what is not for members only."""
        if collection not in self._known:
            transaction = self._transaction
            assert transaction.simulator is not None
            config = transaction.simulator.collection(self._chaincode, collection)
            if config is None:
                raise ChaincodeError(
                    f"collection {transaction.channel_id}/{self._chaincode}/{collection} could not be found"
                )
            allowed = (not config.member_only_read, not config.member_only_write)
            if not all(allowed) and is_member(transaction.creator, config, self._config):
                allowed = (True, True)
            self._known[collection] = allowed
        return self._known[collection]

    def _refusal(self, what: str, collection: str) -> ChaincodeError:
        return ChaincodeError(
            f"tx creator does not have {what} access permission on privatedata in chaincodeName:{self._chaincode} "
            f"collectionName: {collection}"
        )
