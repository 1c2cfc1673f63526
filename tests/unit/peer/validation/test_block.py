"""What a block decides about its transactions together: ids, order, configurations."""

from dataclasses import replace

import pytest

from privysharing.protocol.build import make_header, make_payload, signed
from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.channel.config import ConfigSignature, ConfigUpdate, ConfigUpdateEnvelope
from privysharing.protocol.channel.update import derive
from privysharing.protocol.codec.config_values import encode_batch_timeout
from privysharing.protocol.codec.configs import encode_config_update, encode_config_update_envelope
from privysharing.protocol.codec.envelopes import encode_signature_header
from privysharing.protocol.codec.policies import encode_application_policy
from privysharing.protocol.codes import HeaderType, TxCode
from privysharing.protocol.envelopes import SignatureHeader
from privysharing.protocol.policies.dsl import parse_policy
from privysharing.protocol.rwsets import NamespaceRwSet, Read, Version, Write
from privysharing.protocol.transactions import ChaincodeId
from services.peer.validation.errors import ChannelHalted
from services.peer.validation.validate import CONFIG_KEY, CONFIG_NAMESPACE, accept_genesis
from tests.support.authorities import Holder
from tests.support.judging import (
    CHANNEL,
    CONFIG,
    GENESIS,
    ORDERER,
    ORDERER_CA,
    PEER1,
    PEER2,
    DictView,
    Tx,
    judge,
)

VALID, DUPLICATE = TxCode.VALID, TxCode.DUPLICATE_TXID


@pytest.fixture
def view() -> DictView:
    view = DictView()
    view.define("cc")
    return view


def write(key: str, **parts: object) -> Tx:
    return replace(Tx(namespaces=(NamespaceRwSet("cc", writes=(Write(key, b"v"),)),)), **parts)  # type: ignore[arg-type]


def test_an_empty_block_judges_nothing(view: DictView) -> None:
    assert judge(view).verdicts == ()


def test_an_id_that_an_earlier_block_holds_is_used_up(view: DictView) -> None:
    tx = write("k")
    assert judge(view, tx.raw).verdicts == (VALID,)
    view.ids.add(tx.header.channel.tx_id)
    assert judge(view, tx.raw).verdicts == (DUPLICATE,)


def test_the_second_of_two_twins_in_a_block_is_a_duplicate(view: DictView) -> None:
    twin = write("k")
    judgement = judge(view, twin.raw, write("other").raw, twin.raw)
    assert judgement.verdicts == (VALID, VALID, DUPLICATE)
    assert judgement.updates.public["cc"]["k"].version == Version(5, 0)


def test_a_transaction_that_failed_its_policy_does_not_shadow_a_later_twin(view: DictView) -> None:
    twin = write("k")
    alone = replace(twin, endorsers=(PEER1,))
    assert judge(view, alone.raw, twin.raw).verdicts == (TxCode.ENDORSEMENT_POLICY_FAILURE, VALID)


def test_a_transaction_that_turns_out_stale_does_shadow_a_later_twin(view: DictView) -> None:
    stale = write("k", namespaces=(NamespaceRwSet("cc", reads=(Read("r", Version(1, 1)),)),))
    assert judge(view, stale.raw, stale.raw).verdicts == (TxCode.MVCC_READ_CONFLICT, DUPLICATE)


def test_versions_are_places_in_the_block_invalid_transactions_counted(view: DictView) -> None:
    judgement = judge(view, b"\xff", write("k").raw, number=7)
    assert judgement.verdicts == (TxCode.INVALID_OTHER_REASON, VALID)
    assert judgement.updates.public["cc"]["k"].version == Version(7, 1)


def test_a_write_to_what_is_no_chaincode(view: DictView) -> None:
    for namespace in ("nobody", "lscc", "qscc", ""):
        tx = replace(write("k"), namespaces=(NamespaceRwSet(namespace, writes=(Write("k", b"v"),)),))
        assert judge(view, tx.raw).verdicts == (TxCode.INVALID_CHAINCODE,)


def test_reading_from_what_is_no_chaincode_is_nobodys_business(view: DictView) -> None:
    tx = replace(write("k"), namespaces=(NamespaceRwSet("nobody", reads=(Read("k", None),)),))
    assert judge(view, tx.raw).verdicts == (VALID,)


def test_a_call_of_a_chaincode_that_is_not_defined() -> None:
    assert judge(DictView(), write("k").raw).verdicts == (TxCode.INVALID_CHAINCODE,)


def test_a_definition_without_plugin_or_policy_defines_nothing() -> None:
    for plugin, parameter in (("", b"policy"), ("vscc", b"")):
        view = DictView()
        view.define("cc", validation_plugin=plugin, validation_parameter=parameter)
        assert judge(view, write("k").raw).verdicts == (TxCode.INVALID_CHAINCODE,)


def test_a_plugin_that_we_do_not_have_stops_the_channel() -> None:
    view = DictView()
    view.define("cc", validation_plugin="mine")
    with pytest.raises(ChannelHalted, match="plugin with name mine wasn't found"):
        judge(view, write("k").raw)


