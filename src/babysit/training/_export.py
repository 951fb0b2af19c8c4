"""export: the model of a Run for other programs, checked against the original before it is handed over."""

from __future__ import annotations

import importlib.util
import io
import pathlib
import warnings
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from babysit.data import ImageLayout
from babysit.record import InputError, MissingExtraError, Run, Study, write_atomic
from babysit.training._load import load
from babysit.training._model import TrainedModel

TOLERANCE = 1e-3  # of the largest answer; another runtime orders its sums otherwise
SUFFIXES = (".onnx", ".pt2")


def export(
    run: str | pathlib.Path | Run | Study,
    path: str | pathlib.Path,
    model: Callable[..., nn.Module] | None = None,
) -> pathlib.Path:
    """Write the model of a Run, preprocessing inside, as ONNX (`.onnx`) or for torch.export (`.pt2`).

    Input `raw` and output `answer` are what `load(run)` takes and gives; the number of rows is free. The file is
    read again and its answers are compared before it is written.

    Args:
        run: A Run folder, or that of a finished Study: its winners then answer together.
        path: Where to; its ending says the form.
        model: The function that makes the network, where one of the user's did.

    Returns:
        The path.

    Raises:
        InputError: Another ending, or the Run cannot be used.
        MissingExtraError: ONNX needs `pip install babysit[export]`.
        StorageError: The disk refused it.

    Example:
        >>> export("runs/digits-1", "digits.onnx")  # doctest: +SKIP
    """
    target = pathlib.Path(path)
    if target.suffix not in SUFFIXES:
        raise InputError(f"'{target}' ends in '{target.suffix}'", legal=" or ".join(SUFFIXES), write="model.onnx")
    if target.suffix == ".onnx" and importlib.util.find_spec("onnxscript") is None:
        raise MissingExtraError("ONNX needs packages that are not installed", write="pip install 'babysit[export]'")
    trained = load(run, model)
    example = example_rows(trained)
    with torch.no_grad():
        content = _onnx(trained, example) if target.suffix == ".onnx" else _exported(trained, example)
    write_atomic(target, content)
    return target


def example_rows(model: TrainedModel, rows: int = 3) -> Tensor:
    """Raw rows a model takes: missing numbers and every kind of category code among them."""
    layout = model.preprocessing.layout
    if isinstance(layout, ImageLayout):
        pixels = torch.randint(0, 256, (rows, *layout.shape), generator=torch.Generator().manual_seed(0))
        return pixels.to(torch.uint8)
    numbers = torch.randn(rows, layout.numbers, generator=torch.Generator().manual_seed(0))
    if layout.numbers and model.columns is not None:
        numbers[0, 0] = float("nan")
    codes = [torch.arange(rows, dtype=torch.float32).remainder(count) for count in layout.levels]
    columns = torch.stack(codes, dim=1) if codes else torch.zeros(rows, 0)
    dtype = torch.float64 if model.columns is not None and model.columns.dtype == "float64" else torch.float32
    return torch.cat([numbers, columns], dim=1).to(dtype)


def _exported(model: TrainedModel, example: Tensor) -> bytes:
    rows = torch.export.Dim("rows", min=1)
    program = torch.export.export(model, (example,), dynamic_shapes={"raw": {0: rows}})
    buffer = io.BytesIO()
    torch.export.save(program, buffer)
    buffer.seek(0)
    again = torch.export.load(buffer).module()
    _compare(model, example[:2], again(example[:2]).numpy())
    return buffer.getvalue()


def _onnx(model: TrainedModel, example: Tensor) -> bytes:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own, about its own use of PyTorch
        program = torch.onnx.export(
            model,
            (example,),
            dynamo=True,
            input_names=["raw"],
            output_names=["answer"],
            dynamic_shapes={"raw": {0: torch.export.Dim("rows", min=1)}},
            verbose=False,
            external_data=False,
        )
    assert program is not None
    content: bytes = program.model_proto.SerializeToString()
    if importlib.util.find_spec("onnxruntime") is not None:
        import onnxruntime

        session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
        (again,) = session.run(None, {"raw": example[:2].numpy()})
        _compare(model, example[:2], np.asarray(again))
    return content


def _compare(model: TrainedModel, rows: Tensor, again: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> None:
    original = model(rows).numpy()
    scale = max(1.0, float(np.abs(original).max()))
    if not np.allclose(original, again, rtol=0, atol=TOLERANCE * scale):
        raise InputError(
            "the exported model answers differently from the original",
            cause="an operation that the exporter translates wrongly",
            write="the other form: .pt2 or .onnx",
        )
