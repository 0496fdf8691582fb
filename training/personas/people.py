"""Who the personas are: for each its parents' pools and, once searched, its recipe."""

from __future__ import annotations

from dataclasses import dataclass

POOLS: dict[str, tuple[int, ...]] = {
    "light women": (25, 114, 1012, 1036, 1107, 1281, 1432, 1634, 1640, 1693, 1786, 1818, 1829, 1876, 1896, 1904),
    "east women": (1519, 1521, 1523, 1842, 1845, 1437, 441, 1901, 438),
    "brown women": (1858, 1860, 1861, 1867, 1821, 1606, 1881, 446, 1640),
    "dark women": (1560, 1868, 1875, 1816, 1862, 1893, 1844, 370, 813),
    "light men": (304, 845, 1326, 1438, 1594, 1917, 1919, 1920, 1943, 1948, 1952, 1954, 1970, 1973, 1983, 1987, 2000),
    "east men": (1457, 1913, 1915, 1926, 1957, 1971, 1979, 1980),
    "brown men": (1534, 1575, 1942, 1944, 1949, 1958, 1972, 1982, 1984, 1995, 1999),
    "dark men": (1544, 1548, 1584, 1911, 1922, 1925, 1935, 1936, 1941, 1969, 1974, 1978, 1991, 1998, 2002, 2003),
}
AGED = frozenset(
    {
        25, 114, 1036, 1107, 1281, 1693, 1818, 1829, 1904, 1437, 441, 1845, 438, 1858, 1860, 1861, 1821, 1606,
        1862, 1893, 1844, 845, 1326, 1594, 1920, 1943, 1973, 1457, 1913, 1926, 1957, 1982, 1995, 1999, 1548, 2003,
    }
)  # fmt: skip
"""Of them, those who look 45 or older."""
NEAR = {"light": ("brown",), "east": ("brown", "light"), "brown": ("light", "dark"), "dark": ("brown",)}
"""Where noses and mouths may come from besides a persona's own pool."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to search for. Numbers are places in ``faces.npz``."""

    head: int
    pool: str
    description: str
    peers: tuple[int, ...] = ()
    """Where skin and eyes may come from, if not from all of the pool of that age."""


PEOPLE: dict[str, Wanted] = {
    "ada": Wanted(
        1876, "light women", "woman of about 30, olive skin, long dark hair", (1012, 1786, 1896, 1858, 1861)
    ),
    "ben": Wanted(2000, "light men", "man of about 35, light skin, dark hair, stubble"),
    "carl": Wanted(1922, "dark men", "man of about 40, dark skin, shaved head"),
    "dan": Wanted(1915, "east men", "man of about 35, East Asian, short black hair", (1913, 1457, 1926, 611)),
    "mei": Wanted(1845, "east women", "woman of about 50, East Asian, dark bob", (441, 1842, 1523, 1821, 1860)),
    "noor": Wanted(1867, "brown women", "woman of about 45, brown skin, dark hair tied back"),
    "amara": Wanted(1868, "dark women", "woman of about 30, dark skin, long black hair"),
    "ruth": Wanted(1904, "light women", "woman of about 75, light skin, short grey hair"),
    "george": Wanted(1943, "light men", "man of about 75, light skin, short white hair"),
    "ravi": Wanted(1958, "brown men", "man of about 30, brown skin, black hair"),
    "tomas": Wanted(1999, "brown men", "man of about 60, brown skin, short grey hair"),
    "grace": Wanted(1893, "dark women", "woman of about 65, dark skin, short grey hair"),
    "hiro": Wanted(1926, "east men", "man of about 65, East Asian, thin grey hair"),
    "lena": Wanted(1012, "light women", "woman of about 40, light skin, short blond hair"),
    "ines": Wanted(1860, "brown women", "woman of about 50, light brown skin, dark hair"),
    "erik": Wanted(1983, "light men", "man of about 30, fair skin, reddish hair and beard"),
    "vera": Wanted(1107, "light women", "woman of about 50, light skin, white curls"),
}
