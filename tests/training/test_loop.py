"""The loop against a plain one written by hand, over everything a recipe can choose."""

import itertools
import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn, optim
from torch.nn import functional

from babysit.data import Task
from babysit.record import EpochEnded, ProgressEvent, Recipe, RecipeError, StepsTaken, TrainingEnded, with_settings
from babysit.training import Training, build_loss, outputs_needed, stream_seed
from tests.training.setups import CLASSES, NUMBER, TWO, examples, network, recipe, trained

OPTIMIZERS: dict[str, tuple[list[str], Callable[[list[nn.Parameter]], optim.Optimizer]]] = {
    "sgd": (["momentum=0"], lambda p: optim.SGD(p, lr=0.05)),
    "momentum": (["momentum=0.9"], lambda p: optim.SGD(p, lr=0.05, momentum=0.9)),
    "nesterov": (["momentum=0.8", "nesterov=true"], lambda p: optim.SGD(p, lr=0.05, momentum=0.8, nesterov=True)),
    "adam": (["optimizer.name=adam", "beta1=0.8", "beta2=0.9"], lambda p: optim.Adam(p, lr=0.05, betas=(0.8, 0.9))),
    "adamw": (["optimizer.name=adamw"], lambda p: optim.AdamW(p, lr=0.05, weight_decay=0.0)),
    "rmsprop": (
        ["optimizer.name=rmsprop", "decay=0.9", "momentum=0.5"],
        lambda p: optim.RMSprop(p, lr=0.05, alpha=0.9, momentum=0.5),
    ),
    "adagrad": (["optimizer.name=adagrad"], lambda p: optim.Adagrad(p, lr=0.05)),
}
STEPS = 50  # five epochs of ten


def cosine(done: float) -> float:
    return (1 + math.cos(math.pi * done)) / 2


SCHEDULES: dict[str, tuple[list[str], Callable[[int], float]]] = {
    "constant": ([], lambda step: 1.0),
    "warm-up": (["warm_up=0.2"], lambda step: min(1.0, (step + 1) / 10)),
    "cosine": (["schedule.name=cosine"], lambda step: cosine(step / STEPS)),
    "step": (["schedule.name=step", "factor=0.5", "every=0.2"], lambda step: 0.5 ** (step // 10)),
    "inverse-time": (["schedule.name=inverse-time", "half_life=0.1"], lambda step: 1 / (1 + step / STEPS / 0.1)),
}
PENALTIES: dict[str, list[str]] = {
    "none": [],
    "l2 in the loss": ["l2=0.03", "l2_mode=loss"],
    "l2 decoupled": ["l2=0.03", "l2_mode=decoupled"],
    "l1": ["l1=0.01"],
    "max-norm": ["max_norm=0.6"],
    "clipping": ["clip_norm=0.1"],
    "l2, l1 and clipping": ["l2=0.03", "l2_mode=loss", "l1=0.01", "clip_norm=0.1"],
}


def by_hand(
    chosen: Recipe,
    make: Callable[[list[nn.Parameter]], optim.Optimizer],
    scale: Callable[[int], float] = lambda step: 1.0,
    **changes: object,
) -> nn.Sequential:
    """The oracle: one training as anyone would write it, penalties by autograd, in the order of the epochs' streams."""
    model = network(**changes)  # type: ignore[arg-type]
    data = examples(validation=0)
    assert isinstance(data.inputs, Tensor)
    optimizer = make([*model.parameters()])
    weights = [parameter for parameter in model.parameters() if parameter.ndim == 2]
    keep = chosen.regularisation
    step = 0
    with torch.random.fork_rng(devices=[]):
        for epoch in range(5):
            torch.manual_seed(stream_seed(chosen.seed, "network", epoch))
            generator = torch.Generator().manual_seed(stream_seed(chosen.seed, "order", epoch))
            for rows in torch.randperm(80, generator=generator).split(8):
                lr = 0.05 * scale(step)
                optimizer.param_groups[0]["lr"] = lr
                optimizer.zero_grad()
                loss = functional.cross_entropy(model(data.inputs[rows]), data.targets[rows])
                if keep.l2_mode == "loss":
                    loss = loss + sum(0.5 * (keep.l2 or 0.0) * weight.square().sum() for weight in weights)
                loss = loss + sum(keep.l1 * weight.abs().sum() for weight in weights)
                loss.backward()
                if keep.clip_norm is not None:
                    nn.utils.clip_grad_norm_(model.parameters(), keep.clip_norm)
                with torch.no_grad():
                    for weight in weights:
                        if keep.l2_mode == "decoupled":
                            weight.mul_(1 - lr * (keep.l2 or 0.0))
                    optimizer.step()
                    for weight in weights:
                        if keep.max_norm is not None:
                            length = weight.norm(dim=1, keepdim=True)
                            weight.mul_((keep.max_norm / length).clamp(max=1))
                step += 1
    return model


def assert_same(ours: nn.Module, theirs: nn.Module) -> None:
    for name, wanted in theirs.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], wanted, rtol=2e-4, atol=2e-6, msg=name)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("penalty", PENALTIES)
