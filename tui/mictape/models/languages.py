"""Languages by their codes (BCP 47): English names, and which code stands for which."""

import locale
import os
from collections.abc import Iterable, Mapping
from typing import Final

_LIST: Final = """
af=Afrikaans am=Amharic ar=Arabic as=Assamese az=Azerbaijani ba=Bashkir be=Belarusian bg=Bulgarian bn=Bengali
bo=Tibetan br=Breton bs=Bosnian ca=Catalan cs=Czech cy=Welsh da=Danish de=German el=Greek en=English es=Spanish
et=Estonian eu=Basque fa=Persian fi=Finnish fil=Filipino fo=Faroese fr=French ga=Irish gl=Galician gu=Gujarati
ha=Hausa haw=Hawaiian he=Hebrew hi=Hindi hr=Croatian ht=Haitian hu=Hungarian hy=Armenian id=Indonesian is=Icelandic
it=Italian ja=Japanese jv=Javanese ka=Georgian kk=Kazakh km=Khmer kn=Kannada ko=Korean la=Latin lb=Luxembourgish
ln=Lingala lo=Lao lt=Lithuanian lv=Latvian mg=Malagasy mi=Maori mk=Macedonian ml=Malayalam mn=Mongolian mr=Marathi
ms=Malay mt=Maltese my=Burmese nb=Norwegian ne=Nepali nl=Dutch nn=Nynorsk oc=Occitan pa=Punjabi pl=Polish ps=Pashto
pt=Portuguese ro=Romanian ru=Russian sa=Sanskrit sd=Sindhi si=Sinhala sk=Slovak sl=Slovenian sn=Shona so=Somali
sq=Albanian sr=Serbian su=Sundanese sv=Swedish sw=Swahili ta=Tamil te=Telugu tg=Tajik th=Thai tk=Turkmen tr=Turkish
tt=Tatar uk=Ukrainian ur=Urdu uz=Uzbek vi=Vietnamese yi=Yiddish yo=Yoruba yue=Cantonese zh=Chinese
"""

NAMES: Final = {code: name for code, _, name in (pair.partition("=") for pair in _LIST.split())}
"""English names by primary code (ISO 639), of every language that a model of the catalogue knows."""

SAME: Final = {"no": "nb", "iw": "he", "jw": "jv", "tl": "fil", "in": "id", "cmn": "zh"}
"""Codes that models and systems use for a language, and the one used here."""


LOCALE_VARIABLES: Final = ("LC_ALL", "LC_MESSAGES", "LANG")
"""What decides on the language of messages, the strongest first (POSIX, 8.2)."""


def primary(code: str) -> str:
    """The language of a code without region and script: `de` of `de-AT`, `de_AT.UTF-8`, `DE`."""
    first = code.replace("_", "-").partition(".")[0].partition("-")[0].lower()
    return SAME.get(first, first)


def name_of(code: str) -> str:
    """The English name of a language; the code itself when it is not known."""
    return NAMES.get(primary(code), code)


def code_of(text: str) -> str | None:
    """The code meant by a code or an English name, `de-AT` or `German`; None when it is no language known here."""
    if primary(text) in NAMES:
        return text.replace("_", "-")
    return next((code for code, name in NAMES.items() if name.lower() == text.strip().lower()), None)


def knows(languages: Iterable[str], wanted: str) -> bool:
    """Whether `wanted` is among `languages`, whatever its region."""
    return primary(wanted) in map(primary, languages)


def spoken_in(codes: Iterable[str]) -> str:
    """Languages by name and code, for those who search for one."""
    return " ".join(f"{name_of(code)} {code}" for code in codes)


def listed(codes: Iterable[str], first: str | None, most: int) -> str:
    """Languages by name, `first` before the others; of more than `most`, how many more there are."""
    ordered = sorted(codes, key=lambda code: not first or not knows((code,), first))
    names = [name_of(code) for code in ordered]
    more = [f"{len(names) - most} more"] if len(names) > most else []
    return ", ".join((*names[:most], *more))


def of_locale(name: str | None) -> str | None:
    """The language of a system's locale, `de_DE.UTF-8` or `German_Germany`; None of `C`, `POSIX` and unknown ones."""
    first = (name or "").partition("_")[0]
    code = code_of(first.partition(".")[0])
    return primary(code) if code is not None else None


def of_system(environ: Mapping[str, str] = os.environ) -> str | None:
    """The language that the system is set to; None when it is not known."""
    named = next((environ[name] for name in LOCALE_VARIABLES if environ.get(name)), None)
    return of_locale(named if named is not None else locale.getlocale()[0])
