"""Recipe: everything chosen before training starts, typed and validated.

A setting that is unset (`None`) or "auto" is decided from the data when the training is prepared, and the decision is
reported. Every field says what it is, its unit and when to change it; `babysit recipe` prints that as a comment.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from babysit.record._losses import loss_name

ColumnType = Literal["number", "category", "boolean", "date", "text", "drop"]
Activation = Literal[
    "identity", "sigmoid", "tanh", "relu", "leaky-relu", "prelu", "elu", "selu", "gelu", "silu", "mish", "maxout"
]
# NaN and infinity pass TOML as numbers and make sense in no setting.
Real = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]


def setting(default: Any, what: str, *, unit: str = "", when: str = "") -> Any:
    """A field with what it is, its unit, and when to change it."""
    return Field(default=default, description=what, json_schema_extra={"unit": unit, "when": when})


# What pandas reads as missing, what spreadsheets write for errors, and what people write for nothing.
MISSING_WORDS = (
    "",
    *"? - -- --- . .. NA N/A n/a N.A. n.a. na <NA> #NA #N/A NaN nan -NaN -nan NAN".split(),
    *"NaT null NULL Null None none NONE nil NIL missing Missing MISSING (null) \\N".split(),
    *"1.#IND -1.#IND 1.#QNAN -1.#QNAN #REF! #DIV/0! #VALUE! #NUM! #NAME? #NULL!".split(),
    "#N/A N/A",
)


class Section(BaseModel):
    """Base of the recipe's sections: frozen, strict about names."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


class DataSection(Section):
    """Where the rows come from and how they are read."""

    source: str | None = setting(None, "file, folder or bundled set", when="always: it is the data")
    target: str | None = setting(None, "column (or npz array) to predict", when="it is not the last column")
    task: Literal["auto", "classification", "regression"] = setting(
        "auto", "what kind of target", when="whole numbers were taken for classes, or classes for quantities"
    )
    types: dict[str, ColumnType] = setting({}, "types of columns by name", when="a column was given the wrong type")
    delimiter: str | None = setting(None, "CSV: character between fields", when="the detected one is wrong")
    encoding: str | None = setting(None, "CSV: text encoding", when="letters look wrong")
    header_rows: Annotated[int, Field(ge=0, le=10)] | None = setting(
        None,
        "CSV: lines before the first row of data; the last of them names the columns",
        unit="lines",
        when="the header was not detected",
    )
    decimal: Literal["auto", ".", ","] = setting(
        "auto", "texts: the decimal sign", when="1.234 means 1234, or 1,234 means 1.234"
    )
    dates: Literal["auto", "day-first", "month-first"] = setting(
        "auto", "texts: what 01/02/2024 means", when="days and months were exchanged"
    )
    missing: tuple[str, ...] = setting(
        MISSING_WORDS,
        "texts that mean a missing value; the default ones may also be classes of the target",
        when="the file marks missing values in another way",
    )
    image_size: Count | None = setting(
        None, "images: side to which all are resized", unit="pixels", when="sizes are mixed or too large"
    )


class SplitSection(Section):
    """How rows are split into training, validation and test rows."""

    method: Literal["auto", "random", "stratified", "grouped", "time"] = setting(
        "auto", "how rows are assigned to the parts", when="rows belong together (grouped) or have an order (time)"
    )
    validation: Share = setting(
        0.15, "validation rows: for early stopping and search", unit="share", when="few or many rows"
    )
    test: Share = setting(0.15, "test rows: used once, at the end", unit="share", when="few or many rows")
    group: str | None = setting(
        None, "column whose equal values stay together", when="a person or a place has several rows"
    )
    time: str | None = setting(
        None, "column that orders rows; the latest become test rows", when="the future is predicted"
    )
    validation_source: str | None = setting(None, "file with the validation rows", when="the split is given")
    test_source: str | None = setting(None, "file with the test rows", when="the split is given")

    @model_validator(mode="after")
    def _columns_fit_the_method(self) -> SplitSection:
        if self.validation + self.test >= 1:
            raise ValueError("validation + test leave no training rows; their sum must be below 1")
        if self.method == "grouped" and self.group is None:
            raise ValueError("method 'grouped' needs group, the column whose equal values stay together")
        if self.method == "time" and self.time is None:
            raise ValueError("method 'time' needs time, the column that orders the rows")
        return self


