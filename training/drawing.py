"""A sheet on which scenes draw; it remembers where every character and every thing lies."""

import random
from dataclasses import dataclass, field

import numpy as np
from PIL import Image, ImageDraw, ImageFont

import fonts

Colour = tuple[int, int, int]
# Name: hue range in degrees, saturation and value ranges in percent.
COLOURS = {
    "red": ((-8, 8), (72, 100), (62, 96)),
    "orange": ((24, 35), (80, 100), (88, 100)),
    "yellow": ((48, 58), (75, 100), (88, 100)),
    "green": ((95, 150), (50, 100), (40, 85)),
    "blue": ((205, 228), (60, 100), (60, 98)),
    "purple": ((268, 288), (50, 95), (45, 85)),
    "pink": ((318, 342), (35, 65), (92, 100)),
    "brown": ((18, 30), (55, 80), (35, 55)),
    "black": ((0, 360), (0, 20), (4, 14)),
    "white": ((0, 360), (0, 3), (97, 100)),
    "grey": ((0, 360), (0, 6), (48, 66)),
}
COLOUR_NAMES = list(COLOURS)
# What the auxiliary heads tell apart, beside colours: characters, of which a patch may hold several, and kinds of things.
CHARACTERS = "".join(chr(code) for code in range(33, 127))
CHARACTER_SLOTS = 4
KINDS = ["nothing", "button", "bar", "highest bar", "lowest bar", "circle", "square", "triangle", "star", "field"]


def shade(rng: random.Random, name: str) -> Colour:
    """One of the colours that a person would call by this name."""
    hue, saturation, value = (rng.uniform(*span) for span in COLOURS[name])
    return hsv(hue % 360, saturation / 100, value / 100)


def hsv(hue: float, saturation: float, value: float) -> Colour:
    def channel(n: float) -> int:
        k = (n + hue / 60) % 6
        return round(255 * value * (1 - saturation * max(0.0, min(k, 4 - k, 1.0))))

    return channel(5), channel(3), channel(1)


def luminance(colour: Colour) -> float:
    """0 to 1, relative, as contrast is measured."""
    red, green, blue = ((c / 255) ** 2.2 for c in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(a: Colour, b: Colour) -> float:
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def ink_on(rng: random.Random, ground: Colour, least: float = 4.5) -> Colour:
    """Readable on `ground`: nearly black or white most of the time, tinted otherwise."""
    dark = luminance(ground) > 0.3
    for _ in range(20):
        kind = rng.random()
        if kind < 0.55:
            grey = rng.randint(0, 50) if dark else rng.randint(215, 255)
            ink = (grey, grey, grey)
        else:
            ink = hsv(rng.uniform(0, 360), rng.uniform(0.1, 1), rng.uniform(0.1, 0.6) if dark else rng.uniform(0.8, 1))
        if contrast(ink, ground) >= least:
            return ink
    return (0, 0, 0) if dark else (255, 255, 255)


def ground_colour(rng: random.Random) -> Colour:
    kind = rng.random()
    if kind < 0.4:
        return (255, 255, 255)
    if kind < 0.6:
        grey = rng.randint(225, 252)
        return (grey, grey, grey)
    if kind < 0.72:
        return hsv(rng.uniform(0, 360), rng.uniform(0.02, 0.15), rng.uniform(0.85, 1))
    if kind < 0.92:
        return hsv(rng.uniform(0, 360), rng.uniform(0, 0.5), rng.uniform(0.03, 0.25))
    return hsv(rng.uniform(0, 360), rng.uniform(0.2, 1), rng.uniform(0.25, 0.95))


@dataclass
class Letter:
    character: str
    x: float
    y: float
    line: int


@dataclass
class Thing:
    """A coloured thing in a box (left, top, right, bottom)."""

    box: tuple[float, float, float, float]
    kind: str
    colour: str | None


@dataclass
class Sheet:
    """`em` is the size of body text in pixels of the sheet."""

    rng: random.Random
    width: int
    height: int
    em: int
    unseen_fonts: bool
    ground: Colour = (255, 255, 255)
    letters: list[Letter] = field(default_factory=list)
    # Everything written, in order: the text, and the letter of each of its characters, None for a space.
    texts: list[tuple[str, list[Letter | None]]] = field(default_factory=list)
    things: list[Thing] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.ground = ground_colour(self.rng)
        self.ink = ink_on(self.rng, self.ground)
        self.face = fonts.choose(self.rng, self.unseen_fonts)
        self.image = Image.new("RGB", (self.width, self.height), self.ground)
        self.draw = ImageDraw.Draw(self.image)
        if self.rng.random() < 0.05:
            self.draw.fontmode = "1"

    def recolour(self, ground: Colour) -> None:
        self.ground, self.ink = ground, ink_on(self.rng, ground)
        self.draw.rectangle((0, 0, self.width, self.height), fill=ground)

    def font(self, scale: float = 1.0) -> ImageFont.FreeTypeFont:
        return fonts.load(self.face, max(7, round(self.em * scale)))

    def measure(self, text: str, font: ImageFont.FreeTypeFont) -> float:
        return sum(fonts.steps(font, text))

    def write(self, x: float, baseline: float, text: str, font: ImageFont.FreeTypeFont, ink: Colour | None = None, line: int = 0) -> float:
        """Returns the right end."""
        x, baseline = round(x), round(baseline)
        self.draw.text((x, baseline), text, fill=self.ink if ink is None else ink, font=font, anchor="ls")
        middle = baseline - 0.32 * font.size
        before = 0.0
        places: list[Letter | None] = []
        for character, step in zip(text, fonts.steps(font, text)):
            after = before + step
            places.append(None if character == " " else Letter(character, x + (before + after) / 2, middle, line))
            before = after
        self.texts.append((text, places))
        self.letters += [letter for letter in places if letter]
        return x + before

    def thing(self, box: tuple[float, float, float, float], kind: str, colour: str | None) -> None:
        self.things.append(Thing(box, kind, colour))

    def crop(self, right: float, bottom: float) -> None:
        """Keeps the upper left part."""
        self.width, self.height = max(8, min(self.width, round(right))), max(8, min(self.height, round(bottom)))
        self.image = self.image.crop((0, 0, self.width, self.height))
        self.draw = ImageDraw.Draw(self.image)

    def finish(self) -> Image.Image:
        """The picture, at times with the traces that screens and files leave."""
        rng, image = self.rng, self.image
        kind = rng.random()
        if kind < 0.12:
            # Subpixel antialiasing: red and blue lie a third of a pixel beside green.
            pixels = np.asarray(image).astype(np.int16)
            fringed = pixels.copy()
            side = 1 if rng.random() < 0.8 else -1
            fringed[:, :, 0] = (2 * pixels[:, :, 0] + np.roll(pixels[:, :, 0], side, 1)) // 3
            fringed[:, :, 2] = (2 * pixels[:, :, 2] + np.roll(pixels[:, :, 2], -side, 1)) // 3
            image = Image.fromarray(fringed.astype(np.uint8))
        elif kind < 0.16:
            noise = np.random.default_rng(rng.getrandbits(32)).normal(0, rng.uniform(2, 8), (image.height, image.width, 1))
            image = Image.fromarray(np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8))
        return image
