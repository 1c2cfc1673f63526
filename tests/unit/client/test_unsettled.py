"""A transaction whose command did not learn its outcome is kept until one does."""

import asyncio
import json

import pytest

from deploy.manifest import Network
from privysharing.protocol.envelopes import TxId
from privysharing.sdk import Contract, Endorsed, Pending
from privysharing.sdk.errors import CommitUnknown
from services.client.cli.failures import details_of, message_of
from services.client.cli.output import Output
from services.client.cli.session import Session
from services.client.network.unsettled import NotKept, Unsettled

TX_ID = TxId("ab" * 32)
PENDING = Pending(Endorsed(TX_ID, b"\x00envelope", b'{"secret": 1}'), since=7)


@pytest.fixture
def unsettled(resting: Network) -> Unsettled:
    return Unsettled(resting, "health")


def test_what_is_kept_is_had_again_until_it_is_forgotten_and_is_nobody_elses_to_read(
    resting: Network, unsettled: Unsettled
) -> None:
    unsettled.keep(PENDING)
    unsettled.keep(PENDING)
    assert unsettled.get(TX_ID) == PENDING
    file = resting.path("unsettled") / "health" / f"{TX_ID}.json"
    assert file.stat().st_mode & 0o777 == 0o600
    with pytest.raises(NotKept, match=f"no transaction other is kept in .*; kept: {TX_ID}"):
        unsettled.get(TxId("other"))
    unsettled.forget(TX_ID)
    with pytest.raises(NotKept, match="kept: none"):
        unsettled.get(TX_ID)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"since": 1, "envelope": "?", "payload": 5}'])
def test_a_damaged_file_is_named(resting: Network, unsettled: Unsettled, text: str) -> None:
    unsettled.keep(PENDING)
    (resting.path("unsettled") / "health" / f"{TX_ID}.json").write_text(text)
    with pytest.raises(NotKept, match=f"{TX_ID}.json is damaged"):
        unsettled.get(TX_ID)
    unsettled.forget(TX_ID)


def test_a_command_that_learns_no_outcome_keeps_the_transaction_and_says_how_to_find_out(
    resting: Network, unsettled: Unsettled
) -> None:
    async def call(_contract: Contract) -> None:
        raise CommitUnknown(TX_ID, "none came in time", PENDING)

    with asyncio.Runner() as runner:
        session = Session(resting, "alice", "health", Output(as_json=True), runner)
        with pytest.raises(CommitUnknown) as unknown:
            runner.run(session._with_contract(call))
    assert unsettled.get(TX_ID) == PENDING
    said = f"privy transaction resubmit {TX_ID} --as alice --channel health --network {resting.folder}"
    assert message_of(unknown.value).endswith(said)
    assert json.loads(json.dumps(details_of(unknown.value))) == {"tx_id": TX_ID, "retry": False}
    unsettled.forget(TX_ID)
