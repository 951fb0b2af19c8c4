"""Facts about activations, in one table without torch.

Probes, diseases, lessons, initialisation and scripts read this table. The numbers hold for the usual options. They were
computed from the functions themselves in float64; a test computes them again with torch. `babysit.nn.activation_facts`
computes the numbers for other options.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

# An activation is flat where |slope| stays below this: a gradient loses two decimal digits on its way through.
FLAT_SLOPE = 0.01
# A mean output within this share of the root mean square counts as zero-centred.
CENTRED_WITHIN = 0.02


@dataclass(frozen=True, kw_only=True)
class ActivationFacts:
    """Facts about one activation with one choice of options.

    Moments and gains suppose inputs z drawn from N(0, 1), as a good initialisation gives them.

    Attributes:
        name: As `activation` and a Recipe call it.
        module: Its class in torch.nn; of maxout, babysit's own.
        functions: Names of torch functions and Tensor methods that compute it, without a trailing underscore. The first
            is its name in torch.nn.functional.
        options: Names of its options, in the order in which the functional form takes them after the input.
        inplace: Whether it takes `inplace`.
        formula: With x for the input.
        low: Lower end of the outputs, -inf when there is none.
        high: Upper end of the outputs, inf when there is none.
        limits_vary: Whether an option moves a finite end of the outputs.
        monotone: Whether a larger input never gives a smaller output.
        mean: E[f(z)].
        mean_square: E[f(z)^2].
        flat_below: Input below which |slope| stays below 0.01, None where it never does.
        flat_above: Input above which |slope| stays below 0.01, None where it never does.
        flat_low: The output at `flat_below`.
        flat_high: The output at `flat_above`.
        can_die: Whether the slope is exactly zero over a half-line: a unit whose every input falls there has no
            gradient that could bring it back.
        keeps_scale: Whether layers of it keep mean 0 and variance 1 by themselves.
        scheme: The initialisation derived for it: `xavier` (S-shaped) or `he` (the rest).
        advice: When to use it.
        source: Who proposed it.
        chosen: The options that these facts hold for, where they differ from the usual ones.
    """

    name: str
    module: str
    formula: str
    scheme: Literal["xavier", "he"]
    advice: str
    source: str
    functions: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    inplace: bool = False
    low: float = -math.inf
    high: float = math.inf
    limits_vary: bool = False
    monotone: bool = True
    mean: float = 0.0
    mean_square: float = 1.0
    flat_below: float | None = None
    flat_above: float | None = None
    flat_low: float | None = None
    flat_high: float | None = None
    can_die: bool = False
    keeps_scale: bool = False
    chosen: Mapping[str, float | int | str] = field(default_factory=dict, hash=False)

    @property
    def zero_centred(self) -> bool:
        """Whether |mean| is below 2 % of the root mean square of the outputs."""
        return abs(self.mean) < CENTRED_WITHIN * math.sqrt(self.mean_square)

    @property
    def saturates(self) -> bool:
        """Whether there is a side where the slope stays below 0.01."""
        return self.flat_below is not None or self.flat_above is not None

    @property
    def unbounded(self) -> bool:
        """Whether outputs can be of any size."""
        return math.isinf(self.low) or math.isinf(self.high)

    @property
    def squashing(self) -> bool:
        """Whether it is S-shaped between two limits, as sigmoid and tanh are."""
        return self.scheme == "xavier" and not self.unbounded

    @property
    def off_is_zero(self) -> bool:
        """Whether a dead unit shows as outputs that are zero for every row, as behind relu."""
        return self.can_die and self.flat_low == 0

    @property
    def moment_gain(self) -> float:
        """1/sqrt(E[f(z)^2]), the factor that keeps the second moment from layer to layer."""
        return 1 / math.sqrt(self.mean_square) if self.mean_square > 0 else math.nan

    @property
    def gain(self) -> float:
        """Factor on 1/sqrt(fan_in) that `initialize` draws weights with."""
        return self.moment_gain if self.scheme == "he" and math.isfinite(self.moment_gain) else 1.0


_TABLE = (
    ActivationFacts(
        name="identity",
        module="Identity",
        formula="x",
        scheme="xavier",
        advice="Between layers it makes two of them one; right for the output of a regression.",
        source="none needed",
    ),
    ActivationFacts(
        name="sigmoid",
        module="Sigmoid",
        functions=("sigmoid", "expit", "special_expit"),
        formula="1 / (1 + exp(-x))",
        low=0.0,
        high=1.0,
        mean=0.5,
        mean_square=0.293379035858093,
        flat_below=-4.584863339122355,
        flat_above=4.584863339122355,
        flat_low=0.010102051443364379,
        flat_high=0.9898979485566357,
        scheme="xavier",
        advice="For gates and probabilities, not between layers: it saturates, is not zero-centred, and is slow.",
        source="Verhulst 1838; CS231n lecture 6 on its three problems",
    ),
    ActivationFacts(
        name="tanh",
        module="Tanh",
        functions=("tanh",),
        formula="tanh(x) = 2 sigmoid(2x) - 1",
        low=-1.0,
        high=1.0,
        mean_square=0.3942944903978412,
        flat_below=-2.993222846126377,
        flat_above=2.993222846126377,
        flat_low=-0.99498743710662,
        flat_high=0.99498743710662,
        scheme="xavier",
        advice="Zero-centred, but it saturates; in recurrent networks, or where outputs must be bounded.",
        source="LeCun et al. 1991; LeCun et al. 1998, Efficient BackProp",
    ),
    ActivationFacts(
        name="relu",
        module="ReLU",
        functions=("relu",),
        inplace=True,
        formula="max(0, x)",
        low=0.0,
        mean=0.3989422724751617,
        mean_square=0.5,
        flat_below=0.0,
        flat_low=0.0,
        can_die=True,
        scheme="he",
        advice="The first choice. Keep the learning rate moderate, since its units can die.",
        source="Krizhevsky et al. 2012; gain: He et al. 2015, arXiv:1502.01852",
    ),
    ActivationFacts(
        name="leaky-relu",
        module="LeakyReLU",
        functions=("leaky_relu",),
        options=("negative_slope",),
        inplace=True,
        formula="x for x > 0, else negative_slope x",
        mean=0.39495284975041006,
        mean_square=0.50005,
        scheme="he",
        advice="Where relu units die: these cannot.",
        source="Maas et al. 2013",
    ),
    ActivationFacts(
        name="prelu",
        module="PReLU",
        functions=("prelu",),
        options=("num_parameters", "init"),
        formula="x for x > 0, else a x with a learned",
        mean=0.29920670435637126,
        mean_square=0.53125,
        scheme="he",
        advice="Like leaky-relu, with a learned slope. Exclude the slope from weight decay.",
        source="He et al. 2015, arXiv:1502.01852",
    ),
    ActivationFacts(
        name="elu",
        module="ELU",
        functions=("elu",),
        options=("alpha",),
        inplace=True,
        formula="x for x > 0, else alpha (exp(x) - 1)",
        low=-1.0,
        limits_vary=True,
        mean=0.16052057226655606,
        mean_square=0.6449454174929237,
        flat_below=-4.605170185988092,
        flat_low=-0.99,
        scheme="he",
        advice="Its outputs are nearer to zero mean than relu's and robust to noise; its exp is slower.",
        source="Clevert et al. 2016, arXiv:1511.07289",
    ),
    ActivationFacts(
        name="selu",
        module="SELU",
        functions=("selu",),
        inplace=True,
        formula="1.0507 x for x > 0, else 1.0507 * 1.6733 (exp(x) - 1)",
        low=-1.0507009873554805 * 1.6732632423543772,
        mean=5.607031061671819e-09,
        mean_square=0.9999999999999993,
        flat_below=-5.169403491531345,
        flat_low=-1.7480993408473766,
        keeps_scale=True,
        scheme="he",
        advice="Deep plain networks without normalisation; it keeps mean 0 and variance 1 by itself.",
        source="Klambauer et al. 2017, arXiv:1706.02515",
    ),
    ActivationFacts(
        name="celu",
        module="CELU",
        functions=("celu",),
        options=("alpha",),
        inplace=True,
        formula="max(0, x) + min(0, alpha (exp(x / alpha) - 1))",
        low=-1.0,
        limits_vary=True,
        mean=0.16052057226655606,
        mean_square=0.6449454174929237,
        flat_below=-4.605170185988092,
        flat_low=-0.99,
        scheme="he",
        advice="Like elu, and smooth for every alpha.",
        source="Barron 2017, arXiv:1704.07483",
    ),
    ActivationFacts(
        name="gelu",
        module="GELU",
        functions=("gelu",),
        options=("approximate",),
        formula="x Phi(x), Phi the normal distribution function",
        # Its lowest point, and those of silu and mish below, have no closed form: found by Newton's method.
        low=-0.16997120747,
        monotone=False,
        mean=0.2820947917738782,
        mean_square=0.42522148257029874,
        flat_below=-3.0674272039089,
        flat_low=-0.003311441693075064,
        scheme="he",
        advice="The usual one in transformers; smooth, and slower than relu.",
        source="Hendrycks and Gimpel 2016, arXiv:1606.08415",
    ),
    ActivationFacts(
        name="silu",
        module="SiLU",
        functions=("silu", "swish"),
        inplace=True,
        formula="x sigmoid(x)",
        low=-0.27846454276,
        monotone=False,
        mean=0.20662096414190712,
        mean_square=0.3557755198173522,
        flat_below=-6.2613888488199665,
        flat_low=-0.01192767913968838,
        scheme="he",
        advice="A smooth relu for convolutional networks; also called swish.",
        source="Elfwing et al. 2017, arXiv:1702.03118; Ramachandran et al. 2017",
    ),
    ActivationFacts(
        name="mish",
        module="Mish",
        functions=("mish",),
        inplace=True,
        formula="x tanh(ln(1 + exp(x)))",
        low=-0.30884341259,
        monotone=False,
        mean=0.2404038883747914,
        mean_square=0.45234219237588286,
        flat_below=-6.263968785699262,
        flat_low=-0.011913213705669914,
        scheme="he",
        advice="Like silu, a little deeper below zero, and slower.",
        source="Misra 2019, arXiv:1908.08681",
    ),
    ActivationFacts(
        name="softplus",
        module="Softplus",
        functions=("softplus",),
        options=("beta", "threshold"),
        formula="ln(1 + exp(beta x)) / beta",
        low=0.0,
        mean=0.8060591833474398,
        mean_square=0.9212459088593005,
        flat_below=-4.595119850134591,
        flat_low=0.010050335853501433,
        scheme="he",
        advice="For outputs that must be positive, such as a variance; between layers relu does better.",
        source="Dugas et al. 2001",
    ),
    ActivationFacts(
        name="softsign",
        module="Softsign",
        functions=("softsign",),
        formula="x / (1 + |x|)",
        low=-1.0,
        high=1.0,
        mean_square=0.18301402126654676,
        flat_below=-9.0,
        flat_above=9.0,
        flat_low=-0.9,
        flat_high=0.9,
        scheme="xavier",
        advice="A tanh that saturates more slowly.",
        source="Bergstra et al. 2009",
    ),
    ActivationFacts(
        name="hardtanh",
        module="Hardtanh",
        functions=("hardtanh",),
        options=("min_val", "max_val"),
        inplace=True,
        formula="x between min_val and max_val, else the nearer of them",
        low=-1.0,
        high=1.0,
        limits_vary=True,
        mean_square=0.516058570191819,
        flat_below=-1.0,
        flat_above=1.0,
        flat_low=-1.0,
        flat_high=1.0,
        can_die=True,
        scheme="xavier",
        advice="A fast tanh; flat outside its limits, so that units can die on either side.",
        source="Collobert 2004",
    ),
    ActivationFacts(
        name="hardsigmoid",
        module="Hardsigmoid",
        functions=("hardsigmoid",),
        inplace=True,
        formula="x / 6 + 1/2 between -3 and 3, else 0 or 1",
        low=0.0,
        high=1.0,
        mean=0.5,
        mean_square=0.2776390910858636,
        flat_below=-3.0,
        flat_above=3.0,
        flat_low=0.0,
        flat_high=1.0,
        can_die=True,
        scheme="xavier",
        advice="A fast sigmoid for gates on small devices.",
        source="Courbariaux et al. 2015, arXiv:1511.00363",
    ),
    ActivationFacts(
        name="hardswish",
        module="Hardswish",
        functions=("hardswish",),
        inplace=True,
        formula="x hardsigmoid(x)",
        low=-0.375,
        monotone=False,
        mean=0.16621670074417622,
        mean_square=0.3315673754020665,
        flat_below=-3.0,
        flat_low=0.0,
        can_die=True,
        scheme="he",
        advice="A fast silu for small devices.",
        source="Howard et al. 2019, arXiv:1905.02244",
    ),
    ActivationFacts(
        name="relu6",
        module="ReLU6",
        functions=("relu6",),
        inplace=True,
        formula="min(max(0, x), 6)",
        low=0.0,
        high=6.0,
        mean=0.39894227231880486,
        mean_square=0.49999999807527196,
        flat_below=0.0,
        flat_above=6.0,
        flat_low=0.0,
        flat_high=6.0,
        can_die=True,
        scheme="he",
        advice="Where outputs are stored in few bits.",
        source="Krizhevsky 2010; Howard et al. 2017, arXiv:1704.04861",
    ),
    ActivationFacts(
        name="maxout",
        module="MaxPieces",
        functions=("max_pieces",),
        options=("pieces", "dim"),
        formula="max(w1 x + b1, ..., wk x + bk)",
        # Of two pieces, each of them standard normal.
        mean=0.5641895835477565,
        mean_square=1.0,
        scheme="he",
        advice="Never saturates, never dies; costs as many times the parameters as it has pieces.",
        source="Goodfellow et al. 2013, arXiv:1302.4389",
    ),
)

ACTIVATIONS: Mapping[str, ActivationFacts] = {facts.name: facts for facts in _TABLE}

# Functions that networks end with and that stand between no layers.
_OUTPUT_FUNCTIONS = {
    "exp": (0.0, math.inf),
    "log-softmax": (-math.inf, 0.0),
    "logsigmoid": (-math.inf, 0.0),
    "softmax": (0.0, 1.0),
}


def output_limits(name: str) -> tuple[float, float] | None:
    """The range of a function's outputs; None where it has no end, where options move it, or where it is unknown.

    Example:
        >>> output_limits("sigmoid"), output_limits("softmax"), output_limits("leaky-relu")
        ((0.0, 1.0), (0.0, 1.0), None)
    """
    facts = ACTIVATIONS.get(name)
    if facts is None:
        return _OUTPUT_FUNCTIONS.get(name)
    endless = math.isinf(facts.low) and math.isinf(facts.high)
    return None if facts.limits_vary or endless else (facts.low, facts.high)
