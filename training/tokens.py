"""Conversations to tokens, as Loupe's engine builds them from chat_template.jinja."""

import functools
from pathlib import Path

from tokenizers import Tokenizer

from places import NOWHERE
from scenes import Question


class Tokens:
    def __init__(self, directory: Path):
        self.tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
        id_of = self.tokenizer.token_to_id
        self.begin, self.image, self.end_of_turn, self.padding = (
            id_of(name) for name in ("<|begin_of_text|>", "<|image|>", "<|eot_id|>", "<|finetune_right_pad_id|>")
        )
        self.user, self.assistant = self.header("user"), self.header("assistant")

    def header(self, role: str) -> list[int]:
        return self.encode(f"<|start_header_id|>{role}<|end_header_id|>\n\n")

    @functools.lru_cache(200_000)
    def _encode(self, text: str) -> tuple[int, ...]:
        return tuple(self.tokenizer.encode(text, add_special_tokens=False).ids)

    def encode(self, text: str) -> list[int]:
        return list(self._encode(text))

    def spell(self, text: str) -> list[int]:
        """One token a byte: how the model writes what it reads, known words too."""
        return [self._byte(byte) for byte in text.encode()]

    @functools.cache
    def _byte(self, byte: int) -> int:
        return self.tokenizer.token_to_id(BYTE_LETTERS[byte])

    def answer(self, question: Question) -> list[int]:
        return [*self.encode(question.before), *self.spell(question.verbatim), *self.encode(question.after), self.end_of_turn]

    def looks(self, question: Question) -> list[int]:
        """For each token of the answer the place that cross-attention should look at when it is to be predicted.

        What stands before a name ("The highest bar is") already looks at the name: there it is decided which one.
        """
        before, after = self.encode(question.before), self.encode(question.after)
        patches = list(question.patches) or [NOWHERE] * len(question.verbatim.encode())
        return [*(patches[:1] * len(before) if patches else [NOWHERE] * len(before)), *patches, *[NOWHERE] * (len(after) + 1)]

    def decode(self, ids: list[int]) -> str:
        return self.tokenizer.decode(ids)


def byte_letters() -> list[str]:
    """The letter that stands for each byte in the vocabulary of a byte-level tokenizer."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return [chr(byte) if byte in printable else chr(256 + others.index(byte)) for byte in range(256)]


BYTE_LETTERS = byte_letters()
