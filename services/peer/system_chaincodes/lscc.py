"""lscc: the lifecycle of Fabric 1.x, of which nothing is left but valid empty answers (core/scc/lscc, release-2.5)."""

from collections.abc import Sequence

from privysharing.protocol.codec.system_chaincodes import encode_no_legacy_chaincodes
from privysharing.protocol.transactions import Response
from services.peer.access import AccessControl
from services.peer.chaincode_host.transaction import Transaction
from services.peer.system_chaincodes.answers import error, success, text

# Functions with their aliases: number of arguments, and the resource that guards them.
_ABOUT_ONE_CHAINCODE = {
    "getid": "lscc/ChaincodeExists",
    "ChaincodeExists": "lscc/ChaincodeExists",
    "getdepspec": "lscc/GetDeploymentSpec",
    "GetDeploymentSpec": "lscc/GetDeploymentSpec",
    "getccdata": "lscc/GetChaincodeData",
    "GetChaincodeData": "lscc/GetChaincodeData",
}
_LISTS = {
    "getchaincodes": "lscc/GetInstantiatedChaincodes",
    "GetChaincodes": "lscc/GetInstantiatedChaincodes",
    "getinstalledchaincodes": "lscc/GetInstalledChaincodes",
    "GetInstalledChaincodes": "lscc/GetInstalledChaincodes",
}
_COLLECTIONS = {
    "GetCollectionsConfig": "lscc/GetCollectionsConfig",
    "getcollectionsconfig": "lscc/GetCollectionsConfig",
}


class Lscc:
    """args: function, then for a chaincode's data channel id and chaincode, for its collections the chaincode."""

    def __init__(self, access: AccessControl) -> None:
        self._access = access

    def invoke(self, transaction: Transaction, args: Sequence[bytes]) -> Response:
        """Answer one call."""
        if not args:
            return error("invalid number of arguments to lscc: 0")
        function = text(args[0])
        for functions, wanted in ((_ABOUT_ONE_CHAINCODE, 3), (_LISTS, 1), (_COLLECTIONS, 2)):
            if function in functions:
                return self._answer(transaction, functions[function], args, wanted)
        return error(f"invalid function to lscc: {function}")

    def _answer(self, transaction: Transaction, resource: str, args: Sequence[bytes], wanted: int) -> Response:
        if len(args) != wanted:
            return error(f"invalid number of arguments to lscc: {len(args)}")
        config = transaction.channel.config if transaction.channel is not None else None
        refusal = self._access.refusal(resource, transaction.creator, config, transaction.channel_id)
        if refusal is not None:
            return error(f"access denied for [{text(args[0])}][{transaction.channel_id}]: {refusal}")
        if wanted == 1:
            return success(encode_no_legacy_chaincodes())
        name = text(args[-1])
        if wanted == 2:
            return error(f"collections config not defined for chaincode {name}")
        return error(f"could not find chaincode with name '{name}'")
