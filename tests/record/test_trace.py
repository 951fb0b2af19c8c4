"""Trace and its store: what goes in comes out as it was, readable while written."""

import math
import pathlib
import sqlite3

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from babysit.record import Event, Histogram, Row, RunFolderError, RunVersionError, StorageError, TraceStore, read_trace
from babysit.record._thinning import DENSE


def test_values_come_back_as_they_were_nan_and_infinity_included(tmp_path: pathlib.Path) -> None:
    rows = [Row(step, "train", "", "loss", value) for step, value in enumerate((2.5, math.inf, -math.inf, 1e-320))]
    with TraceStore(tmp_path / "trace.sqlite") as store:
        store.add([*rows, Row(9, "train", "", "loss", math.nan)])
        store.add([Histogram(1, "train", "linear1", "activation", (0.0, 0.5, math.inf), (3, 4))])
        store.add([Event(2, "not-finite", "the loss became inf")])
    trace = read_trace(tmp_path / "trace.sqlite")
    assert list(trace.rows[:4]) == rows
    assert math.isnan(trace.rows[4].value)
    assert trace.histograms == (Histogram(1, "train", "linear1", "activation", (0.0, 0.5, math.inf), (3, 4)),)
    assert trace.events == (Event(2, "not-finite", "the loss became inf"),)


def test_it_is_read_while_it_is_written(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "trace.sqlite"
    with TraceStore(path) as store:
        store.add([Row(0, "train", "", "loss", 1.0)])
        assert read_trace(path).rows == ()
        store.flush()
        assert read_trace(path).series("loss").values == (1.0,)
        store.add([Row(1, "train", "", "loss", 0.5)])
        store.flush()
        assert read_trace(path).series("loss") == ((0, 1), (1.0, 0.5))


def test_a_resumed_training_forgets_what_it_will_measure_again(tmp_path: pathlib.Path) -> None:
    with TraceStore(tmp_path / "trace.sqlite") as store:
        store.add([Row(step, "train", "", "loss", float(step)) for step in range(5)])
        store.add([Event(1, "a", ""), Event(4, "b", "")])
        store.flush()
        store.add([Row(5, "train", "", "loss", 5.0)])
        store.forget_after(2)
        store.flush()
        assert store.read().series("loss").steps == (0, 1, 2)
        assert [event.kind for event in store.read().events] == ["a"]


def test_measuring_a_step_again_replaces_it(tmp_path: pathlib.Path) -> None:
    with TraceStore(tmp_path / "trace.sqlite") as store:
        store.add([Row(0, "train", "", "loss", 1.0)])
        store.flush()
        store.add([Row(0, "train", "", "loss", 2.0)])
        store.flush()
        assert store.read().series("loss").values == (2.0,)


def test_no_file_is_an_empty_trace_and_another_file_is_refused(tmp_path: pathlib.Path) -> None:
    assert read_trace(tmp_path / "none.sqlite").rows == ()
    (tmp_path / "text.sqlite").write_text("not a database, but long enough to be taken for one" * 40)
    with pytest.raises(RunFolderError, match="is damaged"):
        read_trace(tmp_path / "text.sqlite")
    with sqlite3.connect(tmp_path / "newer.sqlite") as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(RunVersionError, match="99"):
        read_trace(tmp_path / "newer.sqlite")


def test_a_refused_flush_keeps_what_waits(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "trace.sqlite"
    store = TraceStore(path)
    store.add([Row(0, "train", "", "loss", 1.0)])
    store.flush()
    pages = store._database.execute("PRAGMA page_count").fetchone()[0]
    store._database.execute(f"PRAGMA max_page_count = {pages}")  # SQLite then refuses as it does on a full disk
    store.add([Row(step, "train", f"layer{step}", "loss", 1.0) for step in range(2000)])
    with pytest.raises(StorageError, match="full"):
        store.flush()
    store._database.execute("PRAGMA max_page_count = 100000")
    store.flush()
    assert len(store.read().rows) == 2001
    store.close()


rows = st.builds(
    Row,
    st.integers(0, DENSE - 1),
    st.sampled_from(["train", "validation"]),
    st.text(max_size=8),
    st.sampled_from(["loss", "lr"]),
    # SQLite keeps no sign of zero; the two are equal.
    st.floats().map(lambda value: value + 0.0),
)


@settings(max_examples=50, deadline=None)
@given(st.lists(rows, max_size=20, unique_by=lambda row: row[:4]))
def test_any_rows_come_back(tmp_path_factory: pytest.TempPathFactory, written: list[Row]) -> None:
    with TraceStore(tmp_path_factory.mktemp("trace") / "trace.sqlite") as store:
        store.add(written)
        store.flush()
        assert sorted(map(repr, store.read().rows)) == sorted(map(repr, written))
