"""The pre-flight on sound and on sick trainings: verdicts, causes first, everything as it was afterwards."""

import copy
import functools
import json
import random
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import babysit
from babysit.api import Checked
from babysit.record import PRE_FLIGHT_STEPS, CheckStepBegan, InputError, ProgressEvent, SickError
from babysit.rehearsal import Examination, LiveObjects, check_initial_loss, check_overfit_tiny, check_regularisation
from tests.rehearsal.subjects import ADAMW, CROSS_ENTROPY, SICK, SOUND, Given, diabetes, digits, given, loader_of, mlp


def check(one: Given, **options: object) -> Checked:
    # Time enough, so that steps alone end everything, on a busy machine, too.
    options.setdefault("seconds", 600)
    return babysit.check(one.network, one.loss, one.loader, one.optimizer, **options)  # type: ignore[arg-type]


# The gate has minutes: it takes one of each make, the others take their turn with the slow tests.
IN_THE_GATE = {
    "mlp, adam",
    "cnn",
    "regression",
    "rows-mixed",
    "double-softmax",
    "loss-broadcasts",
    "learning-rate-too-high",
}


def now_or_slowly(names: Iterable[str]) -> list[Any]:
    return [name if name in IN_THE_GATE else pytest.param(name, marks=pytest.mark.slow) for name in names]


@pytest.mark.parametrize("name", now_or_slowly(SOUND))
def test_a_sound_training_passes(name: str) -> None:
    torch.manual_seed(0)
    report = check(SOUND[name]())
    assert report.ok, str(report)
    assert not [finding for finding in report.findings if finding.severity != "note"], str(report)
    verdicts = {step.name: step.verdict for step in report.pre_flight.steps}
    # A rate beside the good ones is told, and nothing is wrong with it.
    assert verdicts.pop("rate-range") in ("pass", "warn")
    assert set(verdicts.values()) <= {"pass", "skip"}, str(report)


def test_a_rate_far_below_the_good_ones_is_worth_a_warning() -> None:
    torch.manual_seed(0)
    report = check(given(mlp(), lr=0.01, kind=torch.optim.SGD))
    assert report.verdict == "not judged", str(report)  # a loss of 2.26 after 200 steps is not evidence that it learns
    assert "not seen to learn" in report.reasons[0]
    assert [finding.name for finding in report.findings if finding.severity == "warning"] == ["learning-rate-too-low"]
    assert report.steps["overfit-tiny"].verdict == "pass"
    assert "times the learning rate" in report.steps["overfit-tiny"].measured


@functools.cache
def report_of(name: str) -> Checked:
    """The whole check of one of the sick."""
    torch.manual_seed(0)
    return check(SICK[name][0]())


@pytest.mark.parametrize("name", now_or_slowly(SICK))
def test_a_fault_is_found_first_and_its_step_does_not_pass(name: str) -> None:
    step = SICK[name][1]
    report = report_of(name)
    assert report.findings[0].name == name, str(report)
    assert report.steps[step].verdict in ("warn", "fail")
    assert (report.verdict == "sick") == any(finding.severity == "sick" for finding in report.findings)
    assert report.reasons


@pytest.mark.parametrize("name", ["mlp, batch norm, dropout, decay", "lstm"])
def test_everything_is_as_it_was(name: str) -> None:
    one = SOUND[name]()
    assert isinstance(one.optimizer, torch.optim.Optimizer)
    for inputs, labels in one.loader:  # in the midst of a training
        one.optimizer.zero_grad()
        one.loss(one.network(inputs), labels).backward()
        one.optimizer.step()
    one.network[3].eval() if isinstance(one.network, nn.Sequential) else one.network.eval()
    weights = copy.deepcopy(one.network.state_dict())
    state = copy.deepcopy(one.optimizer.state_dict())
    modes = [module.training for module in one.network.modules()]
    gradients = [parameter.grad.clone() for parameter in one.network.parameters() if parameter.grad is not None]
    streams = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()  # type: ignore[index]  # noqa: NPY002
    check(one, seconds=10, steps=40)  # every step of it, none of them long
    assert all(torch.equal(value, weights[key]) for key, value in one.network.state_dict().items())
    assert str(state) == str(one.optimizer.state_dict())
    assert modes == [module.training for module in one.network.modules()]
    after = [parameter.grad for parameter in one.network.parameters()]
    assert all(torch.equal(a, b) for a, b in zip(gradients, after, strict=True) if b is not None)
    assert not [hook for module in one.network.modules() for hook in (*module._forward_hooks, *module._backward_hooks)]
    now = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()  # type: ignore[index]  # noqa: NPY002
    assert streams[:2] == now[:2]
    assert torch.equal(streams[2], now[2])


