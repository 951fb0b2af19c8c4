"""Evidence in sentences: what was measured, against which limit, under the names that the rules give it."""

import math
import pathlib
import re

import babysit.diseases
from babysit.diseases import DISEASES
from babysit.record import Finding
from babysit.reports import finding_line
from babysit.reports._evidence import evidence_sentence, sentences

RULES = pathlib.Path(babysit.diseases.__file__).parent
# Names that are made of the score's own name, and what is taken from the finding itself.
MADE = {"where", "score", "score in training", "score of a constant answer"}


def test_each_disease_has_a_sentence_or_tells_what_it_saw_in_its_own_words() -> None:
    assert sentences().keys() <= DISEASES.keys()
    others = [DISEASES[name] for name in DISEASES.keys() - sentences().keys()]
    assert [one.name for one in others if not any(read.startswith("event:") for read in one.reads)] == []


def test_sentences_ask_for_names_that_the_rules_write() -> None:
    text = "\n".join(file.read_text() for file in RULES.parent.rglob("*.py"))
    asked = {
        name for some in sentences().values() for sentence in some for name in re.findall(r"\{([^{}]+?)%?\}", sentence)
    } - MADE
    # A name may be put together: f"training {score}".
    missing = {name for name in asked if name not in text and re.sub(r"(accuracy|r2|R2)", "{score}", name) not in text}
    assert missing == set()


def test_numbers_stand_beside_their_limit() -> None:
    evidence = {"share of units never active": 0.95, "threshold": 0.65, "such layers": 1, "of layers": 3}
    assert evidence_sentence(Finding("units-dead", "sick", "act2", evidence)) == (
        "95 % of the units of act2 are never active; the limit at this depth is 65 %; 1 of 3 layers are so"
    )
    score = {"accuracy in training": 0.1, "accuracy of a constant answer": 0.1, "steps": 84}
    assert evidence_sentence(Finding("not-learning", "sick", "training", score)) == (
        "in training the accuracy is 0.1, and a constant answer has 0.1; after 84 steps"
    )


def test_what_has_no_sentence_is_listed_with_its_limit() -> None:
    evidence = {"a": 1, "b": math.nan, "c": 3, "d": 4, "e": 5, "threshold": 9, "tried": "lr=0.1"}
    assert evidence_sentence(Finding("units-dead", "sick", "", evidence)) == "a 1, b nan, c 3, d 4; the limit is 9"
    seen = {"step": 7, "seen": "the targets are a copy of the inputs", "threshold": "seen once"}
    assert evidence_sentence(Finding("targets-in-inputs", "sick", "", seen)) == seen["seen"]


def test_a_line_begins_with_file_and_line_where_they_are_known() -> None:
    finding = Finding("units-dead", "warning", "act2", {"share": 0.5}, file="train.py", line=12)
    assert finding_line(finding).plain == "train.py:12: warning: units-dead, act2: share 0.5"
    assert finding_line(Finding("units-dead", "note", "model.py:3", {"share": 0.5})).plain.startswith(
        "model.py:3: note"
    )
