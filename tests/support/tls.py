"""TLS certificates for loopback."""

import ipaddress

from cryptography import x509

from tests.support.authorities import YEAR, Holder, root

TLS_CA = root("tls", lifetime=100 * YEAR)


def loopback_pair(name: str) -> Holder:
    """A certificate for 127.0.0.1, valid now, for either end of a connection."""
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")])
    return TLS_CA.issue(name, lifetime=100 * YEAR, extensions=[(names, False)])
