"""Recipe: what goes out comes back, every mistake is named, nothing else is raised."""

import contextlib
import json
import pathlib
import tomllib

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from babysit.record import (
    LOSS_FACTS,
    LOSS_FUNCTIONS,
    Recipe,
    RecipeError,
    load_recipe,
    parse_recipe,
    recipe_from_dict,
    recipe_names,
    recipe_to_toml,
    setting_paths,
    with_settings,
)


@pytest.mark.parametrize("name", recipe_names())
def test_every_bundled_recipe_loads_and_survives_the_round_trip(name: str) -> None:
    recipe = load_recipe(name)
    assert parse_recipe(recipe_to_toml(recipe)) == recipe


def test_each_line_carries_a_comment_and_each_setting_a_line() -> None:
    text = recipe_to_toml(Recipe())
    lines = [line for line in text.splitlines()[1:] if line]
    assert all("# " in line for line in lines)
    for path in setting_paths():
        name = path.rpartition(".")[2]
        assert any(line.removeprefix("# ").startswith(f"{name} =") for line in lines), path


def test_unset_lines_are_comments_and_can_be_filled_in() -> None:
    text = recipe_to_toml(Recipe())
    assert "lr" not in tomllib.loads(text)["optimizer"]
    filled = text.replace("# lr =", "lr = 0.25")
    assert parse_recipe(filled).optimizer.lr == 0.25


def test_every_mistake_is_reported_at_once_with_its_path() -> None:
    text = """
        sed = 1
        [optimiser]
        lr = 1
        [optimizer]
        lr = "0.1"
        nam = "sgd"
        momentum = 2
        [model]
        widths = [0]
        [preprocessing]
        low = 3.0
        [schedule]
        name = "cosin"
        [budget]
        clip_norm = 1.0
        [split]
        validation = nan
    """
    with pytest.raises(RecipeError) as caught:
        parse_recipe(text)
    message = str(caught.value)
    for part in (
        "10 mistakes",
        "sed: there is no such setting; did you mean seed?",
        "optimiser: there is no such setting; did you mean optimizer?",
        "optimizer.lr:",
        "optimizer.nam: there is no such setting; did you mean optimizer.name?",
        "optimizer.momentum:",
        "model.widths.0:",
        "preprocessing: low (3) must be below high (1)",
        "schedule.name:",
        "'cosine'",
        "budget.clip_norm: there is no such setting; did you mean regularisation.clip_norm?",
        "split.validation:",
    ):
        assert part in message, part


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("lr = ", "is not TOML"),
        ("[model\n", "is not TOML"),
        ("schema = 2", "schema"),
        ("seed = -1", "seed"),
        ("seed = 1.5", "seed"),
        ("model = 3", "model"),
        ("data = 1979-05-27", "data"),
        ("[model]\nbatch_norm = 1", "model.batch_norm"),
        ("[split]\nvalidation = 0.5\ntest = 0.5", "leave no training rows"),
        ("[split]\nmethod = 'grouped'", "needs group"),
        ("[split]\nmethod = 'time'", "needs time"),
        ("[data.types]\nage = 'nmber'", "data.types"),
        ("x = " + "[" * 5000 + "]" * 5000, "nests too deeply"),
    ],
)
def test_a_bad_recipe_is_refused_by_name(text: str, part: str) -> None:
    with pytest.raises(RecipeError, match=part.replace("(", r"\(")):
        parse_recipe(text)


def test_a_union_tells_its_mistake_without_the_names_of_its_members() -> None:
    with pytest.raises(RecipeError) as caught:
        parse_recipe("[preprocessing]\ncomponents = -1")
    assert "function" not in str(caught.value)
    assert "constrained" not in str(caught.value)


def test_settings_apply_by_path_by_last_word_and_without_quotes() -> None:
    recipe = with_settings(Recipe(), ["optimizer.lr=1e-3", "widths=[8, 4]", "target=price", "optimizer.name=sgd"])
    assert recipe.optimizer.lr == 1e-3
    assert recipe.model.widths == (8, 4)
    assert recipe.data.target == "price"
    assert recipe.optimizer.name == "sgd"
    assert with_settings(recipe, ["lr=unset"]).optimizer.lr is None
    assert with_settings(recipe, ["types={age = 'category'}"]).data.types == {"age": "category"}


