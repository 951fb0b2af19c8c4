"""What the probes saw, as numbers, as figures and in pages."""

import base64
import json
import math
import pathlib
import zlib

import pytest

from babysit.adapters import read_log
from babysit.record import WEIGHTED, Finding, Run, RunFolderError, Trace
from babysit.reports import render_page, render_trace_page, training_answer
from babysit.reports._evidence import evidence_sentence
from babysit.reports._figures import loss_curves, score_curves
from babysit.reports._inside import depth_profile, histogram_map, layer_curves, some_layers
from babysit.reports._pictures import evidence_pictures, inside_pictures
from tests.reports.inside import FINDINGS, LAYERS, seen_inside
from tests.reports.runs import classes


def test_curves_of_layers_leave_biases_and_pseudo_layers_out() -> None:
    found = layer_curves(seen_inside(), "update-ratio", weights_only=True)
    assert [curve.name for curve in found.curves] == ["fc0", "fc1", "fc2", "fc3"]
    assert found.curves[2].values == (3e-3,) * 3


def test_depth_is_in_the_order_of_the_pass() -> None:
    found = depth_profile(seen_inside(), "activation-std", WEIGHTED)
    assert found is not None
    assert found.layers == ("fc0", "fc1", "fc2", "fc3")
    assert found.first == (1.0, 0.5, 0.25, 0.125)
    assert found.steps == (0, 50)
    assert depth_profile(Trace(), "activation-std", WEIGHTED) is None


def test_histograms_share_one_range_and_keep_their_mass() -> None:
    found = histogram_map(seen_inside(), "activation")
    assert found is not None
    assert found.steps == (0, 1, 50)
    row = found.shares[0][0]
    negative = sum(share for centre, share in zip(found.centres, row, strict=True) if centre < 0)
    assert negative == pytest.approx(0.75 * sum(row), rel=1e-6)
    assert sum(row) <= 1 + 1e-9
    assert histogram_map(Trace(), "activation") is None


def test_of_many_layers_some_are_drawn() -> None:
    assert len(some_layers([str(number) for number in range(500)])) == 24
    assert some_layers(["a"]) == ("a",)


def test_every_picture_says_how_to_read_it() -> None:
    pictures = inside_pictures(seen_inside())
    assert [picture.name for picture in pictures] == [
        "inside-activation",
        "inside-activation-std",
        "inside-activation-gradient-std",
        "inside-update-ratio",
        "inside-never-active-share",
        "inside-gradient-sign-share",
    ]
    assert all(len(picture.caption) > 40 for picture in pictures)
    assert inside_pictures(Trace()) == []


def test_findings_are_drawn_where_a_series_shows_them() -> None:
    assert list(evidence_pictures(seen_inside(), FINDINGS)) == ["activations-vanish", "stuck-at-chance"]


def test_the_page_of_a_seen_inside() -> None:
    page = render_trace_page(seen_inside(), FINDINGS)
    assert "first of all activations-vanish" in page
    assert "follows from <strong>activations-vanish</strong>" in page
    assert "A &lt;b&gt;bad&lt;/b&gt; name." in page
    assert "initialise=he" in page
    packed = page.split('id="figures-packed">')[1].split("<")[0]
    figures = json.loads(zlib.decompress(base64.b64decode(packed)))
    assert {"finding-activations-vanish", "inside-activation", "training-loss"} <= set(figures)
    assert "Nothing was found" in render_trace_page(Trace(), [])


def test_the_page_of_a_run_has_its_findings(tmp_path: pathlib.Path) -> None:
    run = classes(tmp_path / "run")
    assert 'id="findings"' not in render_page(run)  # nobody looked inside
    with run.writing(), run.trace_store() as store:
        store.describe(LAYERS)
        store.add(seen_inside().rows)
        run.write_findings(FINDINGS)
    page = render_page(run)
    assert "activations-vanish" in page
    assert "inside-update-ratio" in page
    assert Run(run.path).findings == FINDINGS
    assert [found.name for found in training_answer(run).findings] == [found.name for found in FINDINGS]
    (run.path / "findings.json").write_text("{")
    with pytest.raises(RunFolderError, match="damaged"):
        _ = Run(run.path).findings


def test_evidence_in_a_line() -> None:
    evidence = {"share": 0.123456, "layers": ["a", "b"], "ok": True, "x": math.nan}
    assert evidence_sentence(Finding("a-new-one", "sick", evidence=evidence)) == (
        "share 0.1235, layers a, b, ok True, x nan"
    )


def log_of(folder: pathlib.Path, scores: str) -> Trace:
    lines = [f"epoch {epoch} loss {0.9 - 0.05 * epoch:.3f} {scores.format(0.5 + 0.03 * epoch)}" for epoch in range(10)]
    (folder / "out.txt").write_text("\n".join(lines))
    return read_log(folder / "out.txt")


def test_the_page_of_a_log_counts_as_the_log_does_and_says_that_it_was_read(tmp_path: pathlib.Path) -> None:
    trace = log_of(tmp_path, "val_acc {:.3f}")
    losses, (name, scores) = loss_curves(trace), score_curves(trace)
    assert [curve.name for curve in losses.curves] == ["train"]
    assert (losses.over, scores.over, name) == ("epoch", "epoch", "accuracy")
    assert [curve.name for curve in scores.curves] == ["validation"]
    page = render_trace_page(trace, ())
    assert "read the log of this training" in page
    assert "trained it for a short while" not in page


def test_of_several_scores_that_is_drawn_which_both_phases_have(tmp_path: pathlib.Path) -> None:
    trace = log_of(tmp_path, "balanced_accuracy {0:.3f} val_balanced_accuracy {0:.3f} val_acc {0:.3f}")
    name, scores = score_curves(trace)
    assert (name, len(scores.curves)) == ("balanced accuracy", 2)
