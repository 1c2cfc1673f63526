"""Whether a node's port is free, and who has it if not."""

import socket

import psutil


class PortTaken(Exception):
    """Another program listens where a node should."""

    def __init__(self, node: str, address: str) -> None:
        super().__init__(
            f"port {address.rpartition(':')[2]} of {node} is taken{_by(address)}; "
            "stop what listens there, or generate the network again in another folder"
        )


def is_taken(address: str) -> bool:
    """Whether nobody else could listen on host:port now."""
    host, _, port = address.rpartition(":")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections that linger keep nobody out
        try:
            probe.bind((host, int(port)))
        except OSError:
            return True
    return False


def holder(address: str) -> str:
    """The process that listens on host:port, as number and name; empty when that is not for us to know."""
    number = int(address.rpartition(":")[2])
    try:
        for connection in psutil.net_connections("tcp"):
            listens = connection.status == psutil.CONN_LISTEN and connection.laddr[1:2] == (number,)
            if listens and connection.pid:
                return f"process {connection.pid}, {psutil.Process(connection.pid).name()}"
    except psutil.Error:
        pass
    return ""


def _by(address: str) -> str:
    who = holder(address)
    return f" by {who}" if who else ""
