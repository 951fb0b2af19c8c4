"""What does the loop cost? Beside one written by hand, one over a DataLoader, and Lightning, doing the same work.

    python benchmarks/loop.py                        # a few minutes
    python benchmarks/loop.py --only digits --rounds 3

The same for all four: network, first weights, rows held in memory as they came, batches of the same sizes in an order
drawn anew each epoch, preprocessing a batch at a time, a fused optimizer, the rate of each step from the same schedule,
the loss of each step kept, and at each epoch's end the losses and accuracies of 2,000 training rows (or all there are)
and of the validation rows, with a copy of the best weights. The one by hand is as fast as its author could make it: it
cuts batches by index and knows its network, its penalty and its optimizer.

- digits: 64-100-100-10 on 1,257 rows, batch 64, adamw with a cosine schedule: steps so small that Python is the cost;
- lecture: 3072-50-10 on 50,000 images of CIFAR-10's size, batch 100, plain sgd with L2 in the loss;
- convolutional: two stages on 28x28 pixels, batch 64, adam.

By hand and babysit must end with the same weights before anything is timed: the same work is then no mere claim. Then
the digits again, kept as a Run: what the trace and the checkpoints add.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import dataclasses
import logging
import math
import os
import pathlib
import tempfile
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn, optim
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from _measure import ratio, store, take_turns
from babysit.data import ImageLayout, Preprocessing, TensorRows, prepare
from babysit.nn import initialise
from babysit.record import DataSummary, Recipe, Run, RunSummary, load_recipe, with_settings
from babysit.training import Examples, Training, rate_at, stream_seed

warnings.filterwarnings("ignore")  # Lightning recommends worker processes, which are slower on rows in memory
for name in ("lightning.pytorch", "lightning.fabric", "lightning.pytorch.utilities.rank_zero"):
    logging.getLogger(name).setLevel(logging.ERROR)
import lightning  # noqa: E402

CPU = torch.device("cpu")
SAMPLE = 2000  # training rows measured at an epoch's end


@dataclasses.dataclass(frozen=True)
class Setting:
    """One comparison: a network at its first weights, rows, and how it is trained."""

    name: str
    network: nn.Module
    examples: Examples
    recipe: Recipe

    @property
    def epochs(self) -> int:
        """Passes over the training rows."""
        assert self.recipe.budget.epochs is not None
        return self.recipe.budget.epochs

    @property
    def batch_size(self) -> int:
        """Rows a step."""
        assert self.recipe.budget.batch_size is not None
        return self.recipe.budget.batch_size

    @property
    def steps(self) -> int:
        """Of the whole training."""
        return self.epochs * math.ceil(len(self.examples.train) / self.batch_size)

    def weights(self, network: nn.Module) -> list[nn.Parameter]:
        """What penalties act on."""
        return [parameter for parameter in network.parameters() if parameter.ndim >= 2]

    def optimizer(self, network: nn.Module) -> optim.Optimizer:
        """The recipe's, with decay left to the optimizer: on weights alone."""
        section, lr = self.recipe.optimizer, self.recipe.optimizer.lr
        assert lr is not None
        weights = self.weights(network)
        others = [parameter for parameter in network.parameters() if parameter.ndim < 2]
        groups = [
            {"params": weights, "weight_decay": self.recipe.regularisation.l2 or 0.0},
            {"params": others, "weight_decay": 0.0},
        ]
        if section.name == "sgd":
            return optim.SGD(groups, lr=lr, momentum=section.momentum, fused=True)
        return optim.AdamW(groups, lr=lr, betas=(section.beta1, section.beta2), fused=True)

    def rate(self, step: int) -> float:
        """Schedules are pure functions; all contenders call the same."""
        assert self.recipe.optimizer.lr is not None
        return rate_at(self.recipe.schedule, self.recipe.optimizer.lr, step, self.steps)


def digits() -> Setting:
    prepared = prepare(Recipe(), "digits")
    recipe = with_settings(
        Recipe(), ["epochs=40", "batch_size=64", "lr=1e-3", "budget.patience=0", "loss.name=cross-entropy"]
    )
    layers = [nn.Linear(64, 100), nn.ReLU(), nn.Linear(100, 100), nn.ReLU(), nn.Linear(100, 10)]
    return setting("digits", nn.Sequential(nn.Flatten(), *layers), prepared.inputs[torch.arange(1527)],
                   prepared.targets[:1527], prepared.layout, 1257, recipe)  # fmt: skip


