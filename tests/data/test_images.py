"""Images of all modes, sizes and orientations on one canvas."""

import io
import pathlib
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from babysit.data import ImageLayout, prepare
from babysit.data._decode import Canvas, decode_images, draw, open_bytes
from babysit.data._layout import find_layout
from babysit.record import DataError, DataSection, Recipe

ORIENTATION = 0x0112


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def decoded(*contents: bytes, side: int | None = None) -> torch.Tensor:
    names = [str(place) for place in range(len(contents))]
    return decode_images([open_bytes(content) for content in contents], names, "test", side).pixels


GREY = np.arange(64, dtype=np.uint8).reshape(8, 8) * 4
COLOUR = np.stack([GREY, GREY[::-1], GREY.T], axis=-1)


def test_grey_and_coloured_images_keep_their_pixels() -> None:
    assert np.array_equal(decoded(encoded(Image.fromarray(GREY))).numpy()[0], GREY)
    assert np.array_equal(decoded(encoded(Image.fromarray(COLOUR))).numpy()[0], COLOUR)


def test_mixed_modes_become_coloured() -> None:
    pixels = decoded(encoded(Image.fromarray(GREY)), encoded(Image.fromarray(COLOUR)))
    assert pixels.shape == (2, 8, 8, 3)
    assert np.array_equal(pixels[0].numpy(), np.stack([GREY] * 3, axis=-1))


def test_palettes_show_their_colours() -> None:
    palette = Image.fromarray(COLOUR).convert("P", palette=Image.Palette.ADAPTIVE, colors=256)
    pixels = decoded(encoded(palette))
    assert np.array_equal(pixels[0].numpy(), np.asarray(palette.convert("RGB")))
    grey = Image.fromarray(GREY).convert("P")
    assert decoded(encoded(grey)).shape == (1, 8, 8)


def test_black_and_white_is_0_and_255() -> None:
    bits = Image.fromarray(GREY > 100)
    assert np.array_equal(decoded(encoded(bits)).numpy()[0], np.where(GREY > 100, 255, 0))


def test_transparent_pixels_become_white() -> None:
    see_through = np.dstack([COLOUR, np.where(GREY > 100, 255, 0).astype(np.uint8)])
    pixels = decoded(encoded(Image.fromarray(see_through))).numpy()[0]
    assert (pixels[GREY <= 100] == 255).all()
    assert np.array_equal(pixels[GREY > 100], COLOUR[GREY > 100])


def test_sixteen_bits_are_kept_as_they_are() -> None:
    deep = np.arange(64, dtype=np.uint16).reshape(8, 8) * 1000
    pixels = decoded(encoded(Image.fromarray(deep)), encoded(Image.fromarray(GREY)))
    assert pixels.dtype == torch.float32
    assert np.array_equal(pixels[0].numpy(), deep)
    assert np.array_equal(pixels[1].numpy(), GREY.astype(np.float32) * 257)


def test_sixteen_bits_among_colours_are_scaled_down() -> None:
    deep = np.full((8, 8), 65535, dtype=np.uint16)
    pixels = decoded(encoded(Image.fromarray(deep)), encoded(Image.fromarray(COLOUR)))
    assert pixels.dtype == torch.uint8
    assert (pixels[0] == 255).all()


def test_cmyk_is_converted() -> None:
    pixels = decoded(encoded(Image.fromarray(COLOUR).convert("CMYK"), "TIFF"))
    assert pixels.shape == (1, 8, 8, 3)
    assert np.abs(pixels[0].numpy().astype(int) - COLOUR).max() <= 1


def test_the_cameras_orientation_is_applied() -> None:
    upright = np.zeros((6, 10), dtype=np.uint8)
    upright[0] = 255
    exif = Image.Exif()
    exif[ORIENTATION] = 6  # held so that the stored image must be turned clockwise to stand upright
    stored = Image.fromarray(np.rot90(upright).copy())
    pixels = decoded(encoded(stored, "PNG", exif=exif))
    assert np.array_equal(pixels[0].numpy(), upright)


def test_mixed_sizes_take_the_median_side_and_say_so() -> None:
    contents = [encoded(Image.new("L", (side, side + 4))) for side in (8, 10, 30)]
    result = decode_images([open_bytes(content) for content in contents], list("abc"), "test", None)
    assert result.pixels.shape == (3, 10, 10)
    assert result.decisions[0].value == "10"
    assert "3 sizes from 12 by 8 to 34 by 30 pixels" in result.decisions[0].why
    assert result.notes == ("3 images of 3 scaled and cropped to 10 by 10 pixels",)