def test_every_optimizer_under_every_penalty(optimizer: str, penalty: str) -> None:
    settings, make = OPTIMIZERS[optimizer]
    chosen = recipe(*settings, *PENALTIES[penalty])
    assert_same(trained(chosen), by_hand(chosen, make))


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_every_optimizer_under_every_schedule(optimizer: str, schedule: str) -> None:
    settings, make = OPTIMIZERS[optimizer]
    more, scale = SCHEDULES[schedule]
    chosen = recipe(*settings, *more)
    assert_same(trained(chosen), by_hand(chosen, make, scale))


def test_dropout_and_batch_norm_in_their_training_modes() -> None:
    chosen = recipe("seed=3")
    ours = trained(chosen, dropout=0.4, batch_norm=True)
    assert_same(ours, by_hand(chosen, OPTIMIZERS["sgd"][1], dropout=0.4, batch_norm=True))


BASE = ("optimizer.name=rmsprop", "momentum=0.5", "schedule.name=step", "l2=0.01")
ACTING = [
    "seed=1", "epochs=4", "batch_size=16", "lr=0.01", "optimizer.name=adam", "momentum=0.2", "decay=0.5",
    "schedule.name=cosine", "warm_up=0.3", "factor=0.9", "every=0.5", "l2=0.2", "l2_mode=loss", "l1=0.05",
    "max_norm=0.3", "clip_norm=0.01", "label_smoothing=0.2", "class_weights=balanced", "loss.name=hinge",
]  # fmt: skip


