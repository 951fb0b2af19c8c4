"""Dates, times of day and durations as people write them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from babysit.data._months import month_of

HALF = 0.5  # share of a column's cells that must be dates for it to be a column of dates
PROBE = 1000
LONGEST = 60  # letters of a date
FIRST_YEAR, LAST_YEAR = 1600, 2200  # plausible; 0000 and 9999 mean "none"
PIVOT = 69  # two-digit years from here are 19.., as POSIX has it
EPOCHS = {  # units a second, and the first and last plausible number
    "epoch seconds": (1, 8e8, 2.2e9),
    "epoch milliseconds": (1_000, 8e11, 2.2e12),
    "epoch microseconds": (1_000_000, 8e14, 2.2e15),
    "epoch nanoseconds": (1_000_000_000, 8e17, 2.2e18),
}
EPOCH_NAME = r"(?i)(time|date|epoch|stamp|^ts$|_ts$|_at$|created|updated|posted|when)"
FIRST_COMPACT, LAST_COMPACT = 19000101, 21001231
DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
ORDERS = ("day-first", "month-first", "year-first")
COMPACT = {"%Y%m%d": 8, "%Y%m%d%H%M%S": 14}

TIME = (
    r"(?:^|\bat |[T\s,:]+)(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,9}))?)?\s*"
    r"(?P<half>[AaPp]\.?\s?[Mm]\b\.?)?\s*(?:Z|UTC|GMT|(?P<zone>[ECMP][SD]T|CES?T|BST|IST|JST))?\s*"
    r"(?P<offset>[+-]\d{2}:?\d{2}|[+-]\d{2}\b)?(?:\s*\([^)]*\)|\[[^\]]*\])?"
)
ZONES = {"EST": -300, "EDT": -240, "CST": -360, "CDT": -300, "MST": -420, "MDT": -360, "PST": -480, "PDT": -420}
ZONES |= {"CET": 60, "CEST": 120, "BST": 60, "IST": 330, "JST": 540}  # minutes from UTC
YEAR = r"(\d{4}|'?\d{2})"
TEXT_FORMS = {  # which of year, month, day the groups are
    rf"^(\d{{1,2}})(?:st|nd|rd|th|er|o|\.)?[-/. ]*(?:de |of )?(\p{{L}}{{3,}})\.?[-/., ]*(?:de |del )?{YEAR}$": "dny",
    rf"^(\p{{L}}{{3,}})\.?[-/ ]*(\d{{1,2}})(?:st|nd|rd|th)?,?[-/ ]+{YEAR}$": "ndy",
    r"^(\d{4})[-/. ]*(\p{L}{3,})\.?[-/. ]*(\d{1,2})$": "ynd",
    rf"^(\p{{L}}{{3,}})\.?[-/ ,]*(?:de |del )?{YEAR}$": "ny",
    r"^(\d{4})[-/. ]*(\p{L}{3,})$": "yn",
}
NUMBER_FORMS = {
    r"^(\d{4})[-/. ]\s?(\d{1,2})[-/. ]\s?(\d{1,2})\.?$": "ymd",
    r"^(\d{4})(\d{2})(\d{2})$": "ymd",
    r"^(\d{4})[-/](\d{1,2})$": "ym",
    r"^(\d{1,2})[-/](\d{4})$": "my",
}
MIXED = r"^(\d{1,2})[-/. ]\s?(\d{1,2})[-/. ]\s?(\d{4}|\d{2})\.?$"  # which of the three is the day is the column's order
QUARTER = r"^(?:(\d{4})[- ]?q([1-4])|q([1-4])[- /]?(\d{4}))$"
CLOCK = r"(?i)^(\d{1,4}):(\d{2})(?::(\d{2}(?:[.,]\d+)?))?\s*([ap]\.?\s?m\.?)?$"
UNITS = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0}
AMOUNT = {
    "d": r"(\d+(?:\.\d+)?)\s*(?:d|days?)\b",
    "h": r"(\d+(?:\.\d+)?)\s*(?:h|hrs?|hours?)(?:\b|\d)",
    "m": r"(\d+(?:\.\d+)?)\s*(?:m|mins?|minutes?)(?:\b|\d)",
    "s": r"(\d+(?:\.\d+)?)\s*(?:s|secs?|seconds?)\b",
}
AMOUNTS = r"^(?:\d+(?:\.\d+)?\s*(?:d|days?|h|hrs?|hours?|m|mins?|minutes?|s|secs?|seconds?)(?:\s*,?\s*|\s+and\s+))+$"
ISO_DURATION = r"(?i)^p(?:\d+d)?(?:t(?:\d+h)?(?:\d+m)?(?:\d+(?:\.\d+)?s)?)?$"
DAYS_AND_CLOCK = r"(?i)^(-?\d+)\s*(?:d|days?),?\s+(\d{1,2}):(\d{2}):(\d{2}(?:\.\d+)?)$"


@dataclass(frozen=True)
class DateFound:
    """How a column's texts are dates.

    Attributes:
        form: As `as_moments` takes it.
        share: Of the cells, that are dates.
        remark: What else they could be; empty when nothing.
    """

    form: str
    share: float
    remark: str = ""


def as_moments(cells: pl.Series, form: str = "") -> pl.Series:
    """Datetimes without a time zone (UTC where the cell says an offset), in microseconds; null for what is not a date.

    Args:
        cells: Dates, times with dates, or texts or whole numbers of a form.
        form: Of texts and numbers: "day-first", "month-first" or "year-first" for 01/02/03; "%Y%m%d"; an epoch's unit.

    Example:
        >>> as_moments(pl.Series(["19.06.19", "3 mars 2021", "0000-00-00"]), "day-first").dt.to_string("%F").to_list()
        ['2019-06-19', '2021-03-03', None]
    """
    if cells.dtype.is_temporal():
        moments = cells.cast(pl.Datetime("us")) if cells.dtype == pl.Date else cells
        return moments.dt.replace_time_zone(None).cast(pl.Datetime("us"))
    if form in EPOCHS:
        per_second = EPOCHS[form][0]
        micro = cells.cast(pl.Float64, strict=False) * (1e6 / per_second)
        return micro.cast(pl.Int64, strict=False).cast(pl.Datetime("us"))
    if cells.dtype.is_numeric():
        cells = cells.cast(pl.Float64).cast(pl.Int64, strict=False)
    texts = cells.cast(pl.String)
    if form == "%Y%m%d":
        moments = texts.str.strptime(pl.Date, form, strict=False).cast(pl.Datetime("us"))
    elif form in COMPACT:
        moments = texts.str.strptime(pl.Datetime("us"), form, strict=False)
    else:
        moments = _parse(texts, form or ORDERS[0])
    years = moments.dt.year()
    none = pl.Series([None], dtype=moments.dtype).new_from_index(0, len(moments))  # older Polars cannot set dates
    return moments.zip_with(years.is_between(FIRST_YEAR, LAST_YEAR).fill_null(False), none)


def date_form(texts: pl.Series, stated: str | None = None) -> DateFound | None:
    """How texts are dates, where at least half of them are.

    Args:
        texts: Without missing ones.
        stated: "day-first" or "month-first", when the user says it.

    Returns:
        None when fewer than half are dates.

    Example:
        >>> date_form(pl.Series(["2024-02-29", "2024-03-01"])).form
        'day-first'
        >>> date_form(pl.Series(["02/29/2024", "03/01/2024"])).form
        'month-first'
    """
    probe = texts.head(PROBE)
    dated = probe.str.contains(r"\d") & (probe.str.len_chars() <= LONGEST)
    if not len(texts) or dated.mean() < HALF or max(_share(probe, order) for order in ORDERS) < HALF / 2:  # type: ignore[operator]
        return None
    order, remark = (stated, "") if stated else _order(texts)
    share = _share(texts, order)
    return DateFound(order, share, remark) if share >= HALF else None


def compact_form(numbers: npt.NDArray[np.float64], name: str = "") -> str | None:
    """The form when every whole number is a date: 20240229 between 1900 and 2100, 20240229134500, or an epoch."""
    if not len(numbers) or not bool((numbers == np.rint(numbers)).all()) or not bool(np.isfinite(numbers).all()):
        return None
    low, high = float(numbers.min()), float(numbers.max())
    if low == high:
        return None
    whole = pl.Series(numbers.astype(np.int64)) if abs(high) < 2**62 and abs(low) < 2**62 else None
    if whole is None:
        return None
    if low >= FIRST_COMPACT and high <= LAST_COMPACT:
        return "%Y%m%d" if not as_moments(whole, "%Y%m%d").null_count() else None
    if low >= FIRST_COMPACT * 10**6 and high <= LAST_COMPACT * 10**6 + 235959:
        return "%Y%m%d%H%M%S" if not as_moments(whole, "%Y%m%d%H%M%S").null_count() else None
    named = bool(pl.Series([name]).str.contains(EPOCH_NAME)[0])
    for form, (_, first, last) in EPOCHS.items():
        if first <= low and high <= last and (named or form != "epoch seconds"):
            return form
    return None


def clock_form(texts: pl.Series) -> tuple[str, float] | None:
    """`time of day` or `duration`, and the share of cells that are one; None below half.

    Args:
        texts: Without missing ones.
    """
    for form in ("time of day", "duration"):
        share = 1 - read_clock(texts, form).null_count() / len(texts)
        if share >= HALF:
            large = texts.str.extract(CLOCK, 1).cast(pl.Int64, strict=False).max()
            if form == "time of day" and isinstance(large, int) and large > 23:
                continue
            return form, share
    return None


def read_clock(texts: pl.Series, form: str) -> pl.Series:
    """Times of day as hours, durations as seconds; float64, null for what is neither.

    Example:
        >>> read_clock(pl.Series(["1:30 PM", "13:45"]), "time of day").to_list()
        [13.5, 13.75]
        >>> read_clock(pl.Series(["2h 50m", "1 day 00:00:01", "PT90S"]), "duration").to_list()
        [10200.0, 86401.0, 90.0]
    """
    frame = pl.DataFrame({"text": texts})
    text = pl.col("text")
    hour, minute = (text.str.extract(CLOCK, group).cast(pl.Float64) for group in (1, 2))
    second = text.str.extract(CLOCK, 3).str.replace(",", ".").cast(pl.Float64).fill_null(0.0)
    half = text.str.extract(CLOCK, 4).str.to_lowercase().str.slice(0, 1)
    shown = pl.when(half == "p").then(hour % 12 + 12).when(half == "a").then(hour % 12).otherwise(hour)
    sound = (minute < 60) & (second < 61)
    if form == "time of day":
        hours = shown + minute / 60 + second / 3600
        return frame.select(pl.when(sound & (hours <= 24)).then(hours)).to_series()
    lower = text.str.to_lowercase()
    said = {unit: lower.str.extract(pattern, 1).cast(pl.Float64).fill_null(0.0) for unit, pattern in AMOUNT.items()}
    amounts = [amount * UNITS[unit] for unit, amount in said.items()]
    parts = [text.str.extract(DAYS_AND_CLOCK, group).cast(pl.Float64) for group in range(1, 5)]
    whole = pl.sum_horizontal(part * size for part, size in zip(parts, UNITS.values(), strict=True))
    return frame.select(
        pl.when(text.str.contains(DAYS_AND_CLOCK))
        .then(whole)
        .when(lower.str.contains(AMOUNTS) | lower.str.contains(ISO_DURATION))
        .then(pl.sum_horizontal(amounts))
        .when(sound)
        .then(hour * 3600 + minute * 60 + second)
    ).to_series()


def _share(texts: pl.Series, order: str) -> float:
    return 1 - as_moments(texts, order).null_count() / max(1, len(texts))


def _order(texts: pl.Series) -> tuple[str, str]:
    """Where the day stands among the numbers of 01/02/03, and a remark when nothing shows it."""
    dates = _without_time(texts)["date"]
    parts = dates.str.extract_groups(MIXED).struct.unnest().drop_nulls()
    if not parts.height:
        return ORDERS[0], ""
    first, second = (parts[parts.columns[place]].cast(pl.Int64) for place in (0, 1))
    short = parts[parts.columns[2]].str.len_chars() == 2
    if bool(((first > 31) & short).any()):
        return "year-first", ""
    days, months = int(((first > 12) & (second <= 12)).sum()), int(((second > 12) & (first <= 12)).sum())
    if days or months:
        return (ORDERS[0], "") if days >= months else (ORDERS[1], "")
    if bool(dates.drop_nulls().str.contains(r"^\d{1,2}\.\d").any()):
        return ORDERS[0], ""
    forward, american = (as_moments(texts, order) for order in ORDERS[:2])
    if american.is_sorted() and not forward.is_sorted():
        return ORDERS[1], "the month before the day, as the rows are then in order"
    if bool(texts.str.contains(r"(?i)\d\s*[ap]\.?m").any()):
        return ORDERS[1], "the month before the day, as times with AM and PM suggest; the other way round is possible"
    return ORDERS[0], "the day before the month; the other way round would be possible too"


def _without_time(texts: pl.Series) -> pl.DataFrame:
    """The parts of the time, and `date`: what is left, in lower case without accents and weekday."""
    compact = texts.str.strip_chars().str.replace(r"^(\d{8})[T_ -]?(\d{2})(\d{2})(\d{2})(\D|$)", "$1 $2:$3:$4$5")
    frame = pl.DataFrame({"text": compact})
    text = pl.col("text")
    frame = frame.with_columns(text.str.extract_groups(TIME).alias("time")).unnest("time")
    date = text.str.replace(TIME, " ").str.to_lowercase().str.normalize("NFKD").str.replace_all(r"\p{M}", "")
    date = date.str.strip_chars(" ,t").str.replace_all(r"\s+", " ")
    date = date.str.replace(r"^\p{L}+\.?,\s*(\p{L}+.*|\d+[^\d].*)$", "$1")  # Wed, 07 Apr 2021
    date = date.str.replace(r"^\p{L}+\.? (\p{L}{3,}\.? ?\d.*)$", "$1")  # Wed Apr 07 2021
    date = date.str.replace(r"^(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)? (\d.*)$", "$1")
    return frame.with_columns(date.alias("date"))


def _parse(texts: pl.Series, order: str) -> pl.Series:
    frame = _without_time(texts)
    date = pl.col("date")
    parts: dict[str, list[pl.Expr]] = {"y": [], "m": [], "d": [], "n": []}

    def take(pattern: str, letters: str) -> None:
        for place, letter in enumerate(letters):
            parts[letter].append(date.str.extract(pattern, place + 1))
        if "d" not in letters:
            parts["d"].append(pl.when(date.str.contains(pattern)).then(pl.lit("1")))

    for pattern, letters in (NUMBER_FORMS | TEXT_FORMS).items():
        take(pattern, letters)
    take(MIXED, {"day-first": "dmy", "month-first": "mdy", "year-first": "ymd"}[order])
    quarter = pl.coalesce(date.str.extract(QUARTER, 2), date.str.extract(QUARTER, 3)).cast(pl.Int64) * 3 - 2
    parts["y"] += [date.str.extract(QUARTER, 1), date.str.extract(QUARTER, 4)]
    parts["d"].append(pl.when(date.str.contains(QUARTER)).then(pl.lit("1")))
    frame = frame.with_columns(
        year=pl.coalesce(parts["y"]).str.strip_prefix("'"), name=pl.coalesce(parts["n"]), day=pl.coalesce(parts["d"])
    )
    names = frame["name"].drop_nulls().unique().to_list()
    known = {name: number for name in names if (number := month_of(name))}
    named = pl.lit(None, pl.Int64)
    if known:
        named = pl.col("name").replace_strict(known, default=None, return_dtype=pl.Int64)
    month = pl.coalesce(named, pl.when(pl.col("name").is_null()).then(pl.coalesce(parts["m"]).cast(pl.Int64)), quarter)
    year = pl.col("year").cast(pl.Int64)
    short = pl.when(year >= PIVOT).then(year + 1900).otherwise(year + 2000)
    frame = frame.with_columns(
        year=pl.when(pl.col("year").str.len_chars() == 2).then(short).otherwise(year),
        month=month,
        day=pl.col("day").cast(pl.Int64),
    )
    return frame.select(_moment()).to_series()


def _moment() -> pl.Expr:
    """The parts as one moment, null where the calendar or the clock has no such one."""
    year, month, day = pl.col("year"), pl.col("month"), pl.col("day")
    leap = ((year % 4 == 0) & (year % 100 != 0)) | (year % 400 == 0)
    longest = month.replace_strict(list(range(1, 13)), DAYS, default=0, return_dtype=pl.Int64)
    longest += ((month == 2) & leap).cast(pl.Int64)
    valid = (year >= 1) & (day >= 1) & (day <= longest)
    hour, minute, second = (pl.col(part).cast(pl.Int64).fill_null(0) for part in ("hour", "minute", "second"))
    half = pl.col("half").str.to_lowercase().str.slice(0, 1)
    hour = pl.when(half == "p").then(hour % 12 + 12).when(half == "a").then(hour % 12).otherwise(hour)
    valid &= (hour <= 24) & (minute < 60) & (second < 61)
    micro = pl.col("fraction").str.pad_end(9, "0").str.slice(0, 6).cast(pl.Int64).fill_null(0)
    offset = pl.col("offset").str.replace(":", "").str.pad_end(5, "0")
    size = offset.str.slice(1, 2).cast(pl.Int64) * 60 + offset.str.slice(3, 2).cast(pl.Int64)
    minutes = pl.when(offset.str.starts_with("-")).then(-size).otherwise(size)
    zone = pl.col("zone").str.to_uppercase().replace_strict(ZONES, default=0, return_dtype=pl.Int64)
    shift = pl.coalesce(minutes, zone).fill_null(0)
    safe = [pl.when(valid).then(part).otherwise(pl.lit(1)) for part in (year, month, day)]
    moment = pl.datetime(*safe, time_unit="us") + pl.duration(
        hours=hour, minutes=minute - shift, seconds=second, microseconds=micro
    )
    return pl.when(valid).then(moment)
