"""Preprocessing: equal to scikit-learn where both exist, exact far from zero, and whole after a journey."""

from __future__ import annotations

import copy
import json
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from sklearn import decomposition
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from torch import Tensor, nn

from babysit.data import ImageLayout, Preprocessing, TableLayout, TargetStandardise
from babysit.data import _step as step_module
from babysit.data._affine import Centre, ScaleToRange, Standardise
from babysit.data._decorrelate import PCA, ZCA, Whiten
from babysit.data._image_scaling import ChannelMean, ChannelMeanStd, MeanImage, ScalePixels
from babysit.data._impute import Impute
from babysit.data._statistics import statistics_of
from babysit.data._step import Step
from babysit.record import DataError, InputError, RecipeError

STEPS: dict[str, tuple[Any, tuple[int, ...]]] = {
    "Centre": (lambda: Centre(5), (5,)),
    "Standardise": (lambda: Standardise(5), (5,)),
    "ScaleToRange": (lambda: ScaleToRange(5, -1, 2), (5,)),
    "PCA": (lambda: PCA(5, 3), (5,)),
    "PCA of a share": (lambda: PCA(5, 0.8), (5,)),
    "Whiten": (lambda: Whiten(5), (5,)),
    "ZCA": (lambda: ZCA(5), (5,)),
    "Impute": (lambda: Impute(5), (5,)),
    "MeanImage": (lambda: MeanImage((3, 4, 4)), (3, 4, 4)),
    "ScalePixels": (lambda: ScalePixels((3, 4, 4)), (3, 4, 4)),
    "ChannelMean": (lambda: ChannelMean((3, 4, 4)), (3, 4, 4)),
    "ChannelMeanStd": (lambda: ChannelMeanStd((4, 4, 3), 2), (4, 4, 3)),
}
TABLE = ["none", "centre", "standardise", "scale", "pca", "whiten", "zca"]
IMAGES = [
    "none", "scale", "mean-image", "channel-mean", "channel-mean-std", "standardise", "pca", "whiten", "zca"
]  # fmt: skip


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def real_tables() -> dict[str, Tensor]:
    digits = torch.from_numpy(load_digits().data)
    return {
        "wine": torch.from_numpy(load_wine().data),
        "breast-cancer": torch.from_numpy(load_breast_cancer().data),
        "digits": digits.to(torch.uint8),
        "digits as float32": digits.float(),
    }


def cut(rows: Tensor, size: int = 61) -> list[Tensor]:
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def close(found: Tensor, expected: Any, tolerance: float = 1e-5) -> None:
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found.numpy(), expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", real_tables())
class TestBesideScikitLearn:
    def test_standardise(self, name: str) -> None:
        rows = real_tables()[name]
        step = Standardise(rows.shape[1]).fit(cut(rows))
        close(step(rows), StandardScaler().fit_transform(rows.double().numpy()))
        assert step.constant_features == [j for j in range(rows.shape[1]) if bool((rows[:, j] == rows[0, j]).all())]

    def test_scale_to_range(self, name: str) -> None:
        rows = real_tables()[name]
        step = ScaleToRange(rows.shape[1], -1, 3).fit(cut(rows))
        close(step(rows), MinMaxScaler((-1, 3)).fit_transform(rows.double().numpy()))

    @pytest.mark.parametrize("components", [None, 3, 0.9])
    def test_pca_of_standardised(self, name: str, components: int | float | None) -> None:
        """One pass gives what scikit-learn takes two for."""
        rows = real_tables()[name]
        ours = Preprocessing(TableLayout(rows.shape[1]), numbers="pca", components=components).fit(cut(rows))
        theirs = make_pipeline(StandardScaler(), decomposition.PCA(components)).fit(rows.double().numpy())
        expected = theirs.transform(rows.double().numpy())
        assert ours.outputs == expected.shape[1:]
        informative = theirs[1].explained_variance_ > 1e-8  # directions without variance are anybody's
        close(ours(rows)[:, informative], expected[:, informative], 2e-5)

    def test_whiten(self, name: str) -> None:
        """scikit-learn divides by N - 1 and adds nothing under the root; with that put right both are equal."""
        rows = real_tables()[name]
        scaled = StandardScaler().fit_transform(rows.double().numpy())
        step = Whiten(rows.shape[1], 10).fit(cut(torch.from_numpy(scaled)))
        theirs = decomposition.PCA(10, whiten=True, svd_solver="full").fit(scaled)
        over_n = theirs.explained_variance_ * (len(rows) - 1) / len(rows)
        expected = theirs.transform(scaled) * np.sqrt(theirs.explained_variance_ / (over_n + 1e-5))
        close(step(torch.from_numpy(scaled)), expected, 1e-5)


