"""Taking a step on a finding: a person says what is done about it, signs that, and it stands in the record."""

from __future__ import annotations

from verifier.errors import TrustError
from verifier.model.finding import Finding, FindingStep, Said, State, Taken
from verifier.procedures.approve import known
from verifier.procedures.collector import Collector
from verifier.trust.envelope import PAYLOAD_TYPE, seal
from verifier.trust.keys import Signer
from verifier.trust.statement import FINDING, written
from verifier.trust.verify import Verified, verify

WHO_MAY = "say who may: crane-verify trust quorum finding engineer=1"
ONE_SIGNATURE = "a step carries one signature, whatever it proposes is signed by all; let one do: " + WHO_MAY.partition(": ")[2]


def may_be_taken(collector: Collector) -> None:
    """Whether the policy says who may take a step.

    Raises:
        TrustError: it does not.
    """
    try:
        collector.policy.quorum(FINDING.signed_as)
    except TrustError as error:
        raise TrustError(str(error), WHO_MAY) from error


def signed_step(
    finding: Finding,
    state: State,
    said: Said,
    signer: Signer,
    collector: Collector,
    proposal: str = "",
) -> Verified[FindingStep]:
    """A step on a finding as it was seen, signed and not yet recorded.

    Raises:
        UsageError: the policy does not know this key.
        TrustError: a signature by it is not what the policy asks for, or the step gives no reason, or no ticket where it must.
    """
    may_be_taken(collector)
    known(signer, collector.policy, collector.now())
    step = FindingStep(
        finding.device,
        finding.item,
        finding.member,
        finding.digest,
        finding.seen,
        state,
        said.reason.strip(),
        collector.now(),
        said.ticket.strip(),
        proposal,
        said.changed_by.strip(),
    )
    sealed = seal(written(FINDING, step), PAYLOAD_TYPE, (signer,))
    try:
        return verify(sealed, FINDING, collector.policy, step.at)
    except TrustError as error:
        raise TrustError(str(error), ONE_SIGNATURE) from error


def recorded_step(step: Verified[FindingStep], collector: Collector) -> Taken:
    """The step as it now stands in the record.

    Raises:
        RecordError: the disk refused. Then nothing happened.
        TrustError: the record is not what it was.
    """
    entry = collector.workspace.log.append(lambda _: step.envelope)
    return Taken(entry.sequence, step.value, tuple(signer.name for signer in step.signers))
