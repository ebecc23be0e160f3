"""Words, numbers and labels. A string belongs either to training or to evaluation, by a checksum of itself."""

import functools
import random
import string
import zlib

import fonts

LABELS = (
    "Total Subtotal Tax Tip Amount Price Sum Change Cash Card Balance Discount Shipping Fee Cost Due Paid Date Time Name City Country "
    "Street Phone Email Age Size Weight Height Width Length Status Speed Version Code Room Seat Gate Flight Train Order Invoice Account "
    "User Language Theme Volume Brightness Battery Memory Disk Port Host Path Type Format Level Score Rank Points Temperature Humidity "
    "Wind Pressure Distance Duration Start End Departure Arrival Platform Quantity Item Product Model Colour Brand Stock Rate Tariff "
    "Rent Water Power Gas Income Profit Loss Budget Sales Visits Users Owner Author Editor Title Subject Folder File Region Zone Unit "
    "Coffee Tea Milk Bread Butter Cheese Apples Bananas Pasta Rice Salad Soup Pizza Juice Sugar Salt Eggs Fish Chicken Cake Cookies"
).split()
LONG_LABELS = (
    "Order number|Total amount|Amount due|Due date|First name|Last name|Zip code|Sales tax|Service fee|Unit price|Net weight|Serial number|"
    "Invoice number|Account number|Start date|End date|File size|Last login|Free space|Screen size|Frame rate|Sample rate|"
    "Page count|Grand total"
).split("|")
BUTTONS = (
    "OK|Cancel|Save|Open|Close|Delete|Send|Submit|Apply|Reset|Search|Next|Back|Login|Log in|Sign up|Sign in|Start|Stop|"
    "Pause|Play|Edit|Copy|"
    "Paste|Print|Help|Yes|No|Retry|Ignore|Accept|Decline|Download|Upload|Install|Update|Continue|Finish|Add|Remove|Share|Reply|Buy now|"
    "Subscribe|Follow|Export|Import|Undo|Redo|Refresh|Connect|Settings|More|Done|Skip|Join|Leave|Allow|Deny|Confirm|Create|Learn more"
).split("|")
PHRASES = (
    "The file could not be saved|Do you want to continue?|Your session has expired|Disk is almost full|Connection lost|Update available|"
    "Wrong password|No results found|Are you sure?|Changes were saved|Access denied|Page not found|Printer is offline|Battery is low|"
    "Please try again later|Download finished|Network error|Invalid user name|Restart required|Out of memory"
).split("|")
MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
DAYS = "Mon Tue Wed Thu Fri Sat Sun".split()
DIGITS, UPPER, LOWER = string.digits, string.ascii_uppercase, string.ascii_lowercase


def held_out(text: str) -> bool:
    """A tenth of all strings of four characters and more is for evaluation only."""
    return len(text) >= 4 and zlib.crc32(text.lower().encode()) % 10 == 0


@functools.cache
def words() -> list[str]:
    lines = fonts.WORDS.read_text().split()
    return sorted({word.lower() for word in lines if word.isascii() and word.isalpha() and 2 <= len(word) <= 12})


