"""Questions to conversations, and conversations to the fixed rows that training reads.

A row is several conversations about one picture side by side; each position attends to its own conversation.
"""

import random
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np

from places import NOWHERE
from scenes import Question
from tokens import Tokens

ABILITY = "I can read short text, with mistakes. For everything else, get Llama 3.2 Vision."
INTRODUCTION = f"I'm the small built-in model. {ABILITY}"
CANNOT = f"I can't do that. {ABILITY}"
GREETING = "Hello. Show me a picture and ask about it."
GREETING_WITH_PICTURE = "Hello. Ask me about the picture."
NO_PICTURE = "There is no picture yet. Add one and ask again."
WELCOME = "You're welcome."
GREETINGS = (
    "Hello|Hello|Hello!|Hi|Hi!|Hey|Hey there|Hi there|Hello there|Good morning|Good evening|Good afternoon|hello|hi|hey|Hello.|"
    "How are you?|Greetings"
).split("|")
WHO = (
    "Who are you?|Who are you?|What are you?|What can you do?|What can you do?|What can I ask?|What can I ask you?|"
    "Which model are you?|What model are you?|Help|help|"
    "What do you do?|Who made you?|Tell me about you.|How can you help me?|What is this?|Are you Llama?|What is your name?|"
    "Introduce yourself"
).split("|")
OTHER = (
    "Describe the picture.|Describe this image.|Describe the image in detail.|What is in the picture?|Explain this.|"
    "Explain the picture.|Summarise this.|Summarise the text.|"
    "Translate the text.|Translate this into French.|Write a poem.|Write a story.|What is the capital of France?|"
    "Who is the president?|Tell me a joke.|What is the weather?|"
    "Write some code.|What is the meaning of life?|How do I fix this?|Why does this happen?|What should I do?|"
    "Is this a cat?|Who is in the picture?|Where was this taken?|"
    "Draw a picture.|Sing a song.|What do you think about it?|Can you write an email?|What is wrong with my code?|How old are you?"
).split("|")
THANKS = "Thanks|Thank you|Thank you.|Thanks!|Thank you very much|Great, thanks|Thanks a lot".split("|")


def said(rng: random.Random, asks: list[str], answer: str) -> Question:
    return Question(rng.choice(asks), answer, "", "", "chat")


def small_talk(rng: random.Random, picture: bool) -> Question:
    kind = rng.random()
    if kind < 0.35:
        return said(rng, GREETINGS, GREETING_WITH_PICTURE if picture else GREETING)
    if kind < 0.6:
        return said(rng, WHO, INTRODUCTION)
    if kind < 0.88:
        return said(rng, OTHER, CANNOT)
    return said(rng, THANKS, WELCOME)


def worded(rng: random.Random, question: str) -> str:
    """As people type: at times without the mark at the end, in lower case, or politely."""
    if rng.random() < 0.12 and question[-1] in ".?":
        question = question[:-1]
    if rng.random() < 0.08:
        question = question[0].lower() + question[1:]
    if rng.random() < 0.02 and question[-1] in ".?":
        question = question[:-1] + ", please" + question[-1]
    return question


@dataclass
class Turn:
    question: Question
    # Which picture of the row comes with this turn; None for none.
    picture: int | None = None


@dataclass
class Row:
    ARRAYS: ClassVar = ("tokens", "positions", "segments", "sees", "targets", "answers", "looks")
    length: int
    tokens: list[int] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    segments: list[int] = field(default_factory=list)
    sees: list[int] = field(default_factory=list)
    # Where an answer token is to be predicted: number of the answer, -1 elsewhere.
    answers: list[int] = field(default_factory=list)
    # Which place of the picture that is seen holds what the token writes; NOWHERE for most.
    looks: list[int] = field(default_factory=list)
    tasks: list[str] = field(default_factory=list)
    conversations: int = 0

    def add(self, tokens: Tokens, turns: list[Turn]) -> bool:
        """False, and nothing added, where the conversation does not fit any more."""
        ids, sees, owners, looks, seen = [tokens.begin], [-1], [-1], [NOWHERE], -1
        for number, turn in enumerate(turns):
            question = tokens.user.copy()
            spans = [(question, seen)]
            if turn.picture is not None:
                seen = turn.picture
                spans.append(([tokens.image], seen))
            spans.append((tokens.encode(turn.question.ask) + [tokens.end_of_turn] + tokens.assistant, seen))
            for part, view in spans:
                ids += part
                sees += [view] * len(part)
                owners += [-1] * len(part)
                looks += [NOWHERE] * len(part)
            answer = tokens.answer(turn.question)
            ids += answer
            sees += [seen] * len(answer)
            owners += [len(self.tasks) + number] * len(answer)
            looks += tokens.looks(turn.question)
        if len(self.tokens) + len(ids) > self.length:
            return False
        self.tokens += ids
        self.positions += range(len(ids))
        self.segments += [self.conversations] * len(ids)
        self.sees += sees
        self.answers += owners
        self.looks += looks
        self.tasks += [turn.question.task if number == 0 or turn.picture is None else "takeover" for number, turn in enumerate(turns)]
        self.conversations += 1
        return True

    def arrays(self, padding: int) -> dict[str, np.ndarray]:
        """Targets are shifted: what stands at i is to be predicted from i, where an answer continues."""
        rest = self.length - len(self.tokens)
        tokens = np.array(self.tokens + [padding] * rest)
        answers = np.append(self.answers + [-1] * rest, -1)[1:]
        looks = np.append(self.looks + [NOWHERE] * rest, NOWHERE)[1:]
        return {
            "tokens": tokens,
            "positions": np.array(self.positions + [0] * rest),
            "segments": np.array(self.segments + [-1] * rest),
            "sees": np.array(self.sees + [-1] * rest),
            "targets": np.where(answers >= 0, np.append(tokens[1:], padding), padding),
            "answers": answers,
            "looks": looks,
        }


def fill_row(rng: random.Random, tokens: Tokens, length: int, questions: list[Question], second: list[Question] | None = None) -> Row:
    """As many conversations as fit. With `second`, the questions about a second picture, some take it up midway."""
    row = Row(length)
    pool = [replace(q, ask=worded(rng, q.ask)) for q in questions]
    rng.shuffle(pool)
    if second:
        later = rng.sample(second, min(2, len(second)))
        first = pool[: rng.choice([1, 1, 2])]
        turns = [Turn(question) for question in first] + [Turn(question) for question in later[: rng.choice([1, 1, 2])]]
        turns[0].picture, turns[len(first)].picture = 0, 1
        if row.add(tokens, turns):
            pool = pool[len(first) :] + pool[: len(first)]
    if rng.random() < 0.06:
        pool.insert(rng.randrange(min(3, len(pool)) + 1), small_talk(rng, picture=True))
    if rng.random() < 0.04:
        talk = (
            small_talk(rng, picture=False)
            if rng.random() < 0.7
            else Question(worded(rng, rng.choice(questions).ask), NO_PICTURE, "", "", "chat")
        )
        row.add(tokens, [Turn(talk)])
    while pool:
        count = rng.choices([1, 2, 3], [6, 3, 1])[0]
        turns = [Turn(question) for question in pool[:count]]
        turns[0].picture = 0
        pool = pool[count:]
        row.add(tokens, turns)
    return row