class PreprocessingSection(Section):
    """How inputs and targets are transformed for the network; fitted on training rows only."""

    numbers: Literal["none", "centre", "standardise", "scale", "pca", "whiten", "zca"] = setting(
        "standardise", "number columns", when="features are strongly correlated (whiten) or bounded (scale)"
    )
    images: Literal[
        "none", "scale", "mean-image", "channel-mean", "channel-mean-std", "standardise", "pca", "whiten", "zca"
    ] = setting("channel-mean-std", "images", when="the mean image of the lecture is wanted")
    components: Count | Annotated[float, Field(gt=0, le=1)] | None = setting(
        None,
        "pca, whiten: components kept, a number or a share of the variance",
        when="there are many, redundant inputs",
    )
    low: Real = setting(0.0, "scale: lower end", when="inputs should also be negative")
    high: Real = setting(1.0, "scale: upper end")
    targets: Literal["auto", "none", "standardise"] = setting("auto", "regression targets", when="seldom")

    @model_validator(mode="after")
    def _ends_in_order(self) -> PreprocessingSection:
        if self.low >= self.high:
            raise ValueError(f"low ({self.low:g}) must be below high ({self.high:g})")
        return self


# Of a function that makes networks. No numbers in words: `strict` JSON tells them apart.
Argument = bool | int | float | str | tuple[int, ...]


class ModelSection(Section):
    """The network."""

    architecture: Literal["auto", "mlp", "convolutional", "residual"] = setting(
        "auto", "kind of network", when="images are large or the data is simple"
    )
    widths: tuple[Count, ...] | None = setting(
        None, "units of each hidden layer, or channels of each stage", unit="units", when="it underfits: wider, deeper"
    )
    activation: Activation = setting("relu", "nonlinearity", when="units die: leaky-relu, elu; never sigmoid")
    pieces: Annotated[int, Field(ge=2)] = setting(2, "maxout: linear pieces a unit", unit="pieces")
    batch_norm: bool | None = setting(None, "batch normalisation", when="the network is deep or hard to start")
    dropout: Share | None = setting(None, "activations dropped in training", unit="share", when="it overfits: more")
    embedding: Count | None = setting(
        None, "size of the embedding of a category", unit="numbers", when="a column has many categories"
    )
    factory: str | None = setting(None, "your own function that makes the network, passed as `model=` in Python")
    arguments: dict[str, Argument] = setting({}, "arguments of that function by name", when="its network should differ")

    @model_validator(mode="after")
    def _one_maker(self) -> ModelSection:
        if self.factory is None:
            if self.arguments:
                raise ValueError("arguments are for the function that factory names, and factory is not set")
            return self
        for name in ("architecture", "widths", "activation", "pieces", "batch_norm", "embedding"):
            if getattr(self, name) != type(self).model_fields[name].default:
                raise ValueError(
                    f"{self.factory} makes the network, so {name} has no effect; pass it in model.arguments"
                )
        return self


Scheme = Literal["auto", "pytorch", "small-random", "xavier", "xavier-uniform", "he", "orthogonal", "lsuv"]


class InitialisationSection(Section):
    """The first weights."""

    scheme: Literal["auto", "pytorch", "small-random", "xavier", "xavier-uniform", "he", "orthogonal", "lsuv"] = (
        setting("auto", "how weights are drawn", when="to compare; auto follows the activation of each layer")
    )
    std: Positive | None = setting(
        None, "small-random: standard deviation", when="to see what a bad initialisation does"
    )
    bias: Real = setting(0.0, "first value of biases", when="relu units die at the start: 0.01")


class LossSection(Section):
    """The loss, which training minimises."""

    name: Literal["auto", "cross-entropy", "bce-with-logits", "hinge", "mse", "huber", "poisson-nll"] = setting(
        "auto", "loss", when="outliers (huber), counts (poisson-nll), margins (hinge)"
    )
    delta: Positive = setting(1.0, "huber: error from which it grows linearly", unit="standardised target")
    label_smoothing: Share = setting(
        0.0, "cross-entropy: share of the target given to the other classes", when="answers are overconfident"
    )
    class_weights: Literal["none", "balanced"] = setting("none", "weights by class", when="rare classes matter most")

    @field_validator("name", mode="before")
    @classmethod
    def _by_its_name_of_today(cls, value: Any) -> Any:
        return loss_name(value) if isinstance(value, str) else value


