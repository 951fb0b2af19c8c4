"""Callbacks of frameworks, each with the real one where it is installed: watched, checked, guarded, stopped, as before.

None of them is among what the tests ask for: `pip install 'babysit[lightning,transformers,keras,skorch,ignite]'`.
"""

import copy
import importlib.util
import logging
import math
import os
import pathlib
import pickle
import subprocess
import sys
import types
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from babysit.adapters import (
    BabysitCallback,
    IgniteHandler,
    KerasCallback,
    LightningCallback,
    SkorchCallback,
    TransformersCallback,
    lightning_factory,
)
from babysit.record import InputError, MissingExtraError, SickError, silent
from babysit.scripts import watched_already

pytestmark = pytest.mark.filterwarnings("ignore")  # of the frameworks
ROWS = 320
BATCH = 16


def rows(seed: int = 0) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(seed)
    inputs = torch.randn(ROWS, 8, generator=draw)
    return inputs, (inputs[:, 0] + inputs[:, 1] > 0).long()


class Net(nn.Sequential):
    """Its loss is NaN from one call on."""

    def __init__(self, broken: int = -1) -> None:
        super().__init__(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2))
        self.broken, self.calls = broken, 0

    def forward(self, inputs: Tensor) -> Tensor:
        self.calls += self.training and torch.is_grad_enabled()
        outputs: Tensor = super().forward(inputs)  # type: ignore[no-untyped-call]
        return outputs * math.nan if self.calls > self.broken >= 0 else outputs


def needs(*names: str) -> None:
    for name in names:
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"{name} is not installed")


def lightning_fit(
    callback: Any, broken: int = -1, epochs: int = 5, module: str = "lightning.pytorch", **options: Any
) -> Any:
    needs(module.partition(".")[0])
    logging.getLogger(module).setLevel(logging.ERROR)
    pl = importlib.import_module(module)

    class Module(pl.LightningModule):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.net = Net(broken)

        def training_step(self, batch: Any, number: int) -> Tensor:
            loss = functional.cross_entropy(self.net(batch[0]), batch[1])
            self.log("loss", loss)
            return loss

        def validation_step(self, batch: Any, number: int) -> None:
            self.log("held", functional.cross_entropy(self.net(batch[0]), batch[1]))

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.Adam(self.parameters(), 1e-2)

    pl.seed_everything(0, verbose=False)
    model = Module()
    trainer = pl.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=callback if isinstance(callback, list) else [callback],
        **{"logger": False, "enable_checkpointing": False, **options},
    )
    data = TensorDataset(*rows())
    trainer.fit(model, DataLoader(data, BATCH, shuffle=True), DataLoader(data, 64))
    return trainer


def transformers_fit(
    callback: Any, broken: int = -1, epochs: int = 5, folder: pathlib.Path | None = None, **options: Any
) -> Any:
    needs("transformers", "accelerate")
    import transformers

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = Net(broken)

        def forward(self, inputs: Tensor, labels: Tensor) -> dict[str, Tensor]:
            logits = self.net(inputs)
            return {"loss": functional.cross_entropy(logits, labels), "logits": logits}

    transformers.set_seed(0)
    inputs, labels = rows()
    data = [{"inputs": one, "labels": label} for one, label in zip(inputs, labels, strict=True)]
    arguments = transformers.TrainingArguments(
        str(folder),
        num_train_epochs=epochs,
        per_device_train_batch_size=BATCH,
        report_to="none",
        use_cpu=True,
        disable_tqdm=True,
        learning_rate=1e-2,
        remove_unused_columns=False,
        **{"save_strategy": "no", "warmup_steps": 10, "logging_steps": 10, **options},
    )
    trainer = transformers.Trainer(Model(), arguments, train_dataset=data, callbacks=[callback] if callback else [])
    trainer.train()
    return trainer


def weights(model: nn.Module) -> list[Tensor]:
    return [one.detach().clone() for one in model.parameters()]


def same(ours: list[Tensor], theirs: list[Tensor]) -> bool:
    return all(torch.equal(one, other) for one, other in zip(ours, theirs, strict=True))


def finite(model: nn.Module) -> bool:
    return all(bool(torch.isfinite(one).all()) for one in model.parameters())


