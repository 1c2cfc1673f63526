"""Who calls, as far as TLS tells: what limits that are shared fairly go by."""

import base64
import functools
import hashlib
import re
from typing import Any, NamedTuple

import grpc
from cryptography import x509

_PEM_BODY = re.compile(rb"-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----", re.DOTALL)


class Caller(NamedTuple):
    """A client's certificate, and the organisation that vouches for it.

    Whoever shows no certificate is one and the same: nobody can tell him from another.
    """

    organisation: bytes = b""  # the name of the certificate's issuer, as DER
    certificate: bytes = b""  # SHA-256 of its DER, to which Fabric binds requests


NOBODY = Caller()


def caller_of(context: "grpc.aio.ServicerContext[Any, Any]") -> Caller:
    """Who is at the other end of a call's connection."""
    return _caller(b"".join(context.auth_context().get("x509_pem_cert", ())))


@functools.lru_cache(maxsize=1024)
def _caller(pem: bytes) -> Caller:
    match = _PEM_BODY.search(pem)
    if match is None:
        return NOBODY
    der = base64.b64decode(match[1])
    return Caller(x509.load_der_x509_certificate(der).issuer.public_bytes(), hashlib.sha256(der).digest())
