"""What is fed, and the oracle of each: only refusals that are documented, nothing told, nothing changed."""

from collections.abc import Callable, Sequence

from tests.fuzz.runner import Target
from tests.fuzz.targets.blocks import Following, Validating
from tests.fuzz.targets.codecs import Reading
from tests.fuzz.targets.endorsing import Endorsing
from tests.fuzz.targets.exchanging import Exchanging
from tests.fuzz.targets.files import Configuring, Describing, Inspecting, Storing
from tests.fuzz.targets.identities import Certifying, Deciding
from tests.fuzz.targets.judged import Judging
from tests.fuzz.targets.ordering import Admitting, Sequencing
from tests.fuzz.targets.people import Calling
from tests.fuzz.targets.streams import Batching, OrdererDelivering, PeerDelivering
from tests.fuzz.targets.telling import Telling

ALL: Sequence[Callable[[], Target]] = (
    Reading,
    Certifying,
    Deciding,
    Calling,
    Endorsing,
    Admitting,
    Sequencing,
    Validating,
    Judging,
    Following,
    PeerDelivering,
    Exchanging,
    OrdererDelivering,
    Batching,
    Telling,
    Configuring,
    Describing,
    Storing,
    Inspecting,
)


def targets(names: Sequence[str] = ()) -> list[Target]:
    """Those of these names, or all."""
    kinds = {kind.name: kind for kind in ALL}  # type: ignore[attr-defined]
    unknown = sorted(set(names) - set(kinds))
    if unknown:
        raise SystemExit(f"no target {unknown[0]}; there are {', '.join(kinds)}")
    return [kind() for name, kind in kinds.items() if not names or name in names]
