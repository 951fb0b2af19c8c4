"""A trace stays small, keeps its beginning, and is the same whether or not it was interrupted."""

import math
import pathlib
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from babysit.record import Event, Histogram, Row, Trace, TraceStore
from babysit.record._thinning import DENSE, MOST_EVENTS, MOST_NOT_FINITE, ROOM, stride_for, thinned

Item = Row | Histogram | Event


def same(trace: Trace, wanted: list[Item]) -> bool:
    rows = sorted(repr(item) for item in wanted if isinstance(item, Row))
    histograms = sorted(repr(item) for item in wanted if isinstance(item, Histogram))
    events = [item for item in wanted if isinstance(item, Event)]
    return (
        sorted(map(repr, trace.rows)) == rows
        and sorted(map(repr, trace.histograms)) == histograms
        and list(trace.events) == events
    )


@st.composite
def trainings(draw: st.DrawFn) -> list[Item]:
    """Losses at most steps, layers at some, histograms at few, now and then a NaN."""
    made = random.Random(draw(st.integers(0, 10**6)))
    jump = draw(st.sampled_from([1, 7, 60, 900]))
    step, items = 0, list[Item]()
    for _ in range(draw(st.integers(1, 3000))):
        items.append(Row(step, "train", "", "loss", math.nan if made.random() < 0.05 else made.random()))
        if made.random() < 0.3:
            items.append(Row(step, "train", "fc", "update-ratio", made.choice([1e-3, math.inf, 2e-3])))
        if made.random() < 0.05:
            items.append(Histogram(step, "train", "fc", "weight", (0.0, 1.0), (made.randrange(9),)))
        if made.random() < 0.02:
            items.append(Event(step, "unseen", "x"))
        step += made.randint(1, jump)
    return items


@settings(max_examples=25, deadline=None)
@given(items=trainings(), flush_every=st.integers(1, 700))
def test_the_store_keeps_what_the_slow_version_keeps(items: list[Item], flush_every: int) -> None:
    with TraceStore(None) as store:
        for start in range(0, len(items), flush_every):
            store.add(items[start : start + flush_every])
            store.flush()
        assert same(store.read(), thinned(items))


@settings(max_examples=15, deadline=None)
@given(items=trainings(), where=st.floats(0, 1), back=st.floats(0, 1))
def test_killed_and_resumed_it_is_the_same(
    items: list[Item], where: float, back: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("trace") / "trace.sqlite"
    killed = int(where * len(items))
    last = items[killed - 1].step if killed else -1
    resumed = int(back * (last + 1)) - 1
    with TraceStore(path) as store:
        store.add(items[:killed])
    with TraceStore(path) as store:
        store.forget_after(resumed)
        store.add([item for item in items if item.step > resumed])
        store.flush()
        kept = store.read()
    # Events and non-finite points that were counted out before the kill stay out: no more than the bounds.
    finite = [item for item in thinned(items) if isinstance(item, Row) and math.isfinite(item.value)]
    assert [row for row in kept.rows if math.isfinite(row.value)] == sorted(
        finite, key=lambda row: (row.step, row.quantity != "loss")
    )


def test_the_beginning_stays_and_the_rest_is_bounded() -> None:
    with TraceStore(None) as store:
        for start in range(0, 200_000, 10_000):
            store.add(Row(step, "train", "", "loss", 1.0) for step in range(start, start + 10_000))
            store.flush()
        steps = store.read().series("loss").steps
    assert steps[:DENSE] == tuple(range(DENSE))
    assert ROOM.network / 2 <= len(steps) - DENSE <= ROOM.network + 1


@pytest.mark.parametrize("room", ROOM)
def test_a_stride_leaves_no_more_than_its_room(room: int) -> None:
    for last in (0, DENSE, room, room + DENSE, 3 * room, 10**6, 10**9):
        stride = stride_for(last, room)
        assert stride & (stride - 1) == 0
        assert (last - DENSE) // stride <= room


def test_what_is_not_finite_is_kept_up_to_a_bound() -> None:
    with TraceStore(None) as store:
        store.add(Row(step, "train", "", "loss", math.nan) for step in range(50_000, 51_000))
        store.add(Event(step, "unseen", "") for step in range(3 * MOST_EVENTS))
        store.flush()
        trace = store.read()
    assert len(trace.rows) == MOST_NOT_FINITE
    assert len(trace.events) == MOST_EVENTS


@pytest.mark.slow
def test_a_day_fits_in_fifty_megabytes(tmp_path: pathlib.Path) -> None:
    """Ten million steps, one in fifty measured: twenty layers of fifteen quantities, and the loss at each step."""
    path = tmp_path / "trace.sqlite"
    made = random.Random(0)
    with TraceStore(path) as store:
        # What thinning drops at once costs time and leaves nothing: later steps are drawn more sparsely here.
        step = 0
        while step < 10_000_000:
            items = [Row(step, "train", "", "loss", made.random()), Row(step, "train", "", "lr", made.random())]
            if step % 50 == 0 or step > 10_000:
                items += [
                    Row(step, "train", f"block{layer}.fc", f"quantity-{number}", made.random())
                    for layer in range(20)
                    for number in range(15)
                ]
            store.add(items)
            if made.random() < 0.02:
                store.flush()
            step += 1 if step < 5000 else max(50, step // 400)
    assert path.stat().st_size < 50e6
