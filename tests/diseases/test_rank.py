"""From findings to an order: causes first, one finding a disease, silence by name."""

import dataclasses
import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import babysit.diseases._diagnose as rank
from babysit.diseases import DISEASES, Disease, check_names, diagnose
from babysit.diseases._diagnose import ranked
from babysit.record import INPUTS, Finding, InputError, Row, Severity, Trace
from tests.diseases.traces_dynamics import LAYERS, noisy, series, training

SEVERITIES: tuple[Severity, ...] = ("sick", "warning", "note")


def disease(name: str, *causes: str, findings: tuple[Finding, ...] = ()) -> Disease:
    return Disease(
        name=name, group="data", severity="sick", seen_as="", threshold="", source="", why="", remedies=(),
        explained_by=causes, reads=(), find=lambda trace: list(findings),
    )  # fmt: skip


def catalogue(*diseases: Disease) -> dict[str, Disease]:
    return {each.name: each for each in diseases}


CHAIN = catalogue(
    disease("alone"), disease("cause"), disease("middle", "cause"), disease("end", "middle"), disease("other")
)


def order(found: dict[str, Severity], diseases: dict[str, Disease], ignore: tuple[str, ...] = ()) -> list[str]:
    """The names in order, each followed by what explains it."""
    findings = {name: Finding(name, severity, evidence={"number": 1}) for name, severity in found.items()}
    result = ranked(findings, diseases, ignore=ignore)
    return [f"{finding.name}<{finding.explained_by}" if finding.explained_by else finding.name for finding in result]


def test_one_cause_first_and_all_it_explains_under_it() -> None:
    all_sick: dict[str, Severity] = dict.fromkeys(("end", "other", "middle", "cause"), "sick")
    assert order(all_sick, CHAIN) == ["cause", "middle<cause", "end<cause", "other"]


def test_what_was_not_found_explains_nothing() -> None:
    assert order({"end": "sick", "other": "sick"}, CHAIN) == ["end", "other"]
    assert order({"end": "sick", "cause": "sick"}, CHAIN) == ["cause", "end"], "the link between them is missing"


def test_roots_are_ordered_by_severity_then_as_the_catalogue_is() -> None:
    assert order({"alone": "note", "cause": "warning", "other": "sick"}, CHAIN) == ["other", "cause", "alone"]
    assert order({"alone": "sick", "other": "sick"}, CHAIN) == ["alone", "other"]
    assert order({"alone": "warning", "cause": "sick", "middle": "note"}, CHAIN) == ["cause", "middle<cause", "alone"]


def test_what_alone_makes_learning_impossible_stands_before_scale_and_rate() -> None:
    diseases = catalogue(disease("scale"), dataclasses.replace(disease("structure"), alone=True), disease("rate"))
    assert order({"scale": "sick", "structure": "sick", "rate": "sick"}, diseases) == ["structure", "scale", "rate"]
    assert order({"scale": "sick", "structure": "warning"}, diseases) == ["scale", "structure"]
    findings = {name: Finding(name, "sick", evidence={"number": 1}) for name in ("scale", "structure")}
    first, second = ranked(findings, diseases)
    assert "scale" in str(first.evidence["stands first because"])
    assert "stands first because" not in second.evidence
    assert "stands first because" not in ranked({"structure": findings["structure"]}, diseases)[0].evidence


def test_what_is_milder_explains_nothing_worse() -> None:
    assert order({"cause": "note", "middle": "sick"}, CHAIN) == ["middle", "cause"]
    assert order({"cause": "warning", "middle": "sick"}, CHAIN) == ["middle", "cause"]
    assert order({"cause": "warning", "middle": "warning"}, CHAIN) == ["cause", "middle<cause"]
    assert order({"cause": "sick", "middle": "note", "end": "sick"}, CHAIN) == ["cause", "middle<cause", "end"]


def test_an_outcome_is_explained_by_warnings_too() -> None:
    diseases = catalogue(
        disease("mild"), disease("cause"), disease("sure"), disease("diverged", "mild", "cause", "sure")
    )
    assert order({"mild": "warning", "cause": "warning", "diverged": "sick"}, diseases) == [
        "mild", "cause", "diverged<mild",
    ]  # fmt: skip
    assert order({"cause": "warning", "sure": "sick", "diverged": "sick"}, diseases) == [
        "sure", "cause", "diverged<sure",
    ]  # fmt: skip
    assert order({"cause": "note", "diverged": "sick"}, diseases) == ["diverged", "cause"]
    diseases = catalogue(disease("loud"), disease("cause"), disease("diverged", "cause"))
    found: dict[str, Severity] = {"loud": "warning", "cause": "warning", "diverged": "sick"}
    assert order(found, diseases) == ["cause", "diverged<cause", "loud"]


def test_a_silenced_finding_passes_on_what_explains_it() -> None:
    found: dict[str, Severity] = {"cause": "sick", "middle": "sick", "end": "sick"}
    assert order(found, CHAIN, ("middle",)) == ["cause", "end<cause"]
    assert order(found, CHAIN, ("cause",)) == ["middle", "end<middle"]
    assert order(found, CHAIN, ("cause", "middle", "end")) == []


def test_with_two_causes_it_comes_after_both_and_names_the_likelier() -> None:
    diseases = catalogue(disease("first"), disease("second"), disease("both", "first", "second"))
    found: dict[str, Severity] = {"first": "warning", "second": "sick", "both": "warning"}
    assert order(found, diseases) == ["second", "first", "both<second"]
    assert order({**found, "both": "sick"}, diseases) == ["second", "both<second", "first"]