def test_large_images_are_brought_down_and_a_stated_size_wins() -> None:
    content = encoded(Image.new("L", (300, 400)))
    assert decoded(content).shape == (1, 224, 224)
    assert decoded(content, side=20).shape == (1, 20, 20)


def test_what_hangs_over_is_cut_on_both_sides() -> None:
    wide = np.zeros((4, 12), dtype=np.uint8)
    wide[:, 4:8] = 200
    pixels, fitted = draw(Image.fromarray(wide), Canvas("L", 4, 4))
    assert fitted
    assert (pixels == 200).all()


def test_a_folder_with_given_phases(tmp_path: pathlib.Path) -> None:
    for phase, count in (("train", 6), ("val", 2), ("test", 3)):
        for name in ("cat", "dog"):
            folder = tmp_path / phase / name / "deeper"
            folder.mkdir(parents=True)
            for place in range(count):
                Image.fromarray(GREY + place).save(folder / f"{place}.PNG")
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "train/cat/notes.txt").write_text("by hand")
    prepared = prepare(Recipe(), str(tmp_path))
    assert prepared.summary.splits == {"train": 12, "validation": 4, "test": 6}
    assert prepared.task.classes == ("cat", "dog")
    assert prepared.layout == ImageLayout((8, 8), "NHW")
    assert prepared.inputs.dtype == torch.uint8
    assert "1 file ignored, not an image: train/cat/notes.txt" in prepared.summary.notes


def test_encoded_images_end_to_end(tmp_path: pathlib.Path) -> None:
    images = [np.random.default_rng(place).integers(0, 255, (6, 5, 3)).astype(np.uint8) for place in range(20)]
    contents = [encoded(Image.fromarray(image)) for image in images]
    arrays: dict[str, Any] = {}
    for phase, part in (("train", slice(0, 14)), ("test", slice(14, 20))):
        arrays[f"{phase}_png"] = np.frombuffer(b"".join(contents[part]), dtype=np.uint8)
        arrays[f"{phase}_len"] = np.array([len(content) for content in contents[part]], dtype=np.uint16)
        arrays[f"{phase}_label"] = np.arange(20, dtype=np.uint8)[part] % 2
    path = tmp_path / "images.npz"
    np.savez(path, **arrays)
    prepared = prepare(Recipe(), str(path))
    assert prepared.layout == ImageLayout((6, 5, 3), "NHWC")
    assert prepared.inputs[torch.arange(20)].numpy().tolist() == np.stack(images).tolist()
    assert prepared.targets.tolist() == [0, 1] * 10
    assert prepared.split["test"].tolist() == list(range(14, 20))


def test_real_cifar_images_are_those_of_pillow(real_data: pathlib.Path) -> None:
    arrays = np.load(real_data / "cifar10_jpeg.npz")
    content, lengths = arrays["test_jpeg"].tobytes(), arrays["test_len"].astype(int)
    ends = np.cumsum(lengths)
    contents = [content[end - length : end] for end, length in zip(ends[:200], lengths[:200], strict=True)]
    slow = np.stack([np.asarray(Image.open(io.BytesIO(one)).convert("RGB")) for one in contents])
    assert np.array_equal(decoded(*contents).numpy(), slow)


@pytest.mark.parametrize(
    ("shape", "whole", "axes"),
    [
        ((9, 28, 28), True, "NHW"),
        ((9, 32, 32, 3), True, "NHWC"),
        ((9, 3, 32, 32), False, "NCHW"),
        ((9, 1, 8, 8), False, "NCHW"),
        ((9, 8, 8, 1), True, "NHWC"),
        ((9, 3, 8, 3), True, "NHWC"),
        ((9, 3, 8, 3), False, "NCHW"),
    ],
)
def test_axes_are_found_by_their_sizes(shape: tuple[int, ...], whole: bool, axes: str) -> None:
    layout, (decision,) = find_layout(shape, "test", whole)
    assert isinstance(layout, ImageLayout)
    assert (layout.axes, layout.shape) == (axes, shape[1:])
    assert ("the first or the last axis" in decision.why) == (shape == (9, 3, 8, 3))