class Strings:
    """`evaluation`: strings of four characters and more come from the held-out tenth alone."""

    def __init__(self, rng: random.Random, evaluation: bool):
        self.rng, self.evaluation = rng, evaluation

    def _keep(self, make) -> str:
        while True:
            text = make()
            if len(text) < 4 or held_out(text) == self.evaluation:
                return text

    def _some(self, alphabet: str, low: int, high: int) -> str:
        return "".join(self.rng.choices(alphabet, k=self.rng.randint(low, high)))

    def cased(self, word: str) -> str:
        return self.rng.choices([word, word.capitalize(), word.upper()], [5, 5, 2])[0]

    def word(self) -> str:
        return self._keep(lambda: self.cased(self.rng.choice(words())))

    def number(self) -> str:
        rng = self.rng

        def make() -> str:
            value = rng.randrange(10 ** rng.randint(1, 6))
            return rng.choice([str(value), f"{value:,}", f"{value / 100:.2f}", f"{value / 10:.1f}"])

        return self._keep(make)

    def price(self) -> str:
        rng = self.rng

        def make() -> str:
            value = rng.randrange(50, 10 ** rng.randint(3, 5)) / 100
            written = [f"${value:,.2f}", f"{value:.2f}", f"€{value:.2f}", f"£{value:.2f}", f"{value:.2f} €"]
            return rng.choices(written, [8, 5, 1, 1, 1])[0]

        return self._keep(make)

    def special(self) -> str:
        """Dates, times, codes, file names and the like."""
        rng = self.rng

        def make() -> str:
            hour, minute, day, month = rng.randrange(24), rng.randrange(60), rng.randint(1, 28), rng.randint(1, 12)
            year = rng.randint(1990, 2035)
            return rng.choice(
                [
                    lambda: f"{hour:02}:{minute:02}",
                    lambda: f"{hour % 12 + 1}:{minute:02} {rng.choice(['AM', 'PM'])}",
                    lambda: f"{year}-{month:02}-{day:02}",
                    lambda: f"{month}/{day}/{year}",
                    lambda: f"{day}.{month}.{year}",
                    lambda: f"{MONTHS[month - 1]} {day}",
                    lambda: f"{day} {MONTHS[month - 1]} {year}",
                    lambda: f"{rng.randint(0, 100)}%",
                    lambda: f"v{rng.randrange(20)}.{rng.randrange(20)}.{rng.randrange(10)}",
                    lambda: self._some(UPPER + DIGITS, 4, 8),
                    lambda: f"{self._some(UPPER, 2, 3)}-{self._some(DIGITS, 3, 5)}",
                    lambda: f"#{self._some(DIGITS, 3, 6)}",
                    lambda: f"{self._some(DIGITS, 3, 3)}-{self._some(DIGITS, 4, 4)}",
                    lambda: f"{rng.choice(words())}.{rng.choice(['txt', 'pdf', 'png', 'jpg', 'docx', 'csv', 'py', 'zip'])}",
                    lambda: f"{rng.randint(1, 999)} {rng.choice(['kg', 'km', 'MB', 'GB', 'ms', 'px', 'min', 'kWh', 'm', 'h'])}",
                    lambda: f"{rng.choice(words())}@{rng.choice(words())}.com",
                    lambda: self._some(LOWER, 4, 8),
                    lambda: self._some(UPPER + LOWER + DIGITS, 4, 8),
                    lambda: f"{rng.randint(-30, 40)} °C",
                    lambda: f"{self.word().capitalize()} {rng.randint(1, 99)}",
                    lambda: f"{self._some(UPPER, 1, 1)}{rng.randint(1, 99)}",
                    lambda: f"{rng.choice(['Mr', 'Ms', 'Dr'])} {self.word().capitalize()}",
                    lambda: self._some(DIGITS, 4, 9),
                ]
            )()

        return self._keep(make)

    def short(self) -> str:
        """Up to a dozen characters."""
        rng = self.rng
        while True:
            kind = rng.random()
            if kind < 0.45:
                text = self.word()
            elif kind < 0.6:
                text = self._keep(lambda: f"{self.word()} {self.word()}")
            elif kind < 0.72:
                text = self.number()
            elif kind < 0.78:
                text = self.price()
            else:
                text = self.special()
            if kind < 0.6 and rng.random() < 0.08:
                text += rng.choice("!?.:,")
            if len(text) <= 12:
                return text

    def line(self, most: int) -> str:
        """Words, now and then with a number or a mark, of at most `most` characters."""
        rng = self.rng
        aim = rng.randint(min(6, most), most)

        def make() -> str:
            parts = [rng.choice(words())]
            parts[0] = parts[0].capitalize() if rng.random() < 0.6 else parts[0]
            while True:
                kind = rng.random()
                if kind < 0.8:
                    part = rng.choice(words())
                elif kind < 0.87:
                    part = rng.choice(["the", "of", "and", "to", "a", "in", "is", "for", "with", "on", "not", "was"])
                elif kind < 0.92:
                    part = rng.choice(words()).capitalize()
                elif kind < 0.97:
                    part = self.number()
                else:
                    part = self.special()
                if rng.random() < 0.06:
                    parts[-1] += rng.choice(",;:")
                if sum(map(len, parts)) + len(parts) + len(part) > aim:
                    break
                parts.append(part)
            text = " ".join(parts)
            return text + "." if rng.random() < 0.25 and len(text) < most else text

        while True:
            text = self._keep(make)
            if len(text) <= most:
                return text

    def code(self, most: int) -> str:
        """A line of source code."""
        rng = self.rng

        def name() -> str:
            return rng.choice(
                [lambda: rng.choice(words()), lambda: f"{rng.choice(words())}_{rng.choice(words())}", lambda: self._some(LOWER, 1, 2)]
            )()

        def make() -> str:
            return rng.choice(
                [
                    lambda: f"{name()} = {self.number()}",
                    lambda: f"{name()} = {name()}({name()})",
                    lambda: f"return {name()}",
                    lambda: f"if {name()} > {rng.randrange(100)}:",
                    lambda: f"for {name()} in {name()}:",
                    lambda: f"let {name()} = '{name()}';",
                    lambda: f"import {name()}",
                    lambda: f"def {name()}({name()}):",
                    lambda: f"{name()}.{name()}();",
                    lambda: f"# {name()} {name()}",
                    lambda: f"const {name()} = {rng.randrange(1000)};",
                    lambda: f"$ {name()} --{name()}",
                    lambda: f'print("{name()}")',
                    lambda: f"{name()}[{rng.randrange(10)}] += {rng.randrange(10)}",
                    lambda: f"cd /{name()}/{name()}",
                    lambda: "}",
                ]
            )()

        while True:
            text = self._keep(make)
            if len(text) <= most:
                return text

    def value(self, kind: str) -> str:
        return {"price": self.price, "number": self.number, "word": self.word, "special": self.special, "short": self.short}[kind]()

    def button(self) -> str:
        """In evaluation mostly words, as the usual captions are known by heart."""
        return self.rng.choice(BUTTONS) if self.rng.random() < (0.2 if self.evaluation else 0.5) else self.cased(self.word()).capitalize()

    def label(self) -> str:
        kind = self.rng.random()
        if kind < 0.6:
            return self.rng.choice(LABELS)
        return self.rng.choice(LONG_LABELS) if kind < 0.7 else self.word().capitalize()
