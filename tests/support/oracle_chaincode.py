"""The chaincode that made the large network's transactions, in Python; its Go twin ran beside a Fabric peer."""

import json
from collections.abc import Callable, Mapping, Sequence

from privysharing.chaincode.keys import composite_key
from privysharing.chaincode.stub import Stub
from privysharing.protocol.codec.policies import encode_signature_policy
from privysharing.protocol.msp.principals import MspRole
from privysharing.protocol.policies import signed_by_n_of
from privysharing.protocol.transactions import Response
from services.peer.chaincode_host.stub import InProcessStub

FIRST_SIMPLE_KEY = "\x01"  # what Fabric's Go shim sends for an empty start


class OracleError(Exception):
    """What the Go twin returns as an error."""


class OracleChaincode:
    """args: function and arguments, see `FUNCTIONS`."""

    def invoke(self, stub: Stub) -> Response:
        function, *arguments = (argument.decode() for argument in stub.args)
        try:
            return Response(200, payload=FUNCTIONS[function](stub, arguments))
        except OracleError as error:
            return Response(500, str(error))


def _put(stub: Stub, arguments: Sequence[str]) -> bytes:
    for key, value in zip(arguments[::2], arguments[1::2], strict=False):
        _write(stub, key, value.encode())
    return b"ok"


def _write(stub: Stub, key: str, value: bytes) -> None:
    if value:
        stub.put_state(key, value)
    else:
        stub.del_state(key)  # what an empty value is on the wire


def _fill(stub: Stub, arguments: Sequence[str]) -> bytes:
    for number in range(int(arguments[1])):
        stub.put_state(f"{arguments[0]}{number:05d}", f"v{number}".encode())
    return arguments[1].encode()


def _get(stub: Stub, arguments: Sequence[str]) -> bytes:
    return stub.get_state(arguments[0]) or b""


def _delete(stub: Stub, arguments: Sequence[str]) -> bytes:
    for key in arguments:
        stub.del_state(key)
    return b"ok"


def _append(stub: Stub, arguments: Sequence[str]) -> bytes:
    value = (stub.get_state(arguments[0]) or b"") + arguments[1].encode()
    stub.put_state(arguments[0], value)
    return value


def _range(stub: Stub, start: str, end: str, limit: int | None = None) -> list[str]:
    found: list[str] = []
    for key, _ in stub.get_range(start or FIRST_SIMPLE_KEY, end):
        found.append(key)
        if len(found) == limit:
            break
    return found


def _range_put(stub: Stub, arguments: Sequence[str]) -> bytes:
    start, end, out, *limit = arguments
    count = str(len(_range(stub, start, end, int(limit[0]) if limit else None))).encode()
    stub.put_state(out, count)
    return count


def _range_delete(stub: Stub, arguments: Sequence[str]) -> bytes:
    found = _range(stub, arguments[0], arguments[1])
    for key in found:
        stub.del_state(key)
    return str(len(found)).encode()


def _ranges(stub: Stub, arguments: Sequence[str]) -> bytes:
    out, *bounds = arguments
    pairs = zip(bounds[::2], bounds[1::2], strict=True)
    count = str(sum(len(_range(stub, start, end)) for start, end in pairs)).encode()
    stub.put_state(out, count)
    return count


def _event(stub: Stub, arguments: Sequence[str]) -> bytes:
    name, payload, key = arguments[:3]
    stub.set_event(name, payload.encode())
    stub.put_state(key, payload.encode())
    return b"ok"


def _composite_put(stub: Stub, arguments: Sequence[str]) -> bytes:
    kind, value, *attributes = arguments
    stub.put_state(composite_key(kind, *attributes), value.encode())
    return b"ok"


def _composite_scan(stub: Stub, arguments: Sequence[str]) -> bytes:
    prefix = composite_key(arguments[0], *arguments[1:])
    found = [{"K": key, "V": value.decode()} for key, value in stub.get_range(prefix, prefix + "\U0010ffff")]
    return json.dumps(found, separators=(",", ":"), ensure_ascii=False).encode()


