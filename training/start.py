"""The starting point of a training run: an earlier checkpoint, its vocabulary extended by whole words.

    python start.py EARLIER_DIRECTORY OUT_DIRECTORY

Words that questions and set answers use become one token each; their vectors start as the mean of their letters.
"""

import json
import shutil
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

WORDS = (
    " red| orange| yellow| green| blue| purple| pink| brown| black| white| grey| circle| circles| square| squares|"
    " triangle| triangles| star| stars| "
    "bars| buttons| lines| rows| items| item| row| no| not| fourth| fifth| sixth| chart| charts| short| simple| small|"
    " built|-in| model| everything| else| "
    "get| Llama| Vision| Show| Add| ask| about| one| again| yet| do| help| I| For| was| see| use| who| how|I|That|There|"
    "Who|Where|When|Are|Can|Do|Is|Count|"
    "Please|Thank|Thanks|Hey|Good|'m|'t|'re|'s| welcome| background| heading|Describe|Write|Translate|Explain|Summarise| describe"
)
SPACE = "\u0120"
HEAD = "language_model.lm_head.weight"
EMBEDDING = "language_model.model.embed_tokens.weight"


def extend(source: Path, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    tokenizer = json.loads((source / "tokenizer.json").read_text())
    reader = Tokenizer.from_file(str(source / "tokenizer.json"))
    vocabulary = tokenizer["model"]["vocab"]
    old_size = json.loads((source / "config.json").read_text())["text_config"]["vocab_size"]
    plain = max(vocabulary.values()) + 1
    added = [word for word in WORDS.replace(" ", SPACE).split("|") if word not in vocabulary]
    letters = {word: reader.encode(word.replace(SPACE, " "), add_special_tokens=False).ids for word in added}
    for word in added:
        vocabulary[word] = len(vocabulary)
    shift = len(added)
    for token in tokenizer["added_tokens"]:
        token["id"] += shift
        if token["content"] in vocabulary:
            vocabulary[token["content"]] = token["id"]
    (target / "tokenizer.json").write_text(json.dumps(tokenizer, ensure_ascii=False, indent=1))

    weights = load_file(source / "model.safetensors")
    # Old rows keep their vectors: bytes and words stay, special tokens move behind the new words.
    for name, rows in ((HEAD, old_size), (EMBEDDING, old_size + 8)):
        old = weights[name].float()
        mean = torch.stack([old[letters[word]].mean(0) for word in added])
        if name == HEAD:
            mean = mean * 0.3
        weights[name] = torch.cat([old[:plain], mean, old[plain:rows]]).bfloat16()
    save_file(weights, target / "model.safetensors", metadata={"format": "pt"})

    config = json.loads((source / "config.json").read_text())
    config["image_token_index"] += shift
    text = config["text_config"]
    text["vocab_size"] += shift
    text["bos_token_id"] += shift
    text["pad_token_id"] += shift
    text["eos_token_id"] = [token + shift for token in text["eos_token_id"]]
    (target / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    generation = json.loads((source / "generation_config.json").read_text())
    for key in ("bos_token_id", "pad_token_id"):
        generation[key] += shift
    generation["eos_token_id"] = [token + shift for token in generation["eos_token_id"]]
    generation["max_new_tokens"] = 160
    (target / "generation_config.json").write_text(json.dumps(generation, indent=2) + "\n")
    for name in ("chat_template.jinja", "preprocessor_config.json", "tokenizer_config.json"):
        shutil.copy(source / name, target / name)


if __name__ == "__main__":
    extend(Path(sys.argv[1]), Path(sys.argv[2]))
