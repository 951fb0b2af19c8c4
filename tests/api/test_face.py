"""The public face: how many names there are, and that every verb answers in one manner."""

from __future__ import annotations

import base64
import importlib
import inspect
import json
import pathlib
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from typing import Any

import jsonschema
import pytest
import torch
from rich.console import Console
from torch import nn

import babysit
from babysit import api
from babysit.cli import _app
from babysit.cli._schema import ANSWERS
from babysit.record import Row, Trace, json_schema, silent

MOST_NAMES = 35
LONGEST_REPR = 400  # characters
QUICK = ["epochs=2", "widths=[4]"]
SCRIPT = """\
import torch
net = torch.nn.Linear(2, 1)
optimizer = torch.optim.SGD(net.parameters(), 0.1)
for _ in range(20):
    optimizer.zero_grad()
    net(torch.ones(3, 2)).square().mean().backward()
    optimizer.step()
"""
# What a verb makes rather than answers.
MAKERS = {"apply_remedies", "k_folds", "load", "load_ipython_extension", "prepare", "unload_ipython_extension"}
# What only Python can be given, and what only a command line needs.
OF_PYTHON = {"engine", "loader", "loss", "model", "optimizer", "progress", "scheduler", "show", "source", "step"}
OF_PYTHON |= {"validation"}
OF_COMMANDS = {"background", "form", "json", "plain", "quiet", "report"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    path = tmp_path_factory.mktemp("face")
    (path / "train.py").write_text(SCRIPT)
    return path


@pytest.fixture(scope="module")
def fitted(folder: pathlib.Path) -> api.Fitted:
    return babysit.fit("iris", settings=QUICK, seconds=0, out=folder / "run")


def network() -> tuple[nn.Module, list[tuple[torch.Tensor, torch.Tensor]]]:
    torch.manual_seed(0)
    return nn.Linear(4, 3), [(torch.randn(16, 4), torch.randint(0, 3, (16,))) for _ in range(4)]


def checked() -> api.Result:
    net, batches = network()
    return babysit.check(net, nn.CrossEntropyLoss(), batches, torch.optim.Adam, only=["wiring", "initial-loss"])


def healed() -> api.Result:
    net, batches = network()
    return babysit.heal(net, nn.CrossEntropyLoss(), batches, torch.optim.Adam, seconds=3, steps=20, seeds=1)


def compared() -> api.Result:
    net, batches = network()
    return babysit.compare_init(net, nn.CrossEntropyLoss(), batches, torch.optim.Adam, schemes=["he"], steps=2, seeds=1)


def watched() -> api.Result:
    net, batches = network()
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    with babysit.watch(net, optimizer, progress=silent) as w:
        for inputs, labels in batches:
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(inputs), labels).backward()
            optimizer.step()
    return w


# Each verb with a call of it: (folder, the fitted Run) -> the answer.
CALLS: dict[str, Callable[[pathlib.Path, api.Fitted], api.Result]] = {
    "check": lambda folder, fitted: checked(),
    "compare": lambda folder, fitted: babysit.compare(fitted, fitted),
    "compare_init": lambda folder, fitted: compared(),
    "diagnose": lambda folder, fitted: babysit.diagnose(fitted.run),
    "evaluate": lambda folder, fitted: babysit.evaluate(fitted.run),
    "explain": lambda folder, fitted: babysit.explain("relu"),
    "export": lambda folder, fitted: babysit.export(fitted.run, folder / "model.pt2"),
    "fit": lambda folder, fitted: fitted,
    "heal": lambda folder, fitted: healed(),
    "initialise": lambda folder, fitted: babysit.initialise(network()[0]),
    "initialize": lambda folder, fitted: babysit.initialize(network()[0]),
    "predict": lambda folder, fitted: babysit.predict(fitted.run, torch.randn(3, 4).numpy()),
    "resume": lambda folder, fitted: babysit.resume(fitted.run),
    "run": lambda folder, fitted: babysit.run(folder / "train.py", progress=silent),
    "tune": lambda folder, fitted: babysit.tune(
        "iris", space=["lr=1e-3:1e-1:log"], trials=2, winners=1, repeats=1, settings=QUICK, out=folder / "study"
    ),
    "watch": lambda folder, fitted: watched(),
}


def test_there_are_few_names() -> None:
    assert len([name for name in babysit.__all__ if name != "__version__"]) <= MOST_NAMES


def test_every_verb_is_called_here() -> None:
    functions = {name for name in babysit.__all__ if inspect.isfunction(getattr(babysit, name))}
    assert functions - MAKERS == CALLS.keys()


@pytest.mark.parametrize("verb", CALLS)
def test_every_verb_answers_in_one_manner(verb: str, folder: pathlib.Path, fitted: api.Fitted) -> None:
    answer = CALLS[verb](folder, fitted)
    assert isinstance(answer, babysit.Result)
    assert isinstance(answer.ok, bool)
    assert isinstance(answer.findings, tuple)
    assert all(isinstance(finding, babysit.Finding) for finding in answer.findings)
    content = json.loads(answer.to_json())
    if verb.replace("_", "-") in ANSWERS:
        jsonschema.validate(content, json_schema(ANSWERS[verb.replace("_", "-")]))
    assert answer.report(folder / "page.html").read_text().startswith("<!doctype html>")
    assert answer._repr_html_().startswith("<pre")
    console = Console(width=100)
    with console.capture() as capture:
        console.print(answer)
    assert capture.get().strip()
    assert str(answer).strip()
    # Where somebody types its name: a line; in a notebook HTML without a script, and text where that cannot be shown.
    assert 0 < len(repr(answer)) < LONGEST_REPR
    bundle = answer._repr_mimebundle_()
    assert bundle.keys() == {"text/plain", "text/html"}
    assert "<script" not in bundle["text/html"]
    assert "<svg" not in bundle["text/html"], "mistrusted notebooks take tags of SVG out"
    assert len(bundle["text/plain"]) <= 4000
    for name in ("comparison", "healing", "pre_flight"):
        assert len(repr(getattr(answer, name, None))) < LONGEST_REPR


def test_a_watched_training_has_a_picture_in_a_notebook() -> None:
    text = watched()._repr_html_()
    picture = base64.b64decode(text.partition("base64,")[2].partition('"')[0]).decode()
    assert ElementTree.fromstring(picture).find("{http://www.w3.org/2000/svg}path") is not None


def test_in_a_notebook_check_shows_its_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []

    class Output:
        def update(self, what: Any, /) -> None:
            shown.append(what._repr_html_())

    def display(what: Any) -> Output:
        shown.append(what._repr_html_())
        return Output()

    monkeypatch.setattr("babysit.api._result.in_notebook", lambda: True)
    monkeypatch.setattr("babysit.reports._notebook_view._in_cell", display)
    checked()
    assert "<pre" in shown[0]
    assert shown[-1] == ""


def test_what_is_sick_is_raised() -> None:
    found = babysit.diagnose(Trace((Row(0, "train", "", "loss", float("nan")),)))
    assert not found.ok
    with pytest.raises(babysit.SickError, match=found.findings[0].name):
        found.raise_if_sick()


@pytest.mark.parametrize("verb", sorted(set(CALLS) & {name.replace("-", "_") for name in _app.VERBS}))
def test_the_command_has_the_words_of_the_function(verb: str) -> None:
    command = getattr(importlib.import_module(f"babysit.cli._{verb}"), verb)
    ours, theirs = (set(inspect.signature(function).parameters) for function in (command, getattr(babysit, verb)))
    assert ours - OF_COMMANDS == theirs - OF_PYTHON
