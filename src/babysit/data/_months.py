"""Names of months in the common languages."""

from __future__ import annotations

import functools

# English, German, French, Spanish, Italian, Portuguese, Dutch, Swedish and Danish, Polish (both cases), Turkish and
# Russian, without accents. Abbreviations are beginnings of these names, or stand behind them.
MONTHS = (
    "january januar janner janvier enero gennaio janeiro januari styczen stycznia ocak январь января",
    "february februar feber fevrier febrero febbraio fevereiro februari luty lutego subat февраль февраля",
    "march marz mars marzo marco maart marts marzec marca mart март марта mrt mrz maerz",
    "april avril abril aprile kwiecien kwietnia nisan апрель апреля",
    "may mai mayo maggio maio mei maj maja mayis май мая",
    "june juni juin junio giugno junho czerwiec czerwca haziran июнь июня",
    "july juli juillet julio luglio julho lipiec lipca temmuz июль июля juil",
    "august aout agosto augustus augusti sierpien sierpnia agustos август августа",
    "september septembre septiembre setiembre settembre setembro wrzesien wrzesnia eylul сентябрь сентября sept",
    "october oktober octobre octubre ottobre outubro pazdziernik pazdziernika ekim октябрь октября",
    "november novembre noviembre novembro listopad listopada kasim ноябрь ноября",
    "december dezember decembre diciembre dicembre dezembro desember grudzien grudnia aralik декабрь декабря",
)
SHORTEST = 3  # letters of an abbreviation


@functools.cache
def month_of(word: str) -> int | None:
    """The number of the month that a word names, whole or abbreviated; None when it names none or several.

    Args:
        word: In lower case, without accents.

    Example:
        >>> month_of("sept"), month_of("dez"), month_of("mai"), month_of("monday")
        (9, 12, 5, None)
    """
    if len(word) < SHORTEST:
        return None
    exact = [place + 1 for place, names in enumerate(MONTHS) if word in names.split()]
    begun = [place + 1 for place, names in enumerate(MONTHS) if any(name.startswith(word) for name in names.split())]
    found = exact or begun
    return found[0] if len(found) == 1 else None