class OptimizerSection(Section):
    """How weights are updated."""

    name: Literal["sgd", "adam", "adamw", "rmsprop", "adagrad"] = setting("adamw", "optimizer")
    lr: Positive | None = setting(
        None, "learning rate", unit="per step", when="tune it first: the loss jumps (lower) or hardly falls (higher)"
    )
    momentum: Share = setting(0.9, "sgd, rmsprop: momentum", when="seldom")
    nesterov: bool = setting(False, "sgd: Nesterov momentum")
    beta1: Share = setting(0.9, "adam, adamw: decay of the mean of gradients")
    beta2: Share = setting(0.999, "adam, adamw: decay of the mean of their squares", when="gradients are rare or spiky")
    decay: Share = setting(0.99, "rmsprop: decay of the mean of squares")


class ScheduleSection(Section):
    """How the rate changes over the training."""

    name: Literal["constant", "step", "cosine", "inverse-time", "plateau"] = setting(
        "cosine", "schedule", when="the budget is not known beforehand: plateau"
    )
    warm_up: Share = setting(0.05, "linear rise from zero at the start", unit="share of the training")
    factor: Annotated[float, Field(gt=0, lt=1)] = setting(0.1, "step, plateau: the rate is multiplied by this")
    every: Annotated[float, Field(gt=0, le=1)] = setting(
        0.3, "step: between two drops", unit="share of the training", when="the loss is flat long before a drop"
    )
    patience: Count = setting(10, "plateau: epochs without progress before a drop", unit="epochs")
    half_life: Annotated[float, Field(gt=0)] = setting(
        0.1, "inverse-time: the rate is halved after this time", unit="share of the training"
    )


class RegularisationSection(Section):
    """What keeps the network from memorising."""

    l2: NotNegative | None = setting(
        None, "half l2 w^2 on weights, not on biases or normalisation", when="it overfits: more"
    )
    l2_mode: Literal["loss", "decoupled"] = setting(
        "decoupled", "added to the loss, or shrinking weights beside it (Loshchilov and Hutter 2019)"
    )
    l1: NotNegative = setting(0.0, "l1 |w| on weights", when="few inputs matter")
    max_norm: Positive | None = setting(None, "largest norm of a unit's weights", when="with high rates and dropout")
    clip_norm: Positive | None = setting(None, "largest norm of the gradient", when="the loss has spikes")


class BudgetSection(Section):
    """How long training runs."""

    epochs: Count | None = setting(
        None, "passes over the training rows", unit="epochs", when="the loss still falls at the end: more"
    )
    batch_size: Count | None = setting(
        None, "rows in a batch", unit="rows", when="memory is short (fewer) or the loss is noisy (more)"
    )
    patience: Annotated[int, Field(ge=0)] | None = setting(
        None, "stop after so many epochs without a better validation loss; 0 never stops", unit="epochs"
    )
    seconds: Positive | None = setting(None, "time limit", unit="seconds", when="time is short")


class WatchSection(Section):
    """What is measured during training."""

    overhead: Share = setting(
        0.01, "time spent on measuring, after the first ten steps; 0 measures nothing", unit="share of the time"
    )
    ignore: tuple[str, ...] = setting((), "findings not to report, by name", when="you know of it, and it is intended")


class Recipe(Section):
    """Everything chosen before training starts.

    Example:
        >>> recipe = Recipe.model_validate({"optimizer": {"lr": 0.01}})
        >>> recipe.optimizer.lr, recipe.model.activation
        (0.01, 'relu')
    """

    schema_number: Literal[1] = Field(default=1, alias="schema", description="version of this format; do not change it")
    seed: Annotated[int, Field(ge=0, lt=2**63)] = setting(
        0, "seed of every random number", when="to see how much is chance"
    )
    device: Literal["auto", "cpu", "cuda", "mps"] = setting("auto", "where the training runs")
    data: DataSection = DataSection()
    split: SplitSection = SplitSection()
    preprocessing: PreprocessingSection = PreprocessingSection()
    model: ModelSection = ModelSection()
    initialisation: InitialisationSection = InitialisationSection()
    loss: LossSection = LossSection()
    optimizer: OptimizerSection = OptimizerSection()
    schedule: ScheduleSection = ScheduleSection()
    regularisation: RegularisationSection = RegularisationSection()
    budget: BudgetSection = BudgetSection()
    watch: WatchSection = WatchSection()
