"""Histories: what concurrent clients were told, checked against the chain.

An `Operation` is one call of one session, with the time it began and ended on a clock that all sessions share: virtual
in a simulation, monotonic on one machine. `check_history` names every operation whose outcome the chain cannot explain.

What is promised, and so what is checked:
  - a receipt is kept: its transaction is in the chain, once, in that block, VALID, with that answer; one that was told
    to have failed is there with that code and never VALID (`commits`);
  - real time: what began after another was acknowledged is committed behind it (`commits`);
  - a peer answers from the state after some block, and that block is never older than any that the same peer has
    acknowledged or answered from before the call began, to this session or another: a peer has one ledger, which only
    grows, also through crashes (`reads`);
  - nobody is answered from a block that did not exist yet (`reads`).
Not promised, so not checked: that another peer is as far. The SDK asks first where it watches commits, so a client
reads its writes while that peer answers; but when it fails, the next one may be behind.
"""

from collections.abc import Sequence

from tests.simulation.judge.commits import check_commits
from tests.simulation.judge.faults import Fault
from tests.simulation.judge.invocations import Invocation
from tests.simulation.judge.operations import Block, Chain, Operation
from tests.simulation.judge.reads import check_reads


def check_history(
    channel: str, blocks: Sequence[Block], invocations: Sequence[Invocation], operations: Sequence[Operation]
) -> list[Fault]:
    """What the chain does not explain. `blocks` are all, from the first; `invocations` their VALID transactions."""
    chain = Chain(blocks)
    by_id = {invocation.tx_id: invocation for invocation in invocations}
    return check_commits(chain, by_id, operations) + check_reads(channel, chain, invocations, operations)
