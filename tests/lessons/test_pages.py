"""Every page runs, says what it should, and can be found the way people write its name."""

import json
import math

import pytest

import babysit
from babysit.lessons import explain, page_of, pages
from babysit.lessons._explain import LECTURE
from babysit.nn import activation_names
from babysit.record import PRE_FLIGHT_STEPS, QUANTITIES, InputError
from babysit.remedies import REMEDIES
from babysit.reports import LinesFigure, TableFigure

TECHNIQUES = [
    name for name, page in pages().items() if ":" not in name and page.kind not in ("disease", "quantity", "remedy")
]
FROM_TABLES = [name for name, page in pages().items() if page.kind in ("disease", "quantity", "remedy")]
WITHOUT_CODE = {"overfit-tiny", "loss-curves", "coarse-to-fine", "batch-independence", "wiring"}
OVERVIEWS = {"activations", "initialisation", "preprocessing"}


@pytest.mark.parametrize("name", TECHNIQUES)
def test_a_technique_has_all_there_is_to_say(name: str) -> None:
    lesson = explain(name)
    assert len(" ".join(lesson.words)) > 60
    assert lesson.formula
    assert lesson.when
    assert lesson.wrong
    assert lesson.source
    assert lesson.figures
    assert lesson.code or name in WITHOUT_CODE | OVERVIEWS
    assert len({figure.name for figure in lesson.figures}) == len(lesson.figures)
    for figure in lesson.figures:
        assert figure.title
        assert figure.text.endswith(".")
        if isinstance(figure, LinesFigure):
            assert figure.lines
            assert all(len(line.x) == len(line.y) > 1 for line in figure.lines)
            assert any(math.isfinite(value) for line in figure.lines for value in line.y)
        if isinstance(figure, TableFigure):
            assert all(len(row) == len(figure.columns) for row in figure.rows)


@pytest.mark.parametrize(
    "name", [name for name, page in pages().items() if page.kind in ("disease", "quantity", "remedy")]
)
def test_what_is_made_from_tables_has_words(name: str) -> None:
    lesson = explain(name)
    assert lesson.words[0]
    assert lesson.title


def test_nothing_is_missing_and_nothing_leads_nowhere() -> None:
    known = pages()
    assert set(activation_names()) | set(QUANTITIES) | set(REMEDIES) | set(babysit.diseases.DISEASES) <= set(known)
    assert set(LECTURE) <= set(known)
    for page in known.values():
        assert set(page.see) <= set(known), (page.name, set(page.see) - set(known))


@pytest.mark.parametrize(
    ("written", "name"),
    [("ReLU", "relu"), ("Leaky ReLU", "leaky-relu"), ("batchnorm", "batch-norm"), ("batch norm", "batch-norm"),
     ("kaiming", "he"), ("initial loss", "first-loss"),
     ("short-training", "loss-curves"), ("unit gaussian", "batch-norm"), ("quantity:lr", "lr"), ("remedy:lr", "lr")],
)  # fmt: skip
def test_names_as_people_write_them(written: str, name: str) -> None:
    assert page_of(written).name == name


@pytest.mark.parametrize("step", PRE_FLIGHT_STEPS)
def test_every_step_of_the_check_has_a_page(step: str) -> None:
    assert page_of(step).kind in ("check", "initialisation")


def test_a_name_that_is_two_things_reaches_both() -> None:
    assert page_of("dropout").kind == "normalisation"
    assert page_of("remedy:dropout").kind == "remedy"


def test_an_unknown_name_is_one_clear_error() -> None:
    with pytest.raises(InputError, match="no page about 'rellu'") as caught:
        explain("rellu")
    assert caught.value.write == "babysit explain relu"
    with pytest.raises(InputError) as caught:
        explain("vanishing")
    assert caught.value.write == "babysit explain gradients-vanish"


def test_explain_is_public() -> None:
    assert babysit.explain("sgd").lesson.title == "Stochastic gradient descent"


def test_batch_norm_shows_what_it_claims() -> None:
    scales = next(figure for figure in explain("batch-norm").figures if figure.name == "scales")
    assert isinstance(scales, LinesFigure)
    with_norm, without = scales.lines
    assert min(with_norm.y[:-1]) > 0.4
    assert without.y[0] < 0.3


def test_the_zig_zag_is_one() -> None:
    table = explain("zig-zag").figures[1]
    assert isinstance(table, TableFigure)
    shares = {name: float(share.rstrip("%")) for name, share in table.rows}
    assert shares["inputs all positive"] == 100
    assert shares["inputs centred"] < 80


def test_json_has_the_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    from babysit.cli._app import run

    assert run(["explain", "relu", "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    lesson = content["lessons"][0]
    assert lesson["name"] == "relu"
    assert lesson["figures"][0]["type"] == "LinesFigure"
    assert len(lesson["figures"][0]["lines"]) == 2
