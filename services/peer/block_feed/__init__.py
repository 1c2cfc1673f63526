"""Brings a channel's blocks from orderers, in order, each once, and believes no orderer.

Purpose: `feed.BlockFeed` follows one orderer at a time and yields the blocks that come next, checked
(`protocol.block_checks`); `crosscheck.CrossCheck` compares headers with orderers of other organisations and
with the anchor peers of other members, so that even a single orderer that tells two stories is noticed.
Does not: judge transactions, store anything, or decide what becomes of a channel.
Data in: the ledger's tip, the configuration in force, orderers (`sources`). Data out: blocks.
Failure and recovery: an orderer that is away, lacks our last block, or sends what fails a check is left for the next
one, with a growing pause once all have failed. One that stalls or withholds blocks is left, too, once another orderer
shows the block that it does not send; nothing tells a single orderer that withholds from a channel that is idle, and
one that sends each block late, yet within `FeedConfig.silence_seconds`, is borne with. Two different blocks of one
height, both signed as the channel demands, are `evidence.ForkedChain`: the channel must stop, since nobody can say
which is right.
"""