def test_missing_numbers_beside_scikit_learn() -> None:
    rows = real_tables()["wine"].clone()
    rows[torch.rand(rows.shape, generator=torch.Generator().manual_seed(1)) < 0.15] = torch.nan
    rows[:, 5] = real_tables()["wine"][:, 5]
    ours = Preprocessing(TableLayout(13), numbers="whiten").fit(cut(rows))
    filled = SimpleImputer().fit_transform(rows.numpy())
    scaled = (filled - filled.mean(0)) / np.nanstd(rows.numpy(), 0)
    values, vectors = np.linalg.eigh(scaled.T @ scaled / len(scaled))
    expected = (scaled @ vectors / np.sqrt(values + 1e-5))[:, ::-1]
    found = ours(rows)
    assert ours.outputs == (13 + 12,)
    close(found[:, :13].abs(), np.abs(expected), 2e-5)
    np.testing.assert_array_equal(found[:, 13:], np.delete(np.isnan(rows.numpy()), 5, axis=1))
    unseen = rows.clone()
    unseen[0, 5] = torch.nan
    assert ours(unseen).isfinite().all()
    assert ours(unseen).shape == (len(rows), 25)


@pytest.mark.parametrize("numbers", TABLE)
def test_category_codes_follow_as_they_are(numbers: Any) -> None:
    table = torch.cat([normal(50, 4), torch.randint(0, 9, (50, 2)).float()], dim=1)
    table[3, 1] = torch.nan
    steps = Preprocessing(TableLayout(4, (9, 9)), numbers=numbers).fit(cut(table, 20))
    found = steps(table)
    assert found.shape == (50, *steps.outputs) == (50, 7)
    assert steps.levels == (9, 9)
    torch.testing.assert_close(found[:, -2:], table[:, -2:])
    assert found[:, 4].nonzero().tolist() == [[3]]
    assert found.isfinite().all()


def test_tables_of_categories_alone() -> None:
    codes = torch.tensor([[2.0, 3.0], [0.0, 1.0]])
    steps = Preprocessing(TableLayout(0, (4, 4))).fit([codes])
    torch.testing.assert_close(steps(codes), codes)
    assert steps.outputs == (2,)


@pytest.mark.parametrize("kind", ["standardise", "centre", "scale"])
def test_far_from_zero(kind: Any) -> None:
    """Seconds since 1970 in float64, and float32 numbers near a million, keep all their digits."""
    spread = 100 * normal(500, 3).double()
    for rows in (1.6e9 + spread, (1e6 + spread).float(), (1_600_000_000 + spread).long()):
        steps = Preprocessing(TableLayout(3), numbers=kind).fit(cut(rows))
        wide = rows.double()
        centred = wide - wide.mean(0)
        expected = {
            "standardise": centred / wide.std(0, correction=0),
            "centre": centred,
            "scale": (wide - wide.amin(0)) / (wide.amax(0) - wide.amin(0)),
        }[kind]
        close(steps(rows), expected, 1e-6)


def test_far_from_zero_rotated() -> None:
    rows = 1.6e9 + 100 * normal(500, 3).double() @ normal(3, 3).double()
    steps = Preprocessing(TableLayout(3), numbers="whiten").fit(cut(rows))
    variances = steps.get_submodule("steps.whiten").get_buffer("variances")
    expected = (variances / (variances + 1e-5)).diag()
    assert (torch.cov(steps(rows).T.double(), correction=0) - expected).abs().max() < 1e-6


