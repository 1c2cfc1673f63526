"""What nodes count becomes transactions per block and calls per message."""

from collections import Counter

from bench.counters import items_per_message, parse, transactions_per_block

PEER = """\
# TYPE ledger_blockchain_height gauge
ledger_blockchain_height{channel="health"} 5
ledger_blockchain_height{channel="energy"} 3
# TYPE ledger_transaction_count counter
ledger_transaction_count{channel="health",validation_code="VALID"} 90
ledger_transaction_count{channel="energy",validation_code="VALID"} 10
# TYPE endorser_proposals_received counter
endorser_proposals_received 120
# TYPE grpc_server_stream_messages_received counter
grpc_server_stream_messages_received{service="privysharing_v1_BatchEndorser",method="Endorse"} 30
grpc_server_stream_messages_received{service="protos_Deliver",method="Deliver"} 1000
"""
ORDERER = """\
# TYPE ledger_blockchain_height gauge
ledger_blockchain_height{channel="health"} 1000
"""


def test_the_channels_of_a_node_are_added_up_and_services_kept_apart() -> None:
    counts = parse(PEER, "peer")
    assert transactions_per_block(counts) == 12.5
    assert items_per_message(counts) == {"proposals": 4.0}


def test_a_chain_counts_at_peers_only() -> None:
    both = parse(PEER, "peer")
    both.update(parse(ORDERER, "orderer"))
    assert transactions_per_block(both) == 12.5


def test_without_blocks_and_messages_there_is_nothing_to_say() -> None:
    assert transactions_per_block(Counter()) is None
    assert items_per_message(Counter()) == {}
