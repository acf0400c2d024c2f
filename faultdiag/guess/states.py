"""Words for states of a bearing and for parts of a split, in the languages of the field."""

import re
from collections import defaultdict
from collections.abc import Iterable
from functools import lru_cache

# What states are called: whole words, and beginnings of names without spaces; lower case.
_STATES: dict[str, tuple[frozenset[str], tuple[str, ...]]] = {
    "healthy": (
        frozenset(
            {"n", "h", "no", "nor", "norm", "ok", "io", "good", "base", "ref", "reference", "new"}
            | {"gut", "neu", "sain", "neuf", "bon", "sano", "buena", "bueno", "sana", "норма"}
        ),
        (
            *("normal", "health", "baseline", "undamaged", "intact", "faultless", "nofault"),
            *("nodefect", "nodamage", "faultfree", "defectfree", "gutzustand", "intakt", "gesund"),
            *("unbesch", "fehlerfrei", "schadenfrei", "inordnung", "sansdéfaut", "sansdefaut"),
            *("sinfall", "sindefect", "sindañ", "buenestado", "исправн", "нормальн", "безде"),
            *("正常", "健康", "无故障", "无损", "良好", "完好", "정상"),
        ),
    ),
    "inner race": (
        frozenset({"i", "ir", "irf", "if", "ib", "ird", "irs", "bpfi"}),
        (
            *("inner", "innen", "bagueint", "pisteint", "anilloint", "pistaint", "anelloint"),
            *("внутр", "内圈", "内环", "内滚道", "내륜"),
        ),
    ),
    "outer race": (
        frozenset({"o", "or", "orf", "of", "ob", "ord", "ors", "bpfo"}),
        (
            *("outer", "aussen", "außen", "bagueext", "pisteext", "anilloext", "pistaext"),
            *("anelloest", "наруж", "внешн", "外圈", "外环", "外滚道", "외륜"),
        ),
    ),
    "rolling element": (
        frozenset({"b", "bf", "tb", "be", "re", "bsf", "bille", "bola"}),
        (
            *("ball", "roll", "wälzk", "waelzk", "kugel", "billes", "rouleau", "bolas", "rodillo"),
            *("шарик", "ролик", "телокач", "滚动体", "滚珠", "滚子", "钢球", "볼"),
        ),
    ),
    "cage": (
        frozenset({"c", "cf", "ca", "ftf"}),
        ("cage", "käfig", "kaefig", "jaula", "gabbia", "сепарат", "保持架", "케이지"),
    ),
}
_HEALTHY, _HEALTHY_BEGIN = _STATES["healthy"]
# States that no part is named in.
_FAULTY = frozenset({"f", "comb", "compound", "mixed", "worn", "bad", "ng", "nio", "broken"})
_FAULTY_BEGIN = (
    *("combin", "fault", "damag", "crack", "defect", "unhealth", "abnormal", "anomal", "defekt"),
    *("schad", "schaden", "beschädigt", "fehler", "kaputt", "verschleiß", "défaut", "defaut"),
    *("endommag", "fall", "dañad", "неисправ", "дефект", "故障", "异常", "损伤", "磨损", "复合"),
)


def is_healthy(name: str) -> bool:
    """Return whether a name means a healthy bearing.

    Examples
    --------
    >>> [is_healthy(name) for name in ("N", "Normal_1", "baseline", "N1", "IR007", "noise")]
    [True, True, True, True, False, False]
    """
    return _is_called(name, _HEALTHY, _HEALTHY_BEGIN)


def _is_called(name: str, words: frozenset[str], beginnings: tuple[str, ...]) -> bool:
    joined = re.sub(r"[\W\d_]+", "", name.lower())
    return first_letters(name).lower() in words or joined.startswith(beginnings)


@lru_cache(maxsize=4096)
def is_state(name: str) -> bool:
    """Return whether a name means a state of a bearing, healthy or faulty.

    Examples
    --------
    >>> [is_state(name) for name in ("IR007", "InnerRaceFault", "outer", "N", "rig", "900")]
    [True, True, True, True, False, False]
    """
    called = (*_STATES.values(), (_FAULTY, _FAULTY_BEGIN))
    return any(_is_called(name, words, beginnings) for words, beginnings in called)


def first_letters(name: str) -> str:
    """Return the letters that a name begins with.

    Examples
    --------
    >>> first_letters("OR007@6"), first_letters("007")
    ('OR', '')
    """
    match = re.match(r"[^\W\d_]+", name)
    return match[0] if match else ""


ONE_NAME = "if so, give them one name in their folders, files or manifest"
"""Advice on classes that are probably one."""


def alike(classes: Iterable[str]) -> list[str]:
    """Return which classes are probably one that was written in several ways.

    Examples
    --------
    >>> alike(["OR5", "OuterRaceFault", "IR007", "IR014"])
    ['OR5, OuterRaceFault: probably one class (outer race)']
    """
    every = sorted(set(classes))
    notes = []
    for state in _STATES:
        own = [name for name in every if _states_in(name) == {state}]
        if len({first_letters(name) for name in own}) > 1:
            notes.append(f"{', '.join(own)}: probably one class ({state})")
    folded = defaultdict(list)
    for name in every:
        folded[re.sub(r"[\W_]+", "", name.casefold())].append(name)
    named = " ".join(notes)
    return notes + [
        f"{', '.join(names)}: probably one class"
        for names in folded.values()
        if len(names) > 1 and ", ".join(names) not in named
    ]


def _states_in(name: str) -> set[str]:
    """Return the states that a name has words for: two of ``inner+outer``."""
    texts = [name, *re.findall(r"[^\W\d_]+", name)]
    return {
        state
        for state, (words, beginnings) in _STATES.items()
        if any(_is_called(text, words, beginnings) for text in texts)
    }


# How folders and files of a user's own split are called: whole words, and beginnings of words.
_PARTS: dict[str, tuple[frozenset[str], tuple[str, ...]]] = {
    "train": (
        frozenset({"tr"}),
        (
            *("train", "learn", "lern", "apprent", "entra", "entren", "trein", "addestr"),
            *("обуч", "трен", "训练", "學習", "学习", "訓練", "훈련", "학습"),
        ),
    ),
    "valid": (
        frozenset({"val", "dev", "vali"}),
        ("valid", "develop", "проверк", "валид", "验证", "驗證", "検証", "검증"),
    ),
    "test": (
        frozenset({"te", "tst", "eval", "essai", "essais"}),
        (
            *("test", "prüf", "pruef", "holdout", "unseen", "evalu", "essai", "prueba", "prova"),
            *("тест", "испыт", "测试", "測試", "试验", "テスト", "테스트", "시험"),
        ),
    ),
}


@lru_cache(maxsize=4096)
def part_of_split(name: str) -> str:
    """Return the part of a split that a name means, or nothing.

    Examples
    --------
    >>> [part_of_split(name) for name in ("01_Train", "Testdaten", "x_val", "test rig 2", "IR")]
    ['train', 'test', 'valid', '', '']
    """
    words = [word.lower() for word in re.findall(r"[^\W\d_]+", name)]
    if {"rig", "stand", "bench", "rigs"} & set(words):
        return ""
    matches = {
        part
        for part, (whole, beginnings) in _PARTS.items()
        if any(w in whole or w.startswith(beginnings) for w in [*words, "".join(words)])
    }
    return matches.pop() if len(matches) == 1 else ""
