"""Validation rows that are preprocessed once give the numbers of rows that are cut each time."""

import dataclasses

import pytest
import torch

from babysit.training import assemble, examples_of, loss_of
from babysit.training._batches import Examples
from babysit.training._phase import measure_phase
from tests.training.cohort_cases import CPU, data, trial


@pytest.mark.parametrize("kind", ["table", "number", "images"])
def test_kept_rows_are_the_rows(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    prepared, recipe = data(kind), trial(kind, 0).recipe
    model, _ = assemble(recipe, prepared)
    examples = examples_of(model, prepared, recipe, CPU)
    assert examples.held_out is not None
    assert torch.equal(examples.held_out, examples.cut(examples.validation)[0])
    loss = loss_of(prepared, recipe, CPU)
    kept = measure_phase(model.network, loss, examples, examples.validation)
    # The same numbers of rows as another tensor: nothing that was kept is taken.
    assert measure_phase(model.network, loss, examples, examples.validation.clone()) == kept
    monkeypatch.setattr("babysit.training._batches.KEPT_BYTES", 1)
    large = dataclasses.replace(examples)
    assert large.held_out is None
    assert measure_phase(model.network, loss, large, large.validation) == kept


def test_no_validation_rows_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    prepared, recipe = data("table"), trial("table", 0).recipe
    model, _ = assemble(recipe, prepared)
    examples = examples_of(model, prepared, recipe, CPU)
    without: Examples = dataclasses.replace(examples, validation=examples.validation[:0])
    assert without.held_out is None
