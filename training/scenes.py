"""What pictures show, and what can be asked about each.

A scene draws on a sheet as large as it may be, cuts off what it did not use, and returns its questions.
"""

import random
from dataclasses import dataclass

import drawing
from drawing import COLOUR_NAMES, Sheet, contrast, ink_on, luminance, shade
from strings import DAYS, LABELS, MONTHS, PHRASES, Strings

ABSENT = "That is not in the picture."
NO_TEXT = "There is no text in the picture."
ORDINALS = ["first", "second", "third", "fourth", "fifth", "sixth"]


@dataclass(frozen=True)
class Question:
    """The answer is `before` + `verbatim` + `after`; `verbatim` stands in the picture and is spelled letter by letter.

    `patches`: for each byte of `verbatim` its place in what cross-attention sees, as far as known; see places.py.
    """

    ask: str
    before: str
    verbatim: str
    after: str
    task: str
    patches: tuple[int, ...] = ()

    @property
    def answer(self) -> str:
        return self.before + self.verbatim + self.after


READ = (
    "What does it say?|What does this say?|What does the text say?|Read the text.|Read the text|Read this.|"
    "What is written here?|What text is shown?|"
    "What is written in the picture?|Transcribe the text.|What does the picture say?|What does the image say?|What does the screenshot say?"
).split("|")


def read(rng: random.Random, text: str, task: str) -> Question:
    return Question(rng.choice(READ), "", text, "", task)


def missing(ask: str, task: str = "absent") -> Question:
    return Question(ask, ABSENT, "", "", task)


def margin(sheet: Sheet) -> int:
    return round(sheet.em * sheet.rng.uniform(0.15, 1.0))


def decorate(sheet: Sheet) -> None:
    """Marks without text: borders, rules, icons."""
    rng, draw = sheet.rng, sheet.draw
    kind = rng.random()
    tone = tuple((c + rng.choice([-1, 1]) * rng.randint(20, 60)) % 256 for c in sheet.ground)
    if kind < 0.15:
        draw.rectangle((0, 0, sheet.width - 1, sheet.height - 1), outline=tone)
    elif kind < 0.22:
        draw.line((0, 1, sheet.width, 1), fill=tone, width=rng.randint(1, 2))
    elif kind < 0.27:
        draw.line((1, 0, 1, sheet.height), fill=tone, width=rng.randint(1, 3))


def tight(sheet: Sheet, right: float, bottom: float) -> None:
    """Cuts the sheet behind its content, with some room at times."""
    rng = sheet.rng
    room = rng.choice([0.1, 0.3, 0.6, 1.0, 2.5]) * sheet.em
    sheet.crop(right + room, bottom + rng.uniform(0.1, 1) * room)


