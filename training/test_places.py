"""Where the characters of answers lie: python3 training/test_places.py"""

import unittest
from dataclasses import dataclass

from places import NOWHERE, Patches, letters_of, patches_of


@dataclass(frozen=True)
class Spot:
    x: float
    y: float


def written(text: str, x: float, y: float) -> tuple[str, list[Spot | None]]:
    """Ten pixels a character."""
    return text, [None if character == " " else Spot(x + 10 * index + 5, y) for index, character in enumerate(text)]


class Letters(unittest.TestCase):
    def test_each_byte_has_the_letter_of_its_character(self):
        name, letters = written("né 5", 0, 8)
        self.assertEqual(letters_of([(name, letters)], "né 5"), [letters[0], letters[1], letters[1], None, letters[3]])

    def test_spaces_in_front_take_the_letter_behind_them(self):
        mon, tue = written("Mon", 0, 100), written("Tue", 50, 100)
        self.assertEqual(letters_of([mon, tue], " Tue"), [tue[1][0], *tue[1]])

    def test_lines_are_found_one_by_one_among_bullets(self):
        bullet, first, second = written("- ", 0, 8), written("ab", 20, 8), written("c", 20, 30)
        self.assertEqual(letters_of([bullet, first, bullet, second], "ab\nc"), [*first[1], None, *second[1]])

    def test_what_was_written_twice_or_never_has_no_place(self):
        twice = [written("5", 0, 8), written("5", 40, 8)]
        self.assertEqual(letters_of(twice, "5"), [])
        self.assertEqual(letters_of([written("55", 0, 8)], "5"), [])

    def test_an_answer_without_a_name_has_no_places(self):
        self.assertEqual(letters_of([written("5", 0, 8)], ""), [])


class Keys(unittest.TestCase):
    def test_tile_by_tile_behind_the_class_token(self):
        # Two rows and three columns of tiles of 8 by 8 patches of 14 pixels.
        patches = Patches(2, 3, 8, 14, 1.0)
        self.assertEqual(patches.key(Spot(0, 0)), 1)
        self.assertEqual(patches.key(Spot(13.9, 14)), 1 + 8)
        self.assertEqual(patches.key(Spot(112, 0)), 65 + 1)
        self.assertEqual(patches.key(Spot(0, 112)), 3 * 65 + 1)
        self.assertEqual(patches.key(Spot(335, 223)), 5 * 65 + 64)

    def test_a_picture_that_is_shrunk(self):
        self.assertEqual(Patches(1, 1, 8, 14, 0.5).key(Spot(56, 28)), 1 + 8 + 2)

    def test_what_lies_outside_of_the_sheet_is_nowhere(self):
        self.assertEqual(patches_of([written("abc", 0, 8)], "abc", Patches(1, 1, 8, 14, 1.0), 20, 20), (1, 2, NOWHERE))


if __name__ == "__main__":
    unittest.main()