def test_axes_that_mean_nothing_are_refused() -> None:
    for shape in ((9, 5, 6, 7), (9, 2, 2, 2, 2), (9, 0)):
        with pytest.raises(DataError):
            find_layout(shape, "test", True)


def test_too_much_for_the_memory_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("babysit.data._decode.physical_memory", lambda: 100)
    with pytest.raises(DataError, match="more than half of this machine's memory"):
        decoded(encoded(Image.fromarray(COLOUR)))


def test_sections_are_only_read() -> None:
    assert DataSection().image_size is None


def pictures(folder: pathlib.Path, count: int, first: int = 0) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for place in range(first, first + count):
        Image.fromarray(GREY + place).save(folder / f"{place}.png")


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("training_set/{}", "test_set/{}"),
        ("seg_train/seg_train/{}", "seg_test/seg_test/{}"),
        ("data/Train/{}", "data/Test/{}"),
        ("{}/train", "{}/test"),
        ("train/{}", "valid/{}"),
    ],
)
def test_phases_are_found_at_any_level(tmp_path: pathlib.Path, train: str, test: str) -> None:
    for name in ("cats", "dogs"):
        pictures(tmp_path / train.format(name), 12)
        pictures(tmp_path / test.format(name), 4)
    pictures(tmp_path / "unsorted", 3) if train[:2] != "{}" else None
    prepared = prepare(Recipe(), str(tmp_path))
    assert prepared.task.classes == ("cats", "dogs")
    held = "validation" if "valid" in test else "test"
    assert prepared.summary.splits[held] == 8
    assert sum(prepared.summary.splits.values()) == 32


def test_a_flat_test_folder_is_not_scored(tmp_path: pathlib.Path) -> None:
    for name in ("a", "b"):
        pictures(tmp_path / "train" / name, 20)
    pictures(tmp_path / "test", 10)
    prepared = prepare(Recipe(), str(tmp_path))
    assert len(prepared.inputs) == 40
    assert prepared.summary.splits["test"] > 0
    assert any("10 images of test without a label" in decision.value for decision in prepared.decisions)


def test_labels_stand_in_a_table_or_in_the_names(tmp_path: pathlib.Path) -> None:
    pictures(tmp_path / "table/images", 30)
    rows = "".join(f"{place}.png,{'cat' if place % 2 else 'dog'},{place * 3.5}\n" for place in range(28))
    (tmp_path / "table/labels.csv").write_text("filename,label,weight\n" + rows)
    prepared = prepare(Recipe(), str(tmp_path / "table"))
    assert prepared.task.classes == ("cat", "dog")
    assert len(prepared.inputs) == 28
    number = prepare(Recipe.model_validate({"data": {"target": "weight"}}), str(tmp_path / "table"))
    assert number.task.kind == "regression"
    flat = tmp_path / "flat"
    flat.mkdir()
    for place in range(24):
        Image.fromarray(GREY + place).save(flat / f"{'cat' if place % 2 else 'dog'}.{place}.png")
    assert prepare(Recipe(), str(flat)).task.classes == ("cat", "dog")


def test_masks_are_refused_or_left_out(tmp_path: pathlib.Path) -> None:
    for name in ("images", "masks"):
        pictures(tmp_path / "pairs" / name, 8)
    with pytest.raises(DataError, match="a mask for each of them"):
        prepare(Recipe(), str(tmp_path / "pairs"))
    for name in ("benign", "malignant"):
        pictures(tmp_path / "beside" / name, 10)
        for place in range(10):
            Image.fromarray(GREY).save(tmp_path / "beside" / name / f"{place}_mask.png")
    prepared = prepare(Recipe(), str(tmp_path / "beside"))
    assert len(prepared.inputs) == 20
    assert any("20 masks beside images left out" in note for note in prepared.summary.notes)


def test_twelve_bits_and_fractions_use_their_own_range() -> None:
    twelve = np.full((8, 8), 4095, dtype=np.uint16)
    pixels = decoded(encoded(Image.fromarray(twelve)), encoded(Image.fromarray(COLOUR)))
    assert (pixels[0] == 255).all()
    fractions = np.linspace(-1, 1, 64, dtype=np.float32).reshape(8, 8)
    mixed = decoded(encoded(Image.fromarray(fractions), "TIFF"), encoded(Image.fromarray(COLOUR)))
    assert int(mixed[0].min()) == 0
    assert int(mixed[0].max()) == 255
