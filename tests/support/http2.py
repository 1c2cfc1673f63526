"""HTTP/2 by hand, for a client that keeps no rule but those that he likes: frames as bytes over TLS."""

import contextlib
import socket
import ssl
import struct
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.support.foreign_client import Tls

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RESET, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
END_STREAM, ACK, END_HEADERS = 1, 1, 4
INITIAL_WINDOW_SIZE = 4
FRAME_BYTES = 16384
HEAD_BYTES = 9
WINDOW_BYTES = 65535
SAYING_SECONDS = 0.2  # how long to wait for leave to send on


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def headers(stream: int, method: str, *more: tuple[str, str], flags: int = END_HEADERS) -> bytes:
    """What begins a gRPC call; no compression, no table."""
    fields = (
        (":method", "POST"),
        (":scheme", "https"),
        (":path", method),
        (":authority", "localhost"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
        *more,
    )
    return frame(HEADERS, flags, stream, b"".join(_field(name, value) for name, value in fields))


def message(raw: bytes) -> bytes:
    """A gRPC message, before it is cut into frames."""
    return struct.pack(">BI", 0, len(raw)) + raw


def data(stream: int, raw: bytes) -> bytes:
    """Frames of data."""
    return b"".join(
        frame(DATA, 0, stream, raw[start : start + FRAME_BYTES]) for start in range(0, len(raw), FRAME_BYTES)
    )


def _field(name: str, value: str) -> bytes:
    """A literal field, not to be indexed (RFC 7541 6.2.2); shorter than 127 bytes, or not compressed anyhow."""
    return b"\x00" + b"".join(_length(len(text)) + text.encode() for text in (name, value))


def _length(number: int) -> bytes:
    if number < 127:
        return bytes([number])
    number, coded = number - 127, [127]
    while number >= 128:
        coded.append(number % 128 + 128)
        number //= 128
    return bytes([*coded, number])


def tcp(address: str) -> socket.socket:
    """A connection that says nothing yet."""
    host, _, port = address.rpartition(":")
    return socket.create_connection((host, int(port)), timeout=10)


@contextlib.contextmanager
def context_of(tls: Tls) -> Iterator[ssl.SSLContext]:
    context = ssl.create_default_context(cadata=tls.roots.decode())
    context.set_alpn_protocols(["h2"])
    with tempfile.TemporaryDirectory() as folder:
        both = Path(folder) / "both.pem"
        both.touch(mode=0o600)
        both.write_bytes(tls.certificate + tls.key)
        context.load_cert_chain(both)
    yield context


class Connection:
    """TLS has shaken hands; the rest is up to whoever holds it."""

    def __init__(self, address: str, context: ssl.SSLContext, window: int | None = None) -> None:
        """`window`: how much of an answer each stream may get before it asks for more."""
        self.socket = context.wrap_socket(tcp(address), server_hostname="localhost")
        self._unparsed = b""
        self._leave = {0: WINDOW_BYTES}  # bytes that the other side takes yet: 0 is the connection, others are streams
        self._leave_at_first = WINDOW_BYTES
        settings = b"" if window is None else struct.pack(">HI", INITIAL_WINDOW_SIZE, window)
        self._streams = 1
        self.send(PREFACE + frame(SETTINGS, 0, 0, settings))

    def send(self, raw: bytes) -> None:
        self.socket.sendall(raw)

    def call(self, method: str, *messages: bytes) -> int:
        """Begin a call and say something; the stream's number."""
        stream = self._streams
        self._streams += 2
        self.send(headers(stream, method))
        for raw in messages:
            self.say(stream, message(raw))
        return stream

    def say(self, stream: int, raw: bytes) -> None:
        """Send data as the other side takes it; TimeoutError when it takes no more."""
        deadline = time.monotonic() + SAYING_SECONDS
        while raw:
            size = min(len(raw), FRAME_BYTES, self._leave[0], self._leave.setdefault(stream, self._leave_at_first))
            if size > 0:
                self.send(frame(DATA, 0, stream, raw[:size]))
                self._leave[0] -= size
                self._leave[stream] -= size
                raw = raw[size:]
            elif time.monotonic() > deadline:
                raise TimeoutError
            else:
                self._take_leave(self.read(0.01))

    def _take_leave(self, got: bytes) -> None:
        """See which frames let us send on."""
        self._unparsed += got
        while len(self._unparsed) >= HEAD_BYTES:
            size = int.from_bytes(self._unparsed[:3], "big") + HEAD_BYTES
            if len(self._unparsed) < size:
                return
            kind, flags, stream = struct.unpack(">BBI", self._unparsed[3:HEAD_BYTES])
            body, self._unparsed = self._unparsed[HEAD_BYTES:size], self._unparsed[size:]
            if kind == WINDOW_UPDATE:
                self._leave[stream] = self._leave.get(stream, self._leave_at_first) + int.from_bytes(body, "big")
            elif kind == SETTINGS and not flags & ACK:
                found = dict(struct.iter_unpack(">HI", body))
                now = found.get(INITIAL_WINDOW_SIZE, self._leave_at_first)
                self._leave |= {one: left + now - self._leave_at_first for one, left in self._leave.items() if one}
                self._leave_at_first = now

    def read(self, seconds: float) -> bytes:
        """What comes until it is quiet for so long, or the connection ends."""
        self.socket.settimeout(seconds)
        got = bytearray()
        with contextlib.suppress(TimeoutError, OSError):
            while part := self.socket.recv(65536):
                got += part
        return bytes(got)

    def ended(self, seconds: float) -> bool:
        """Whether the other side ends the connection in time."""
        self.socket.settimeout(seconds)
        try:
            while self.socket.recv(65536):
                pass
        except TimeoutError:
            return False
        except OSError:
            pass
        return True

    def close(self) -> None:
        self.socket.close()
