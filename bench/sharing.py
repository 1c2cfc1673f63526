"""How data is shared with PrivySharing's own contract: an asset, a coin, a request that sets it aside, the share."""

import hashlib

from bench.steps import MINT, OWNER, STAKEHOLDER, Flow, Step
from privysharing.protocol.envelopes import TxId
from privysharing.sdk import Call

CONTRACT = "privysharing"
_OWNER, _STAKEHOLDER = f"{OWNER}@CitizensMSP", f"{STAKEHOLDER}@MedicalMSP"
_TYPE, _DAYS = "heart_rate", "1"
_MINTED = 1  # the step whose transaction makes the coin


def _create(flow: Flow) -> Call:
    return Call(CONTRACT, "CreateAsset", (_TYPE, flow.name))


def _mint(flow: Flow) -> Call:
    return Call(CONTRACT, "MintCoins", (_STAKEHOLDER, _DAYS, flow.name))


def _request(flow: Flow) -> Call:
    coin = coin_of(flow.tx_ids[_MINTED])
    return Call(CONTRACT, "FileRequest", (_asset(flow), _DAYS, "treatment", f'["{coin}"]'))


def _share(flow: Flow) -> Call:
    return Call(CONTRACT, "ShareAsset", (_TYPE, _asset(flow), _DAYS, f'["{_STAKEHOLDER}"]'))


SHARING = (Step(OWNER, _create), Step(MINT, _mint), Step(STAKEHOLDER, _request), Step(OWNER, _share))


def coin_of(tx_id: TxId) -> str:
    """The id of the first coin that a transaction makes: see `privysharing.contract.coins`."""
    return hashlib.sha256(f"{tx_id}:0".encode()).hexdigest()


def _asset(flow: Flow) -> str:
    return f"{_OWNER}/{flow.name}"