def test_a_definition_that_cannot_be_read_stops_the_channel(view: DictView) -> None:
    view.put("_lifecycle", "namespaces/metadata/cc", b"\xff", Version(1, 0))
    with pytest.raises(ChannelHalted, match="cc cannot be read"):
        judge(view, write("k").raw)


def test_a_definition_with_a_policy_that_cannot_be_read_is_met_by_nobody() -> None:
    view = DictView()
    view.define("cc", validation_parameter=b"\xff")
    assert judge(view, write("k").raw).verdicts == (TxCode.ENDORSEMENT_POLICY_FAILURE,)


def test_a_failed_look_up_is_no_verdict(view: DictView) -> None:
    class Broken(DictView):
        def get(self, namespace: str, key: str) -> None:
            raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        judge(Broken(), write("k").raw)


def test_the_genesis_block_puts_its_configuration_in_force_and_in_the_state() -> None:
    judgement = accept_genesis(GENESIS)
    assert judgement.verdicts == (VALID,)
    assert judgement.config is not None
    assert judgement.config.channel_id == CHANNEL
    stored = judgement.updates.public[CONFIG_NAMESPACE][CONFIG_KEY]
    assert stored.version == Version(0, 0)
    assert stored.value


def configuration(timeout: str = "3s", *, sequence_ahead: bool = False, admin: Holder | None = None) -> bytes:
    """A CONFIG envelope, signed by the orderer, that sets another batch timeout."""
    root = CONFIG.config.root
    orderer = root.groups["Orderer"]
    old = orderer.values["BatchTimeout"]
    new = replace(old, value=encode_batch_timeout(timeout), version=old.version + 1 + sequence_ahead)
    read = replace(
        root, groups={"Orderer": replace(orderer, groups={}, values={}, policies={})}, values={}, policies={}
    )
    written = replace(read, groups={"Orderer": replace(read.groups["Orderer"], values={"BatchTimeout": new})})
    update = encode_config_update(ConfigUpdate(CHANNEL, read, written))
    signer = (admin or ORDERER_CA.issue("admin", "admin")).signer("OrdererMSP")
    signature_header = encode_signature_header(SignatureHeader(signer.serialized, b"nonce"))
    signature = ConfigSignature(signature_header, signer.sign(signature_header + update))
    header = make_header(HeaderType.CONFIG_UPDATE, CHANNEL, signer.serialized, nonce=b"update", timestamp_ns=1)
    data = encode_config_update_envelope(ConfigUpdateEnvelope(update, (signature,)))
    return config_envelope(derive(CONFIG, signed(make_payload(header, data), signer).raw))


def config_envelope(data: bytes) -> bytes:
    header = make_header(HeaderType.CONFIG, CHANNEL, ORDERER.serialized, nonce=b"config", timestamp_ns=1)
    return signed(make_payload(header, data), ORDERER).raw


def test_a_configuration_that_follows_from_the_last_comes_into_force(view: DictView) -> None:
    judgement = judge(view, configuration("7s"))
    assert judgement.verdicts == (VALID,)
    assert isinstance(judgement.config, ChannelConfig)
    assert (judgement.config.sequence, judgement.config.orderer.batch_timeout_s) == (1, 7.0)
    assert list(judgement.updates.public) == [CONFIG_NAMESPACE]


def test_transactions_change_no_configuration(view: DictView) -> None:
    assert judge(view, write("k").raw).config is None


def test_a_configuration_that_does_not_follow_stops_the_channel(view: DictView) -> None:
    following = judge(view, configuration()).config
    assert following is not None
    with pytest.raises(ChannelHalted, match="configuration cannot be applied: config currently at sequence 1"):
        judge(view, configuration(), config=following)
    with pytest.raises(ChannelHalted, match="configuration cannot be applied"):
        judge(view, config_envelope(b"\xff"))


def test_a_configuration_in_company_stops_the_channel(view: DictView) -> None:
    with pytest.raises(ChannelHalted, match="not alone"):
        judge(view, configuration(), write("k").raw)


def test_a_configuration_that_nobody_signed_is_refused_and_comes_into_no_force(view: DictView) -> None:
    header = make_header(HeaderType.CONFIG, CHANNEL, ORDERER.serialized, nonce=b"config", timestamp_ns=1)
    judgement = judge(view, signed(make_payload(header, b"\x0a\x00"), PEER2).raw)
    assert judgement.verdicts == (TxCode.BAD_CREATOR_SIGNATURE,)
    assert judgement.config is None


def test_definitions_are_read_as_they_were_before_the_block(view: DictView) -> None:
    """A block that replaces a definition is judged by the old one: the new one is not committed yet."""
    weaker = encode_application_policy(parse_policy("OR('Org1MSP.peer')"))
    changed = replace(
        write("k"),
        called="_lifecycle",
        chaincode=ChaincodeId("_lifecycle", "syscc"),
        namespaces=(NamespaceRwSet("_lifecycle", writes=(Write("namespaces/fields/cc/ValidationInfo", weaker),)),),
    )
    alone = write("k", endorsers=(PEER1,))
    assert judge(view, changed.raw, alone.raw).verdicts == (VALID, TxCode.ENDORSEMENT_POLICY_FAILURE)
