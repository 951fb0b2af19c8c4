"""The catalogue as a whole: every disease is complete, causes form no circle, and its page is up to date."""

import re

import pytest
from docs.write_diseases import COMMAND, PAGE, page

from babysit.diseases import DISEASES, Disease
from babysit.record import Remedy
from babysit.remedies import REMEDIES

# The names that findings may have, in the order of the catalogue: a contract with those who read findings.
NAMES = {
    "data": """
        inputs-not-finite inputs-badly-scaled inputs-not-centred inputs-constant targets-not-finite targets-badly-scaled
        labels-out-of-range labels-imbalanced labels-unrelated batches-not-shuffled split-leaks batch-too-small
        batch-too-large
    """,
    "wiring": """
        double-softmax sigmoid-before-logits-loss softmax-over-one-unit softmax-wrong-axis wrong-output-activation
        wrong-loss loss-broadcasts nonlinearity-missing parameters-not-optimised parameters-frozen gradients-not-cleared
        evaluation-mode-in-training training-mode-in-evaluation gradient-sign-flipped step-missing scheduler-misused
        rows-mixed batch-fails
    """,
    "dependence": """
        kept-state-is-live network-never-updated data-changed-in-place gradients-not-finite loss-impossible
        loss-ignores-outputs
        positions-mixed targets-in-inputs targets-misaligned future-leaks inputs-ignored evaluation-inputs-differ
        evaluation-not-repeatable targets-conflict workers-repeat outputs-identical padding-counts latent-collapsed
        scaler-misused learning-rate-schedule-inert tied-weights-badly-scaled
    """,
    "set-up": """
        weights-symmetric activations-vanish activations-explode gradients-vanish gradients-explode units-saturated
        units-dead initial-loss-off dropout-too-high weight-decay-too-strong batch-norm-statistics-stale
        batch-norm-missing batch-norm-misplaced capacity-too-low
    """,
    "dynamics": """
        learning-rate-too-high learning-rate-too-low diverged not-learning stuck-at-chance oscillating
        cannot-overfit-tiny-batch overfitting underfitting stopped-too-early gradient-noise-high
        gradients-clipped-always
    """,
    "search": """
        best-at-edge most-trials-fail search-too-small
    """,
}
GROUP_OF = {name: group for group, names in NAMES.items() for name in names.split()}
GROUPS = list(NAMES)
SENTENCE_END = re.compile(r"[.!?](?=\s|$)")
each = pytest.mark.parametrize("disease", DISEASES.values(), ids=lambda disease: disease.name)


@each
def test_its_name_is_agreed_on(disease: Disease) -> None:
    assert GROUP_OF[disease.name] == disease.group


@each
def test_it_says_all_there_is_to_say(disease: Disease) -> None:
    for text in (disease.seen_as, disease.threshold, disease.source, disease.why):
        assert text.strip() == text
        assert text.endswith((".", "`")), text
    assert len(SENTENCE_END.findall(disease.why)) == 2, disease.why
    assert "TODO" not in repr(disease)


@each
def test_its_remedies_are_known(disease: Disease) -> None:
    for text in disease.remedies:
        assert Remedy.parse(text).name in REMEDIES
    assert len(set(disease.remedies)) == len(disease.remedies)


@each
def test_what_explains_it_has_a_legal_name(disease: Disease) -> None:
    assert set(disease.explained_by) <= GROUP_OF.keys() - {disease.name}
    assert len(set(disease.explained_by)) == len(disease.explained_by)


def causes_of(name: str) -> set[str]:
    """Everything that may explain a disease, directly or through others."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        disease = DISEASES.get(waiting.pop())
        new = set(disease.explained_by) - found if disease else set()
        found |= new
        waiting += new
    return found


def test_nothing_explains_itself() -> None:
    on_a_circle = {name for name in DISEASES if name in causes_of(name)}
    arrows = {name: [cause for cause in DISEASES[name].explained_by if cause in on_a_circle] for name in on_a_circle}
    written = "; ".join(f"{name} by {', '.join(causes)}" for name, causes in sorted(arrows.items()))
    assert not arrows, f"causes go round in a circle: {written}"


def test_groups_stand_in_order() -> None:
    places = [GROUPS.index(disease.group) for disease in DISEASES.values()]
    assert places == sorted(places)
    assert all(name == disease.name for name, disease in DISEASES.items())


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text() == page(DISEASES.values()), f"the catalogue has changed: run {COMMAND}"


@each
def test_the_page_has_a_section_for_it(disease: Disease) -> None:
    text = page(DISEASES.values())
    assert text.count(f"\n## {disease.name}\n") == 1
    section = text.split(f"\n## {disease.name}\n")[1].split("\n## ")[0]
    for part in (disease.seen_as, disease.threshold, disease.source, disease.why):
        assert part in section
    assert all(f"`{remedy}`" in section for remedy in disease.remedies)
    assert all(f"`{cause}`" in section for cause in disease.explained_by)
    assert disease.page == f"docs/{PAGE.name}#{disease.name}"
