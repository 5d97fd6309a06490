"""Hypervolume against its definition: boxes counted on a grid, and what any set of points has to satisfy."""

import math
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vcompress.benchmarks.hypervolume import BEYOND, Scale, hypervolume, scale_of, share
from vcompress.benchmarks.pareto import Objective

SIDE = 5


def points(objectives: int) -> st.SearchStrategy[list[tuple[float, ...]]]:
    return st.lists(st.tuples(*[st.integers(0, SIDE).map(float)] * objectives), max_size=8)


def cells(found: list[tuple[float, ...]], objectives: int) -> int:
    """Unit cells of the grid that some point dominates: the volume, since all points lie on the grid."""
    return sum(any(all(x <= c for x, c in zip(point, cell, strict=True)) for point in found) for cell in product(range(SIDE), repeat=objectives))


@pytest.mark.parametrize("objectives", [1, 2, 3, 4])
def test_hypervolume_is_the_dominated_cells_of_a_grid(objectives: int) -> None:
    @given(points(objectives))
    def counted(found: list[tuple[float, ...]]) -> None:
        assert hypervolume(found, (float(SIDE),) * objectives) == pytest.approx(cells(found, objectives))

    counted()


@given(points(3), points(3))
def test_more_points_never_dominate_less_and_their_order_does_not_matter(some: list, others: list) -> None:
    reference = (float(SIDE),) * 3
    both = hypervolume([*some, *others], reference)
    assert both >= hypervolume(some, reference) - 1e-9
    assert both == pytest.approx(hypervolume([*others, *some], reference))


def test_a_scale_runs_from_the_best_to_the_worst_and_costs_count_in_ratios() -> None:
    size = scale_of(Objective("bytes"), [1e6, 2e6, 4e6], log=True)
    assert size == Scale(Objective("bytes"), 1e6, 4e6, True)
    assert [size(value) for value in (1e6, 2e6, 4e6)] == pytest.approx([0, 0.5, 1])
    assert size(size.reference) == pytest.approx(BEYOND)
    pesq = scale_of(Objective("pesq", "max"), [2.0, 3.0], log=False)
    assert pesq is not None and [pesq(value) for value in (3.0, 2.0)] == [0, 1]
    assert scale_of(Objective("bytes"), [1e6, 1e6], log=True) is None
    assert scale_of(Objective("rtf"), [0.0, 1.0], log=True) == Scale(Objective("rtf"), 0.0, 1.0, False)


def test_the_best_of_everything_dominates_the_whole_box() -> None:
    scales = [scale for metric in ("bytes", "rtf") if (scale := scale_of(Objective(metric), [1.0, math.e], log=True))]
    corner = {"bytes": 1.0, "rtf": 1.0}
    assert share([corner], scales) == pytest.approx(1.0)
    assert share([{"bytes": 1.0, "rtf": None}], scales) == 0.0
    worst = share([{"bytes": math.e, "rtf": math.e}], scales)
    assert worst == pytest.approx(((BEYOND - 1) / BEYOND) ** 2)
