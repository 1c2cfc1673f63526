"""What a channel is: its configuration, compiled, and how one configuration becomes the next.

Purpose: `ChannelConfig` answers everything that depends on the channel's configuration (members, policies, access
rules, batch limits, capabilities); `update` derives the next configuration from an update, for the orderer that
orders it and for every peer that checks the orderer; `genesis` makes a channel's first block.
Data in: configuration blocks, CONFIG_UPDATE envelopes, typed profiles. Data out: frozen values, and bytes.
Does not: keep configurations (ledgers do), decide which one is in force, or know who is asking. A later sequence is
another `ChannelConfig`; nothing is changed in place.
Failure: `InvalidConfig` for a configuration that no channel could run under, `UnsupportedCapability` for one that
needs newer software (the node must stop rather than guess), `ConfigUpdateRefused` for an update that does not apply.

Read in this order: `config`, `settings`, `groups`, `policy_tree`, `acls`, `bundle`, `succession`, `update`, `genesis`.
"""
