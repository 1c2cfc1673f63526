"""Lists in pages, so that no answer grows without limit. For queries: a page is a range read."""

from collections.abc import Iterable
from itertools import islice

from privysharing.chaincode.canonical import JsonObject, JsonValue
from privysharing.chaincode.context import Context
from privysharing.contract.refusals import bad_value

PAGE_DEFAULT = 100
PAGE_MAX = 1000


def read_page(
    context: Context, object_type: str, *attributes: str, bookmark: str, limit: int
) -> tuple[list[tuple[str, bytes]], str]:
    """Up to `limit` entries behind the bookmark, and the bookmark of the next page (empty at the end).

    A bookmark is the last key in hex. One that is not of this very list is refused, so it opens nothing else.
    """
    if not 1 <= limit <= PAGE_MAX:
        raise bad_value("limit", f"1 to {PAGE_MAX}", str(limit))
    try:
        after = bytes.fromhex(bookmark).decode()
        if after.encode().hex() != bookmark:
            raise ValueError("hex with spaces or capitals is not how a bookmark is written")
        found = list(islice(context.by_partial_key(object_type, *attributes, after=after), limit + 1))
    except ValueError as error:
        raise bad_value("bookmark", "the bookmark that the previous page of this list returned", bookmark) from error
    entries = found[:limit]
    return entries, entries[-1][0].encode().hex() if len(found) > limit else ""


def page(items: Iterable[JsonValue], bookmark: str) -> JsonObject:
    """What a list function returns."""
    return {"items": list(items), "bookmark": bookmark}
