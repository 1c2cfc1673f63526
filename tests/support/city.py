"""A channel of the city, in memory: people with real certificates who call the contract."""

import functools
import hashlib
import json
from collections.abc import Sequence
from secrets import token_hex
from typing import Any

from cryptography import x509

from privysharing.chaincode.memory import MemoryStub, MemoryWorld
from privysharing.chaincode.stub import PEER_TIME_DECORATION
from privysharing.contract import PrivySharing
from privysharing.contract.instants import DAY_NS, parse_instant
from privysharing.protocol.codec.msps import encode_serialized_identity
from privysharing.protocol.codes import TxCode
from privysharing.protocol.transactions import Response
from tests.support.authorities import Holder, root

ATTRIBUTES_OID = x509.ObjectIdentifier("1.2.3.4.5.6.7.8.1")
NOON = parse_instant("2020-03-01T12:00:00Z")
DAY = DAY_NS

ALICE, BOB = "alice@CitizensMSP", "bob@CitizensMSP"
DOCTOR, OFFICER = "doctor@MedicalMSP", "officer@PoliceMSP"
MINT = "mint@MinistryMSP"
PULSE = f"{ALICE}/pulse"


@functools.cache
def authority(msp_id: str) -> Holder:
    return root(f"ca.{msp_id}")


@functools.cache
def creator(party: str, unit: str = "client", role: str = "") -> bytes:
    """The serialized identity of `alice@CitizensMSP`, with a node OU and perhaps a role that the CA vouches for."""
    common_name, _, msp_id = party.rpartition("@")
    value = json.dumps({"attrs": {"role": role}}).encode()
    extensions = [(x509.UnrecognizedExtension(ATTRIBUTES_OID, value), False)] if role else []
    holder = authority(msp_id).issue(common_name, unit, extensions=extensions)
    return encode_serialized_identity(msp_id, holder.pem)


class Refused(AssertionError):
    """A call that a test wanted to succeed was refused."""


class City:
    """One channel. Times are nanoseconds; the clock stands still unless a test moves `now`."""

    def __init__(self, channel_id: str = "health") -> None:
        self.world = MemoryWorld(channel_id)
        self.contract = PrivySharing()
        self.now = NOON
        self.calls = 0

    def simulate(
        self,
        who: str | bytes,
        function: str,
        *args: object,
        at: int | None = None,
        peer_time: int | None = None,
        transient: dict[str, bytes] | None = None,
        holds: Sequence[str] | None = None,
    ) -> tuple[Response, MemoryStub]:
        """One endorsement. Arguments that are not text go as JSON. Without `peer_time` the peer has no clock.

        `holds`: the collections whose values the peer has, all of them unless it is told otherwise.
        """
        self.calls += 1
        stub = self.world.stub(
            [function.encode(), *(_argument(arg) for arg in args)],
            creator=who if isinstance(who, bytes) else creator(who),
            tx_id=hashlib.sha256(f"tx {self.calls}".encode()).hexdigest(),
            timestamp_ns=self.now if at is None else at,
            transient=transient,
            decorations={} if peer_time is None else {PEER_TIME_DECORATION: str(peer_time).encode()},
            holds=holds,
        )
        return self.contract.invoke(stub), stub

    def submit(
        self,
        who: str | bytes,
        function: str,
        *args: object,
        at: int | None = None,
        transient: dict[str, bytes] | None = None,
    ) -> Any:
        """Endorse and commit; the result."""
        response, stub = self.simulate(who, function, *args, at=at, transient=transient)
        if response.status != 200:
            raise Refused(response.message)
        assert self.world.commit(stub) == (TxCode.VALID,)
        return json.loads(response.payload)

    def ask(
        self, who: str | bytes, function: str, *args: object, at: int | None = None, peer_time: int | None = None
    ) -> Any:
        """Evaluate; the result. A query writes nothing."""
        response, stub = self.simulate(who, function, *args, at=at, peer_time=peer_time)
        if response.status != 200:
            raise Refused(response.message)
        assert not stub.writes
        assert not stub.private_writes
        assert stub.event is None
        return json.loads(response.payload)

    def refusal(
        self,
        who: str | bytes,
        function: str,
        *args: object,
        at: int | None = None,
        peer_time: int | None = None,
        transient: dict[str, bytes] | None = None,
    ) -> dict[str, Any]:
        """A call that must be refused; what it says."""
        response, _ = self.simulate(who, function, *args, at=at, peer_time=peer_time, transient=transient)
        assert response.status >= 400, f"{function}{args} was not refused: {response.payload!r}"
        assert response.payload == b""
        refusal: dict[str, Any] = json.loads(response.message)
        return refusal

    # What most stories begin with.

    def fund(self, party: str, amount: int) -> None:
        self.submit(MINT, "MintCoins", party, amount, f"payment-{self.calls}")

    def coins(self, party: str) -> list[str]:
        return [coin["id"] for coin in self.ask(party, "MyCoins")["coins"]]

    def balance(self, party: str) -> int:
        total: int = self.ask(party, "MyCoins")["total"]
        return total

    def create(
        self, owner: str = ALICE, name: str = "pulse", asset_type: str = "heart_rate", confidentiality: str = "plain"
    ) -> str:
        asset_id: str = self.submit(owner, "CreateAsset", asset_type, name, confidentiality)["id"]
        return asset_id

    def conceal(self, *readings: dict[str, Any], asset: str = PULSE) -> Any:
        """Add private readings, as their owner."""
        return self.submit(owner_of(asset), "AddPrivateReadings", asset, transient=salted(*readings))

    def request(self, requester: str, days: int, asset: str = PULSE) -> Any:
        """File a request, paid with coins minted for it."""
        self.fund(requester, days)
        return self.submit(requester, "FileRequest", asset, days, "check-up", self.coins(requester))

    def share(self, requester: str, days: int, asset: str = PULSE, asset_type: str = "heart_rate") -> Any:
        """Request and share."""
        self.request(requester, days, asset)
        return self.submit(owner_of(asset), "ShareAsset", asset_type, asset, days, [requester])

    def audit(self) -> dict[str, Any]:
        sums: dict[str, Any] = self.ask(MINT, "AuditCoins")
        return sums

    def state(self) -> dict[str, bytes]:
        return {key: entry.value for key, entry in self.world.state.items()}


def owner_of(asset: str) -> str:
    return asset.rpartition("/")[0]


def salted(*readings: dict[str, Any]) -> dict[str, bytes]:
    """The transient field with readings, each with a random key and salt unless it brings its own."""
    return {
        "readings": json.dumps([{"key": token_hex(16), "salt": token_hex(32), **each} for each in readings]).encode()
    }


def names_in(records: Sequence[dict[str, Any]], field: str = "id") -> list[str]:
    return [record[field] for record in records]


def _argument(value: object) -> bytes:
    if isinstance(value, bytes):
        return value
    return (value if isinstance(value, str) else json.dumps(value)).encode()