@settings(max_examples=200, deadline=None)
@given(
    edges=st.sets(st.tuples(st.integers(0, 7), st.integers(0, 7)).filter(lambda pair: pair[0] < pair[1])),
    severities=st.lists(st.sampled_from([*SEVERITIES, None]), min_size=8, max_size=8),
    places=st.permutations(range(8)),
)
def test_causes_come_before_what_they_explain(
    edges: set[tuple[int, int]], severities: list[Severity | None], places: list[int]
) -> None:
    causes = {number: [f"d{cause}" for cause, effect in edges if effect == number] for number in range(8)}
    diseases = catalogue(*(disease(f"d{number}", *causes[number]) for number in places))
    found = {
        f"d{number}": Finding(f"d{number}", severity)
        for number, severity in enumerate(severities)
        if severity is not None
    }
    result = ranked(found, diseases)
    assert sorted(finding.name for finding in result) == sorted(found)
    seen = {finding.name: place for place, finding in enumerate(result)}
    for finding in result:
        if finding.explained_by:
            assert seen[finding.explained_by] < seen[finding.name]
            assert not result[seen[finding.explained_by]].explained_by, "what explains is a root"
        for cause in diseases[finding.name].explained_by:
            if cause in seen and SEVERITIES.index(found[cause].severity) <= SEVERITIES.index(finding.severity):
                assert seen[cause] < seen[finding.name]
                assert finding.explained_by
    roots = [SEVERITIES.index(finding.severity) for finding in result if not finding.explained_by]
    assert roots == sorted(roots)


# Many layers, one finding


def test_findings_of_many_layers_become_the_worst_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    findings = tuple(
        Finding("wide", "sick" if layer == 3 else "warning", where=f"fc{layer}", evidence={"share": layer})
        for layer in range(12)
    )
    monkeypatch.setattr(rank, "DISEASES", catalogue(disease("wide", findings=findings), disease("none")))
    (finding,) = diagnose(Trace())
    assert (finding.where, finding.severity, finding.evidence["share"]) == ("fc3", "sick", 3)
    assert finding.evidence["layers"] == [f"fc{layer}" for layer in range(8)]
    assert finding.evidence["more findings"] == 11


def test_a_single_finding_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    one = Finding("one", "note", where="fc1", evidence={"share": 1})
    monkeypatch.setattr(rank, "DISEASES", catalogue(disease("one", findings=(one,))))
    assert diagnose(Trace()) == [one]


# The real catalogue


def exploding(*rows: Row) -> Trace:
    return training([2.3, 1e4, 1e9, math.inf, math.nan], lr=1.0, ratios=5.0, rows=rows)


def test_inputs_of_size_1e4_explain_all_that_follows() -> None:
    rows = (
        Row(0, "train", INPUTS, "feature-std-high", 1e4), Row(0, "train", INPUTS, "value-std", 1e4),
        Row(0, "train", INPUTS, "value-mean", 0.0), Row(0, "train", INPUTS, "value-min", -3e4),
        Row(0, "train", INPUTS, "value-max", 3e4), Row(0, "train", INPUTS, "rows-seen", 64),
    )  # fmt: skip
    cause, *consequences = diagnose(exploding(*rows))[:3]
    assert (cause.name, cause.explained_by) == ("inputs-badly-scaled", "")
    assert [finding.name for finding in consequences] == ["learning-rate-too-high", "diverged"]
    assert all(finding.explained_by == "inputs-badly-scaled" for finding in consequences)
    assert [finding.name for finding in diagnose(exploding())] == ["learning-rate-too-high", "diverged"]


def test_silence_by_name() -> None:
    assert [finding.name for finding in diagnose(exploding(), ignore=["diverged"])] == ["learning-rate-too-high"]
    (finding,) = diagnose(exploding(), ignore=("learning-rate-too-high",))
    assert (finding.name, finding.explained_by) == ("diverged", "")


@pytest.mark.parametrize(
    ("given_name", "nearest"),
    [("learning-rate-to-high", "learning-rate-too-high"), ("Diverged", "diverged"), ("overfit", "overfitting")],
)
def test_an_unknown_name_is_answered_with_the_nearest(given_name: str, nearest: str) -> None:
    with pytest.raises(InputError) as error:
        diagnose(Trace(), ignore=[given_name])
    assert given_name in error.value.given
    assert error.value.write == f"'{nearest}'"


@pytest.mark.parametrize("name", ["", "xyzzy", "?"])
def test_even_nonsense_is_answered(name: str) -> None:
    with pytest.raises(InputError) as error:
        check_names([name])
    assert (error.value.write or "").strip("'") in DISEASES


def test_a_text_is_no_list_of_names() -> None:
    with pytest.raises(InputError, match="diverged"):
        diagnose(Trace(), ignore="diverged")


def test_nothing_in_nothing() -> None:
    assert diagnose(Trace()) == []
    assert diagnose(Trace(layers=LAYERS, facts={"loss": "cross-entropy"})) == []


@settings(max_examples=15, deadline=None)
@given(order=st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(order: random.Random) -> None:
    trace = training([*noisy(lambda _: 2.31, 200), math.nan], ratios=0.3, rows=series("clip-factor", [0.01] * 30))
    rows = list(trace.rows)
    order.shuffle(rows)
    assert diagnose(Trace(tuple(rows), layers=trace.layers, facts=trace.facts)) == diagnose(trace)