def test_whitened_data_has_the_identity_for_its_covariance() -> None:
    rows = normal(2000, 6) @ normal(6, 6, seed=1) + 5
    for step in (Whiten(6), ZCA(6)):
        assert (torch.cov(step.fit(cut(rows))(rows).T, correction=0) - torch.eye(6)).abs().max() < 1e-3
    zca, whiten = ZCA(6).fit(cut(rows)), Whiten(6).fit(cut(rows))
    torch.testing.assert_close(zca(rows), whiten(rows) @ whiten.directions.float(), rtol=1e-4, atol=1e-4)


def test_zca_lies_nearest_to_the_data() -> None:
    rows = normal(1000, 4) @ normal(4, 4, seed=1)
    rows = rows - rows.mean(0)
    distance = {type(step): float((step.fit([rows])(rows) - rows).square().sum()) for step in (ZCA(4), Whiten(4))}
    assert distance[ZCA] < distance[Whiten]


def test_signs_do_not_depend_on_the_order_of_the_rows() -> None:
    rows = normal(300, 5) @ normal(5, 5, seed=1)
    one, other = PCA(5).fit(cut(rows)), PCA(5).fit(cut(rows.flip(0), 7))
    torch.testing.assert_close(one.directions, other.directions, rtol=1e-9, atol=1e-9)
    assert (one.directions.gather(1, one.directions.abs().argmax(1, keepdim=True)) > 0).all()


def images_of(axes: str) -> Tensor:
    shape = {"NHW": (40, 6, 5), "NHWC": (40, 6, 5, 3), "NCHW": (40, 3, 6, 5)}[axes]
    pixels = torch.rand(shape, generator=torch.Generator().manual_seed(2)) * 200
    return (pixels * torch.linspace(0.2, 1, 6).reshape([-1, 1] if axes != "NHWC" else [-1, 1, 1])).to(torch.uint8)


def channels_first(images: Tensor, axes: str) -> Tensor:
    if axes == "NHW":
        return images[:, None].double()
    return images.movedim(-1, 1).double() if axes == "NHWC" else images.double()


@pytest.mark.parametrize("axes", ["NHW", "NHWC", "NCHW"])
@pytest.mark.parametrize("treatment", IMAGES)
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_images(axes: Any, treatment: Any, dtype: torch.dtype) -> None:
    images = images_of(axes).to(dtype)
    steps = Preprocessing(ImageLayout(tuple(images.shape[1:]), axes), images=treatment).fit(cut(images, 11))
    found = steps(images)
    assert found.shape == (40, *steps.outputs)
    wide = channels_first(images, axes)
    greatest = 255.0 if dtype == torch.uint8 else float(wide.max())
    least = 0.0 if dtype == torch.uint8 else float(wide.min())
    centred = wide - wide.mean(0)
    expected = {
        "none": wide,
        "scale": (wide - least) / (greatest - least),
        "mean-image": centred,
        "channel-mean": wide - wide.mean((0, 2, 3), keepdim=True),
        "channel-mean-std": (wide - wide.mean((0, 2, 3), keepdim=True))
        / wide.std((0, 2, 3), correction=0, keepdim=True),
        "standardise": centred / wide.std(0, correction=0),
    }.get(treatment)
    if expected is not None:
        close(found, expected.numpy())
        return
    flat = found.flatten(1).double()
    covariance = flat.T @ flat / len(flat)
    off_diagonal = covariance - covariance.diagonal().diag()
    if treatment == "zca":
        assert found.shape[1:] == wide.shape[1:]
    else:
        assert off_diagonal.abs().max() < 1e-3 * max(1.0, float(covariance.diagonal().max()))
    kept = 39  # 40 centred images span 39 directions
    assert int((torch.linalg.eigvalsh(covariance) > 0.5).sum()) == min(kept, flat.shape[1])