def test_lightning_is_watched_and_left_alone(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    needs("lightning")
    plain = weights(lightning_fit([]).lightning_module)
    report = tmp_path / "report.html"
    callback = LightningCallback(overhead=1.0, report=report, guard="stop", guard_folder=tmp_path / "kept")
    trainer = lightning_fit(callback)
    assert same(plain, weights(trainer.lightning_module))
    assert callback.verdict == "sound"
    assert len(callback.trace.series("loss").values) == 5 * ROWS // BATCH
    assert callback.trace.series("data-loss", phase="validation").values
    assert "0" in {layer.name for layer in callback.trace.layers}
    assert "babysit: " in capsys.readouterr().err
    assert "http" not in report.read_text().split("<script>")[0]
    assert not watched_already()


def test_lightning_stops_before_a_good_checkpoint_is_lost(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    needs("lightning")
    callback = LightningCallback(guard="stop", guard_folder=tmp_path / "kept")
    trainer = lightning_fit(callback, 50, default_root_dir=tmp_path, enable_checkpointing=True)
    assert trainer.global_step == 51
    assert "the loss became NaN" in callback.stopped
    assert finite(trainer.lightning_module)
    assert "the guard stopped the training at step 50" in capsys.readouterr().err
    saved = torch.load(trainer.checkpoint_callback.best_model_path, weights_only=False)["state_dict"]
    assert all(bool(torch.isfinite(one).all()) for one in saved.values())


def test_lightning_goes_back(tmp_path: pathlib.Path) -> None:
    needs("lightning")
    callback = LightningCallback(guard="rollback", guard_folder=tmp_path / "kept", progress=silent)
    trainer = lightning_fit(callback, 90)
    assert len(callback.trace.happened("guard")) == 4  # NaN from there on: three returns, and the end
    assert trainer.global_step == 94
    assert finite(trainer.lightning_module)


def test_lightnings_pre_flight_leaves_all_as_it_was(capsys: pytest.CaptureFixture[str]) -> None:
    needs("lightning")
    plain = weights(lightning_fit([]).lightning_module)
    trainer = lightning_fit(LightningCallback(preflight=20.0, progress=silent))
    assert same(plain, weights(trainer.lightning_module))
    assert "sound" in capsys.readouterr().err
    assert "loss" in trainer.callback_metrics


def test_a_sick_pre_flight_is_an_error_where_it_is_asked_for() -> None:
    needs("lightning")
    with pytest.raises(SickError):
        lightning_fit(LightningCallback(preflight=20.0, stop=True, progress=silent), 0)
    assert not watched_already()


def test_lightning_by_a_variable_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BABYSIT_LIGHTNING", raising=False)
    assert lightning_factory() == []
    monkeypatch.setenv("BABYSIT_LIGHTNING", "0")
    assert lightning_factory() == []
    needs("lightning")
    monkeypatch.setenv("BABYSIT_LIGHTNING", "rollback")
    (callback,) = lightning_factory()
    assert isinstance(callback, LightningCallback)
    assert callback.guard == "rollback"


def test_lightning_is_ended_by_an_error() -> None:
    needs("lightning")
    callback = LightningCallback(progress=silent)
    from lightning.pytorch.callbacks import Callback

    class Raises(Callback):  # type: ignore[misc]
        def on_train_batch_end(self, *_: Any) -> None:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        lightning_fit([callback, Raises()])
    assert not watched_already()
    assert len(callback.trace.series("loss").values) == 1


def test_both_lightnings_in_one_program(monkeypatch: pytest.MonkeyPatch) -> None:
    class OneCallback:
        pass

    class OtherCallback:
        pass

    for name, base in (("lightning.pytorch", OneCallback), ("pytorch_lightning", OtherCallback)):
        module = types.ModuleType(name)
        module.Callback = base  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, name, module)
    both = LightningCallback(ignore=["overfitting"])
    assert isinstance(both, OneCallback)
    assert isinstance(both, OtherCallback)
    monkeypatch.delitem(sys.modules, "lightning.pytorch")
    one = LightningCallback()
    assert isinstance(one, OtherCallback)
    assert not isinstance(one, OneCallback)
    for again in (pickle.loads(pickle.dumps(one)), copy.deepcopy(one)):
        assert isinstance(again, OtherCallback)
        assert again.settings() == one.settings()  # type: ignore[attr-defined]


def test_the_other_lightning_for_real() -> None:
    needs("pytorch_lightning")
    import pytorch_lightning

    callback = LightningCallback(progress=silent)
    assert isinstance(callback, pytorch_lightning.Callback)
    lightning_fit(callback, module="pytorch_lightning")
    assert callback.verdict == "sound"


def test_transformers_is_watched_and_left_alone(tmp_path: pathlib.Path) -> None:
    needs("transformers", "accelerate")
    plain = weights(transformers_fit(None, folder=tmp_path).model)
    callback = TransformersCallback(overhead=1.0, progress=silent, guard="stop", guard_folder=tmp_path / "kept")
    trainer = transformers_fit(callback, folder=tmp_path)
    assert same(plain, weights(trainer.model))
    assert callback.verdict == "sound"
    assert len(callback.trace.series("loss").values) == 5 * ROWS // BATCH


def test_transformers_log_hides_nan_and_babysit_does_not(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    needs("transformers", "accelerate")
    callback = TransformersCallback(guard="stop", guard_folder=tmp_path / "kept")
    trainer = transformers_fit(callback, 45, folder=tmp_path)
    assert trainer.state.global_step == 46
    assert "the loss became NaN" in callback.stopped
    assert "the guard stopped the training at step 45" in capsys.readouterr().err
    assert finite(trainer.model)
    assert all(math.isfinite(one["loss"]) for one in trainer.state.log_history if "loss" in one)  # the trap
    assert any(not math.isfinite(loss) for loss in callback.trace.series("loss").values)
    assert "diverged" in {one.name for one in callback.findings if one.severity == "sick"}


def test_transformers_pre_flight_leaves_all_as_it_was(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    needs("transformers", "accelerate")
    plain = weights(transformers_fit(None, folder=tmp_path).model)
    trainer = transformers_fit(TransformersCallback(preflight=20.0, progress=silent), folder=tmp_path)
    assert same(plain, weights(trainer.model))
    assert "sound" in capsys.readouterr().err


def keras_fit(callback: Any, broken: int = -1, epochs: int = 5) -> Any:
    needs("keras")
    os.environ["KERAS_BACKEND"] = "torch"
    import keras

    seen: list[int] = []

    class Breaks(keras.callbacks.Callback):  # type: ignore[misc]
        def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
            seen.append(batch)
            if len(seen) == broken:  # once: the optimizer's own count goes back with its state
                with torch.no_grad():
                    self.model.trainable_variables[0].value.fill_(math.nan)

    class Raises(keras.callbacks.Callback):  # type: ignore[misc]
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            raise ZeroDivisionError

    keras.utils.set_random_seed(0)
    inputs, labels = (one.numpy() for one in rows())
    net = keras.Sequential([keras.Input((8,)), keras.layers.Dense(16, activation="relu"), keras.layers.Dense(2)])
    net.compile(keras.optimizers.SGD(0.1), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    others = [Raises()] if broken == 0 else [Breaks()]
    net.fit(
        inputs,
        labels,
        batch_size=BATCH,
        epochs=epochs,
        verbose=0,
        callbacks=[*others, callback] if callback else others,
    )
    return net


def test_keras_is_watched_and_left_alone(tmp_path: pathlib.Path) -> None:
    needs("keras")
    plain = [one.copy() for one in keras_fit(None).get_weights()]
    callback = KerasCallback(progress=silent, guard="stop", guard_folder=tmp_path)
    net = keras_fit(callback)
    assert all(np.array_equal(one, other) for one, other in zip(plain, net.get_weights(), strict=True))
    assert len(callback.trace.series("loss").values) == 5 * ROWS // BATCH
    assert not watched_already()


def test_keras_steps_without_torchs_optimizers_and_is_guarded(tmp_path: pathlib.Path) -> None:
    needs("keras")
    callback = KerasCallback(progress=silent, guard="stop", guard_folder=tmp_path)
    net = keras_fit(callback, 60)
    assert "NaN" in callback.stopped
    assert all(np.isfinite(one).all() for one in net.get_weights())
    back = KerasCallback(progress=silent, guard="rollback", guard_folder=tmp_path)
    net = keras_fit(back, 60)
    assert back.stopped == ""
    assert len(back.trace.happened("guard")) == 1
    assert float(net.optimizer.learning_rate) == pytest.approx(0.01)
    assert all(np.isfinite(one).all() for one in net.get_weights())


def test_keras_ends_a_fit_that_raises_without_a_word() -> None:
    needs("keras")
    callback = KerasCallback(progress=silent)
    with pytest.raises(ZeroDivisionError):
        keras_fit(callback, 0)
    import gc

    gc.collect()
    assert not watched_already()


def test_keras_has_no_pre_flight() -> None:
    needs("keras")
    with pytest.raises(InputError, match="optimizers of its own"):
        KerasCallback(preflight=True)


def skorch_net(callback: Any, **options: Any) -> Any:
    needs("skorch")
    from skorch import NeuralNetClassifier

    return NeuralNetClassifier(
        Net,
        criterion=nn.CrossEntropyLoss,
        max_epochs=5,
        lr=0.1,
        batch_size=BATCH,
        verbose=0,
        optimizer=torch.optim.SGD,
        callbacks=[callback] if callback else [],
        **options,
    )


def test_skorch_is_watched_guarded_and_cloned(tmp_path: pathlib.Path) -> None:
    needs("skorch")
    from sklearn.base import clone
    from sklearn.model_selection import GridSearchCV

    inputs, labels = (one.numpy() for one in rows())
    torch.manual_seed(0)
    plain = weights(skorch_net(None).fit(inputs, labels).module_)
    torch.manual_seed(0)
    callback = SkorchCallback(progress=silent, guard="stop", guard_folder=tmp_path)
    assert same(plain, weights(skorch_net(callback).fit(inputs, labels).module_))
    assert callback.verdict == "sound"
    lost = SkorchCallback(progress=silent, guard="stop", guard_folder=tmp_path)
    net = skorch_net(lost, module__broken=30).fit(inputs, labels)
    assert "NaN" in lost.stopped
    assert finite(net.module_)
    again = clone(skorch_net(SkorchCallback(progress=silent, ignore=["overfitting"])))
    assert again.callbacks[0].ignore == ["overfitting"]
    assert again.fit(inputs, labels).callbacks[0].verdict == "sound"
    search = GridSearchCV(skorch_net(SkorchCallback(progress=silent)), {"lr": [0.1, 0.2]}, cv=2, refit=False)
    search.fit(inputs, labels)
    assert not watched_already()


def test_ignite_is_watched_and_guarded(tmp_path: pathlib.Path) -> None:
    needs("ignite")
    from ignite.engine import Engine

    for broken in (-1, 40):
        torch.manual_seed(0)
        net = Net(broken)
        optimizer = torch.optim.Adam(net.parameters(), 1e-2)

        def step(engine: Any, batch: Any, net: Net = net, optimizer: torch.optim.Optimizer = optimizer) -> float:
            optimizer.zero_grad()
            loss = functional.cross_entropy(net(batch[0]), batch[1])
            loss.backward()
            optimizer.step()
            return loss.item()

        engine = Engine(step)
        handler = IgniteHandler(net, optimizer, progress=silent, guard="stop", guard_folder=tmp_path)
        handler.attach(engine)
        engine.run(DataLoader(TensorDataset(*rows()), BATCH, shuffle=True), max_epochs=5)
        assert bool(handler.stopped) == (broken > 0)
        assert finite(net)
        assert len(handler.trace.series("loss").values) == (100 if broken < 0 else 41)
        assert not watched_already()


def test_what_accelerate_prepares_is_watched_by_watch(tmp_path: pathlib.Path) -> None:
    needs("accelerate")
    from accelerate import Accelerator

    import babysit

    accelerator = Accelerator(cpu=True)
    net: Any = Net(30)
    optimizer = torch.optim.Adam(net.parameters(), 1e-2)
    loader = DataLoader(TensorDataset(*rows()), BATCH, shuffle=True)
    net, optimizer, loader = accelerator.prepare(net, optimizer, loader)
    with babysit.watch(net, optimizer, progress=silent, guard="stop", guard_folder=tmp_path) as w:
        for _ in range(3):
            for inputs, labels in loader:
                optimizer.zero_grad()
                accelerator.backward(functional.cross_entropy(net(inputs), labels))
                optimizer.step()
    assert "NaN" in w.stopped
    assert finite(net)
    assert len(w.trace.series("lr").values) == 31


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (LightningCallback, "lightning"),
        (TransformersCallback, "transformers"),
        (KerasCallback, "keras"),
        (SkorchCallback, "skorch"),
    ],
)
def test_a_framework_that_is_not_there_is_named(
    make: type[BabysitCallback], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in list(sys.modules):
        if module.partition(".")[0] in (name, "pytorch_lightning"):
            monkeypatch.delitem(sys.modules, module)
    real = importlib.util.find_spec(name)

    class Hides:
        def find_spec(self, asked: str, *_: object) -> None:
            if asked.partition(".")[0] in (name, "pytorch_lightning"):
                raise ModuleNotFoundError(f"No module named '{asked}'", name=asked)

    monkeypatch.setattr(sys, "meta_path", [Hides(), *sys.meta_path])
    with pytest.raises(MissingExtraError, match=rf"babysit\[{name}\]"):
        make()
    assert real is None or name not in sys.modules


def test_the_first_import_of_the_adapters_is_light() -> None:
    code = "import sys, babysit.adapters; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
