"""Blocks as JSON for people: everything that is in one, nothing judged.

Purpose: `describe_block` turns a block into plain dictionaries, lists, strings and numbers.
Data in: a parsed block, of any origin. Data out: what `json.dumps` takes.
Does not: verify anything, or hide anything that the block shows to everybody who has it.
Failure: none. What cannot be read is shown as bytes beside an `error`, and the rest goes on.

Bytes appear as text where they are readable text, hashes and signatures as hex, everything else as {"base64": ...}.
"""

from privysharing.protocol.describe.block import describe_block as describe_block
