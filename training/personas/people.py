"""The personas: the portrait of each one's head, and those whose skin, eyes, noses and mouths a search may use."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to search for. Portraits are named by letter and number: f68 is ``female_68.jpg``."""

    description: str
    head: str
    skin: str
    """These four: whose a search may take; all calm, seen from the front, in even light, without hair there."""
    eyes: str
    nose: str
    mouth: str


PEOPLE: dict[str, Wanted] = {
    "ada": Wanted(
        "woman of about 25, light skin, long dark hair",
        "f68", "f86 f49 f85 f36", "f02 f49 f86 f85 f36 f43", "f02 f49 f86 f85 f36 f43", "f49 f86 f85 f43 f02",
    ),
    "ben": Wanted(
        "man of about 25, olive skin, dark hair",
        "m78", "m37 m93 m70 m42", "m32 m42 m62 m74 m37", "m16 m32 m42 m93 m48 m74", "m16 m93 m37 m70 m32",
    ),
    "carl": Wanted(
        "man of about 35, dark skin, shaved head",
        "m19", "m53 m00 m30 m31", "m00 m53 m61 m30 m97 m88", "m00 m53 m61 m30 m97 m88 m31 m98", "m53 m30 m61 m97 m00",
    ),
    "dan": Wanted(
        "man of about 30, East Asian, short black hair, thin goatee",
        "m12", "m70 m10", "m70 m10 m83", "m70 m10 m83 m45 m43", "m70 m10 m37 m43",
    ),
    "mei": Wanted(
        "woman of about 55, East Asian, auburn hair",
        "f19", "f91 f53 f18", "f04 f91 f84 f37 f23", "f04 f91 f23 f37 f53", "f04 f91 f84 f18 f53",
    ),
    "noor": Wanted(
        "woman of about 50, light brown skin, dark hair tied back",
        "f06", "f53 f54 f18 f50", "f53 f18 f54 f72 f51 f47", "f53 f18 f54 f72 f51 f47 f50", "f53 f18 f54 f72 f47 f51",
    ),
    "amara": Wanted(
        "woman of about 25, dark skin, short black hair",
        "f10", "f67 f60 f44", "f67 f94 f60 f44 f00", "f67 f94 f60 f44 f00 f62", "f67 f94 f60 f44 f62",
    ),
    "ruth": Wanted(
        "woman of about 75, light skin, short grey hair",
        "f93", "f15 f77 f78 f21", "f15 f77 f78 f25 f21", "f15 f77 f78 f25 f21 f75", "f15 f77 f78 f25 f21",
    ),
    "george": Wanted(
        "man of about 75, light skin, thin grey hair",
        "m44", "m65 m56 m15 m28", "m65 m56 m15 m28 m17", "m65 m56 m15 m28 m17 m35", "m65 m56 m15 m28 m17",
    ),
    "ravi": Wanted(
        "man of about 25, brown skin, black hair",
        "m43", "m37 m52 m64", "m37 m52 m64 m75", "m37 m52 m64 m75 m45", "m37 m52 m45 m64",
    ),
    "tomas": Wanted(
        "man of about 65, tan skin, grey hair and goatee",
        "m89", "m17 m85 m52", "m17 m85 m03 m52", "m17 m85 m03 m52", "m85 m03 m52 m17",
    ),
    "grace": Wanted(
        "woman of about 75, dark skin, short grey hair",
        "f81", "f20 f35 f12 f55 f16", "f20 f16 f24 f35 f83 f46 f12 f55",
        "f20 f16 f24 f35 f83 f46 f12", "f20 f16 f46 f12 f83",
    ),
    "hiro": Wanted(
        "man of about 70, East Asian, grey hair",
        "m50", "m10 m22 m47", "m22 m47 m10 f23", "m22 m47 m95 m10 f23", "m95 m10 m47 f04",
    ),
    "lena": Wanted(
        "woman of about 30, fair skin, brown hair",
        "f86", "f49 f68 f85 f36", "f02 f49 f68 f85 f43", "f02 f49 f68 f85 f36 f43", "f49 f68 f85 f43 f02",
    ),
    "ines": Wanted(
        "woman of about 50, light brown skin, dark hair",
        "f53", "f06 f54 f18", "f06 f18 f54 f72 f47 f50", "f06 f18 f54 f72 f51 f47", "f06 f18 f54 f72 f47 f51",
    ),
    "erik": Wanted(
        "man of about 30, fair skin, brown hair and beard",
        "m32", "m74 m62 m42", "m74 m42 m62 m78", "m74 m62 m16 m78 m93", "m74 m62 m42 m60",
    ),
    "vera": Wanted(
        "woman of about 60, light skin, brown hair",
        "f25", "f77 f78 f15 f21", "f77 f78 f93 f15 f70", "f77 f78 f93 f15 f21 f70", "f77 f78 f93 f15",
    ),
}  # fmt: skip


def names_of(short: str) -> list[str]:
    """Names of portraits: ``f68 m03`` are female_68 and male_03."""
    return [{"f": "female_", "m": "male_"}[one[0]] + one[1:] for one in short.split()]
