"""The typefaces that pictures are set in, and the list of words. All are Debian packages; see README.md for the list.

    python fonts.py FOLDER

copies them, for a machine that cannot install packages: LOUPE_TRAINING_FILES=FOLDER there.
"""

import functools
import glob
import itertools
import os
import random
import shutil
import sys
from pathlib import Path

from PIL import ImageFont

# Holds fonts/ and dict/words.
ROOT = Path(os.environ.get("LOUPE_TRAINING_FILES", "/usr/share"))
WORDS = ROOT / "dict" / "words"

# Family: how often it is chosen, and its files (upright and plain first).
KNOWN = {
    "DejaVu Sans": (
        3,
        "truetype/dejavu/DejaVuSans.ttf truetype/dejavu/DejaVuSans-Bold.ttf truetype/dejavu/DejaVuSans-Oblique.ttf "
        "truetype/dejavu/DejaVuSansCondensed.ttf",
    ),
    "DejaVu Sans Mono": (2, "truetype/dejavu/DejaVuSansMono.ttf truetype/dejavu/DejaVuSansMono-Bold.ttf"),
    "DejaVu Serif": (1, "truetype/dejavu/DejaVuSerif.ttf truetype/dejavu/DejaVuSerif-Bold.ttf"),
    "Liberation Sans": (
        4,
        "truetype/liberation/LiberationSans-Regular.ttf truetype/liberation/LiberationSans-Bold.ttf "
        "truetype/liberation/LiberationSans-Italic.ttf truetype/liberation/LiberationSansNarrow-Regular.ttf",
    ),
    "Liberation Serif": (
        2,
        "truetype/liberation/LiberationSerif-Regular.ttf truetype/liberation/LiberationSerif-Bold.ttf "
        "truetype/liberation/LiberationSerif-Italic.ttf",
    ),
    "Liberation Mono": (2, "truetype/liberation/LiberationMono-Regular.ttf truetype/liberation/LiberationMono-Bold.ttf"),
    "Noto Sans": (3, "truetype/noto/NotoSans-Regular.ttf truetype/noto/NotoSans-Bold.ttf truetype/noto/NotoSans-Italic.ttf"),
    "Noto Serif": (1, "truetype/noto/NotoSerif-Regular.ttf truetype/noto/NotoSerif-Bold.ttf"),
    "Roboto": (
        3,
        "truetype/roboto/unhinted/RobotoTTF/Roboto-Regular.ttf truetype/roboto/unhinted/RobotoTTF/Roboto-Medium.ttf "
        "truetype/roboto/unhinted/RobotoTTF/Roboto-Bold.ttf truetype/roboto/unhinted/RobotoCondensed-Regular.ttf",
    ),
    "Open Sans": (
        2,
        "truetype/open-sans/OpenSans-Regular.ttf truetype/open-sans/OpenSans-Semibold.ttf truetype/open-sans/OpenSans-Bold.ttf",
    ),
    "Lato": (2, "truetype/lato/Lato-Regular.ttf truetype/lato/Lato-Medium.ttf truetype/lato/Lato-Bold.ttf truetype/lato/Lato-Italic.ttf"),
    "Inter": (
        3,
        "opentype/inter/Inter-Regular.otf opentype/inter/Inter-Medium.otf opentype/inter/Inter-SemiBold.otf opentype/inter/Inter-Bold.otf",
    ),
    "Cantarell": (2, "opentype/cantarell/Cantarell-Regular.otf opentype/cantarell/Cantarell-Bold.otf"),
    "Carlito": (2, "truetype/crosextra/Carlito-Regular.ttf truetype/crosextra/Carlito-Bold.ttf"),
    "FreeSans": (1, "truetype/freefont/FreeSans.ttf truetype/freefont/FreeSansBold.ttf"),
    "Nimbus Sans": (1, "opentype/urw-base35/NimbusSans-Regular.otf opentype/urw-base35/NimbusSans-Bold.otf"),
    "Nimbus Roman": (0.4, "opentype/urw-base35/NimbusRoman-Regular.otf opentype/urw-base35/NimbusRoman-Bold.otf"),
    "C059": (0.4, "opentype/urw-base35/C059-Roman.otf opentype/urw-base35/C059-Bold.otf"),
    "P052": (0.4, "opentype/urw-base35/P052-Roman.otf opentype/urw-base35/P052-Bold.otf"),
    "EB Garamond": (0.4, "truetype/ebgaramond/EBGaramond12-Regular.ttf truetype/ebgaramond/EBGaramond12-Bold.ttf"),
    "Linux Libertine": (0.4, "opentype/linux-libertine/LinLibertine_R.otf opentype/linux-libertine/LinLibertine_RB.otf"),
    "Linux Biolinum": (0.4, "opentype/linux-libertine/LinBiolinum_R.otf opentype/linux-libertine/LinBiolinum_RB.otf"),
    "Cabin": (0.4, "opentype/cabin/Cabin-Regular.otf opentype/cabin/Cabin-Bold.otf"),
    "Quicksand": (0.4, "truetype/quicksand/Quicksand-Medium.ttf truetype/quicksand/Quicksand-Bold.ttf"),
    "Comfortaa": (0.4, "truetype/comfortaa/Comfortaa-Regular.ttf truetype/comfortaa/Comfortaa-Bold.ttf"),
    "Oxygen": (1, "truetype/oxygen/Oxygen-Sans.ttf truetype/oxygen/Oxygen-Sans-Bold.ttf"),
    "Tuffy": (0.4, "truetype/tuffy/Tuffy.ttf truetype/tuffy/Tuffy_Bold.ttf"),
    "Hack": (1, "truetype/hack/Hack-Regular.ttf truetype/hack/Hack-Bold.ttf"),
    "Fira Code": (1, "truetype/firacode/FiraCode-Regular.ttf truetype/firacode/FiraCode-Bold.ttf"),
    "JetBrains Mono": (1, "truetype/jetbrains-mono/JetBrainsMono-Regular.ttf truetype/jetbrains-mono/JetBrainsMono-Bold.ttf"),
}
# Never seen in this training: a sans serif, a serif and a monospaced face.
HELD_OUT = {
    "Go": (1, "fonts-go/Go-Regular.ttf fonts-go/Go-Medium.ttf fonts-go/Go-Bold.ttf"),
    "Caladea": (1, "truetype/crosextra/Caladea-Regular.ttf truetype/crosextra/Caladea-Bold.ttf"),
    "mononoki": (1, "truetype/mononoki/mononoki-Regular.ttf truetype/mononoki/mononoki-Bold.ttf"),
}
MONOSPACED = {"DejaVu Sans Mono", "Liberation Mono", "Hack", "Fira Code", "JetBrains Mono", "mononoki"}