def short_text(sheet: Sheet, strings: Strings) -> list[Question]:
    """One short string somewhere."""
    rng = sheet.rng
    font = sheet.font()
    for _ in range(20):
        text = strings.short()
        if sheet.measure(text, font) < sheet.width - 4:
            break
    else:
        return []
    left, up = margin(sheet), margin(sheet)
    width = sheet.measure(text, font)
    left = min(left, max(1, sheet.width - width - 2))
    if rng.random() < 0.3:
        left, up = rng.uniform(1, max(1, sheet.width - width - 2)), rng.uniform(1, max(1, sheet.height - 1.6 * sheet.em))
    if rng.random() < 0.12:
        pad = sheet.em * rng.uniform(0.2, 0.6)
        sheet.draw.rounded_rectangle(
            (left - pad, up - pad / 2, left + width + pad, up + 1.2 * sheet.em + pad / 2),
            pad,
            outline=tuple((a + b) // 2 for a, b in zip(sheet.ground, sheet.ink)),
        )
    right = sheet.write(left, up + sheet.em * 0.95, text, font, line=1)
    if rng.random() < 0.75:
        tight(sheet, right, up + sheet.em * 1.3)
    decorate(sheet)
    questions = [read(rng, text, "short")]
    if rng.random() < 0.3:
        questions.append(
            Question(rng.choice(["What does the first line say?", "Read the first line.", "Read line 1."]), "", text, "", "short")
        )
    if rng.random() < 0.15:
        questions.append(
            missing(
                rng.choice(
                    [
                        "What does the second line say?",
                        "What does the button say?",
                        "What colour is the button?",
                        "What is the total?",
                        "Which bar is the highest?",
                        f"What is the {strings.label().lower()}?",
                    ]
                )
            )
        )
    return questions


def text_lines(sheet: Sheet, strings: Strings) -> list[Question]:
    """A few lines: a list, a paragraph, code, or a column of strings."""
    rng = sheet.rng
    style = rng.choices(["list", "prose", "code", "short"], [3, 4, 2, 3])[0]
    if style == "code" and rng.random() < 0.8:
        sheet.face = drawing.fonts.choose(rng, sheet.unseen_fonts, monospaced=True)
    font = sheet.font()
    left, y = margin(sheet), margin(sheet)
    pitch = sheet.em * rng.uniform(1.15, 1.8)
    most = max(1, min(rng.choice([1, 1, 2, 2, 3, 4, 5, 6, 8]), int((sheet.height - y) / pitch)))
    fit = (sheet.width - left - 2) / max(1.0, sheet.measure("n", font))
    longest = max(4, min(40, int(fit)))
    bullet = rng.choice(["", "", "- ", "• ", "* "]) if style == "list" else ""
    lines: list[str] = []
    right = 0.0
    indent = 0.0
    for index in range(most):
        for _ in range(8):
            if style == "short":
                text = strings.short()
            elif style == "code":
                text = strings.code(longest)
            else:
                text = strings.line(rng.randint(max(4, longest // 2), longest))
            start = left + indent
            if start + sheet.measure(bullet + text, font) < sheet.width - 1:
                break
        else:
            break
        x = start
        if bullet:
            x = sheet.write(x, y + sheet.em * 0.95, bullet, font)
            if bullet == "• ":
                sheet.letters.pop()
        ink = None if rng.random() < 0.9 else ink_on(rng, sheet.ground)
        right = max(right, sheet.write(x, y + sheet.em * 0.95, text, font, ink, line=min(index + 1, 7)))
        lines.append(text)
        if style == "code" and text.endswith(":") and rng.random() < 0.7:
            indent += 2 * sheet.measure(" ", font)
        y += pitch
    if not lines:
        return []
    if rng.random() < 0.7:
        tight(sheet, right, y)
    decorate(sheet)
    task = "short" if style == "short" else "line"
    questions = []
    asked = list(enumerate(lines[:6]))
    rng.shuffle(asked)
    if len(lines) == 1:
        questions.append(read(rng, lines[0], task))
    for index, text in asked[: 1 if len(lines) == 1 else 4]:
        nth = ORDINALS[index] if index != len(lines) - 1 or rng.random() < 0.6 or len(lines) == 1 else "last"
        ask = rng.choice([f"What does the {nth} line say?", f"Read the {nth} line.", f"What is the {nth} line?"])
        if nth != "last" and rng.random() < 0.3:
            ask = rng.choice([f"Read line {index + 1}.", f"What does line {index + 1} say?"])
        questions.append(Question(ask, "", text, "", task))
    if len(lines) > 1 and sum(map(len, lines)) + len(lines) <= 90:
        questions.append(read(rng, "\n".join(lines), "block"))
    if rng.random() < 0.4 and len(lines) <= 6:
        count = "is 1 line" if len(lines) == 1 else f"are {len(lines)} lines"
        questions.append(Question("How many lines are there?", f"There {count}.", "", "", "count lines"))
    if rng.random() < 0.2 and len(lines) < 6:
        questions.append(
            missing(
                rng.choice(
                    [
                        f"What does the {ORDINALS[len(lines)]} line say?",
                        f"What is the {strings.label().lower()}?",
                        "Which bar is the highest?",
                    ]
                )
            )
        )
    return questions


def ask_value(rng: random.Random, label: str, kind: str) -> str:
    name = label if rng.random() < 0.4 else label.lower()
    asks = [
        f"What is the {name}?",
        f"What is the {name}?",
        f"Find the {name}.",
        f"Read the {name}.",
        f"What is the value of {name}?",
        f"Tell me the {name}.",
        f"What was the {name}?",
        f"What does it say for {name}?",
        f"{label}?",
    ]
    if kind == "price":
        asks += [f"How much is the {name}?", f"How much was the {name}?"]
    return rng.choice(asks)


def labelled(sheet: Sheet, strings: Strings) -> list[Question]:
    """Label and value, row by row: a receipt, a form, a settings page, a table with two columns."""
    rng = sheet.rng
    style = rng.choice(["receipt", "form", "settings", "table", "plain", "plain"])
    if style == "receipt" and rng.random() < 0.5:
        sheet.recolour((rng.randint(240, 255),) * 3)
        sheet.face = drawing.fonts.choose(rng, sheet.unseen_fonts, monospaced=rng.random() < 0.6)
    font = sheet.font()
    bold = font if rng.random() < 0.7 else fonts_bold(sheet)
    left, y = margin(sheet), margin(sheet)
    pitch = sheet.em * rng.uniform(1.2, 2.0 if style in ("form", "settings") else 1.6)
    faint = tuple((3 * a + b) // 4 for a, b in zip(sheet.ground, sheet.ink))
    title = None
    if rng.random() < 0.3 and sheet.height > 4 * pitch:
        title = strings.word().capitalize() if rng.random() < 0.6 else strings.line(16)
        if left + sheet.measure(title, bold) < sheet.width - 1:
            sheet.write(left, y + sheet.em * 0.95, title, bold, line=7)
            y += pitch
            if rng.random() < 0.4:
                sheet.draw.line((left, y - 0.15 * sheet.em, sheet.width - left, y - 0.15 * sheet.em), fill=faint)
                y += 0.2 * sheet.em
        else:
            title = None
    most = max(1, min(rng.choice([1, 2, 2, 3, 3, 4, 4, 5, 6, 7]), int((sheet.height - y) / pitch)))
    prices = style == "receipt" or rng.random() < 0.3
    colon = ":" if rng.random() < 0.4 else ""
    capitals = rng.random() < 0.08
    rows: list[tuple[str, str, str]] = []
    for _ in range(40):
        if len(rows) == most:
            break
        label = "Total" if prices and len(rows) == most - 1 and rng.random() < 0.7 else strings.label()
        kind = "price" if prices else rng.choice(["price", "number", "word", "special", "short", "short"])
        value = strings.value(kind)
        shown = label.upper() if capitals else label
        if any(label.lower() == other.lower() or label.lower() in other.lower().split() for other, _, _ in rows) or (
            title and label.lower() in title.lower()
        ):
            continue
        if sheet.measure(shown + colon + value, font) + 1.2 * sheet.em > sheet.width - 2 * left:
            continue
        rows.append((shown, value, kind))
    if not rows:
        return []
    names = max(sheet.measure(label + colon, font) for label, _, _ in rows)
    values = max(sheet.measure(value, font) for _, value, _ in rows)
    edge = sheet.width - left if rng.random() < 0.5 else min(sheet.width - left, left + names + values + sheet.em * rng.uniform(0.8, 4))
    right_aligned = rng.random() < 0.6 or names + values + 0.6 * sheet.em > edge - left
    column = max(left + names + 0.6 * sheet.em, edge - values - rng.uniform(0, 0.4) * sheet.em)
    if not right_aligned and rng.random() < 0.5:
        column = left + names + sheet.em * rng.uniform(0.6, 1.2)
    separate_fit = all(
        sheet.measure(label + colon, font) + sheet.measure(value, font) + 0.6 * sheet.em < edge - left for label, value, _ in rows
    )
    if column + values > sheet.width - 1:
        right_aligned = True
    if right_aligned and not separate_fit:
        return []
    rules, zebra = rng.random() < 0.2, rng.random() < 0.12
    field_style = style == "form" and rng.random() < 0.6
    emphasis = None if rng.random() < 0.7 else ink_on(rng, sheet.ground)
    for index, (label, value, _) in enumerate(rows):
        baseline = y + sheet.em * 0.95
        if zebra and index % 2 == 0:
            tone = tuple((9 * a + b) // 10 for a, b in zip(sheet.ground, sheet.ink))
            sheet.draw.rectangle((left - 2, y - 0.1 * sheet.em, edge + 2, y - 0.1 * sheet.em + pitch - 1), fill=tone)
        face = bold if label.lower() == "total" else font
        if sheet.measure(label + colon, face) + sheet.measure(value, face) + 0.5 * sheet.em > edge - left:
            face = font
        line = min(index + 1, 7)
        sheet.write(left, baseline, label + colon, face, line=line)
        x = edge - sheet.measure(value, face) if right_aligned else column
        if field_style:
            sheet.draw.rounded_rectangle(
                (x - 0.3 * sheet.em, y - 0.1 * sheet.em, max(edge, x + sheet.measure(value, face)) + 0.3 * sheet.em, y + 1.25 * sheet.em),
                2,
                outline=faint,
            )
        sheet.write(x, baseline, value, face, emphasis, line=line)
        y += pitch
        if rules or (style == "receipt" and index == len(rows) - 2 and rng.random() < 0.6):
            sheet.draw.line((left, y - 0.15 * sheet.em, edge, y - 0.15 * sheet.em), fill=faint)
            y += 0.15 * sheet.em
    sheet.crop(edge + left if rng.random() < 0.7 else sheet.width, y + margin(sheet) if rng.random() < 0.8 else sheet.height)
    decorate(sheet)
    asked = list(rows)
    rng.shuffle(asked)
    questions = [Question(ask_value(rng, label, kind), "", value, "", "value") for label, value, kind in asked[:5]]
    if title and rng.random() < 0.6:
        questions.append(Question(rng.choice(["What is the title?", "What is the heading?", "Read the title."]), "", title, "", "title"))
    present = {word for label, _, _ in rows for word in label.lower().split()} | {(title or "").lower()}
    if rng.random() < 0.35:
        absent = rng.choice(LABELS)
        if absent.lower() not in present:
            questions.append(missing(ask_value(rng, absent, "number")))
    if rng.random() < 0.15 and len(rows) <= 6:
        questions.append(
            Question(
                rng.choice(["How many rows are there?", "How many items are there?"]) if not title else "How many rows are there?",
                "There is 1 row." if len(rows) == 1 else f"There are {len(rows)} rows.",
                "",
                "",
                "count lines",
            )
        )
        if "items" in questions[-1].ask:
            questions[-1] = Question(questions[-1].ask, questions[-1].before.replace("row", "item"), "", "", "count lines")
    return questions


def fonts_bold(sheet: Sheet):
    bold = sheet.face
    for family in drawing.fonts.files(sheet.unseen_fonts).values():
        if sheet.face in family:
            bold = next((path for path in family if "Bold" in path or "_RB" in path or "SemiBold" in path), sheet.face)
    return drawing.fonts.load(bold, sheet.em)


def paint_button(sheet: Sheet, x: float, y: float, text: str, colour: str, font) -> tuple[float, float]:
    """Returns right and bottom."""
    rng = sheet.rng
    padx, pady = sheet.em * rng.uniform(0.5, 1.3), sheet.em * rng.uniform(0.2, 0.6)
    right, bottom = x + sheet.measure(text, font) + 2 * padx, y + 1.25 * sheet.em + 2 * pady
    fill = shade(rng, colour)
    radius = rng.choice([0, 2, 4, 0.5 * sheet.em, (bottom - y) / 2])
    outline = None
    if contrast(fill, sheet.ground) < 1.5 or rng.random() < 0.15:
        outline = tuple(max(0, c - 60) if luminance(sheet.ground) > 0.4 else min(255, c + 90) for c in sheet.ground)
    sheet.draw.rounded_rectangle((x, y, right, bottom), min(radius, (bottom - y) / 2, (right - x) / 2), fill=fill, outline=outline)
    ink = (255, 255, 255) if luminance(fill) < 0.32 else (0, 0, 0)
    if rng.random() < 0.15:
        ink = ink_on(rng, fill)
    sheet.write(x + padx, y + pady + 0.98 * sheet.em, text, font, ink)
    sheet.thing((x, y, right, bottom), "button", colour)
    return right, bottom


def colour_word(rng: random.Random) -> str:
    return rng.choice(["colour", "color"])


def dialog_words(sheet: Sheet, strings: Strings, left: int, y: float) -> tuple[str | None, str | None, float]:
    """Title and message, each where it has room. Returns them, and where the rest begins."""
    rng, font = sheet.rng, sheet.font()
    title = message = None
    wide = sheet.width - 2 * left
    if rng.random() < 0.45 and sheet.height > 5 * sheet.em:
        if rng.random() < 0.7:
            title = strings.word().capitalize() if rng.random() < 0.5 else strings.line(18)
            if sheet.measure(title, font) > wide:
                title = None
            elif rng.random() < 0.4:
                bar = shade(rng, rng.choice(COLOUR_NAMES))
                sheet.draw.rectangle((0, 0, sheet.width, y + 1.5 * sheet.em), fill=bar)
                sheet.write(left, y + sheet.em, title, font, ink_on(rng, bar))
                y += 1.9 * sheet.em
            else:
                sheet.write(left, y + sheet.em, title, fonts_bold(sheet))
                y += 1.6 * sheet.em
        message = rng.choice(PHRASES) if rng.random() < 0.2 and not strings.evaluation else strings.line(40)
        if sheet.measure(message, font) > wide:
            message = strings.line(max(6, int(wide / sheet.measure("n", font) * 0.95)))
        if sheet.measure(message, font) > wide:
            message = None
        else:
            sheet.write(left, y + sheet.em, message, font)
            y += sheet.em * rng.uniform(1.5, 2.4)
    return title, message, y


Button = tuple[str, str]


def dialog_buttons(sheet: Sheet, strings: Strings, left: int, y: float) -> tuple[list[Button], bool]:
    """Caption and colour of each button that has room, and whether they stand in a column."""
    rng, font = sheet.rng, sheet.font()
    count = rng.choices([1, 2, 3, 4, 5], [6, 5, 3, 1, 1])[0]
    column = rng.random() < 0.25
    colours = rng.sample(COLOUR_NAMES, count) if rng.random() < 0.8 else [rng.choice(COLOUR_NAMES)] * count
    buttons: list[Button] = []
    x, right, bottom = float(left), 0.0, y
    if rng.random() < 0.25:
        x += rng.uniform(0, 0.4) * sheet.width
        y += rng.uniform(0, 0.3) * (sheet.height - y)
    captions: set[str] = set()
    for colour in colours:
        text = strings.button()
        if text.lower() in captions:
            continue
        if x + sheet.measure(text, font) + 2.8 * sheet.em > sheet.width or y + 2.6 * sheet.em > sheet.height:
            if column or not buttons:
                continue
            x, y = float(left), bottom + 0.4 * sheet.em
            if x + sheet.measure(text, font) + 2.8 * sheet.em > sheet.width or y + 2.6 * sheet.em > sheet.height:
                continue
        end, low = paint_button(sheet, x, y, text, colour, font)
        right, bottom = max(right, end), max(bottom, low)
        buttons.append((text, colour))
        captions.add(text.lower())
        if column:
            y = low + sheet.em * rng.uniform(0.2, 0.7)
        else:
            x = end + sheet.em * rng.uniform(0.3, 1.2)
    if buttons and rng.random() < 0.7:
        tight(sheet, max(right, max(letter.x for letter in sheet.letters) + sheet.em), bottom)
    return buttons, column


def ask_only_button(rng: random.Random, text: str, colour: str, alone: bool) -> list[Question]:
    """`alone`: there are no other words to read."""
    word = colour_word(rng)
    asks_colour = [
        f"What {word} is the button?",
        f"What is the {word} of the button?",
        f"Which {word} is the button?",
        f"Tell me the {word} of the button.",
    ]
    asks_text = ["What does the button say?", "What is written on the button?", "Read the button.", "What is the text on the button?"]
    questions = [
        Question(rng.choice(asks_colour), f"The button is {colour}.", "", "", "colour"),
        Question(rng.choice(asks_text), "", text, "", "short"),
    ]
    if alone and rng.random() < 0.5:
        questions.append(read(rng, text, "short"))
    return questions


def ask_buttons(rng: random.Random, buttons: list[Button], column: bool) -> list[Question]:
    word = colour_word(rng)
    questions = []
    for text, colour in rng.sample(buttons, min(3, len(buttons))):
        if rng.random() < 0.6:
            name = text if rng.random() < 0.8 else text.lower()
            asks = [f"What {word} is the {name} button?", f"What is the {word} of the {name} button?"]
            questions.append(Question(rng.choice(asks), f"The button is {colour}.", "", "", "colour"))
        if sum(colour == other for _, other in buttons) == 1:
            asks = [f"What does the {colour} button say?", f"What is written on the {colour} button?"]
            questions.append(Question(rng.choice(asks), "", text, "", "short"))
    if not column and len({text for text, _ in buttons}) == len(buttons):
        nth = rng.randrange(len(buttons))
        place = ORDINALS[nth] if nth < len(buttons) - 1 else "last"
        questions.append(Question(f"What does the {place} button say?", "", buttons[nth][0], "", "short"))
    return questions


def dialog(sheet: Sheet, strings: Strings) -> list[Question]:
    """Buttons, alone or below a title and a message."""
    rng = sheet.rng
    left, top = margin(sheet) + 2, margin(sheet) + 2
    title, message, y = dialog_words(sheet, strings, left, top)
    buttons, column = dialog_buttons(sheet, strings, left, y)
    if not buttons:
        return []
    if len(buttons) == 1:
        questions = ask_only_button(rng, *buttons[0], alone=message is None and title is None)
    else:
        questions = ask_buttons(rng, buttons, column)
    if rng.random() < 0.5:
        said = "is 1 button" if len(buttons) == 1 else f"are {len(buttons)} buttons"
        questions.append(Question(rng.choice(["How many buttons are there?", "Count the buttons."]), f"There {said}.", "", "", "count"))
    if message:
        asks = ["What does the message say?", "Read the message.", "What is the message?", "What does the dialog say?"]
        questions.append(Question(rng.choice(asks), "", message, "", "line"))
    if title:
        questions.append(Question(rng.choice(["What is the title?", "Read the title.", "What is the heading?"]), "", title, "", "title"))
    if rng.random() < 0.25:
        other = rng.choice([name for name in COLOUR_NAMES if name not in {colour for _, colour in buttons}])
        asks = [
            f"What does the {other} button say?",
            "Which bar is the highest?",
            f"What is the {strings.label().lower()}?",
            "How many bars are there?",
        ]
        questions.append(missing(rng.choice(asks)))
    return questions


def bars(sheet: Sheet, strings: Strings) -> list[Question]:
    """Upright bars with labels below; the heights differ by a tenth of the tallest at least."""
    rng = sheet.rng
    font = sheet.font()
    most = max(2, min(6, int(sheet.width / (3.2 * sheet.em))))
    count = rng.randint(2, most)
    left, top = margin(sheet), margin(sheet)
    title = None
    if rng.random() < 0.25 and sheet.height > 7 * sheet.em:
        title = strings.word().capitalize()
        if sheet.measure(title, font) < sheet.width - 2 * left:
            sheet.write(left, top + 0.95 * sheet.em, title, font)
            top += round(1.6 * sheet.em)
        else:
            title = None
    base = sheet.height - sheet.em * rng.uniform(1.4, 1.9)
    slot = (sheet.width - 2 * left) / count
    kind = rng.choice(["months", "days", "quarters", "letters", "words", "years", "words"])
    if kind == "months":
        start = rng.randrange(12)
        labels = [MONTHS[(start + index) % 12] for index in range(count)]
    elif kind == "days":
        start = rng.randrange(7)
        labels = [DAYS[(start + index) % 7] for index in range(count)]
    elif kind == "quarters":
        labels = [f"Q{index + 1}" for index in range(count)]
    elif kind == "letters":
        labels = [chr(65 + index) for index in range(count)] if rng.random() < 0.5 else rng.sample("ABCDEFGHIJKLMNOPQRSTUVWXYZ", count)
    elif kind == "years":
        start = rng.randint(1990, 2030)
        labels = [str(start + index) for index in range(count)]
    else:
        labels = [strings.word().capitalize()[:8] for _ in range(count)]
    if (
        len({label.lower() for label in labels}) < count
        or max(sheet.measure(label, font) for label in labels) > slot * 0.96
        or base - top < 3 * sheet.em
    ):
        return []
    numbers = rng.random() < 0.2 and base - top > 5 * sheet.em
    room = base - top - (1.3 * sheet.em if numbers else 0)
    tallest = rng.uniform(0.6, 1.0)
    gap = rng.uniform(0.1, 0.22) * tallest
    best, worst = rng.sample(range(count), 2)
    lowest = rng.uniform(0.06, tallest - gap * (1 if count == 2 else 2.05))
    heights = [rng.uniform(lowest + gap, tallest - gap) if count > 2 else 0.0 for _ in range(count)]
    heights[best], heights[worst] = tallest, lowest
    colours = [rng.choice([name for name in COLOUR_NAMES if contrast(shade(rng, name), sheet.ground) > 1.4] or ["blue"])] * count
    if rng.random() < 0.35:
        colours = [rng.choice(COLOUR_NAMES) for _ in range(count)]
    fills = {name: shade(rng, name) for name in dict.fromkeys(colours)}
    share = rng.uniform(0.35, 0.85)
    if rng.random() < 0.6:
        sheet.draw.line((left, base, sheet.width - left, base), fill=sheet.ink)
    if rng.random() < 0.25:
        faint = tuple((4 * a + b) // 5 for a, b in zip(sheet.ground, sheet.ink))
        for step in range(1, 5):
            y = base - step * (base - top) / 5
            sheet.draw.line((left, y, sheet.width - left, y), fill=faint)
    scale = rng.choice([10, 50, 100, 500])
    shown = []
    for index, (label, height) in enumerate(zip(labels, heights)):
        middle = left + slot * (index + 0.5)
        fill = fills[colours[index]]
        outline = sheet.ink if contrast(fill, sheet.ground) < 1.5 else None
        role = "highest bar" if index == best else "lowest bar" if index == worst else "bar"
        box = (middle - slot * share / 2, base - height * room, middle + slot * share / 2, base)
        sheet.draw.rectangle(box, fill=fill, outline=outline)
        sheet.thing(box, role, colours[index])
        width = sheet.measure(label, font)
        sheet.write(middle - width / 2, base + 1.1 * sheet.em, label, font)
        sheet.thing((middle - width / 2, base, middle + width / 2, base + 1.3 * sheet.em), role, None)
        shown.append(str(max(1, round(height * scale))))
        if numbers:
            sheet.write(middle - sheet.measure(shown[-1], font) / 2, box[1] - 0.3 * sheet.em, shown[-1], font)
    high, low = rng.choice(["highest", "tallest"]), rng.choice(["lowest", "shortest"])
    questions = []
    for adjective, index in ((high, best), (low, worst)):
        ask = rng.choice(
            [
                f"Which bar is the {adjective}?",
                f"Which bar is {adjective}?",
                f"What is the {adjective} bar?",
                f"Which is the {adjective} bar?",
                f"Name the {adjective} bar.",
            ]
        )
        questions.append(Question(ask, f"The {adjective} bar is", f" {labels[index]}", ".", "bars"))
    questions.append(
        Question(
            rng.choice(["How many bars are there?", "How many bars are there?", "How many bars does the chart have?", "Count the bars."]),
            f"There are {count} bars.",
            "",
            "",
            "count",
        )
    )
    if numbers:
        for index in rng.sample(range(count), 2):
            questions.append(Question(ask_value(rng, labels[index], "number"), "", shown[index], "", "value"))
    if len(set(colours)) == count:
        index = rng.randrange(count)
        questions.append(
            Question(f"What {colour_word(rng)} is the {labels[index]} bar?", f"The bar is {colours[index]}.", "", "", "colour")
        )
    elif len(set(colours)) == 1 and rng.random() < 0.3:
        questions.append(Question(f"What {colour_word(rng)} are the bars?", f"The bars are {colours[0]}.", "", "", "colour"))
    if title:
        questions.append(Question(rng.choice(["What is the title?", "Read the title."]), "", title, "", "title"))
    if rng.random() < 0.2:
        questions.append(
            missing(rng.choice(["What does the button say?", "What colour is the button?", f"What is the {rng.choice(LABELS).lower()}?"]))
        )
    return questions


SHAPES = {"circle": "circles", "square": "squares", "triangle": "triangles", "star": "stars"}


def paint_shape(sheet: Sheet, kind: str, x: float, y: float, size: float, colour: str) -> None:
    import math

    fill = shade(sheet.rng, colour)
    outline = sheet.ink if contrast(fill, sheet.ground) < 1.5 else None
    draw, box = sheet.draw, (x, y, x + size, y + size)
    if kind == "circle":
        draw.ellipse(box, fill=fill, outline=outline)
    elif kind == "square":
        draw.rectangle(box, fill=fill, outline=outline)
    elif kind == "triangle":
        draw.polygon([(x + size / 2, y), (x + size, y + size), (x, y + size)], fill=fill, outline=outline)
    else:
        points = []
        for index in range(10):
            radius = size / 2 if index % 2 == 0 else size / 4.6
            angle = math.pi * index / 5 - math.pi / 2
            points.append((x + size / 2 + radius * math.cos(angle), y + size / 2 + radius * math.sin(angle)))
        draw.polygon(points, fill=fill, outline=outline)
    sheet.thing(box, kind, colour)


def shapes(sheet: Sheet, strings: Strings) -> list[Question]:
    """One to five shapes of a kind, among others at times."""
    rng = sheet.rng
    kinds = rng.sample(list(SHAPES), rng.choices([1, 2, 3], [5, 4, 1])[0])
    total = rng.randint(1, 5) if len(kinds) == 1 else rng.randint(2, 7)
    wanted = [kinds[0]] * total if len(kinds) == 1 else [rng.choice(kinds) for _ in range(total)]
    size_low = max(11.0, 0.8 * sheet.em)
    size_high = max(size_low + 1, min(sheet.width, sheet.height) / (2.2 if total < 3 else 3.2))
    uniform = rng.random() < 0.5
    common = rng.uniform(size_low, size_high)
    placed: list[tuple[float, float, float]] = []
    colours = rng.sample(COLOUR_NAMES, 2)
    same = rng.random() < 0.5
    row = rng.random() < 0.35
    x = rng.uniform(2, 10)
    y0 = rng.uniform(1, max(1.5, sheet.height - common - 2))
    counts = dict.fromkeys(SHAPES, 0)
    used: dict[str, set[str]] = {kind: set() for kind in SHAPES}
    for kind in wanted:
        size = common if uniform or row else rng.uniform(size_low, size_high)
        for _ in range(30):
            left, top = (
                (x, y0) if row else (rng.uniform(1, max(1.5, sheet.width - size - 1)), rng.uniform(1, max(1.5, sheet.height - size - 1)))
            )
            apart = all(left > a + s + 2 or left + size + 2 < a or top > b + s + 2 or top + size + 2 < b for a, b, s in placed)
            if apart and left + size < sheet.width and top + size < sheet.height:
                colour = colours[0] if same else rng.choice(COLOUR_NAMES)
                paint_shape(sheet, kind, left, top, size, colour)
                placed.append((left, top, size))
                counts[kind] += 1
                used[kind].add(colour)
                x = left + size + rng.uniform(4, 12)
                break
            if row:
                break
    if not placed or max(counts.values()) > 5:
        return []
    questions = []
    for kind, count in counts.items():
        if count or rng.random() < 0.15:
            said = f"are no {SHAPES[kind]}" if count == 0 else f"is 1 {kind}" if count == 1 else f"are {count} {SHAPES[kind]}"
            questions.append(
                Question(
                    rng.choice(
                        [
                            f"How many {SHAPES[kind]} are there?",
                            f"How many {SHAPES[kind]} are there?",
                            f"Count the {SHAPES[kind]}.",
                            f"How many {SHAPES[kind]} can you see?",
                        ]
                    ),
                    f"There {said}.",
                    "",
                    "",
                    "count",
                )
            )
        if count == 1 and len(used[kind]) == 1:
            questions.append(
                Question(f"What {colour_word(rng)} is the {kind}?", f"The {kind} is {next(iter(used[kind]))}.", "", "", "colour")
            )
    if rng.random() < 0.1:
        questions.append(Question(rng.choice(READ), NO_TEXT, "", "", "absent"))
    if rng.random() < 0.1:
        questions.append(
            missing(
                rng.choice(
                    ["What does the button say?", "What is the total?", "What colour is the button?", "What does the first line say?"]
                )
            )
        )
    return questions


def mixed(sheet: Sheet, strings: Strings) -> list[Question]:
    """Strings all over the sheet: little to ask, much to read patch by patch."""
    rng = sheet.rng
    y = margin(sheet)
    while y + 1.3 * sheet.em < sheet.height:
        x = rng.uniform(1, 2 * sheet.em)
        font = sheet.font(rng.uniform(0.85, 1.15))
        while True:
            text = strings.short()
            if x + sheet.measure(text, font) > sheet.width:
                break
            x = sheet.write(x, y + sheet.em, text, font) + sheet.em * rng.uniform(0.5, 2)
        y += sheet.em * rng.uniform(1.15, 1.6)
    return [Question("Which bar is the highest?", ABSENT, "", "", "absent")] if sheet.letters else []


SCENES = {"short": short_text, "lines": text_lines, "labelled": labelled, "dialog": dialog, "bars": bars, "shapes": shapes, "mixed": mixed}
