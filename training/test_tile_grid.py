"""The tile grid of training against the published processor's: python3 training/test_tile_grid.py"""

import json
import unittest
from pathlib import Path

from tile_grid import arrange

TABLE = json.loads((Path(__file__).parent.parent / "fixtures" / "tiles" / "layouts.json").read_text())


class TileGrid(unittest.TestCase):
    def test_every_row_of_the_table(self):
        self.assertGreater(len(TABLE["rows"]), 1000)
        for width, height, tile, ratio, rows, columns, resized_width, resized_height in TABLE["rows"]:
            with self.subTest(width=width, height=height, tile=tile):
                self.assertEqual(arrange(width, height, tile), (ratio, (rows, columns), (resized_width, resized_height)))


if __name__ == "__main__":
    unittest.main()
