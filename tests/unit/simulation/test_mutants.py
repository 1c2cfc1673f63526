"""Mutants break the code as it is now: one that has lost its place would be hunted in vain."""

import pytest

from tests.simulation.mutants.catalogue import MUTANTS
from tests.simulation.mutants.mutation import EditFailed, Mutant, mutant


def is_small(number: int) -> bool:
    return number < 10  # a digit


def broken(before: str, after: str) -> Mutant:
    return mutant("What is small is not", (f"{__name__}:is_small", before, after))


@pytest.mark.parametrize("name", MUTANTS)
def test_every_mutant_finds_the_code_that_it_breaks(name: str) -> None:
    assert MUTANTS[name].broken()


def test_code_is_broken_while_somebody_looks_and_no_longer() -> None:
    with broken("number < 10", "number < 2").applied():
        assert not is_small(5)
    assert is_small(5)


def test_an_edit_of_what_is_not_there_fails() -> None:
    with pytest.raises(EditFailed, match="0 times"):
        broken("number < 11", "number < 2").broken()


def test_an_edit_that_changes_nothing_fails() -> None:
    with pytest.raises(EditFailed, match="what it did before"):
        broken("a digit", "a figure").broken()
