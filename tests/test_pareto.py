"""Dominance as properties: what any order of points has to satisfy, whatever the objectives, ties and gaps."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vcompress.benchmarks.pareto import Objective, dominates, front
from vcompress.errors import VcompressError

METRICS = ("bytes", "rtf", "pesq")
# Few different values, so that ties are common.
VALUES = st.one_of(st.none(), st.sampled_from([-1.0, 0.0, 0.5, 2.0, math.inf, math.nan]), st.floats(allow_nan=False))
POINTS = st.fixed_dictionaries({metric: VALUES for metric in METRICS})
OBJECTIVES = st.lists(st.builds(Objective, st.sampled_from(METRICS), st.sampled_from(["min", "max"])), min_size=1, max_size=3)


def complete(point, objectives):
    return all(objective.cost(point) is not None for objective in objectives)


@given(POINTS, OBJECTIVES)
def test_dominates_is_irreflexive(point, objectives):
    assert not dominates(point, dict(point), objectives)


@given(POINTS, POINTS, OBJECTIVES)
def test_dominates_is_antisymmetric(a, b, objectives):
    assert not (dominates(a, b, objectives) and dominates(b, a, objectives))


@given(POINTS, POINTS, POINTS, OBJECTIVES)
def test_dominates_is_transitive(a, b, c, objectives):
    if dominates(a, b, objectives) and dominates(b, c, objectives):
        assert dominates(a, c, objectives)


@given(st.lists(POINTS, max_size=12), OBJECTIVES)
def test_front_points_do_not_dominate_each_other_and_dominate_the_rest(points, objectives):
    inside = front(points, objectives)
    kept = [point for point, keep in zip(points, inside, strict=True) if keep]
    assert not any(dominates(a, b, objectives) for a in kept for b in kept)
    for point, keep in zip(points, inside, strict=True):
        if not keep and complete(point, objectives):
            assert any(dominates(other, point, objectives) for other in kept)


@given(st.lists(POINTS, max_size=12), OBJECTIVES)
def test_a_point_with_a_missing_value_is_in_no_front_and_dominates_nobody(points, objectives):
    inside = front(points, objectives)
    for point, keep in zip(points, inside, strict=True):
        if not complete(point, objectives):
            assert not keep
            assert not any(dominates(point, other, objectives) or dominates(other, point, objectives) for other in points)


@given(st.lists(st.tuples(POINTS, st.sampled_from("xy")), max_size=10), OBJECTIVES, st.randoms(use_true_random=False))
def test_front_is_the_same_in_any_order(labelled, objectives, random):
    order = list(range(len(labelled)))
    random.shuffle(order)
    inside = front([point for point, _ in labelled], objectives, [label for _, label in labelled])
    shuffled = front([labelled[i][0] for i in order], objectives, [labelled[i][1] for i in order])
    assert shuffled == [inside[i] for i in order]


@given(st.lists(POINTS, max_size=10), OBJECTIVES)
def test_flipping_a_sense_is_negating_its_values(points, objectives):
    metric = objectives[0].metric
    flipped = [Objective(o.metric, {"min": "max", "max": "min"}[o.sense]) if o.metric == metric else o for o in objectives]
    negated = [{**point, metric: None if point[metric] is None else -point[metric]} for point in points]
    assert front(points, objectives) == front(negated, flipped)


@given(st.lists(st.tuples(POINTS, st.sampled_from("xy")), max_size=10), OBJECTIVES)
def test_groups_are_fronts_of_their_own(labelled, objectives):
    inside = front([point for point, _ in labelled], objectives, [label for _, label in labelled])
    for group in "xy":
        alone = front([point for point, label in labelled if label == group], objectives)
        assert alone == [keep for keep, (_, label) in zip(inside, labelled, strict=True) if label == group]


def test_equal_points_both_stay():
    point = {"bytes": 3.0, "pesq": 2.0}
    assert front([point, dict(point), {"bytes": 4.0, "pesq": 2.0}], [Objective("bytes"), Objective("pesq", "max")]) == [True, True, False]


def test_mistakes_are_said_in_a_sentence():
    with pytest.raises(VcompressError, match="at least one objective"):
        front([{"bytes": 1.0}], [])
    with pytest.raises(VcompressError, match="'min' or 'max'"):
        Objective("bytes", "less")
