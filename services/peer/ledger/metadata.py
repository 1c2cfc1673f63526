"""Where keys have metadata, such as their own endorsement policies: hardly anywhere, and elsewhere nobody has to look.

Otherwise every key that a transaction writes is looked up only to find out that it has none.
"""

from privysharing.protocol.rwsets import UpdateBatch
from services.peer.ledger import keys
from services.runtime.database import DatabaseReader


def metadata_written(updates: UpdateBatch) -> list[tuple[str, str]]:
    """Where a block writes keys with metadata: namespace and collection, which is empty for public keys."""
    written = [
        (name, "") for name, changed in updates.public.items() if any(each.metadata for each in changed.values())
    ]
    written += [place for place, changed in updates.hashed.items() if any(each.metadata for each in changed.values())]
    return written


class MetadataPlaces:
    """Namespaces and collections where keys have, or once had, metadata.

    The batch that writes the first metadata of a place also marks the place in the database. Here it is known just
    before: whatever state somebody reads, old or new, what he finds here is as new or newer, and it only grows.
    """

    def __init__(self, store: DatabaseReader, height: int) -> None:
        """`height`: of the state in the database."""
        self._complete = all_marked(store, height)
        marks = store.scan(keys.METADATA, keys.after(keys.METADATA))
        self._places = {keys.split_metadata_key(raw) for raw, _ in marks}

    def may_include(self, namespace: str, collection: str) -> bool:
        """Whether a key there may have metadata. Any may in a database that has not been marked from the beginning."""
        return not self._complete or (namespace, collection) in self._places

    def add(self, updates: UpdateBatch, height: int) -> list[tuple[bytes, bytes]]:
        """Take in what a block writes; returns what its batch has to contain. `height`: with this block."""
        if not self._complete:
            return []
        new = [place for place in metadata_written(updates) if place not in self._places]
        self._places.update(new)
        puts = [(keys.metadata_key(*place), b"") for place in new]
        puts.append((keys.METADATA_HEIGHT_KEY, keys.encode_number(height)))
        return puts


def all_marked(store: DatabaseReader, height: int) -> bool:
    """Whether every block of a database has left its marks. Earlier releases leave none, and the height as it was."""
    return store.get(keys.METADATA_HEIGHT_KEY) == (keys.encode_number(height) if height else None)
