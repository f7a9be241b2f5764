"""The collation that one flavour has for another's, equal where there is one."""

from __future__ import annotations

import re

from fastload_mysql.flavours import Server

# Languages of MySQL's collations of Unicode 9 and of MariaDB's of Unicode 14.
_LANGUAGES = {
    "cs": "czech", "da": "danish", "de_pb": "german2", "eo": "esperanto", "es": "spanish",
    "es_trad": "spanish2", "et": "estonian", "hr": "croatian", "hu": "hungarian",
    "is": "icelandic", "la": "roman", "lt": "lithuanian", "lv": "latvian", "pl": "polish",
    "ro": "romanian", "sk": "slovak", "sl": "slovenian", "sv": "swedish", "tr": "turkish",
    "vi": "vietnamese",
}  # fmt: skip
_OF_LANGUAGE = {name: code for code, name in _LANGUAGES.items()}
_UCA900 = re.compile(r"utf8mb4_(?:(\w+?)_)?0900_(bin|a[is]_c[is])")
_UCA1400 = re.compile(r"(?:(\w+?)_)?uca1400_(?:(\w+?)_)??(nopad_)?(a[is]_c[is])")


def counterpart(collation: str, server: Server) -> tuple[str, str | None]:
    """Return the server's collation for another server's, and what changes with it, in words.

    Never one that takes more texts for equal: unique keys would refuse rows.
    """
    collation = _spelled(collation, server)
    if (match := _UCA900.fullmatch(collation)) and not server.has_uca900:
        return _of_uca900(match, server)
    if (match := _UCA1400.fullmatch(collation)) and not server.has_uca1400:
        return _of_uca1400(match, server)
    if "_nopad_" in collation and not server.is_mariadb:
        return _padded(collation, server)
    return collation, None


def ignored(collation: str) -> str | None:
    """Return what comparisons under a collation ignore, in words; None where nothing."""
    words = collation.split("_")
    found = []
    if words[-1] in ("ci", "w2"):
        found.append("case")
    if _ignores_accents(collation, words):
        found.append("accents")
    if collation != "binary" and "nopad" not in words and "0900" not in words:
        found.append("spaces at the end")
    return _listed(found)


def _ignores_accents(collation: str, words: list[str]) -> bool:
    if "as" in words or "ai" in words:
        return "ai" in words
    return words[-1] == "ci" and not _WITH_ACCENTS.fullmatch(collation)


def _listed(words: list[str]) -> str | None:
    *first, last = words or [""]
    return f"{', '.join(first)} and {last}" if first else last or None


def _spelled(collation: str, server: Server) -> str:
    """Use the server's name for the characters that fit three bytes."""
    if server.has(mysql=(8, 0, 30), mariadb=(10, 6, 1)):
        return re.sub(r"^utf8_", "utf8mb3_", collation)
    return re.sub(r"^utf8mb3_", "utf8_", collation)


def _of_uca900(match: re.Match[str], server: Server) -> tuple[str, str | None]:
    language, strength = match[1], match[2]
    if strength == "bin":
        return server.binary_collation, None if _no_pad(server) else _PADS
    if server.has_uca1400:
        name = _LANGUAGES.get(language or "")
        middle = f"{name}_" if name else ""
        found = f"utf8mb4_uca1400_{middle}nopad_{strength}"
        return found, _other_order(language if not name else None)
    if strength == "ai_ci":
        found = "utf8mb4_unicode_520_nopad_ci" if server.is_mariadb else "utf8mb4_unicode_520_ci"
        return found, _other_order(language) + ("" if server.is_mariadb else f"; {_PADS}")
    return server.binary_collation, "texts are compared by their bytes"


def _of_uca1400(match: re.Match[str], server: Server) -> tuple[str, str | None]:
    charset, language, no_pad, strength = match.groups()
    if (charset or "utf8mb4") != "utf8mb4" or not server.has_uca900:
        if strength == "ai_ci":
            return f"{charset or 'utf8mb4'}_unicode_520_ci", _other_order(language)
        return f"{charset or 'utf8mb4'}_bin", "texts are compared by their bytes"
    code = _OF_LANGUAGE.get(language or "")
    # MySQL has no collation that tells case apart and accents not.
    strength = "as_cs" if strength == "ai_cs" else strength
    if code and strength == "as_ci":
        strength = "as_cs"
    told = _other_order(language if not code else None)
    if no_pad is None:
        told += "; spaces at the end count"
    return f"utf8mb4_{code + '_' if code else ''}0900_{strength}", told


def _padded(collation: str, server: Server) -> tuple[str, str | None]:
    if collation == "utf8mb4_nopad_bin":
        return server.binary_collation, None if _no_pad(server) else _PADS
    return collation.replace("_nopad_", "_"), _PADS


def _no_pad(server: Server) -> bool:
    return server.is_mariadb or server.version >= (8, 0, 17)


# The older ones that ignore case alone.
_WITH_ACCENTS = re.compile(
    r"(ascii|cp850|cp1256|eucjpms|gb2312|gbk|hp8|ujis)_.+|gb18030_chinese_ci|latin[17]_general_.*ci"
    r"|cp1257_lithuanian_ci|.+_tolower_ci"
)
_PADS = "spaces at the end no longer count: unique keys may refuse rows"


def _other_order(language: str | None) -> str:
    told = "texts are compared by another version of Unicode's order"
    return f"{told}, without the rules of {language}" if language else told
