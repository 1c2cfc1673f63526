"""Policies as operators write them: `OutOf(2, 'A.peer', 'B.peer')`, `AND(..)`, `OR(..)`, `MAJORITY Admins`."""

import re
from collections.abc import Iterator
from typing import Final, NoReturn

from privysharing.protocol.msp.principals import MspPrincipal, MspRole, RolePrincipal
from privysharing.protocol.policies.implicit_meta import ImplicitMeta, MetaRule
from privysharing.protocol.policies.policy import MalformedPolicy
from privysharing.protocol.policies.signature import NOutOf, Rule, SignaturePolicy, SignedBy

NESTING_MAX: Final = 100  # gates within gates; Fabric has no limit but its stack

_TOKEN: Final = re.compile(
    r"""\s*(?:(?P<word>[A-Za-z]+)|(?P<number>[0-9]+)|(?P<text>'[^']*'|"[^"]*")|(?P<mark>[(),]))"""
)
_PRINCIPAL: Final = re.compile(r"(?P<msp>[A-Za-z0-9.-]+)\.(?P<role>admin|member|client|peer|orderer)")
# Fabric 2 takes `and` and `or` too; in Fabric 3's expression language the two words have become operators.
_GATES: Final = {spelling: gate for gate in ("And", "Or", "OutOf") for spelling in (gate, gate.lower(), gate.upper())}
_END: Final = ("end", "")

Token = tuple[str, str]  # kind, text


class PolicySyntaxError(MalformedPolicy):
    """Text that is no policy."""


def parse_policy(text: str) -> SignaturePolicy:
    """Read a signature policy (policydsl FromString).

    Every mention of a principal gets a place of its own in the policy's list; inner gates are numbered before the
    principals of the gate around them.
    """
    reader = _Reader(text)
    gate = reader.gate(depth=0)
    reader.expect(_END)
    principals: list[MspPrincipal] = []
    return SignaturePolicy(_numbered(gate, principals), tuple(principals))


def parse_implicit_meta(text: str) -> ImplicitMeta:
    """Read `ANY|ALL|MAJORITY <sub policy>` (policies ImplicitMetaFromString)."""
    words = text.split(" ")
    if len(words) != 2:
        raise PolicySyntaxError(f"expected two space separated tokens, but got {len(words)}")
    if words[0] not in MetaRule.__members__:
        raise PolicySyntaxError(f"unknown rule type '{words[0]}', expected ALL, ANY, or MAJORITY")
    return ImplicitMeta(MetaRule[words[0]], words[1])


class _Gate:
    """A gate as written: a threshold over principals and further gates."""

    def __init__(self, n: int, arguments: "list[MspPrincipal | _Gate]") -> None:
        if not 0 <= n <= len(arguments) + 1:
            raise PolicySyntaxError(f"invalid t-out-of-n predicate, t {n}, n {len(arguments)}")
        self.n = n
        self.arguments = arguments


def _numbered(gate: _Gate, principals: list[MspPrincipal]) -> NOutOf:
    """The gate as a rule, its principals put on the list: those of its inner gates first."""
    rules: dict[int, Rule] = {}
    for place, argument in enumerate(gate.arguments):
        if isinstance(argument, _Gate):
            rules[place] = _numbered(argument, principals)
    for place, argument in enumerate(gate.arguments):
        if not isinstance(argument, _Gate):
            rules[place] = SignedBy(len(principals))
            principals.append(argument)
    return NOutOf(gate.n, tuple(rules[place] for place in range(len(gate.arguments))))


class _Reader:
    """Takes a policy's text apart, token by token."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = self._split()
        self._next = next(self._tokens)

    def gate(self, depth: int) -> _Gate:
        """GATE(argument, ...): a count first in OutOf."""
        kind, word = self._take()
        if kind != "word" or word not in _GATES:
            self._refuse(f"unrecognized token '{word}'")
        if depth > NESTING_MAX:
            self._refuse("gates are nested too deeply")
        self.expect(("mark", "("))
        count = self._count() if _GATES[word] == "OutOf" else None
        arguments: list[MspPrincipal | _Gate] = [self._argument(depth)]
        while self._next == ("mark", ","):
            self._take()
            arguments.append(self._argument(depth))
        self.expect(("mark", ")"))
        if count is None:
            count = len(arguments) if _GATES[word] == "And" else 1
        return _Gate(count, arguments)

    def expect(self, token: Token) -> None:
        """Take the next token, which must be this one."""
        if self._take() != token:
            self._refuse(f"expected {token[1] or 'nothing more'!r}")

    def _count(self) -> int:
        kind, text = self._take()
        digits = text.strip("'\"") if kind == "text" else text
        if kind not in ("number", "text") or not (digits.isascii() and digits.isdigit()):
            self._refuse("expected a number")
        self.expect(("mark", ","))
        return int(digits)

    def _argument(self, depth: int) -> MspPrincipal | _Gate:
        if self._next[0] == "word":
            return self.gate(depth + 1)
        kind, text = self._take()
        principal = _PRINCIPAL.fullmatch(text[1:-1])
        if kind != "text" or principal is None:
            self._refuse(f"error parsing principal {text}")
        return RolePrincipal(principal["msp"], MspRole[principal["role"].upper()])

    def _take(self) -> Token:
        token = self._next
        self._next = next(self._tokens, _END)
        return token

    def _split(self) -> Iterator[Token]:
        at, end = 0, len(self._text.rstrip())
        while at < end:
            token = _TOKEN.match(self._text, at)
            if token is None or token.lastgroup is None:
                self._refuse(f"unrecognized text at {self._text[at : at + 20]!r}")
            yield token.lastgroup, token[token.lastgroup]
            at = token.end()
        yield _END

    def _refuse(self, why: str) -> NoReturn:
        raise PolicySyntaxError(f"{why} in policy string '{self._text}'")
