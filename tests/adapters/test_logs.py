"""Logs of trainings that babysit did not see, in the forms in which people have them."""

from __future__ import annotations

import json
import math
import pathlib
import random
import sqlite3
import struct
from collections.abc import Callable, Sequence

import pytest

import babysit
from babysit.adapters import read_log
from babysit.adapters._log_numbers import meaning
from babysit.adapters._log_text import numbers_of_text
from babysit.record import InputError

FALLING = [2.3 * 0.9**at + 0.02 for at in range(40)]


def flat(level: float, count: int = 40, noise: float = 0.003) -> list[float]:
    """A loss that stays where it is."""
    draw = random.Random(0)
    return [level + draw.gauss(0, noise) for _ in range(count)]


def keras_csv(folder: pathlib.Path, losses: Sequence[float], scores: Sequence[float]) -> pathlib.Path:
    """As Keras' CSVLogger writes it."""
    pairs = zip(losses, scores, strict=True)
    rows = [f"{at},{score},{loss},{score},{loss * 1.02}" for at, (loss, score) in enumerate(pairs)]
    path = folder / "training.log"
    path.write_text("\n".join(["epoch,accuracy,loss,val_accuracy,val_loss", *rows]) + "\n")
    return path


def lightning_csv(folder: pathlib.Path, losses: Sequence[float], scores: Sequence[float]) -> pathlib.Path:
    """As Lightning's CSVLogger writes it: a row has the numbers of its moment and blanks."""
    rows = ["epoch,lr-SGD,step,train_loss_epoch,train_loss_step,val_acc,val_loss"]
    for at, (loss, score) in enumerate(zip(losses, scores, strict=True)):
        rows += [f"{at // 4},,{50 * at + 49},,{loss},,", f"{at // 4},,{50 * at + 49},,,{score},{loss * 1.02}"]
    path = folder / "lightning_logs" / "version_0" / "metrics.csv"
    path.parent.mkdir(parents=True)
    path.write_text("\n".join(rows) + "\n")
    return folder


def trainer_state(folder: pathlib.Path, losses: Sequence[float], scores: Sequence[float]) -> pathlib.Path:
    """As Transformers' Trainer writes it, in the folder of a checkpoint."""
    history: list[dict[str, float]] = []
    for at, (loss, score) in enumerate(zip(losses, scores, strict=True), start=1):
        history += [
            {"epoch": at / 10, "grad_norm": 1.0, "learning_rate": 5e-5, "loss": loss, "step": 10 * at},
            {"epoch": at / 10, "eval_accuracy": score, "eval_loss": loss * 1.02, "eval_runtime": 1.5, "step": 10 * at},
        ]
    path = folder / "checkpoint-400" / "trainer_state.json"
    path.parent.mkdir()
    path.write_text(json.dumps({"best_metric": None, "global_step": 400, "log_history": history}))
    return folder


def json_lines(folder: pathlib.Path, losses: Sequence[float], scores: Sequence[float]) -> pathlib.Path:
    """A record a line, numbers within numbers, the last line cut off."""
    lines = [
        json.dumps({"step": at, "train": {"loss": loss}, "val": {"loss": loss * 1.02, "acc": 100 * score}})
        for at, (loss, score) in enumerate(zip(losses, scores, strict=True))
    ]
    path = folder / "metrics.jsonl"
    path.write_text("\n".join(lines) + '\n{"step": 41, "tra')
    return path


def printed(folder: pathlib.Path, losses: Sequence[float], scores: Sequence[float]) -> pathlib.Path:
    """What a loop prints."""
    lines = ["Loading data ...", "device: cpu, 48000 rows"]
    for at, (loss, score) in enumerate(zip(losses, scores, strict=True), start=1):
        lines.append(f"Epoch {at}/40 | train loss: {loss:.4f} | lr 1.0e-03 | {at * 3.1:.1f}s")
        lines.append(f"    validation: loss={loss * 1.02:.4f}, accuracy={100 * score:.1f}%")
    path = folder / "out.txt"
    path.write_text("\n".join(lines))
    return path


