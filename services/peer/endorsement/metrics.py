"""Fabric's metrics of endorsement (core/endorser metrics.go), under Fabric's names."""

from services.runtime.metrics import Registry


class EndorserMetrics:
    """The endorser_* families."""

    def __init__(self, registry: Registry) -> None:
        where = ("channel", "chaincode")
        self.received = registry.counter("endorser_proposals_received", "The number of proposals received.").of()
        self.successful = registry.counter("endorser_successful_proposals", "The number of successful proposals.").of()
        self.validation_failures = registry.counter(
            "endorser_proposal_validation_failures", "The number of proposals that have failed initial validation."
        ).of()
        self.acl_failures = registry.counter(
            "endorser_proposal_acl_failures", "The number of proposals that failed ACL checks.", where
        )
        self.duplicates = registry.counter(
            "endorser_duplicate_transaction_failures",
            "The number of failed proposals due to duplicate transaction ID.",
            where,
        )
        self.simulation_failures = registry.counter(
            "endorser_proposal_simulation_failures", "The number of failed proposal simulations", where
        )
        self.endorsement_failures = registry.counter(
            "endorser_endorsement_failures", "The number of failed endorsements.", (*where, "chaincodeerror")
        )
        self.duration = registry.histogram(
            "endorser_proposal_duration", "The time to complete a proposal.", (*where, "success")
        )
