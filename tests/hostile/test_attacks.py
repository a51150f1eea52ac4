"""Property tests on hostile inputs, each in a process of its own whose time and memory are bounded."""

import pytest
from harm import run_attack

ATTACKS = {"yaml": 1, "archives": 2, "images": 2, "folders": 6, "tfds": 12}  # and the address space of each, in GiB


def _attack(name: str, cases: int, seconds: float) -> None:
    done = run_attack(f"attack_{name}", cases, seconds, ATTACKS[name])
    assert done.returncode == 0, done.stderr[-6000:]


@pytest.mark.parametrize("name", ATTACKS)
def test_a_few_attacks_end_in_success_or_a_sentence(name):
    _attack(name, 40, 240)


@pytest.mark.slow
@pytest.mark.parametrize("name", ATTACKS)
def test_a_thousand_attacks_end_in_success_or_a_sentence(name):
    _attack(name, 1000, 1800)