@pytest.mark.parametrize("setting", ACTING)
def test_every_setting_acts(setting: str) -> None:
    base = recipe(*BASE, "loss.name=cross-entropy")
    changed = with_settings(base, [setting])
    one, other = trained(base).state_dict(), trained(changed).state_dict()
    assert any(not torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(
    ("base", "setting"),
    [
        (["optimizer.name=sgd"], "momentum=0.5"),
        (["optimizer.name=sgd", "momentum=0.5"], "nesterov=true"),
        (["optimizer.name=adam"], "beta1=0.5"),
        (["optimizer.name=adam"], "beta2=0.5"),
        (["schedule.name=inverse-time"], "half_life=1.0"),
    ],
)
def test_settings_of_one_optimizer_or_schedule_act(base: list[str], setting: str) -> None:
    one, other = trained(recipe(*base)).state_dict(), trained(recipe(*base, setting)).state_dict()
    assert any(not torch.equal(one[name], other[name]) for name in one)


class Listening:
    def __init__(self) -> None:
        self.epochs: list[EpochEnded] = []
        self.steps: list[StepsTaken] = []
        self.reason = ""

    def __call__(self, event: ProgressEvent, /) -> None:
        match event:
            case StepsTaken():
                self.steps.append(event)
            case EpochEnded():
                self.epochs.append(event)
            case TrainingEnded():
                self.reason = event.reason
            case _:
                pass


def run(chosen: Recipe, task: Task = CLASSES) -> tuple[nn.Sequential, Listening]:
    model, listening = network(outputs_needed(chosen.loss, task)), Listening()
    Training(model, build_loss(chosen.loss, task), examples(task), chosen, progress=listening).run()
    return model, listening


def test_the_weights_of_the_best_epoch_are_kept() -> None:
    chosen = recipe("lr=3", "epochs=12", "momentum=0.9")
    model, listening = run(chosen)
    losses = [numbers.validation_loss or 0.0 for numbers in listening.epochs]
    assert losses[-1] > min(losses), "the rate is meant to be so high that the last epoch is not the best"
    data = examples()
    assert isinstance(data.inputs, Tensor)
    with torch.no_grad():
        loss = functional.cross_entropy(model(data.inputs[data.validation]), data.targets[data.validation])
    assert float(loss) == pytest.approx(min(losses), rel=1e-5)
    best = [numbers.best for numbers in listening.epochs]
    assert best == [value < min([math.inf, *losses[:index]]) for index, value in enumerate(losses)]


def test_it_stops_when_nothing_improves() -> None:
    _, listening = run(recipe("lr=1e-9", "epochs=40", "budget.patience=3"))
    assert len(listening.epochs) < 40
    _, listening = run(recipe("lr=3", "momentum=0.9", "epochs=60", "budget.patience=3"))
    assert "no better validation loss for 3 epochs" in listening.reason


def test_it_stops_when_the_time_is_spent() -> None:
    _, listening = run(recipe("epochs=1000000", "seconds=0.2"))
    assert "0.2 seconds" in listening.reason


def test_a_plateau_lowers_the_rate() -> None:
    _, listening = run(
        recipe("schedule.name=plateau", "schedule.patience=2", "factor=0.5", "lr=3", "momentum=0.9", "epochs=30")
    )
    rates = [numbers.lr for numbers in listening.epochs]
    assert rates[0] == 3
    assert rates[-1] < 3
    assert all(later in (earlier, earlier / 2) for earlier, later in itertools.pairwise(rates))


def test_a_loss_that_is_no_number_stops_it_at_the_step_where_it_happened() -> None:
    chosen = recipe("loss.name=mse", "lr=1e12", "epochs=50")
    model = network(1)
    outcome = Training(model, build_loss(chosen.loss, NUMBER), examples(NUMBER), chosen).run()
    assert outcome.diverged
    assert outcome.finished
    assert "the loss became" in outcome.reason
    assert outcome.position.epoch < 5


def test_training_in_a_thread_works() -> None:
    import threading

    found: list[nn.Module] = []
    thread = threading.Thread(target=lambda: found.append(run(recipe())[0]))
    thread.start()
    thread.join()
    assert_same(found[0], run(recipe())[0])


@pytest.mark.parametrize("task", [CLASSES, TWO, NUMBER], ids=["classes", "two", "number"])
def test_every_loss_learns_its_task(task: Task) -> None:
    names = {"classification": ["cross-entropy", "hinge"], "regression": ["mse", "huber", "poisson-nll"]}[task.kind]
    if task is TWO:
        names.append("bce-with-logits")
    for name in names:
        chosen = recipe(f"loss.name={name}", "optimizer.name=adam", "lr=0.02", "epochs=30")
        _, listening = run(chosen, task)
        assert listening.epochs[-1].train_loss < listening.epochs[0].train_loss
        if task.kind == "classification":
            assert listening.epochs[-1].train_score > 0.9


def test_hinge_costs_what_the_lecture_says() -> None:
    loss = build_loss(
        with_settings(Recipe(), ["loss.name=hinge"]).loss, Task("classification", "x", tuple("abcdefghij"))
    )
    assert float(loss(torch.zeros(4, 10), torch.arange(4))) == pytest.approx(9)
    scores, target = torch.tensor([[3.2, 5.1, -1.7]]), torch.tensor([0])
    assert float(loss(scores, target)) == pytest.approx(2.9)  # CS231n, lecture 3: the cat


def test_one_logit_is_two_scores() -> None:
    loss = build_loss(with_settings(Recipe(), ["loss.name=bce-with-logits", "label_smoothing=0.1"]).loss, TWO)
    logits, targets = torch.randn(6, 1), torch.tensor([0, 1, 1, 0, 1, 0])
    both = torch.cat([torch.zeros(6, 1), logits], dim=1)
    assert float(loss(logits, targets)) == pytest.approx(
        float(functional.cross_entropy(both, targets, label_smoothing=0.1)), rel=1e-5
    )


@pytest.mark.parametrize("name", ["cross-entropy", "bce", "hinge"])
def test_balanced_weights_make_a_class_count_as_much_as_another(name: str) -> None:
    section = with_settings(Recipe(), [f"loss.name={name}", "class_weights=balanced"]).loss
    loss = build_loss(section, TWO, [90, 10])
    outputs = torch.randn(2, 1 if name == "bce" else 2)
    once = loss(outputs, torch.tensor([0, 1]))
    often = loss(outputs[[0] * 9 + [1]], torch.tensor([0] * 9 + [1]))
    plain = build_loss(with_settings(Recipe(), [f"loss.name={name}"]).loss, TWO)
    per_class = [plain(outputs[[row]], torch.tensor([row])) for row in (0, 1)]
    assert float(often) == pytest.approx(float(sum(per_class)) / 2, rel=1e-5)
    assert float(once) == pytest.approx(float(0.1 * per_class[0] + 0.9 * per_class[1]), rel=1e-5)


@pytest.mark.parametrize(
    ("settings", "task", "part"),
    [
        (["loss.name=mse"], CLASSES, "does not fit classification"),
        (["loss.name=hinge"], NUMBER, "does not fit regression"),
        (["loss.name=bce-with-logits"], CLASSES, "is for two classes"),
        (["loss.name=hinge", "label_smoothing=0.1"], CLASSES, "no meaning"),
        (["loss.name=mse", "class_weights=balanced"], NUMBER, "need classes"),
    ],
)
def test_a_loss_that_does_not_fit_is_refused(settings: list[str], task: Task, part: str) -> None:
    with pytest.raises(RecipeError, match=part):
        build_loss(with_settings(Recipe(), settings).loss, task)


def test_one_row_alone_joins_the_batch_before_it() -> None:
    from babysit.training import batches_per_epoch, epoch_batches

    for rows in range(1, 30):
        for size in (1, 2, 7, 40):
            batches = epoch_batches(torch.arange(rows), size, seed=0, epoch=1)
            assert len(batches) == batches_per_epoch(rows, size)
            assert sorted(torch.cat(batches).tolist()) == list(range(rows))
            if size > 1 and rows > 1:
                assert min(map(len, batches)) > 1
