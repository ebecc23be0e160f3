"""Draws the receipt of the first-run page.

    python sample.py ../renderer/assets/sample.png

Four times the size at which the demo model sees it, so that it is crisp for people. What is asked about it there has to be
something that the shipped model answers right (e2e/chat.spec.ts).
"""

import sys
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

import fonts

SCALE, WIDTH, EM, MARGIN = 4, 112, 13, 8
REGULAR, BOLD = (fonts.ROOT / f"fonts/truetype/roboto/unhinted/RobotoTTF/Roboto-{cut}.ttf" for cut in ("Medium", "Bold"))
ROWS = (("Soup", "4.20"), ("Pizza", "8.60"), ("Total", "12.80"))


def draw() -> Image.Image:
    image = Image.new("RGB", (WIDTH * SCALE, round((len(ROWS) * 1.55 + 0.9) * EM) * SCALE), (252, 251, 248))
    pen, ink = ImageDraw.Draw(image), (28, 27, 25)
    for index, (label, value) in enumerate(ROWS):
        font = ImageFont.truetype(BOLD if label == "Total" else REGULAR, EM * SCALE)
        baseline = round((1.25 + 1.55 * index) * EM * SCALE)
        pen.text((MARGIN * SCALE, baseline), label, fill=ink, font=font, anchor="ls")
        pen.text(((WIDTH - MARGIN) * SCALE, baseline), value, fill=ink, font=font, anchor="rs")
    return image


if __name__ == "__main__":
    draw().save(Path(sys.argv[1]), optimize=True)