def test_same_seed_same_report() -> None:
    torch.manual_seed(0)
    one = SOUND["mlp, adam"]()
    first, second = (check(one, only=["data", "initial-loss", "short-training"]).to_dict() for _ in range(2))
    for report in (first, second):
        del report["seconds"]
        for step in report["steps"]:
            del step["seconds"]
    assert first == second


def test_report_is_json_with_the_agreed_words(capsys: pytest.CaptureFixture[str]) -> None:
    report = report_of("double-softmax")
    content = json.loads(report.to_json())
    assert content["schema"] == 1
    assert content["findings"][0]["name"] == "double-softmax"
    assert {"name", "severity", "where", "evidence", "why", "remedies"} <= content["findings"][0].keys()
    assert [step["name"] for step in content["steps"]] == list(PRE_FLIGHT_STEPS)
    print(report)
    told = capsys.readouterr().out
    assert "sick, first of all double-softmax" in told
    html = report._repr_html_()
    assert html.startswith("<pre")
    assert "double-softmax" in html


def test_raise_if_sick() -> None:
    check(SOUND["mlp, adam"](), only=["wiring"]).raise_if_sick()
    with pytest.raises(SickError, match="double-softmax"):
        check(SICK["double-softmax"][0](), only=["wiring"]).raise_if_sick()


def test_only_and_skip_and_ignore() -> None:
    one = SOUND["mlp, adam"]()
    assert list(check(one, only=["init", "data"]).steps) == ["data", "init"]
    assert "rate-range" not in check(one, skip=["rate-range", "overfit-tiny"]).steps
    assert not check(one, only=["data"], ignore=["inputs-constant"]).findings
    with pytest.raises(InputError, match="no step 'innit'") as caught:
        check(one, only=["innit"])
    assert caught.value.write == "'init'"
    with pytest.raises(InputError, match="no step is left"):
        check(one, only=["data"], skip=["data"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((3,), "an object of type int"),
        ((3, CROSS_ENTROPY), "a int is not a network"),
        ((mlp(),), "a loader of training batches is missing"),
        ((mlp(), CROSS_ENTROPY, [(torch.zeros(2, 64), torch.zeros(2).long())]), "an optimizer is missing"),
        ((mlp(), CROSS_ENTROPY, iter([]), torch.optim.Adam), "gone through only once"),
        ((mlp(), CROSS_ENTROPY, [], torch.optim.Adam), "gives no batches"),
        ((mlp(), 3, [], torch.optim.Adam), "is not a loss"),
        ((mlp(), CROSS_ENTROPY, [(torch.zeros(2, 64), torch.zeros(2).long())], 3), "is not an optimizer"),
    ],
)
def test_bad_input_is_one_clear_error(arguments: tuple[object, ...], words: str) -> None:
    with pytest.raises(InputError, match=words):
        babysit.check(*arguments)  # type: ignore[arg-type]


def test_interrupted_it_keeps_what_was_done() -> None:
    def impatient(event: ProgressEvent, /) -> None:
        if event == CheckStepBegan("overfit-tiny"):
            raise KeyboardInterrupt

    report = check(SOUND["mlp, adam"](), progress=impatient)
    assert report.pre_flight.interrupted
    assert report.steps["data"].verdict == "pass"
    assert report.steps["overfit-tiny"].verdict == "skip"
    assert "interrupted" in str(report)


def examination(one: Given) -> Examination:
    return Examination(LiveObjects(one.network, one.loss, one.loader, one.optimizer), steps=20)


