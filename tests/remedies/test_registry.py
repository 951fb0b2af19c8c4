"""Each remedy on each kind of subject: it really is applied, or the reason why it cannot be is told."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Iterator

import pytest

from babysit.diseases import DISEASES
from babysit.record import (
    BabysitError,
    InputError,
    NotAppliedError,
    Recipe,
    Remedy,
    Trace,
    load_recipe,
    with_settings,
)
from babysit.rehearsal import EXPERIMENTS, Ask, RecipeSubject
from babysit.remedies import REMEDIES
from babysit.reports import remedy_summary
from babysit.scripts import Runner, Script, ScriptSubject, watching_environment
from babysit.scripts.patches import patched
from tests.remedies.sick import SICK, Sick

# Settings of a recipe that is in want of a remedy, where the default recipe is not.
IN_WANT = {
    "class-weights": ["data.source=iris"],
    "insert-activation": ["model.activation=identity"],
    "insert-batch-norm": ["model.batch_norm=false"],
    "recalibrate-batch-norm": ["model.batch_norm=true"],
    "loss": ["data.source=diabetes"],
    "scale-inputs": ["preprocessing.numbers=none"],
    "standardise-inputs": ["preprocessing.numbers=none"],
    "standardise-targets": ["data.source=diabetes", "preprocessing.targets=none"],
}
VALUES = {"loss": "huber", "lr": "0.5", "clip-norm": "0.001", "weight-decay": "0.5", "epochs": "7", "dropout": "0.3",
          "optimizer": "sgd", "initialise": "orthogonal"}  # fmt: skip


def remedy_of(name: str) -> Remedy:
    return Remedy(name, SICK[name].value if name in SICK else None)


def losses(found: Trace | BabysitError) -> tuple[float, ...]:
    if isinstance(found, BabysitError):
        raise found
    return found.series("loss").values


def differs(name: str, plain: Trace, found: Trace) -> bool:
    """Whether a remedy shows: in the losses, or in batch normalisation's running statistics."""
    if name != "recalibrate-batch-norm":
        return losses(plain) != losses(found)
    layer = plain.layers_with("running-std-ratio")[0]
    ratios = [trace.series("running-std-ratio", layer=layer).values[-1] for trace in (plain, found)]
    return abs(ratios[1] - 1) < abs(ratios[0] - 1)


@pytest.fixture(scope="module")
def runner() -> Iterator[Runner]:
    with Runner(2, watching_environment()) as found:
        yield found


@pytest.fixture(scope="module")
def recipes() -> Callable[[str], RecipeSubject]:
    made: dict[tuple[str, ...], RecipeSubject] = {}

    def make(name: str) -> RecipeSubject:
        settings = ("data.source=iris", "model.widths=[8]", *IN_WANT.get(name, []))
        if settings not in made:
            made[settings] = RecipeSubject(with_settings(load_recipe("default"), settings))
        return made[settings]

    return make


def test_every_remedy_is_a_class_with_a_name_a_summary_and_advice() -> None:
    for name, kind in REMEDIES.items():
        assert kind.name == name
        assert kind.summary
        assert "\n" not in kind.summary
        assert kind.summary[0].islower()
        assert remedy_summary(name) == kind.summary
    assert len({type(kind) for kind in REMEDIES.values()}) == len(REMEDIES) == 46
    assert not REMEDIES.keys() & EXPERIMENTS.keys()


def test_each_stands_in_the_file_of_its_name() -> None:
    for name, kind in REMEDIES.items():
        assert type(kind).__module__ == f"babysit.remedies._{name.replace('-', '_')}"


def test_diseases_recommend_remedies_that_exist_with_legal_values() -> None:
    for disease in DISEASES.values():
        for text in disease.remedies:
            remedy = Remedy.parse(text)
            if remedy.value is not None:
                REMEDIES[remedy.name].values.check(remedy)