def mlflow_folder(folder: pathlib.Path, losses: Sequence[float], scores: Sequence[float]) -> pathlib.Path:
    """As MLflow's file store keeps a run: a file a metric."""
    metrics = folder / "mlruns" / "0" / "3f2a" / "metrics"
    metrics.mkdir(parents=True)
    for name, values in {"train_loss": losses, "val_loss": [1.02 * one for one in losses], "val_acc": scores}.items():
        (metrics / name).write_text("".join(f"17000000{at:05} {value} {at}\n" for at, value in enumerate(values)))
    return folder / "mlruns"


def mlflow_database(folder: pathlib.Path, losses: Sequence[float], scores: Sequence[float]) -> pathlib.Path:
    """As MLflow keeps runs in SQLite."""
    path = folder / "mlflow.db"
    database = sqlite3.connect(path)
    database.execute(
        "CREATE TABLE metrics (key TEXT, value REAL, timestamp INTEGER, run_uuid TEXT, step INTEGER, is_nan INTEGER)"
    )
    for name, values in {"train_loss": losses, "val_loss": [1.02 * one for one in losses], "val_acc": scores}.items():
        told = [
            (name, 0.0 if math.isnan(value) else value, at, "one", at, int(math.isnan(value)))
            for at, value in enumerate(values)
        ]
        database.executemany("INSERT INTO metrics VALUES (?, ?, ?, ?, ?, ?)", told)
    database.commit()
    database.close()
    return path


WRITERS = [keras_csv, lightning_csv, trainer_state, json_lines, printed, mlflow_folder, mlflow_database]
Writer = Callable[[pathlib.Path, Sequence[float], Sequence[float]], pathlib.Path]


@pytest.mark.parametrize("write", WRITERS, ids=lambda write: write.__name__)
class TestEveryForm:
    def test_learns(self, write: Writer, tmp_path: pathlib.Path) -> None:
        scores = [0.1 + 0.02 * at for at in range(40)]
        found = babysit.diagnose(write(tmp_path, FALLING, scores))
        assert found.verdict == "sound", found
        assert found.trace.series("loss").values == pytest.approx(FALLING, abs=1e-4)
        assert found.trace.series("accuracy", phase="validation").values == pytest.approx(scores, abs=1e-3)

    def test_stuck_at_chance(self, write: Writer, tmp_path: pathlib.Path) -> None:
        found = babysit.diagnose(write(tmp_path, flat(math.log(10)), [0.1] * 40))
        assert (found.verdict, found.findings[0].name) == ("sick", "not-learning")

    def test_not_a_number(self, write: Writer, tmp_path: pathlib.Path) -> None:
        losses = FALLING[:20] + [math.nan] * 20
        found = babysit.diagnose(write(tmp_path, losses, [0.3] * 40))
        assert found.verdict == "sick"
        assert "diverged" in {one.name for one in found.findings}

    def test_flat_at_a_level_of_its_own(self, write: Writer, tmp_path: pathlib.Path) -> None:
        """A network that was trained before may stay where it is."""
        found = babysit.diagnose(write(tmp_path, flat(0.047, noise=0.0005), [0.985] * 40))
        assert found.verdict == "not judged"
        assert not [one for one in found.findings if one.severity == "sick"]


def test_what_was_not_measured_is_told(tmp_path: pathlib.Path) -> None:
    found = babysit.diagnose(printed(tmp_path, FALLING, [0.5] * 40))
    assert "units-dead" in found.not_judged
    assert "diverged" not in found.not_judged
    assert found.to_dict()["verdict"] == found.verdict