@pytest.mark.parametrize(
    ("kind", "options", "ratio"),
    [(torch.optim.SGD, {}, 1.0), (torch.optim.SGD, {"momentum": 0.9}, 1.0), (torch.optim.AdamW, {}, 1.0)],
)
def test_decay_takes_what_half_lambda_w_squared_makes_of_it(
    kind: type[torch.optim.Optimizer], options: dict[str, float], ratio: float
) -> None:
    step = check_regularisation(examination(given(mlp(), lr=0.01, kind=kind, weight_decay=1e-4, **options)))
    assert step.numbers["decay of the first step over what it should be"] == pytest.approx(ratio, rel=0.01)


def test_adam_hides_its_decay_in_the_gradient() -> None:
    step = check_regularisation(examination(given(mlp(), lr=0.01, weight_decay=1e-4)))
    assert step.numbers["decay of the first step over what it should be"] != pytest.approx(1.0, rel=0.1)
    assert "AdamW" in step.why


def test_decay_beside_the_gradient_is_judged_by_its_pull() -> None:
    """AdamW at .05 is how transformers are trained, however much half lambda w squared would be."""
    for decay, found in ((0.05, []), (50.0, ["weight-decay-too-strong"])):
        network = mlp()
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.mul_(4)
        one = Given(network, CROSS_ENTROPY, loader_of(*digits()), ADAMW(network.parameters(), weight_decay=decay))
        step = check_regularisation(examination(one))
        assert step.numbers["penalty"] > step.numbers["loss"]
        assert [finding.name for finding in step.findings] == found


def test_a_network_without_room_is_asked_for_fewer_rows() -> None:
    inputs, targets = diabetes()
    network = nn.Linear(10, 1)
    one = Given(network, nn.MSELoss(), loader_of(inputs, targets), torch.optim.Adam(network.parameters(), lr=0.05))
    step = check_overfit_tiny(examination(one))
    assert step.verdict == "pass"
    assert step.numbers["examples"] == 5
    assert "cannot store more" in step.measured


def test_a_rate_that_takes_its_time_is_not_laid_on_dropout() -> None:
    torch.manual_seed(0)
    one = given(mlp(dropout=0.2), lr=0.02, kind=torch.optim.SGD, loader=loader_of(*digits(), batch_size=4))
    step = check_overfit_tiny(examination(one))
    assert step.numbers["steps"] > 100
    assert step.verdict == "pass", step.numbers


def test_the_lecture_s_loss_with_regularisation() -> None:
    # 3072-50-10 with weights of 0.0001 randn: 2.303, and 3.07 with a strength of 1000.
    network = nn.Sequential(nn.Linear(3072, 50), nn.ReLU(), nn.Linear(50, 10))
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=1e-4) if parameter.ndim > 1 else nn.init.zeros_(parameter)
    batches = [(torch.randn(64, 3072), torch.randint(0, 10, (64,))) for _ in range(8)]
    step = check_regularisation(
        Examination(LiveObjects(network, CROSS_ENTROPY, batches, torch.optim.SGD(network.parameters(), 1e-6)), steps=3)
    )
    assert step.numbers["loss"] == pytest.approx(2.3026, abs=1e-3)
    assert step.numbers["loss"] + step.numbers["penalty at 1000"] == pytest.approx(3.0686, abs=0.02)


def test_biases_at_the_priors_are_tried_where_classes_are_rare() -> None:
    inputs, labels = digits()
    kept = (labels == 0) | ((labels == 1) & (torch.arange(len(labels)) % 20 == 0))
    network = mlp(outputs=10)
    one = Given(network, CROSS_ENTROPY, loader_of(inputs[kept], labels[kept]), torch.optim.Adam(network.parameters()))
    step = check_initial_loss(examination(one))
    assert step.numbers["first loss with output biases at the priors"] < 0.5 < 2.0 < step.numbers["first loss"]


def test_rows_that_contradict_each_other_are_no_failure() -> None:
    inputs = torch.ones(64, 4)
    labels = torch.arange(64) % 2
    network = mlp(4, 2)
    one = Given(network, CROSS_ENTROPY, loader_of(inputs, labels), torch.optim.Adam(network.parameters()))
    assert check_overfit_tiny(examination(one)).verdict == "skip"
