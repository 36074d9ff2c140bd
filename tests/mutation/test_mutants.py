"""The list of mutants is what it says: it fits the code, and it is varied."""

import ast
from collections import Counter
from pathlib import Path

import pytest

from tests.mutation.mutants import MUTANTS, Kind, Mutant

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_fits_the_code_in_one_place_and_stays_python(mutant: Mutant) -> None:
    source = (ROOT / "daemon/conclaved" / mutant.file).read_text()

    planted = mutant.planted_in(source)

    assert planted != source
    assert ast.dump(ast.parse(planted)) != ast.dump(ast.parse(source))
    for path in mutant.test_files:
        assert (ROOT / path.split("::")[0]).exists(), path


def test_there_are_thirty_mutants_of_every_kind_in_all_three_rooms() -> None:
    assert len(MUTANTS) >= 30
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)
    assert set(Counter(mutant.kind for mutant in MUTANTS)) == set(Kind)
    rooms = Counter(mutant.file.split("/")[0] for mutant in MUTANTS)
    assert min(rooms[room] for room in ("meeting", "identity", "mls")) >= 5