@pytest.mark.parametrize(
    ("setting", "part"),
    [
        ("lr", "not of the form key=value"),
        ("=3", "not of the form key=value"),
        ("patience=3", "there are several settings"),
        ("learning_rate=3", "no setting 'learning_rate'"),
        ("optimzer.lr=3", "optimizer.lr"),
        ("lr=fast", "optimizer.lr"),
        ("lr=-1", "optimizer.lr"),
        ("lr=nan", "optimizer.lr"),
        ("data=3", "no setting 'data'"),
        ("lr=1\nseed=3", "optimizer.lr"),
    ],
)
def test_a_bad_setting_is_refused_by_name(setting: str, part: str) -> None:
    with pytest.raises(RecipeError) as caught:
        with_settings(Recipe(), [setting])
    assert part in str(caught.value)


def test_files_that_are_no_recipes(tmp_path: pathlib.Path) -> None:
    binary = tmp_path / "weights.bin"
    binary.write_bytes(b"\xff\xfe\x00\x01")
    large = tmp_path / "large.csv"
    large.write_bytes(b"a" * 1_000_001)
    for given_path, part in (
        (tmp_path / "none.toml", "no recipe"),
        (tmp_path, "cannot be read"),
        (binary, "not text"),
        (large, "more than 1,000,000 bytes"),
        (tmp_path / "large.csv" / "x", "no recipe"),
        (pathlib.Path("a" * 5000), "cannot be read"),
        (pathlib.Path("a\0b"), "cannot be read"),
    ):
        with pytest.raises(RecipeError, match=part):
            load_recipe(given_path)


def test_a_misspelt_bundled_recipe_is_told_the_nearest() -> None:
    with pytest.raises(RecipeError, match="--recipe lecture"):
        load_recipe("lectur")


def test_a_byte_order_mark_is_no_mistake(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_bytes(b"\xef\xbb\xbfseed = 3\n")
    assert load_recipe(path).seed == 3


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=8,
)
names = st.sampled_from([*Recipe.model_fields, "schema", "lr", "x"])
leaves = st.sampled_from([path.rpartition(".")[2] for path in setting_paths()])


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(names, plain | st.dictionaries(leaves, plain, max_size=4), max_size=4))
def test_any_nested_values_are_a_recipe_or_one_clear_error(content: dict[str, object]) -> None:
    try:
        recipe = recipe_from_dict(content)
    except RecipeError:
        return
    assert parse_recipe(recipe_to_toml(recipe)) == recipe


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200))
def test_any_text_is_a_recipe_or_one_clear_error(text: str) -> None:
    with contextlib.suppress(RecipeError):
        assert isinstance(parse_recipe(text), Recipe)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(setting_paths()), st.text(max_size=30))
def test_any_setting_is_legal_or_one_clear_error(path: str, value: str) -> None:
    try:
        recipe = with_settings(Recipe(), [f"{path}={value}"])
    except RecipeError:
        return
    assert parse_recipe(recipe_to_toml(recipe)) == recipe


def test_the_json_form_is_strict_json() -> None:
    text = json.dumps(Recipe().model_dump(mode="json", by_alias=True), allow_nan=False)
    assert json.loads(text)["schema"] == 1


@pytest.mark.parametrize(
    ("former", "name"), [("squared", "mse"), ("bce", "bce-with-logits"), ("poisson", "poisson-nll")]
)
def test_losses_are_read_by_the_names_that_older_recipes_use(former: str, name: str) -> None:
    read = parse_recipe(f'[loss]\nname = "{former}"')
    assert read.loss.name == name
    assert with_settings(Recipe(), [f"loss.name={former}"]) == read
    assert f'name = "{name}"' in recipe_to_toml(read)


def test_a_loss_that_no_recipe_has_is_refused() -> None:
    with pytest.raises(RecipeError, match=r"loss\.name"):
        parse_recipe('[loss]\nname = "square"')


def test_the_losses_facts_are_pytorchs() -> None:
    for name, facts in LOSS_FACTS.items():
        assert hasattr(torch.nn.functional, facts.function)
        assert hasattr(torch.nn, facts.module)
        assert LOSS_FUNCTIONS[facts.function] == name
