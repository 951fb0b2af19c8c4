"""Numbers as people write them: decimal signs, thousands, units, money, K and M, limits, ranges, two in a cell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from babysit.record import stored

HALF = 0.5  # share of a column's cells that must be numbers for it to be a column of numbers
HEAD = 20_000  # cells from which the decimal sign is found
LONGEST_UNIT = 20  # letters
MOST_UNIT_WORDS = 3
THOUSANDS = {".": ",", ",": "."}
# A number of one group of three after the sign (1.234) says nothing of what the sign means; these do.
STRONG = (
    r"^\D{{0,6}}(?:\d{{1,3}}(?:\{t}\d{{3}})+\{d}\d+|0\{d}\d+|\{d}\d+|\d+\{d}(?:\d{{1,2}}|\d{{4,}})|\d{{4,}}\{d}\d+"
    r"|\d{{1,3}}(?:\{t}\d{{3}}){{2,}})(?:[eE][+-]?\d+)?\D*$"
)
WEAK = r"^\D{{0,6}}[1-9]\d{{0,2}}\{d}\d{{3}}\D*$"
SMALL_WHOLE = r"^\D{0,6}\d{1,3}\D*$"
LARGE_WHOLE = r"^\D{0,6}\d{4,}\D*$"

CURRENCIES = (
    r"US ?\$|R\$|A\$|C\$|AU\$|CA\$|HK\$|NZ\$|\p{Sc}|Rs\.?|INR|USD|EUR|GBP|CHF|JPY|CNY|RMB|AUD|CAD|SEK|NOK|DKK|PLN|BRL|"
    r"RUB|TRY|MXN|ZAR|KRW|SGD|HKD|NZD"
)
SAME = {"rs.": "rs", "₹": "rs", "inr": "rs", "usd": "$", "us$": "$", "us $": "$", "eur": "€", "gbp": "£", "jpy": "¥"}
ORDINALS = ("st", "nd", "rd", "th")
LARGER = {
    **dict.fromkeys(("k", "tsd", "tsd.", "thousand"), 1e3),
    **dict.fromkeys(("m", "mn", "mio", "mio.", "mln", "million", "millions", "millionen"), 1e6),
    **dict.fromkeys(("b", "bn", "mrd", "mrd.", "billion", "billions", "milliarden"), 1e9),
    **dict.fromkeys(("t", "tn", "trillion"), 1e12),
    **dict.fromkeys(("lakh", "lakhs", "lac", "lacs"), 1e5),
    **dict.fromkeys(("cr", "crore", "crores"), 1e7),
}
WORDS = "|".join(sorted((word.replace(".", r"\.") for word in LARGER if len(word) > 1), key=len, reverse=True))
REVERSED = 0.05  # of the ranges may fall; more, and they are scores, telephone numbers or codes
NEGATIVE = r"^\(.*\d.*\)$|^[^\d-]*\d[\d.,' ]*-$"
ABOVE = r"(?i)^(?:>=?|≥|over|above|more than|at least|from)\s*"
BELOW = r"(?i)^(?:<=?|≤|under|below|less than|up to|at most)\s*"
OR_MORE = r"(?i)\s*(?:\+|and over|and above|and older|or more|or older|and more|plus|more)$"
NUMBER = (
    rf"^(?P<before>(?i:{CURRENCIES}))?\s*(?P<sign>[+-])?\s*(?P<after>(?i:{CURRENCIES}))?\s*"
    r"(?P<digits>\d[\d .,'_]*\d|\d[.,]?|[.,]\d+)(?P<power>[eE][+-]?\d+)?\s*(?P<rest>[^\d]*?(?:[a-zA-Z][23])?)$"
)
RANGE = r"(?i)^([^-]*\d[^-]*?)\s*(?:-|\bto\b|\bbis\b|\.\.\.?|~)\s*([^-]*\d[^-]*)$"
PAIR = r"^(\d+(?:[.,]\d+)?)\s*/\s*(\d+(?:[.,]\d+)?)\s*(\D*)$"
FEET = r"""^(\d+)\s*(?:'|ft\.?|feet)\s*(\d+(?:\.\d+)?)\s*(?:"|''|in\.?|inches)?$"""


@stored
class NumberReading:
    """How the texts of one column are read as numbers.

    Attributes:
        decimal: The decimal sign, "." or ","; the other one may separate thousands.
        unit: The unit of its cells, in lower case; cells of other units are missing, cells without one count.
        larger: Whether the letters K, M, B and T behind a number are thousands, millions and so on.
        pair: Whether a cell holds two numbers, as 126/83.
        limits: Whether some cells are limits, as <0.5 or 3+, which an indicator then tells.
        ranges: Whether two numbers with a dash between them are a range.
        clock: "time of day" (read as hours) or "duration" (as seconds); empty for numbers.
    """

    decimal: str = "."
    unit: str = ""
    larger: bool = False
    pair: bool = False
    limits: bool = False
    ranges: bool = True
    clock: str = ""


@dataclass(frozen=True)
class DecimalFound:
    """The decimal sign of a file.

    Attributes:
        sign: "." or ",".
        why: What shows it.
        doubtful: Whether nothing in the file shows it, although it matters.
        own: Columns that show the other sign.
    """

    sign: str
    why: str
    doubtful: bool
    own: Mapping[str, str]

    def of(self, name: str) -> str:
        """The sign of a column."""
        return self.own.get(name, self.sign)


def find_decimal(frame: pl.DataFrame, delimiter: str = ",", stated: str | None = None) -> DecimalFound:
    """The decimal sign of all texts of a file.

    One sign holds for the whole file, as one program wrote it. A column keeps the other one only where its own cells
    leave no choice: 0.26 and 1,234.5 are written with a point, whatever stands in other columns.

    Args:
        frame: Texts and other columns.
        delimiter: Between the cells of the file: where it is a semicolon, the comma is likely the decimal sign.
        stated: What the user says.

    Example:
        >>> frame = pl.DataFrame({"share": ["36,11", "4,5"], "people": ["4.944", "223"]})
        >>> find_decimal(frame, ";").sign
        ','
    """
    texts = [name for name, kind in frame.schema.items() if kind == pl.String]
    shown: dict[str, dict[str, int]] = {}
    weak: dict[str, tuple[int, int]] = {".": (0, 0), ",": (0, 0)}
    heads = {name: plain(frame[name].head(HEAD).drop_nulls()) for name in texts}
    for name, cells in heads.items():
        if not len(cells):
            continue
        counts = {d: _count(cells, STRONG.format(d=d, t=THOUSANDS[d])) for d in (".", ",")}
        if any(counts.values()):
            shown[name] = counts
            continue
        for sign in (".", ","):
            if _count(cells, WEAK.format(d=sign)):
                mixed = bool(_count(cells, SMALL_WHOLE)) and not _count(cells, LARGE_WHOLE)
                before = weak[sign]
                weak[sign] = (before[0] + 1, before[1] + mixed)
    own = {name: max(counts, key=lambda sign: counts[sign]) for name, counts in shown.items()}
    if stated in (".", ","):
        return DecimalFound(stated, "the recipe says so", False, {})
    votes = {sign: sum(one == sign for one in own.values()) for sign in (".", ",")}
    if any(votes.values()):
        sign = max(votes, key=lambda sign: (votes[sign], (sign == ",") == (delimiter == ";")))
        example = next(_example(heads[name], sign) for name, one in own.items() if one == sign)
        doubtful = bool(votes[THOUSANDS[sign]]) and bool(weak["."][0] or weak[","][0])
        return DecimalFound(sign, f"the file writes numbers such as {example}", doubtful, own)
    sign = "," if delimiter == ";" and weak[","][0] else "."
    for one in (".", ","):  # whole numbers below 1000 beside groups of three: the sign separates thousands
        if weak[one][1] and (one == "," or delimiter == ";"):
            sign = THOUSANDS[one]
    ambiguous = bool(weak["."][0] or weak[","][0]) if delimiter == ";" else bool(weak["."][1])
    written = "1.234" if weak["."][0] else "1,234"
    means = {".": {"1.234": "1.234", "1,234": "1234"}, ",": {"1.234": "1234", "1,234": "1.234"}}[sign][written]
    why = f"no cell shows which sign is the decimal one; {written} is read as {means}" if ambiguous else "it is usual"
    return DecimalFound(sign, why, ambiguous, {})


def read_numbers(cells: pl.Series, reading: NumberReading) -> pl.DataFrame:
    """Texts as numbers.

    Args:
        cells: Texts, null where missing.
        reading: Of their column.

    Returns:
        `value`, `second` (of pairs), float64 and null where a cell is not a number of that reading; `limit`, -1 for
        "at most", 1 for "at least", else 0.

    Example:
        >>> read_numbers(pl.Series(["€1.2M", "(35)", "<4"]), NumberReading(larger=True))["value"].to_list()
        [None, -35.0, 4.0]
    """
    found = _parse(cells, reading.decimal, reading.larger)
    fits = pl.col("unit").is_in(["", reading.unit]) & (pl.col("second").is_not_null() == reading.pair)
    if not reading.ranges:
        fits &= ~pl.col("range")
    return found.select(
        pl.when(fits).then("value").alias("value"), pl.when(fits).then("second").alias("second"), "limit"
    )


def find_reading(cells: pl.Series, decimal: str) -> tuple[NumberReading, float] | None:
    """How a column of texts is read as numbers, and which share of its cells is then a number; None below half.

    Args:
        cells: Texts without missing ones.
        decimal: The decimal sign of the column.
    """
    counts = cells.alias("text").value_counts(name="weight").sort("weight", "text", descending=[True, False]).head(HEAD)
    total = int(counts["weight"].sum())
    larger = False
    found = _parse(counts["text"], decimal, larger).with_columns(counts["weight"])
    if _weight(found.filter(pl.col("value").is_not_null())) < HALF * total:
        return None
    if _letters_are_larger(found):
        larger = True
        found = _parse(counts["text"], decimal, larger).with_columns(counts["weight"])
    reversed_ranges = _weight(found.filter(pl.col("reversed")))
    ranges = reversed_ranges <= REVERSED * (reversed_ranges + _weight(found.filter(pl.col("range"))))
    numbers = found.filter(pl.col("value").is_not_null() & (~pl.col("range") | ranges))
    pair = _weight(numbers.filter(pl.col("second").is_not_null())) > HALF * _weight(numbers)
    numbers = numbers.filter(pl.col("second").is_not_null() == pair)
    if not numbers.height:
        return None
    units = numbers.group_by("unit").agg(pl.col("weight").sum()).sort("weight", "unit", descending=[True, False])
    unit = str(units["unit"][0])
    own = numbers.filter(pl.col("unit").is_in(["", unit]))
    share = _weight(own) / total
    limits = own["limit"].n_unique() > 1
    return (NumberReading(decimal, unit, larger, pair, limits, ranges), share) if share >= HALF else None


def other_units(cells: pl.Series, reading: NumberReading) -> dict[str, int]:
    """Units beside the column's own, with the number of their cells."""
    found = _parse(cells, reading.decimal, reading.larger)
    others = found.filter(pl.col("value").is_not_null() & ~pl.col("unit").is_in(["", reading.unit]))
    counts = others.group_by("unit").len().sort("len", "unit", descending=[True, False])
    return dict(zip(counts["unit"].to_list(), counts["len"].to_list(), strict=True))


def _weight(found: pl.DataFrame) -> int:
    return int(found["weight"].sum())


def _letters_are_larger(found: pl.DataFrame) -> bool:
    """Whether K, M, B, T are magnitudes: with money, or several of them, or in capitals, and no other single letter."""
    letters = found.filter(pl.col("value").is_not_null() & (pl.col("letter") != ""))
    if not letters.height:
        return False
    others = found.filter(pl.col("value").is_not_null() & (pl.col("letter") == ""))["unit"].unique()
    if bool(others.str.contains(r"^\p{L}$").any()):
        return False
    written = set(letters["letter"].to_list())
    kinds = {letter.lower() for letter in written}
    return bool(letters["money"].any()) or len(kinds) > 1 or bool(written & {"k", "K", "M", "B"})


def _parse(cells: pl.Series, decimal: str, larger: bool) -> pl.DataFrame:
    """Parts of each cell; `value` is null where it is not a number."""
    texts = plain(cells)
    found = _simple(texts, decimal, larger)
    for more in (_pairs, _feet, _ranges):
        left = found["value"].is_null() & texts.is_not_null()
        if not bool(left.any()):
            break
        found = _filled(found, more(texts.filter(left), decimal, larger), left)
    return found


def plain(cells: pl.Series) -> pl.Series:
    """Texts with one kind of minus, blank and apostrophe."""
    texts = cells.cast(pl.String).str.replace_all(r"[\x{2212}\x{2012}\x{2013}\x{2014}]", "-")
    texts = texts.str.replace_all(r"[\x{a0}\x{202f}\x{2009}\x{2007}]", " ")
    return texts.str.replace_all(r"[\x{2019}\x{2bc}`\x{b4}]", "'").str.strip_chars()


def _filled(found: pl.DataFrame, more: pl.DataFrame, where: pl.Series) -> pl.DataFrame:
    places = pl.DataFrame({"place": where.arg_true()}).hstack(more.select(found.columns))
    rows = found.with_row_index("place").update(places.with_columns(pl.col("place").cast(pl.UInt32)), on="place")
    return rows.drop("place")


def _simple(texts: pl.Series, decimal: str, larger: bool) -> pl.DataFrame:
    """One number a cell, with all that may stand beside it."""
    frame = pl.DataFrame({"text": texts})
    text = pl.col("text")
    frame = frame.with_columns(
        below=text.str.contains(BELOW), above=text.str.contains(ABOVE) | text.str.contains(OR_MORE)
    ).with_columns(text.str.replace(BELOW, "").str.replace(ABOVE, "").str.replace(OR_MORE, ""))
    frame = frame.with_columns(negative=text.str.contains(NEGATIVE)).with_columns(
        text.str.replace(r"^\((.*)\)$", "$1").str.replace(r"^(.*\d)-$", "$1")
    )
    parts = text.str.extract_groups(NUMBER)
    frame = frame.with_columns(parts.alias("parts")).unnest("parts")
    digits = _ungrouped(pl.col("digits"), decimal)
    sign = pl.when(pl.col("sign").eq_missing(pl.lit("-")) != pl.col("negative")).then(-1.0).otherwise(1.0)
    rest = pl.col("rest").fill_null("").str.strip_chars()
    letter = rest.str.extract(r"^([kKmMbBtT])(?:$|[\s\p{Sc}])", 1).fill_null("")
    named = rest.str.extract(rf"(?i)^({WORDS})(?:$|[^\p{{L}}])", 1).str.to_lowercase()
    factor = named.replace_strict(LARGER, default=1.0, return_dtype=pl.Float64)
    if larger:
        factor *= letter.str.to_lowercase().replace_strict(LARGER, default=1.0, return_dtype=pl.Float64)
        rest = pl.when(letter != "").then(rest.str.slice(1)).otherwise(rest)
    unit = rest.str.replace(rf"(?i)^(?:{WORDS})($|[^\p{{L}}])", "$1").str.to_lowercase().str.strip_chars(" .*")
    unit = unit.replace(dict.fromkeys(ORDINALS, "th")).replace(SAME)
    coin = pl.coalesce("before", "after").str.to_lowercase().str.strip_chars().replace(SAME)
    frame = frame.select(
        ((digits + pl.col("power").fill_null("")).cast(pl.Float64, strict=False) * sign * factor).alias("value"),
        letter.alias("letter"),
        pl.concat_str([coin.fill_null(""), unit], separator=" ").str.strip_chars().alias("unit"),
        (coin.is_not_null() | unit.str.contains(r"\p{Sc}")).alias("money"),
        (pl.col("above").cast(pl.Int8) - pl.col("below").cast(pl.Int8)).fill_null(0).alias("limit"),
        pl.lit(None, dtype=pl.Float64).alias("second"),
        pl.lit(False).alias("range"),
        pl.lit(False).alias("reversed"),
    )
    unit = pl.col("unit")
    legal = (
        (unit.str.len_chars() <= LONGEST_UNIT)
        & (unit.str.count_matches(r"\s+") < MOST_UNIT_WORDS)
        & (unit.str.contains(r"^(?:$|[\p{L}\p{Sc}%°\x22'µ#])"))
        & ~unit.str.contains(r"[:;=@_|\\()\[\]]|/$")
    )
    return frame.with_columns(pl.when(legal & pl.col("value").is_finite()).then("value").alias("value"))


def _ungrouped(digits: pl.Expr, decimal: str) -> pl.Expr:
    """Digits as a program writes them: no sign between thousands, a point before fractions."""
    other = THOUSANDS[decimal]
    once = rf"^\d+(?:\{decimal}\d*)?$|^\{decimal}\d+$"
    groups = "|".join(rf"(?:{sign}\d{{3}})+" for sign in (rf"\{other}", " ", "'", "_"))
    fraction, indian = rf"(?:\{decimal}\d*)?$", rf"^\d{{1,2}}(?:{other}\d{{2}})+{other}\d{{3}}"
    grouped = rf"^\d{{1,3}}(?:{groups}){fraction}|{indian}{fraction}"
    pointed = digits.str.replace(decimal, ".", literal=True)
    together = digits.str.replace_all(rf"[\{other} '_]", "").str.replace(decimal, ".", literal=True)
    chain = pl.when(digits.str.contains(once)).then(pointed).when(digits.str.contains(grouped)).then(together)
    if decimal == ",":  # 1.5 among decimal commas has no second meaning
        chain = chain.when(digits.str.contains(r"^\d*\.\d+$")).then(digits)
    return chain.otherwise(None)


def _pairs(texts: pl.Series, decimal: str, larger: bool) -> pl.DataFrame:
    """Two numbers a cell, as 126/83."""
    parts = texts.str.extract_groups(PAIR).struct.unnest()
    parts.columns = ["first", "second", "rest"]
    found = _simple(parts["first"] + " " + parts["rest"], decimal, larger)
    second = _simple(parts["second"], decimal, False)["value"]
    return found.with_columns(second.alias("second"))


def _feet(texts: pl.Series, decimal: str, larger: bool) -> pl.DataFrame:
    """Feet and inches, as 5'11\", in feet."""
    parts = texts.str.extract_groups(FEET).struct.unnest()
    parts.columns = ["feet", "inches"]
    found = _simple(parts["feet"] + " feet", decimal, larger)
    inches = parts["inches"].cast(pl.Float64, strict=False) / 12
    return found.with_columns((found["value"] + inches).alias("value"))


def _ranges(texts: pl.Series, decimal: str, larger: bool) -> pl.DataFrame:
    """The middle of a range, as 2100 - 2850; the left end may leave out what both share."""
    parts = texts.str.extract_groups(RANGE).struct.unnest()
    parts.columns = ["low", "high"]
    behind = parts["high"].str.extract(r"(\D*)$", 1).fill_null("")
    coin = parts["low"].str.extract(rf"^\s*((?i:{CURRENCIES}))", 1).fill_null("")
    bare = parts["low"].str.contains(r"\d\s*$").fill_null(False)
    high = _simple(coin + parts["high"].str.replace(rf"^\s*(?i:{CURRENCIES})\s*", ""), decimal, larger)
    shared = _simple((parts["low"] + behind).zip_with(bare, parts["low"]), decimal, larger)
    own = _simple(parts["low"], decimal, larger)
    takes = (shared["value"] <= high["value"]).fill_null(False)
    low = shared["value"].zip_with(takes, own["value"])
    coded = texts.str.contains(r"(^|\D)0\d|^\d{3}-\d{4}$").fill_null(False)
    fits = (low <= high["value"]).fill_null(False) & ~coded
    middle = ((low + high["value"]) / 2).zip_with(fits, pl.Series([None], dtype=pl.Float64))
    is_reversed = ((low > high["value"]) & ~coded).fill_null(False)
    return high.with_columns(
        middle.alias("value"),
        middle.is_not_null().alias("range"),
        is_reversed.alias("reversed"),
        high["limit"].fill_null(0).clip(0, 0).alias("limit"),
    )


def _count(cells: pl.Series, pattern: str) -> int:
    return int(cells.str.contains(pattern).sum())


def _example(cells: pl.Series, sign: str) -> str:
    fitting = cells.filter(cells.str.contains(STRONG.format(d=sign, t=THOUSANDS[sign])))
    return f"'{fitting[0]}'"