@pytest.mark.parametrize("name", STEPS)
class TestEveryStep:
    def rows(self, name: str) -> Tensor:
        rows = 3 + normal(64, *STEPS[name][1])
        if name == "Impute":
            rows[5, 2] = torch.nan
        return rows

    def test_a_state_makes_a_new_one_ready(self, name: str) -> None:
        make, _ = STEPS[name]
        rows = self.rows(name)
        step: Step = make().fit(cut(rows, 10))
        again: Step = make()
        again.load_state_dict(safetensors.torch.load(safetensors.torch.save(step.state_dict())))
        assert again.fitted
        assert torch.equal(again(rows), step(rows))
        assert again.outputs == step.outputs == tuple(step(rows).shape[1:])
        assert again.describe() == step.describe()
        assert all(value.dtype == torch.float64 for value in step.state_dict().values())

    def test_unfitted_it_refuses(self, name: str) -> None:
        with pytest.raises(InputError, match="has not been fitted"):
            STEPS[name][0]()(self.rows(name))

    def test_other_shapes_are_refused(self, name: str) -> None:
        step = STEPS[name][0]().fit([self.rows(name)])
        with pytest.raises(DataError, match="shape"):
            step(torch.zeros(2, 7))
        with pytest.raises(DataError, match="shape"):
            step.fit([torch.zeros(2, 7)])

    def test_half_precision_leaves_the_statistics(self, name: str) -> None:
        rows = self.rows(name)
        step: Step = STEPS[name][0]().fit([rows])
        expected = step(rows)
        step.half().bfloat16().float()
        assert torch.equal(step(rows), expected)
        assert torch.equal(copy.deepcopy(step)(rows), expected)

    def test_a_device_without_float64(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(step_module, "WITHOUT_FLOAT64", frozenset({"meta"}))
        step: Step = STEPS[name][0]().fit([self.rows(name)]).to("meta")
        assert {buffer.device.type for buffer in step.buffers()} == {"meta"}
        assert all(buffer.dtype != torch.float64 for buffer in step.buffers())
        assert step(torch.zeros(2, *STEPS[name][1], device="meta")).dtype == torch.float32

    def test_works_under_vmap(self, name: str) -> None:
        rows = self.rows(name)
        step: Step = STEPS[name][0]().fit([rows])
        batches = torch.stack([rows[:32], rows[32:]])
        torch.testing.assert_close(torch.func.vmap(step)(batches).flatten(0, 1), step(rows))


def layouts() -> dict[str, tuple[TableLayout | ImageLayout, Tensor]]:
    table = torch.cat([normal(64, 5), torch.randint(0, 3, (64, 1)).float()], dim=1)
    table[7, 3] = torch.nan
    return {
        "table": (TableLayout(5, (3,)), table),
        "wide table": (TableLayout(5, (3,)), table.double()),
        "images": (ImageLayout((6, 5, 3), "NHWC"), images_of("NHWC")),
        "grey": (ImageLayout((6, 5), "NHW"), images_of("NHW")),
    }


@pytest.mark.parametrize("kind", layouts())
@pytest.mark.parametrize("choice", IMAGES)
def test_a_pipeline_travels(kind: str, choice: Any) -> None:
    layout, rows = layouts()[kind]
    treatment = {"images": choice} if isinstance(layout, ImageLayout) else {"numbers": choice}
    if treatment.get("numbers") not in (None, *TABLE):
        treatment = {"numbers": "centre"}
    if choice in ("pca", "whiten"):
        treatment["components"] = 0.8
    steps = Preprocessing(layout, **treatment).fit(cut(rows, 9))
    expected = steps(rows)
    assert tuple(expected.shape[1:]) == steps.outputs
    again = Preprocessing.from_settings(json.loads(json.dumps(steps.settings())))
    assert again.outputs == steps.outputs  # known before the state arrives, for the network behind it
    again.load_state_dict(safetensors.torch.load(safetensors.torch.save(steps.state_dict())))
    assert torch.equal(again(rows), expected)
    assert again.describe() == steps.describe()
    assert all(text and text[-1] != "." for text in steps.describe())
    exported = torch.export.export(
        steps, (rows,), dynamic_shapes=({0: torch.export.Dim("rows", min=2)},), strict=False
    ).module()
    torch.testing.assert_close(exported(rows[:13]), expected[:13])


@pytest.mark.parametrize("kind", layouts())
@pytest.mark.parametrize("choice", ["standardise", "whiten"])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_onnx(kind: str, choice: Any) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    layout, rows = layouts()[kind]
    steps = Preprocessing(layout, numbers=choice, images=choice).fit([rows]).eval()
    program = torch.onnx.export(
        steps, (rows[:8],), dynamic_shapes=({0: torch.export.Dim("rows", min=2)},), dynamo=True, verbose=False
    )
    assert program is not None
    session = onnxruntime.InferenceSession(program.model_proto.SerializeToString())
    (found,) = session.run(None, {session.get_inputs()[0].name: rows.numpy()})
    np.testing.assert_allclose(found, steps(rows).numpy(), atol=1e-4)


def test_one_pass_over_the_stream() -> None:
    rows = normal(100, 4)
    reads: list[int] = []

    def stream() -> Any:
        for piece in cut(rows, 10):
            reads.append(len(piece))
            yield piece

    Preprocessing(TableLayout(4), numbers="whiten").fit(stream())
    assert sum(reads) == 100


def test_target_standardise() -> None:
    prices = 2e5 + 1e5 * normal(1000)
    scaling = TargetStandardise().fit(cut(prices))
    scaled = scaling(prices)
    assert abs(float(scaled.mean())) < 1e-5
    assert abs(float(scaled.std(correction=0)) - 1) < 1e-5
    torch.testing.assert_close(scaling.inverse(scaled), prices, rtol=1e-6, atol=0.05)
    again = TargetStandardise()
    again.load_state_dict(scaling.state_dict())
    torch.testing.assert_close(again.inverse(scaled), scaling.inverse(scaled))
    same = TargetStandardise().fit([torch.full((9,), 3.0)])
    torch.testing.assert_close(same.inverse(same(torch.tensor([3.0, 4.0]))), torch.tensor([3.0, 4.0]))
    with pytest.raises(DataError, match="1 of 2 targets are missing"):
        TargetStandardise().fit([torch.tensor([1.0, torch.nan])])
    with pytest.raises(InputError, match="has not been fitted"):
        TargetStandardise().inverse(prices)


def test_it_learns_with_the_model_it_travels_in() -> None:
    """Preprocessing has no parameters, and gradients pass through it to what comes before."""
    model = nn.Sequential(Preprocessing(TableLayout(3)).fit([normal(20, 3)]), nn.Linear(3, 1))
    assert [name for name, _ in model.named_parameters()] == ["1.weight", "1.bias"]
    inputs = normal(4, 3).requires_grad_()
    model(inputs).sum().backward()
    assert inputs.grad is not None
    assert inputs.grad.isfinite().all()


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: PCA(4, 5), "from 1 to 4"),
        (lambda: PCA(4, 0), "from 1 to 4"),
        (lambda: Whiten(4, 1.5), "share of the variance"),
        (lambda: ZCA(4, True), "share of the variance"),
        (lambda: ScaleToRange(2, 1, 1), "low below high"),
        (lambda: ScalePixels((2, 2), 3, 1), "low below high"),
        (lambda: Centre(0), "at least one"),
        (lambda: ChannelMean((3, 2, 2), 3), "not an axis of"),
        (lambda: Impute(3, [3]), "from 0 to 2"),
        (lambda: Preprocessing(TableLayout(3), numbers="standardize"), "standardise"),  # type: ignore[arg-type]
        (lambda: Preprocessing(TableLayout(3), images="means"), "mean-image"),  # type: ignore[arg-type]
        (lambda: Preprocessing(TableLayout(3), numbers="scale", components=2), "pca, whiten or zca"),
        (lambda: Preprocessing(TableLayout(3), numbers="pca", components=0.5).outputs, "fit"),
        (lambda: Preprocessing(TableLayout(3)).outputs, "fit"),
        (lambda: PCA(3).fit_statistics(statistics_of([torch.ones(2, 3)], 3)), "covariance=True"),
        (lambda: Preprocessing(TableLayout(3)).fit([torch.ones(4, 2)]), "3 numbers"),
        (lambda: Preprocessing(ImageLayout((4, 4), "NHW")).fit([torch.ones(2, 4, 4)])(torch.ones(2, 5, 4)), "4, 4"),
    ],
)  # fmt: skip
def test_bad_settings_are_explained(make: Any, says: str) -> None:
    with pytest.raises((InputError, RecipeError)) as caught:
        make()
    assert says in str(caught.value)


def test_a_missing_marker_among_the_targets_of_a_table_is_said() -> None:
    table = torch.tensor([[1.0, float("inf")], [2.0, 3.0]])
    with pytest.raises(DataError, match="1 of 2 features hold infinity"):
        Preprocessing(TableLayout(2)).fit([table])
