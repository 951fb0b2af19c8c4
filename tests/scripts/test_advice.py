"""Advice: a line a remedy, the user's own line where it is sure, and always something to write."""

from __future__ import annotations

import pathlib

import pytest

from babysit.record import InputError, Remedy
from babysit.remedies import REMEDIES
from babysit.scripts import Script
from babysit.scripts.patches import _files, advice_for, patched
from tests.scripts.conftest import PATIENTS, program

VALUES = {
    "activation": "selu", "batch-size": "64", "clip-norm": "1", "dropout": "0.2", "epochs": "30", "initialise": "he",
    "insert-activation": "relu", "loss": "cross-entropy", "lr": "0.01", "optimizer": "adam", "weight-decay": "0.01",
}  # fmt: skip


TAKEN = [name for name, kind in REMEDIES.items() if not kind.not_script or kind.of_the_text]


def advice(path: pathlib.Path, *remedies: str, arguments: tuple[str, ...] = ()) -> tuple[str, ...]:
    return advice_for(Script(str(path), arguments), [Remedy.parse(text) for text in remedies])


def test_most_remedies_can_be_taken_by_scripts() -> None:
    assert set(VALUES) <= set(TAKEN)
    assert len(TAKEN) >= 35


@pytest.mark.parametrize("name", TAKEN)
def test_every_remedy_has_advice(name: str, tmp_path: pathlib.Path) -> None:
    value = VALUES.get(name)
    texts = {"usual": program(), "unknown": "from somewhere import train\n\ntrain()\n"}
    for kind, text in texts.items():
        path = tmp_path / f"{kind}.py"
        path.write_text(text)
        (line,) = advice_for(Script(str(path)), [Remedy(name, value)])
        assert "\n" not in line
        assert "{" not in line
        assert len(line) > len(name) + 5
        assert line != REMEDIES[name].summary, "advice says what to write, not what the remedy is"
        if value is not None and name not in ("optimizer", "loss", "initialise"):
            assert value.lower() in line.lower()
        if kind == "unknown":
            assert "unknown.py" not in line


@pytest.mark.parametrize(
    ("name", "remedies", "lines"),
    [
        ("dc-regr-over_scaled", "lr=0.01",
         ["sick.py:38: optimizer = torch.optim.Adam(net.parameters(), lr=0.01, weight_decay=1e-5)"]),
        ("pt-60335387", "clear-gradients", ["sick.py:34: call optimizer.zero_grad() before loss.backward()"]),
        ("dc-cnn-red_soft", "remove-softmax", ["sick.py:29: return self.fc2(x)"]),
        ("so-48251943", "linear-output epochs=300", ["sick.py:26: x = self.fc2(x)", "sick.py:33: epochs = 300"]),
        ("umlaut-a2", "dropout=0.2", ["sick.py:11: DROPOUT = 0.2"]),
        ("so-55328966", "optimizer=adam lr=0.001",
         ["sick.py:31: optimizer = torch.optim.Adam(model.parameters(), lr=0.001, weight_decay=1e-4)"] * 2),
        ("pt-yangqie", "call-step lr=0.005",
         ["sick.py:25: before the loop: optimizer = torch.optim.Adam(model.parameters(), lr=0.005); "
          "sick.py:28: call optimizer.zero_grad() before loss.backward(); "
          "sick.py:28: call optimizer.step() after loss.backward()",
          "sick.py:25: before the loop: optimizer = torch.optim.Adam(model.parameters(), lr=0.005)"]),
    ],
)  # fmt: skip
def test_lines_of_real_programs(name: str, remedies: str, lines: list[str]) -> None:
    assert list(advice(PATIENTS / name / "sick.py", *remedies.split())) == lines


def test_what_cannot_be_one_line_is_told_with_where_to_begin() -> None:
    (line,) = advice(PATIENTS / "so-52800582" / "sick.py", "standardise-targets")
    assert ": before the training loop: targets = (targets - mean) / std" in line
    (line,) = advice(PATIENTS / "dc-cnn-unbalanced" / "sick.py", "class-weights")
    assert line.startswith("sick.py:48: where the loss is made: weight=")


def test_modules_beside_the_script_are_read(tmp_path: pathlib.Path) -> None:
    (tmp_path / "nets").mkdir()
    (tmp_path / "nets" / "__init__.py").write_text("from .small import Net\n")
    (tmp_path / "nets" / "small.py").write_text(
        "from torch import nn\n\n\nclass Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.drop = nn.Dropout(0.9)\n\n    def forward(self, x):\n        return self.drop(x)\n"
    )
    (tmp_path / "steps.py").write_text(
        "def step(net, opt, x):\n    loss = net(x).mean()\n    loss.backward()\n    opt.step()\n"
    )
    script = tmp_path / "train.py"
    script.write_text(
        "import torch, nets, steps\nnet = nets.Net()\nopt = torch.optim.SGD(net.parameters(), 0.1)\n"
        "for _ in range(3):\n    steps.step(net, opt, torch.ones(2, 2))\n"
    )
    assert advice(script, "dropout=0.2", "clear-gradients", "lr=1") == (
        "nets/small.py:7: self.drop = nn.Dropout(0.2)",
        "steps.py:3: call opt.zero_grad() before loss.backward()",
        "train.py:3: opt = torch.optim.SGD(net.parameters(), 1)",
    )


def test_a_script_that_is_no_python(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "train.py"
    path.write_text("for epoch in:\n")
    with pytest.raises(InputError, match="is not Python"):
        advice(path, "lr=1")


def test_a_script_that_only_python_can_parse_has_advice_in_words(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(content: bytes, arguments: tuple[str, ...]) -> None:
        raise SyntaxError("line 1: tokenizer error")

    monkeypatch.setattr(_files, "Code", refuse)
    path = tmp_path / "train.py"
    path.write_text(program())
    assert advice(path, "lr=0.5") == ("where the optimizer is made: lr=0.5",)
    with pytest.raises(InputError, match=r"cannot be parsed: line 1: tokenizer error"):
        patched(Script(str(path)), [Remedy("lr", "0.5")])
