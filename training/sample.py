"""Draws the receipt of the first-run page.

    python sample.py ../renderer/assets/sample.png

Four times the size at which the demo model sees it, so that it is crisp for people.
"""
import sys
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

SIDE, EM, LEFT = 448, 54, 34
REGULAR, BOLD = (f"/usr/share/fonts/truetype/roboto/unhinted/RobotoTTF/Roboto-{cut}.ttf" for cut in ("Regular", "Bold"))
ROWS = (("Coffee", "4.50"), ("Cake", "3.80"), ("Juice", "5.20"), ("Total", "13.50"))


def draw() -> Image.Image:
    image = Image.new("RGB", (SIDE, SIDE), (252, 251, 248))
    pen, ink, faint = ImageDraw.Draw(image), (28, 27, 25), (190, 186, 178)
    for index, (label, value) in enumerate(ROWS):
        last = index == len(ROWS) - 1
        font = ImageFont.truetype(BOLD if last else REGULAR, EM)
        baseline = 86 + 96 * index + (24 if last else 0)
        if last:
            pen.line((LEFT, baseline - 74, SIDE - LEFT, baseline - 74), fill=faint, width=4)
        pen.text((LEFT, baseline), label, fill=ink, font=font, anchor="ls")
        pen.text((SIDE - LEFT, baseline), value, fill=ink, font=font, anchor="rs")
    return image


if __name__ == "__main__":
    draw().save(Path(sys.argv[1]), optimize=True)