def test_a_nan_that_is_hidden(tmp_path: pathlib.Path) -> None:
    """Transformers writes 0 in place of a loss that is NaN."""
    history = [{"step": at, "loss": 1 / at, "grad_norm": 1.0} for at in range(1, 10)]
    history += [{"step": at, "loss": 0.0, "grad_norm": math.nan} for at in range(10, 40)]
    path = tmp_path / "trainer_state.json"
    path.write_text(json.dumps({"log_history": history}))
    found = babysit.diagnose(path)
    assert "diverged" in {one.name for one in found.findings}
    assert found.trace.happened("not-finite")[0].step == 10


@pytest.mark.parametrize(
    ("text", "losses"),
    [
        ("Train Epoch: 1 [0/60000 (0%)]\tLoss: 2.3\nTrain Epoch: 1 [640/60000 (1%)]\tLoss: 1.4\n", (2.3, 1.4)),
        ("{'loss': 2.5, 'epoch': 0.1}\n{'loss': 2.4, 'epoch': 0.2}\n", (2.5, 2.4)),
        ("Epoch: [0][ 10/391]\tTime 0.2 (0.3)\tLoss 6.9e-1 (7.0e-1)\nEpoch: [0][ 20/391]\tLoss 0.5 (0.6)", (0.69, 0.5)),
        ("\x1b[32mstep 0\x1b[0m: train loss 4.2, val loss 4.3\nstep 500: train loss 2.1, val loss 2.2", (4.2, 2.1)),
        ("1/10 [==>...] - loss: 0.9\r2/10 [===>..] - loss: 0.8\r", (0.9, 0.8)),
        ("iter 0: loss 10.98, time 3ms\niter 1: loss nan, time 3ms", (10.98, math.nan)),
        ("loss=tensor(0.75, grad_fn=<MeanBackward0>)\nloss=tensor(0.5, grad_fn=<MeanBackward0>)", (0.75, 0.5)),
    ],
)
def test_what_scripts_print(text: str, losses: tuple[float, ...], tmp_path: pathlib.Path) -> None:
    path = tmp_path / "out.log"
    path.write_text(text)
    assert read_log(path).series("loss").values == pytest.approx(losses, nan_ok=True)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("epoch 0 loss 0.35 val_acc 0.85", {"train loss": 0.35, "validation accuracy": 0.85}),
        ("step 250: train loss 2.1, val loss 2.2", {"train loss": 2.1, "validation data-loss": 2.2}),
        ("train: loss=0.5 acc=0.8; val: loss=0.6 acc=0.7", {
            "train loss": 0.5, "train accuracy": 0.8, "validation data-loss": 0.6, "validation accuracy": 0.7
        }),
        ("[val] loss 0.3 acc 0.9", {"validation data-loss": 0.3, "validation accuracy": 0.9}),
        ("val loss 0.3 acc 0.8", {"validation data-loss": 0.3, "validation accuracy": 0.8}),
        ("Test set: Average loss: 0.05, Accuracy: 9820/10000 (98%)", {"test data-loss": 0.05, "test accuracy": 0.982}),
        ("3s - loss: 0.31 - val_loss: 0.15 - val_accuracy: 0.95", {
            "train loss": 0.31, "validation data-loss": 0.15, "validation accuracy": 0.95
        }),
    ],
)  # fmt: skip
def test_each_number_of_a_line_has_its_own_phase(line: str, told: dict[str, float]) -> None:
    numbers, phases = numbers_of_text(line)
    found = {}
    for number in numbers:
        what = meaning(number.name, phases[number.name])
        assert what is not None
        found[f"{what.phase} {what.quantity}"] = number.value
    assert found == pytest.approx(told)


@pytest.mark.parametrize("name", ["events.out.tfevents.1", "run-1.wandb", "mlflow.db"])
@pytest.mark.parametrize(
    "data", [b"", b":W&B", b"\xff" * 100, bytes(range(256)) * 200, b"SQLite format 3\0" + b"x" * 200]
)
def test_damaged_binary_logs(name: str, data: bytes, tmp_path: pathlib.Path) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError):
        read_log(tmp_path / name)


