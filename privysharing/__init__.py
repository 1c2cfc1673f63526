"""PrivySharing, the library: contracts, chaincode, SDK, protocol and RPC. No process lives here."""
