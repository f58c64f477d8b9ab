"""What in a label raster stands for "nothing is known here": names of legends, and values that programs fill with."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

import numpy as np

from .class_names import text_key
from .class_table import LARGEST_CODE
from .legend import BLACK, Legend

# A background or "other" is ground that somebody looked at; these names say that nobody did.
_NAMES = {
    "en": "unclassified|unclassed|not classified|non classified|unlabell?ed|not labell?ed|no label|no class|no ?data|"
    "no value|not available|n a|none|null|nan|masked|masked out|mask|fill|filled|missing|undefined|undetermined|"
    "unknown|unassigned|not assigned|void|ignored?",
    "de": "nicht klassifiziert|nicht klassiert|unklassifiziert|unklassiert|keine klasse|ohne klasse|keine daten|"
    "ohne daten|kein wert|maskiert|maske|fehlend|nicht definiert|undefiniert|unbekannt",
    "fr": "non class(?:é|e|ée|ee|ifié|ifie)s?|sans classe|pas de données|pas de donnees|sans données?|sans donnees?|"
    "aucune donnée|aucune donnee|masqué|masque|inconnu|indéfini",
    "es": "no clasificado|sin clasificar|sin clase|sin datos?|no hay datos|enmascarado|desconocido",
    "pt": "n[ãa]o classificado|sem classe|sem dados?|mascarado|desconhecido",
    "it": "non classificat[oi]|senza classe|nessun dato|senza dati|mascherato|sconosciuto",
    "nl": "niet geclassificeerd|ongeclassificeerd|geen klasse|geen data|geen gegevens|gemaskeerd|onbekend",
    "pl": "niesklasyfikowane|nie sklasyfikowane|brak klasy|brak danych",
    "ru": "неклассифицирован\\w*|не классифицирован\\w*|нет данных|без класса|маска",
    "zh": "未分类|未分類|无数据|無數據|無資料|空值|掩膜",
    "ja": "未分類|データなし|データ無し|マスク",
    "ko": "미분류|분류되지 않음|자료 ?없음|데이터 ?없음",
}
# What may stand behind or between such names, as in "Masked pixels" and "No data or masked".
_BESIDE = "pixels?|píxeles|pixeles|values?|areas?|regions?|class|classes|or|and|oder|und|ou|et|o|y|e|flächen?|werte?"
_NO_CLASS = re.compile("(?:{0})(?: (?:{0}|{1}))*".format("|".join(_NAMES.values()), _BESIDE))
# Programs that fill a raster choose nines, or what 16 bits hold least, also where the raster has wider numbers.
_LEAST = (-128, -127, -32768, -32767)
# No legend counts as far, but numbers of 32 and 64 bits end here or beyond, and fill of floats lies there.
_FAR = 2**31 - 1
_WHITE = "#ffffff"


def is_no_class(name: str) -> bool:
    """Whether a name says that nothing is known: "Unclassified", "Masked pixels", "No Data (0)", "keine Daten"."""
    words = re.sub(r"[\W\d_]+", " ", text_key(name).casefold()).strip()
    return _NO_CLASS.fullmatch(words) is not None


def without_class(values: Sequence[int], legend: Legend, kept: Collection[int], dtype: str) -> dict[int, str]:
    """The values that are no class, each with a phrase that names it and says why; "" for a 0 of which nothing is said.

    ``kept`` are values that are classes whatever the legend says; ``dtype`` is the type that the raster stores.
    """
    asked = [value for value in values if value not in kept]
    found = {value: why for value in asked if (why := _why(value, legend)) is not None}
    fill = [value for value in asked if value not in found and not legend.tells(value) and _is_fill(value, dtype)]
    others = len(values) - len(found) - len(fill)
    # 255 beside a single value is as likely the other class, as in a mask of 0 and 255, and so is -1.
    fill = [value for value in fill if others > 1 or not -1 <= value <= LARGEST_CODE]
    return found | {value: f"{_number(value)}, which looks like fill and is not declared as nodata" for value in fill}


def count_classes(values: Collection[int], dtype: str) -> int:
    """How many of the values are classes as far as can be told without the legend."""
    return sum(value != 0 and not _is_fill(value, dtype) for value in values)


def _why(value: int, legend: Legend) -> str | None:
    name = legend.name(value)
    if name:
        return f'{_number(value)}, "{name}" in the legend' if is_no_class(name) else None
    if value in legend.transparent:
        return f"{value}, transparent in the colour table"
    if value != 0 or legend.colors.get(0, BLACK) not in (BLACK, _WHITE):
        return None
    return "0, white in the colour table and without a name" if legend.tells(0) else ""


def _is_fill(value: int, dtype: str) -> bool:
    """Whether programs write the value where a raster holds nothing: -1, nines below zero, the ends of number types."""
    nines = value < 0 and set(str(-value)) == {"9"}
    ends = np.issubdtype(dtype, np.integer) and value == np.iinfo(dtype).max
    return value == -1 or nines or value in _LEAST or abs(value) >= _FAR or bool(ends)


def _number(value: int) -> str:
    """As it is written: what is beyond 64 bits was a float."""
    return str(value) if abs(value) < 2**64 else f"{value:g}"
