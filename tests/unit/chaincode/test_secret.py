"""A secret leaves by `disclose` and by no other way."""

import copy
import json
import pickle

import pytest

from privysharing.chaincode.canonical import dumps
from privysharing.chaincode.secret import Secret

CANARY = b"72 bpm canary"

LEAKS = {
    "str": str,
    "repr": repr,
    "format": lambda secret: f"{secret}",
    "percent": lambda secret: "%s" % secret,  # noqa: UP031
    "in a list": lambda secret: repr([secret]),
    "bytes": bytes,
    "json": json.dumps,
    "canonical json": dumps,
    "pickle": pickle.dumps,
    "copy": copy.copy,
    "equality": lambda secret: secret == Secret(CANARY),
    "hash": hash,
    "iteration": list,
    "attributes": vars,
}


@pytest.mark.parametrize("leak", LEAKS.values(), ids=LEAKS)
def test_every_accidental_way_out_raises_and_names_no_value(leak):
    with pytest.raises(TypeError) as raised:
        leak(Secret(CANARY))
    assert "canary" not in str(raised.value)


def test_disclosing_is_explicit():
    assert Secret(CANARY).disclose() == CANARY
    assert len(Secret(CANARY)) == len(CANARY)