def lecture(rows: int = 50_000) -> Setting:
    """CIFAR-10's images when BABYSIT_DATA names a folder that has them, random bytes of that shape otherwise."""
    recipe = with_settings(load_recipe("lecture"), ["epochs=1"])
    network = nn.Sequential(nn.Flatten(), nn.Linear(3072, 50), nn.ReLU(), nn.Linear(50, 10))
    file = pathlib.Path(os.environ.get("BABYSIT_DATA", ".")) / "cifar10_jpeg.npz"
    layout = ImageLayout((32, 32, 3), "NHWC")
    if "BABYSIT_DATA" in os.environ and file.exists():
        prepared = prepare(with_settings(recipe, [f"data.source={file}"]))
        inputs, targets = prepared.inputs[torch.arange(rows)], prepared.targets[:rows]
    else:
        generator = torch.Generator().manual_seed(0)
        inputs = torch.randint(0, 256, (rows, 32, 32, 3), dtype=torch.uint8, generator=generator)
        targets = torch.randint(0, 10, (rows,), generator=generator)
    initialise(network, "small-random", std=1e-4, seed=0)
    return setting("lecture", network, inputs, targets, layout, rows, recipe, images="mean-image")


def convolutional() -> Setting:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randint(0, 256, (3500, 1, 28, 28), dtype=torch.uint8, generator=generator)
    targets = torch.randint(0, 10, (3500,), generator=generator)
    network = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(16 * 7 * 7, 10),
    )  # fmt: skip
    recipe = with_settings(
        Recipe(), ["epochs=1", "batch_size=64", "lr=1e-3", "budget.patience=0", "loss.name=cross-entropy"]
    )
    layout = ImageLayout((1, 28, 28), "NCHW")
    return setting("convolutional", network, inputs, targets, layout, 3200, recipe, images="channel-mean-std")


def setting(
    name: str, network: nn.Module, inputs: Tensor, targets: Tensor, layout: Any, train: int, recipe: Recipe,
    images: Any = "channel-mean-std",
) -> Setting:  # fmt: skip
    preprocessing = Preprocessing(layout, images=images).fit(TensorRows(inputs).chunks(np.arange(train)))
    order = torch.arange(len(inputs))
    examples = Examples(TensorRows(inputs), targets, preprocessing, order[:train], order[train:], CPU)
    return Setting(name, network, examples, recipe)


def by_babysit(chosen: Setting, run: Run | None = None) -> nn.Module:
    network = copy.deepcopy(chosen.network)
    Training(network, nn.CrossEntropyLoss(), chosen.examples, chosen.recipe, run=run).run()
    return network


def by_hand(chosen: Setting) -> nn.Module:
    network, examples, recipe = copy.deepcopy(chosen.network), chosen.examples, chosen.recipe
    raw, targets, preprocess = examples.inputs, examples.targets, examples.preprocessing
    optimizer = chosen.optimizer(network)
    weights = chosen.weights(network)
    in_loss = recipe.regularisation.l2 if recipe.regularisation.l2_mode == "loss" else 0.0
    losses: list[Tensor] = []
    best: tuple[float, dict[str, Tensor]] = (math.inf, {})
    step = 0
    for epoch in range(chosen.epochs):
        network.train()
        generator = torch.Generator().manual_seed(stream_seed(recipe.seed, "order", epoch))
        order = examples.train[torch.randperm(len(examples.train), generator=generator)]
        for rows in order.split(chosen.batch_size):
            lr = chosen.rate(step)
            for group in optimizer.param_groups:
                group["lr"] = lr
            with torch.no_grad():
                inputs = preprocess(raw[rows])
            loss = functional.cross_entropy(network(inputs), targets[rows])
            optimizer.zero_grad()
            loss.backward()
            shown = loss.detach()
            if in_loss:
                with torch.no_grad():
                    shown = shown + 0.5 * in_loss * sum(torch.dot(flat := w.view(-1), flat) for w in weights)
            optimizer.step()
            losses.append(shown)
            step += 1
        network.eval()
        with torch.inference_mode():
            measured = [evaluate(network, examples, examples.train[: max(SAMPLE, len(examples.validation))])]
            if len(examples.validation):
                measured.append(evaluate(network, examples, examples.validation))
        if measured[-1][0] < best[0] or len(measured) == 1:
            best = (measured[-1][0], {name: value.clone() for name, value in network.state_dict().items()})
    assert all(map(math.isfinite, torch.stack(losses).tolist()))
    network.load_state_dict(best[1])
    return network


