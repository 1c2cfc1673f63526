"""Making a signer out of the files that an MSP folder holds."""

from privysharing.protocol.codec.msps import encode_serialized_identity
from privysharing.protocol.crypto import SigningIdentity, UnusableKey, load_private_key
from privysharing.protocol.msp.certificates import parse_certificate


def load_signing_identity(certificate_pem: bytes, key_pem: bytes, msp_id: str) -> SigningIdentity:
    """A signer from a certificate and its private key; raises InvalidIdentity or UnusableKey.

    The certificate goes into `serialized` as given: whoever sees it goes by these bytes.
    """
    key = load_private_key(key_pem)
    if parse_certificate(certificate_pem).public_key() != key.public_key():
        raise UnusableKey("private key does not belong to the certificate")
    return SigningIdentity(msp_id, certificate_pem, encode_serialized_identity(msp_id, certificate_pem), key)