def _history(stub: Stub, arguments: Sequence[str]) -> bytes:
    found = [
        {"del": change.is_delete, "t": change.timestamp_ns, "tx": change.tx_id, "v": change.value.decode()}
        for change in stub.get_history(arguments[0])
    ]
    return json.dumps(found, separators=(",", ":")).encode()


def _call(stub: Stub, arguments: Sequence[str]) -> bytes:
    assert isinstance(stub, InProcessStub)
    chaincode, _, channel_id = arguments[0].partition("/")
    answer = stub.invoke_chaincode(chaincode, [argument.encode() for argument in arguments[1:]], channel_id)
    said = {"message": answer.message, "payload": answer.payload.decode(), "status": answer.status}
    return json.dumps(said, separators=(",", ":")).encode()


def _fail(stub: Stub, arguments: Sequence[str]) -> bytes:
    raise OracleError(arguments[0])


def _put_private(stub: Stub, arguments: Sequence[str]) -> bytes:
    collection, key = arguments
    stub.put_private(collection, key, stub.transient["value"])
    return b"ok"


def _append_private(stub: Stub, arguments: Sequence[str]) -> bytes:
    collection, key, more = arguments
    stub.put_private(collection, key, (stub.get_private(collection, key) or b"") + more.encode())
    return b"ok"


def _hash_private(stub: Stub, arguments: Sequence[str]) -> bytes:
    return (stub.get_private_hash(*arguments) or b"").hex().encode()


def _delete_private(stub: Stub, arguments: Sequence[str]) -> bytes:
    stub.del_private(*arguments)
    return b"ok"


def _purge_private(stub: Stub, arguments: Sequence[str]) -> bytes:
    stub.purge_private(*arguments)
    return b"ok"


def _mix(stub: Stub, arguments: Sequence[str]) -> bytes:
    key, value, collection, private_key = arguments
    stub.put_state(key, value.encode())
    own = stub.get_state(key) or b""
    stub.get_state(f"missing-{key}")
    stub.del_state(f"gone-{key}")
    for name in (private_key, f"a-{private_key}"):
        stub.put_private(collection, name, stub.transient["value"])
    return b"own write read as: " + own


def _set_policy(stub: Stub, arguments: Sequence[str]) -> bytes:
    key, *msp_ids = arguments
    stub.set_validation_parameter(key, _all_peers(msp_ids))
    return b"ok"


def _set_private_policy(stub: Stub, arguments: Sequence[str]) -> bytes:
    collection, key, *msp_ids = arguments
    stub.set_validation_parameter(key, _all_peers(msp_ids), collection)
    return b"ok"


def _get_policy(stub: Stub, arguments: Sequence[str]) -> bytes:
    return (stub.get_validation_parameter(arguments[0]) or b"").hex().encode()


def _all_peers(msp_ids: Sequence[str]) -> bytes:
    """A peer of each organisation (fabric-chaincode-go statebased)."""
    return encode_signature_policy(signed_by_n_of(len(msp_ids), MspRole.PEER, msp_ids)) if msp_ids else b""


FUNCTIONS: Mapping[str, Callable[[Stub, Sequence[str]], bytes]] = {
    "put": _put,
    "bput": _put,
    "fill": _fill,
    "get": _get,
    "del": _delete,
    "rmw": _append,
    "rangeput": _range_put,
    "rangepart": _range_put,
    "rangedel": _range_delete,
    "ranges": _ranges,
    "event": _event,
    "comp": _composite_put,
    "compscan": _composite_scan,
    "history": _history,
    "call": _call,
    "fail": _fail,
    "putpriv": _put_private,
    "rmwpriv": _append_private,
    "hashpriv": _hash_private,
    "delpriv": _delete_private,
    "purgepriv": _purge_private,
    "mix": _mix,
    "setvp": _set_policy,
    "setvppriv": _set_private_policy,
    "getvp": _get_policy,
}