def paths(held_out: bool) -> dict[str, list[str]]:
    families = HELD_OUT if held_out else KNOWN
    return {family: [str(ROOT / "fonts" / name) for name in names.split()] for family, (_, names) in families.items()}


@functools.cache
def files(held_out: bool) -> dict[str, list[str]]:
    """Every file must be there: pictures of a seed depend on it."""
    found = paths(held_out)
    missing = [path for of_family in found.values() for path in of_family if not glob.glob(path)]
    if missing:
        raise SystemExit(f"Fonts are missing: {', '.join(missing)}. Install the packages that training/README.md lists.")
    return found


@functools.lru_cache(4000)
def load(path: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(path, size, layout_engine=ImageFont.Layout.BASIC)


class Advances(dict[str, float]):
    """How far each character moves on, alone. A third of all drawing was asking a font for the lengths of texts; there are fewer characters."""

    def __init__(self, font: ImageFont.FreeTypeFont):
        self.font = font

    def __missing__(self, character: str) -> float:
        self[character] = advance = self.font.getlength(character)
        return advance


class Kerning(dict[tuple[str, str], float]):
    """How much farther, or less far, a pair of neighbours moves on than the two alone.

    `large`: the same font in pixels as fine as its outlines, in which no kerning is rounded to nothing. Most pairs have none there, and so in
    no size: they are asked for once, not in every size.
    """

    def __init__(self, advances: Advances, large: "Kerning | None" = None):
        self.advances, self.large = advances, large

    def __missing__(self, pair: tuple[str, str]) -> float:
        kern = 0.0
        if self.large is None or self.large[pair]:
            kern = self.advances.font.getlength("".join(pair)) - self.advances[pair[0]] - self.advances[pair[1]]
        self[pair] = kern
        return kern


@functools.lru_cache(None)
def large_kerning(path: str) -> Kerning | None:
    """None for a font without a table of kerning: the layout that is used here knows no other."""
    with open(path, "rb") as file:
        tables = int.from_bytes(file.read(12)[4:6])
        if not any(file.read(16)[:4] == b"kern" for _ in range(tables)):
            return None
    # Units of an outline per em: 1,000 or 2,048 in all of these fonts.
    return Kerning(Advances(load(path, 2048)))


@functools.lru_cache(8000)
def spacing(font: ImageFont.FreeTypeFont) -> tuple[Advances, Kerning | None]:
    advances, large = Advances(font), large_kerning(font.path)
    return advances, None if large is None else Kerning(advances, large)


def steps(font: ImageFont.FreeTypeFont, text: str) -> list[float]:
    """How much longer the text becomes by each of its characters: exactly what the font says of its beginnings."""
    advances, kerning = spacing(font)
    found = [advances[character] for character in text]
    if kerning is not None:
        for index, pair in enumerate(itertools.pairwise(text), 1):
            found[index] += kerning[pair]
    return found


def choose(rng: random.Random, held_out: bool, monospaced: bool = False) -> str:
    """The path of a font: half of the time the plain cut."""
    families = HELD_OUT if held_out else KNOWN
    names = [name for name in families if not monospaced or name in MONOSPACED]
    family = rng.choices(names, [families[name][0] for name in names])[0]
    paths = files(held_out)[family]
    return paths[0] if rng.random() < 0.5 else rng.choice(paths)


def pack(folder: Path) -> None:
    for path in [WORDS, *(Path(path) for held_out in (False, True) for of_family in files(held_out).values() for path in of_family)]:
        copy = folder / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)


if __name__ == "__main__":
    pack(Path(sys.argv[1]))