def evaluate(network: nn.Module, examples: Examples, rows: Tensor) -> tuple[float, float]:
    """Mean loss and accuracy."""
    loss = right = 0.0
    for part in rows.split(4096):
        outputs, targets = network(examples.preprocessing(examples.inputs[part])), examples.targets[part]
        loss += float(functional.cross_entropy(outputs, targets)) * len(part)
        right += float((outputs.argmax(1) == targets).sum())
    return loss / len(rows), right / len(rows)


def loaders(chosen: Setting) -> tuple[DataLoader[Any], list[DataLoader[Any]]]:
    """As tutorials write them: a TensorDataset, shuffled, in this process (the fastest for rows in memory)."""
    examples = chosen.examples
    everything = torch.arange(len(examples.targets))

    def loader(rows: Tensor, **more: Any) -> DataLoader[Any]:
        return DataLoader(TensorDataset(examples.inputs[rows], examples.targets[rows]), **more)

    assert torch.equal(torch.cat([examples.train, examples.validation]), everything)
    sample = examples.train[: max(SAMPLE, len(examples.validation))]
    measured = [loader(rows, batch_size=4096) for rows in (sample, examples.validation) if len(rows)]
    return loader(examples.train, batch_size=chosen.batch_size, shuffle=True), measured


def over_data_loader(chosen: Setting, train: DataLoader[Any], measured: list[DataLoader[Any]]) -> None:
    network = copy.deepcopy(chosen.network)
    optimizer = chosen.optimizer(network)
    preprocess = chosen.examples.preprocessing
    weights = chosen.weights(network)
    regularisation = chosen.recipe.regularisation
    losses: list[Tensor] = []
    best: tuple[float, dict[str, Tensor]] = (math.inf, {})
    for _ in range(chosen.epochs):
        network.train()
        for raw, targets in train:
            for group in optimizer.param_groups:
                group["lr"] = chosen.rate(len(losses))
            with torch.no_grad():
                inputs = preprocess(raw)
            loss = functional.cross_entropy(network(inputs), targets)
            optimizer.zero_grad()
            loss.backward()
            shown = loss.detach()
            if regularisation.l2_mode == "loss":
                with torch.no_grad():
                    shown = shown + sum(0.5 * (regularisation.l2 or 0.0) * weight.square().sum() for weight in weights)
            optimizer.step()
            losses.append(shown)
        network.eval()
        watched = 0.0
        with torch.no_grad():
            for loader in measured:
                total = right = 0.0
                for raw, targets in loader:
                    outputs = network(preprocess(raw))
                    total += float(functional.cross_entropy(outputs, targets)) * len(targets)
                    right += float((outputs.argmax(1) == targets).sum())
                watched = total
        if watched < best[0]:
            best = (watched, {name: value.clone() for name, value in network.state_dict().items()})


class Module(lightning.LightningModule):
    """As Lightning's documentation writes one."""

    def __init__(self, chosen: Setting) -> None:
        super().__init__()
        self.network = copy.deepcopy(chosen.network)
        self.preprocess = chosen.examples.preprocessing
        self.chosen = chosen
        self.losses: list[Tensor] = []
        self.watched, self.best = 0.0, (math.inf, dict[str, Tensor]())

    def training_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
        """The loss of a batch, and what is kept of it."""
        with torch.no_grad():
            inputs = self.preprocess(batch[0])
        loss = functional.cross_entropy(self.network(inputs), batch[1])
        shown = loss.detach()
        regularisation = self.chosen.recipe.regularisation
        if regularisation.l2_mode == "loss":
            with torch.no_grad():
                weights = self.chosen.weights(self.network)
                shown = shown + sum(0.5 * (regularisation.l2 or 0.0) * weight.square().sum() for weight in weights)
        self.losses.append(shown)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], _: int, dataloader_idx: int = 0) -> None:
        """Loss and accuracy of a piece of the rows that are measured."""
        outputs = self.network(self.preprocess(batch[0]))
        self.watched = float(functional.cross_entropy(outputs, batch[1]))
        self.log(f"accuracy-{dataloader_idx}", (outputs.argmax(1) == batch[1]).float().mean())

    def on_validation_epoch_end(self) -> None:
        """Keep the best weights."""
        if self.watched < self.best[0]:
            self.best = (self.watched, {name: value.clone() for name, value in self.network.state_dict().items()})

    def configure_optimizers(self) -> Any:
        """The optimizer and the rate of each step."""
        optimizer = self.chosen.optimizer(self.network)
        lr = self.chosen.recipe.optimizer.lr
        assert lr is not None
        schedule = optim.lr_scheduler.LambdaLR(optimizer, lambda step: self.chosen.rate(step) / lr)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def through_lightning(chosen: Setting, train: DataLoader[Any], measured: list[DataLoader[Any]]) -> None:
    trainer = lightning.Trainer(
        max_epochs=chosen.epochs, accelerator="cpu", logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, num_sanity_val_steps=0,
    )  # fmt: skip
    trainer.fit(Module(chosen), train, measured)


