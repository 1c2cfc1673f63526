"""The contract that load is measured with: the least that a transaction can do.

It has no rules of its own, so it belongs on benchmark networks only. Keys are simple keys, values whatever bytes come.
"""

from privysharing.chaincode.canonical import JsonValue
from privysharing.chaincode.context import Context
from privysharing.chaincode.contract import Contract, query, transaction
from privysharing.chaincode.errors import ContractError

COLLECTION = "critical"


class Bench(Contract):
    """Entry point `bench` of group `privysharing.contracts`."""

    @transaction
    def create(self, context: Context, key: str, value: str) -> JsonValue:
        """One write and no read: `create k v`. With keys of their own, transactions never conflict."""
        context.put(key, value.encode())
        return None

    @transaction
    def create_private(self, context: Context, key: str) -> JsonValue:
        """One private write and no read: the transient field `value` goes to the collection `critical`."""
        context.private(COLLECTION).put(key, context.transient["value"])
        return None

    @transaction
    def write_private(self, context: Context, collection: str) -> JsonValue:
        """Writes the transient field `value` under the key that the field `key` has; without a value, deletes it."""
        private, key = context.private(collection), _private_key(context)
        if "value" in context.transient:
            private.put(key, context.transient["value"])
        else:
            private.delete(key)
        return None

    @transaction
    def purge_private(self, context: Context, collection: str) -> JsonValue:
        """Purges the key that the transient field `key` has."""
        context.private(collection).purge(_private_key(context))
        return None

    @query
    def get_private(self, context: Context, collection: str) -> JsonValue:
        """The private value, as text, of the key that the transient field `key` has."""
        value = context.private(collection).get(_private_key(context))
        return None if value is None else value.disclose().decode()

    @transaction
    def read_write(self, context: Context, key: str, new_key: str, value: str) -> JsonValue:
        """One read and two writes: reads `key`, writes `value` to `new_key` and `<new_key>.2`.

        With new keys of their own, transactions never conflict, whatever key they all read.
        """
        context.get(key)
        context.put(new_key, value.encode())
        context.put(f"{new_key}.2", value.encode())
        return None

    @transaction
    def fill(self, context: Context, prefix: str, count: int, value: str) -> JsonValue:
        """Writes `value` to the keys `<prefix>.0` and on: a ledger is large sooner."""
        for number in range(count):
            context.put(f"{prefix}.{number}", value.encode())
        return None

    @query
    def get(self, context: Context, key: str) -> JsonValue:
        """The value of a key as text."""
        value = context.get(key)
        if value is None:
            raise ContractError("NOT_FOUND", "there is no such key", needed="a written key", found=key, status=404)
        return value.decode()


def _private_key(context: Context) -> str:
    return context.transient["key"].disclose().decode()
