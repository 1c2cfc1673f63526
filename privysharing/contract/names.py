"""What people, organisations and assets are called, so that a name means one thing only.

A party is `<enrolment id>@<MSP id>`: the common name in its certificate, vouched for by its organisation's CA. An asset
is `<owner>/<name>`: the owner is part of its id, so every key of an asset lies in its owner's own name space. Nobody
can take or probe another's names, and who owns an asset is known without reading it, even after it was deleted.
"""

import re
from dataclasses import dataclass

from privysharing.contract.refusals import bad_value

# Printable ASCII: no homoglyphs, no invisible characters, no second way to write the same name.
_ENROLLMENT_ID = re.compile(r"[!-~](?:[ -~]{0,126}[!-~])?")
_MSP_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")  # without '@', so that the last '@' of a party separates
_ASSET_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")  # without '/', so that the last '/' of an asset id separates
_REFERENCE = re.compile(r"[!-~]{1,128}")
# Control, line-breaking, invisible and direction-changing characters: free text cannot disguise itself.
_DISGUISES = re.compile("[\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]")


@dataclass(frozen=True, slots=True, order=True)
class Party:
    """A person, device or office that holds a certificate of a member organisation."""

    enrollment_id: str
    msp_id: str

    def __post_init__(self) -> None:
        if not _ENROLLMENT_ID.fullmatch(self.enrollment_id):
            raise bad_value("enrolment id", "1 to 128 printable ASCII characters", repr(self.enrollment_id))
        if not _MSP_ID.fullmatch(self.msp_id):
            raise bad_value("MSP id", "1 to 64 of A-Z a-z 0-9 . _ -", repr(self.msp_id))

    def __str__(self) -> str:
        return f"{self.enrollment_id}@{self.msp_id}"

    @classmethod
    def parse(cls, text: str) -> "Party":
        """`alice@CitizensMSP`; the last '@' separates."""
        enrollment_id, separator, msp_id = text.rpartition("@")
        if not separator:
            raise bad_value("party", "<enrolment id>@<MSP id>", repr(text))
        return cls(enrollment_id, msp_id)


@dataclass(frozen=True, slots=True, order=True)
class AssetId:
    """A data asset, by its owner and the name that it has among his assets."""

    owner: Party
    name: str

    def __post_init__(self) -> None:
        if not _ASSET_NAME.fullmatch(self.name):
            raise bad_value("asset name", "1 to 64 of a-z 0-9 . _ -, first a letter or digit", repr(self.name))

    def __str__(self) -> str:
        return f"{self.owner}/{self.name}"

    @property
    def key(self) -> tuple[str, str]:
        """The attributes that this asset's composite keys begin with."""
        return str(self.owner), self.name

    @classmethod
    def parse(cls, text: str) -> "AssetId":
        """`alice@CitizensMSP/heart`; the last '/' separates."""
        owner, separator, name = text.rpartition("/")
        if not separator:
            raise bad_value("asset id", "<owner>/<name>, as in alice@CitizensMSP/heart", repr(text))
        return cls(Party.parse(owner), name)


def reference(what: str, text: str) -> str:
    """An outside system's reference, such as a payment's: 1 to 128 printable ASCII characters without spaces."""
    if not _REFERENCE.fullmatch(text):
        raise bad_value(what, "1 to 128 printable ASCII characters, no spaces", repr(text))
    return text


def free_text(what: str, text: str, characters_max: int) -> str:
    """Text for people: anything but characters that hide or disguise."""
    if len(text) > characters_max or _DISGUISES.search(text):
        raise bad_value(what, f"at most {characters_max} characters, none invisible", repr(text))
    return text