@pytest.mark.parametrize("name", REMEDIES)
def test_values_worth_trying_are_legal(name: str) -> None:
    kind = REMEDIES[name]
    for value in (*kind.values.usual, *([kind.values.default] if kind.values.default else [])):
        kind.values.check(Remedy(name, value))


@pytest.mark.parametrize("name", REMEDIES)
def test_on_a_recipe(name: str, recipes: Callable[[str], RecipeSubject]) -> None:
    kind, subject = REMEDIES[name], recipes(name)
    remedy = Remedy(name, VALUES.get(name, SICK[name].value if name in SICK else None))
    if kind.not_recipe:
        with pytest.raises(NotAppliedError) as refused:
            kind.recipe(remedy, subject.recipe)
        assert kind.not_recipe in str(refused.value)
        with pytest.raises(NotAppliedError):
            subject.rehearse(3, [remedy])
        return
    if kind.settings:
        changed = kind.recipe(remedy, subject.recipe)
        assert isinstance(changed, Recipe)
        assert changed != subject.recipe
        with pytest.raises(NotAppliedError):
            kind.recipe(remedy, changed if name != "wider" else with_settings(changed, ["model.widths=[]"]))
    if kind.unseen:
        with pytest.raises(NotAppliedError, match=kind.unseen[:20]):
            subject.rehearse(3, [remedy])
        return
    plain = subject.rehearse(24)
    try:
        assert differs(name, plain, subject.rehearse(24, [remedy]))
    except NotAppliedError as error:
        # What the networks of recipes do not have: it is told, and never told as tried.
        reason = error.missing[0][1]
        assert reason
        assert not kind.settings, reason


@pytest.mark.parametrize("name", REMEDIES)
def test_on_live_objects(name: str) -> None:
    kind = REMEDIES[name]
    sick = SICK.get(name, Sick())
    if kind.not_live:
        with pytest.raises(NotAppliedError) as refused:
            sick.objects().rehearse(3, [remedy_of(name)])
        assert kind.not_live in str(refused.value)
        return
    subject = sick.objects()
    plain = subject.rehearse(24, probes="all")
    found = subject.rehearse(24, [remedy_of(name)], probes="all")
    assert len(losses(found)) > 1
    assert differs(name, plain, found)


@pytest.mark.parametrize("name", REMEDIES)
def test_on_a_script(name: str, runner: Runner, tmp_path: pathlib.Path) -> None:
    kind = REMEDIES[name]
    sick = SICK.get(name, Sick())
    path = tmp_path / "train.py"
    path.write_text(sick.script)
    subject = ScriptSubject(Script(str(path)), folder=tmp_path, runner=runner)
    if kind.not_script and not kind.of_the_text:
        with pytest.raises(NotAppliedError) as refused:
            subject.rehearse(3, [remedy_of(name)])
        assert kind.not_script in str(refused.value)
        return
    plain, found = subject.run_all([Ask(probes="losses"), Ask(remedies=(remedy_of(name),), probes="losses")])
    assert found.answer.how == "finished", found.answer.error
    assert found.answer.not_applied == ()
    if name in ("recalibrate-batch-norm", "evaluation-mode"):
        assert found.output != plain.output  # evaluations differ, and training does not
    else:
        assert losses(found.trace) != losses(plain.trace)


@pytest.mark.parametrize("name", [name for name in REMEDIES if name in SICK])
def test_in_a_scripts_text(name: str, tmp_path: pathlib.Path) -> None:
    kind, sick = REMEDIES[name], SICK[name]
    path = tmp_path / "train.py"
    path.write_text(sick.script)
    if kind.not_script and not kind.of_the_text:
        with pytest.raises(InputError):
            patched(Script(str(path)), [remedy_of(name)])
        return
    done = patched(Script(str(path)), [remedy_of(name)])
    compile(done.text, "train.py", "exec")
    assert done.text != sick.script
    assert [one.remedy for one in done.written] == ([remedy_of(name)] if sick.text else [])
    assert not (kind.not_source and sick.text)
    assert ("apply_remedies" in done.text) != sick.text
