"""Which policy guards which resource, unless the channel's own ACLs say otherwise (core/aclmgmt).

Resources that are about one peer and not about a channel (installing, joining, snapshots) are guarded by the peer's
own organisation and cannot be overridden by a channel.
"""

from typing import Final

READERS: Final = "/Channel/Application/Readers"
WRITERS: Final = "/Channel/Application/Writers"

DEFAULT_ACLS: Final = {
    "_lifecycle/CommitChaincodeDefinition": WRITERS,
    "_lifecycle/QueryChaincodeDefinition": WRITERS,
    "_lifecycle/QueryChaincodeDefinitions": WRITERS,
    "_lifecycle/CheckCommitReadiness": WRITERS,
    "lscc/ChaincodeExists": READERS,
    "lscc/GetDeploymentSpec": READERS,
    "lscc/GetChaincodeData": READERS,
    "lscc/GetInstantiatedChaincodes": READERS,
    "lscc/GetCollectionsConfig": READERS,
    "qscc/GetChainInfo": READERS,
    "qscc/GetBlockByNumber": READERS,
    "qscc/GetBlockByHash": READERS,
    "qscc/GetTransactionByID": READERS,
    "qscc/GetBlockByTxID": READERS,
    "cscc/GetConfigBlock": READERS,
    "cscc/GetChannelConfig": READERS,
    "peer/Propose": WRITERS,
    "peer/ChaincodeToChaincode": WRITERS,
    "event/Block": READERS,
    "event/FilteredBlock": READERS,
    "gateway/CommitStatus": READERS,
    "gateway/ChaincodeEvents": READERS,
}

PEER_ADMINS: Final = frozenset(
    {
        "_lifecycle/InstallChaincode",
        "_lifecycle/QueryInstalledChaincode",
        "_lifecycle/GetInstalledChaincodePackage",
        "_lifecycle/QueryInstalledChaincodes",
        "_lifecycle/ApproveChaincodeDefinitionForMyOrg",
        "_lifecycle/QueryApprovedChaincodeDefinition",
        "_lifecycle/QueryApprovedChaincodeDefinitions",
        "snapshot/submitrequest",
        "snapshot/cancelrequest",
        "snapshot/listpending",
        "lscc/Install",
        "lscc/GetInstalledChaincodes",
        "cscc/JoinChain",
        "cscc/JoinChainBySnapshot",
        "cscc/JoinBySnapshotStatus",
        "privysharing/MissingPrivateData",  # ours
    }
)
PEER_MEMBERS: Final = frozenset({"cscc/GetChannels"})
