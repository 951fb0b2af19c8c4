"""Frameworks around the loop: each is run for real, plainly and watched, where it is installed.

None of them is among what the tests ask for: `pip install lightning transformers accelerate skorch keras` has them run.
"""

import importlib.util
import os
import pathlib
import re
import subprocess
import sys

import pytest

from babysit.record import read_trace

LIGHTNING = """\
import logging
import warnings

import lightning
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

warnings.simplefilter("ignore")
logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)


class Autoencoder(lightning.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(8, 4), nn.Tanh())
        self.decoder = nn.Linear(4, 8)

    def training_step(self, batch, number):
        (rows,) = batch
        return nn.functional.mse_loss(self.decoder(self.encoder(rows)), rows)

    def validation_step(self, batch, number):
        (rows,) = batch
        self.log("held", nn.functional.mse_loss(self.decoder(self.encoder(rows)), rows))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


lightning.seed_everything(0, verbose=False)
rows = torch.randn(160, 8)
model = Autoencoder()
trainer = lightning.Trainer(max_epochs=3, accelerator="cpu", logger=False, enable_checkpointing=False,
                            enable_progress_bar=False, enable_model_summary=False)
trainer.fit(model, DataLoader(TensorDataset(rows[:128]), 32, shuffle=True), DataLoader(TensorDataset(rows[128:]), 32))
print([parameter.sum().item() for parameter in model.parameters()])
"""

TRANSFORMERS = """\
import tempfile

import torch
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments, set_seed

set_seed(0)
words = torch.randint(0, 50, (96, 12))
rows = [{"input_ids": one, "labels": (one[0] > 25).long()} for one in words]
config = BertConfig(vocab_size=50, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=48,
                    max_position_embeddings=16, num_labels=2)
model = BertForSequenceClassification(config)
with tempfile.TemporaryDirectory() as folder:
    arguments = TrainingArguments(folder, num_train_epochs=2, per_device_train_batch_size=16, report_to="none",
                                  use_cpu=True, save_strategy="no", disable_tqdm=True, eval_strategy="epoch",
                                  logging_strategy="epoch", learning_rate=1e-3)
    trainer = Trainer(model, arguments, train_dataset=rows[:64], eval_dataset=rows[64:])
    trainer.train()
print(sum(parameter.sum().item() for parameter in model.parameters()))
"""

ACCELERATE = """\
import torch
from accelerate import Accelerator
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
accelerator = Accelerator(cpu=True)
inputs = torch.randn(96, 6)
labels = (inputs[:, 0] > 0).long()
net = nn.Sequential(nn.Linear(6, 12), nn.ReLU(), nn.Linear(12, 2))
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
loader = DataLoader(TensorDataset(inputs, labels), batch_size=16, shuffle=True)
net, optimizer, loader = accelerator.prepare(net, optimizer, loader)
for _ in range(3):
    for rows, wanted in loader:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(rows), wanted)
        accelerator.backward(loss)
        optimizer.step()
print([parameter.sum().item() for parameter in net.parameters()], loss.item())
"""

SKORCH = """\
import numpy as np
import torch
from skorch import NeuralNetClassifier
from torch import nn

torch.manual_seed(0)
inputs = np.random.default_rng(0).normal(size=(160, 5)).astype(np.float32)
labels = (inputs[:, 0] > 0).astype(np.int64)
net = NeuralNetClassifier(nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 2)), criterion=nn.CrossEntropyLoss,
                          max_epochs=3, lr=0.1, batch_size=32, verbose=0)
net.fit(inputs, labels)
print([parameter.sum().item() for parameter in net.module_.parameters()], net.score(inputs, labels))
"""

KERAS = """\
import os

os.environ["KERAS_BACKEND"] = "torch"
import keras
import numpy as np

keras.utils.set_random_seed(0)
inputs = np.random.default_rng(0).normal(size=(128, 6)).astype("float32")
labels = (inputs[:, 0] > 0).astype("int32")
net = keras.Sequential([keras.Input((6,)), keras.layers.Dense(16, activation="relu"), keras.layers.Dense(2)])
net.compile(keras.optimizers.SGD(0.1), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
history = net.fit(inputs, labels, batch_size=32, epochs=3, verbose=0, validation_split=0.25)
print([float(weight.sum()) for weight in net.get_weights()], history.history["loss"])
"""

PROGRAMS = {
    "accelerate": (ACCELERATE, 18, "0"),
    "keras": (KERAS, 9, "matmul"),
    "lightning": (LIGHTNING, 12, "decoder"),
    "skorch": (SKORCH, 12, "0"),
    "transformers": (TRANSFORMERS, 8, "classifier"),
}
TIMES = re.compile(r"'\w+_(runtime|per_second)': '[^']*'")  # of the clock, and of no training


@pytest.mark.slow  # each imports a framework twice
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_framework_is_seen_and_left_alone(name: str, tmp_path: pathlib.Path) -> None:
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not installed")
    text, steps, layer = PROGRAMS[name]
    script, trace = tmp_path / "train.py", tmp_path / "trace.sqlite"
    script.write_text(text)
    plain, watched = (
        subprocess.run(
            [sys.executable, *way, str(script)], capture_output=True, text=True, check=False, cwd=tmp_path,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        for way in ([], ["-m", "babysit", "run", "--overhead", "1", "--keep", str(trace)])
    )  # fmt: skip
    assert plain.returncode == watched.returncode == 0, plain.stderr + watched.stderr
    assert TIMES.sub("", watched.stdout) == TIMES.sub("", plain.stdout)
    seen = read_trace(trace)
    assert len(seen.series("loss").values) == steps
    assert layer in {found.name for found in seen.layers}
    assert "sick: " not in watched.stderr
    unseen = [event.text for event in seen.happened("unseen")]
    # Keras has optimizers of its own.
    assert any("something else than torch.optim" in text for text in unseen) == (name == "keras")