@pytest.mark.parametrize("text", ["", "nothing to see\n", "a,b\n1,2\n", "[]", '{"name": "x"}', "\x00\x01\x02"])
def test_no_log(text: str, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "out.log"
    path.write_text(text)
    with pytest.raises(InputError):
        read_log(path)


def test_several_logs(tmp_path: pathlib.Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        keras_csv(tmp_path / name, FALLING, FALLING).rename(tmp_path / name / "log.csv")
    with pytest.raises(InputError, match="holds 2 logs"):
        read_log(tmp_path)


def test_events_of_tensorboard(tmp_path: pathlib.Path) -> None:
    written = pytest.importorskip("tensorboardX")
    with written.SummaryWriter(str(tmp_path), flush_secs=1) as writer:
        for at, loss in enumerate(FALLING):
            writer.add_scalar("Loss/train", loss, 10 * at)
            writer.add_scalar("Loss/val", loss * 1.02, 10 * at)
    trace = read_log(tmp_path)
    assert trace.series("loss").values == pytest.approx(FALLING, rel=1e-5)
    assert trace.series("data-loss", phase="validation").steps[-1] == 390
    assert babysit.diagnose(tmp_path).verdict == "sound"
    # A training that was killed while it wrote.
    (file,) = tmp_path.glob("events.*")
    file.write_bytes(file.read_bytes()[:-7])
    assert len(read_log(file).series("loss").values) == len(FALLING)


def test_events_of_two_trainings(tmp_path: pathlib.Path) -> None:
    written = pytest.importorskip("tensorboardX")
    for name in ("lr-1", "lr-2"):
        with written.SummaryWriter(str(tmp_path / name)) as writer:
            writer.add_scalar("loss", 1.0, 0)
    with pytest.raises(InputError, match="2 trainings"):
        read_log(tmp_path)


def message(*parts: tuple[int, int | bytes]) -> bytes:
    """A protocol buffer of whole numbers and bytes."""

    def whole(number: int) -> bytes:
        low, rest = number & 127, number >> 7
        return bytes([low | 128]) + whole(rest) if rest else bytes([low])

    return b"".join(
        whole(number << 3) + whole(value)
        if isinstance(value, int)
        else whole(number << 3 | 2) + whole(len(value)) + value
        for number, value in parts
    )


def leveldb(records: Sequence[bytes]) -> bytes:
    """Records as W&B writes them: blocks of 32 KiB, a record in as many parts as it needs."""
    data = bytearray(b":W&B\xe1\xbe\x00")
    for record in records:
        rest, first = record, True
        while first or rest:
            left = 32768 - len(data) % 32768
            if left < 7:
                data += bytes(left)
                continue
            part, rest = rest[: left - 7], rest[left - 7 :]
            kind = {(True, True): 1, (True, False): 2, (False, False): 3, (False, True): 4}[first, not rest]
            data += struct.pack("<IHB", 0, len(part), kind) + part
            first = False
    return bytes(data)


def test_an_offline_run_of_wandb(tmp_path: pathlib.Path) -> None:
    """What W&B 0.31 wrote of such a run was read by the same code; a record is longer than a block here."""
    records = [message((1, 1), (17, b"a run"))]
    for at, loss in enumerate(FALLING):
        told: dict[str, object] = {"_step": at, "train/loss": loss, "val/loss": loss * 1.02, "text": "x" * 3000}
        items = [(1, message((1, name.encode()), (16, json.dumps(value).encode()))) for name, value in told.items()]
        records += [message((1, at), (2, message(*items))), message((1, at), (3, b"y" * (40000 if at == 7 else 10)))]
    folder = tmp_path / "offline-run-20260101_000000-abc"
    folder.mkdir()
    (folder / "run-abc.wandb").write_bytes(leveldb(records))
    assert read_log(folder).series("loss").values == pytest.approx(FALLING)
    (folder / "run-abc.wandb").write_bytes(leveldb(records)[:-9])
    assert len(read_log(folder).series("loss").values) == len(FALLING)