def refuse_other_work(chosen: Setting) -> float:
    """Largest relative difference between the weights of babysit and by hand, which must be rounding."""
    ours, theirs = by_babysit(chosen).state_dict(), by_hand(chosen).state_dict()
    worst = 0.0
    for name, wanted in theirs.items():
        wanted = wanted.double()
        worst = max(worst, float((ours[name].double() - wanted).norm() / wanted.norm().clamp(min=1e-12)))
    assert worst < 1e-3, f"{chosen.name}: weights differ by {worst}"
    return worst


def compare(chosen: Setting, rounds: int) -> dict[str, Any]:
    difference = refuse_other_work(chosen)
    train, measured = loaders(chosen)
    contenders: dict[str, Callable[[], object]] = {
        "by hand": lambda: by_hand(chosen),
        "babysit": lambda: by_babysit(chosen),
        "DataLoader": lambda: over_data_loader(chosen, train, measured),
        "Lightning": lambda: through_lightning(chosen, train, measured),
    }
    seconds = take_turns(contenders, rounds)
    result: dict[str, Any] = {"steps": chosen.steps, "rounds": rounds, "largest difference of weights": difference}
    for name in contenders:
        over = ratio(seconds, name, "by hand")
        micro = 1e6 * sorted(seconds[name])[rounds // 2] / chosen.steps
        result[name] = {"microseconds a step, evaluation included": micro, "over by hand": over}
        print(f"{chosen.name:14} {name:12} {micro:8.0f} us a step   {over['median']:.3f} "
              f"({over['low']:.3f} to {over['high']:.3f}) times by hand", flush=True)  # fmt: skip
    return result


@contextlib.contextmanager
def empty_run(chosen: Setting) -> Iterator[Run]:
    """A Run folder for a training that is timed, gone afterwards."""
    rows = len(chosen.examples.targets)
    data = DataSummary(source=chosen.name, kind="images", rows=rows, shape=(8, 8), task="classification", target="")
    with tempfile.TemporaryDirectory() as folder:
        run = Run.create(
            pathlib.Path(folder) / "run", recipe=chosen.recipe, summary=RunSummary(data=data), model={},
            split={"train": chosen.examples.train.numpy()}, weights=b"", fingerprint="",
        )  # fmt: skip
        with run.writing():
            yield run


def keep(chosen: Setting, rounds: int) -> dict[str, Any]:
    """What keeping a Run costs: the trace of every step, and checkpoints."""
    # Long enough that opening the database and the last wait for the disk, once a training, do not decide.
    chosen = dataclasses.replace(chosen, recipe=with_settings(chosen.recipe, ["epochs=200"]))

    def kept() -> None:
        with empty_run(chosen) as run:
            by_babysit(chosen, run)

    def made_only() -> None:
        with empty_run(chosen):
            by_babysit(chosen)

    seconds = take_turns({"not kept": made_only, "kept": kept}, rounds)
    over = ratio(seconds, "kept", "not kept")
    print(
        f"{chosen.name:14} kept as a Run: {over['median']:.3f} ({over['low']:.3f} to {over['high']:.3f}) times not kept"
    )
    return {"epochs": chosen.epochs, "rounds": rounds, "kept over not kept": over}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=["digits", "lecture", "convolutional"])
    parser.add_argument("--rounds", type=int, default=7)
    chosen = parser.parse_args()
    results: dict[str, Any] = {}
    for make in (digits, lecture, convolutional):
        if chosen.only in (None, make.__name__):
            results[make.__name__] = compare(make(), chosen.rounds)
            if make is digits:
                results["digits kept as a Run"] = keep(make(), chosen.rounds)
    if chosen.only is None:
        store("loop", results)


if __name__ == "__main__":
    main()
