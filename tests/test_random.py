"""The random numbers that every back end must repeat."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vcompress.runtime.random import RandomStream

MASK = 2**64 - 1


def splitmix64(seed: int, count: int) -> list[int]:
    """SplitMix64 in plain integers, word by word (Steele, Lea, Flood 2014)."""
    words = []
    for _ in range(count):
        seed = (seed + 0x9E3779B97F4A7C15) & MASK
        z = seed
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        words.append(z ^ (z >> 31))
    return words


def test_words_are_splitmix64() -> None:
    assert splitmix64(0, 1) == [0xE220A8397B1DCDAF]  # the generator's published first word for seed 0
    for seed in (0, 1, 2**63, -1):
        assert RandomStream(seed).words(5).tolist() == splitmix64(seed & MASK, 5)


@given(st.integers(0, 2**64 - 1), st.lists(st.integers(1, 9), max_size=5))
def test_words_do_not_depend_on_how_they_are_drawn(seed: int, parts: list[int]) -> None:
    stream = RandomStream(seed)
    drawn = [word for part in parts for word in stream.words(part).tolist()]
    assert drawn == RandomStream(seed).words(sum(parts)).tolist()


@given(st.integers(0, 2**64 - 1), st.integers(1, 2**32 - 1))
def test_below_stays_below(seed: int, limit: int) -> None:
    assert 0 <= RandomStream(seed).below(limit) < limit


def test_normal_is_the_sum_of_twelve_uniforms() -> None:
    words = splitmix64(7, 3)
    halves = [(word >> shift) & 0xFFFF for word in words for shift in (0, 16, 32, 48)]
    assert RandomStream(7).normal((1,))[0] == (sum(halves) - 6 * 65536 + 6) / 65536


def test_normal_has_the_moments_of_a_normal() -> None:
    draws = RandomStream(1).normal((200_000,)).astype(np.float64)
    error = 1 / np.sqrt(len(draws))
    assert abs(draws.mean()) < 4 * error
    assert abs(draws.var() - 1) < 4 * np.sqrt(2) * error
    assert abs((draws**3).mean()) < 4 * np.sqrt(15) * error
    assert abs((draws**4).mean() - 2.9) < 4 * np.sqrt(96) * error  # Irwin-Hall of twelve: excess kurtosis -0.1
