"""Write docs/params.md from params.yaml: `python docs/generate_params.py`."""

import functools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from maskline.files.yaml12 import read_yaml

ROOT = Path(__file__).parents[1]
PARAMS = ROOT / "params.yaml"
PAGE = ROOT / "docs" / "params.md"

TOP = """# Params

On this page you can look up every param of the pipeline: what it does, which values it takes, and how to set it.

The params of a run are in `params.yaml`, next to `dvc.yaml`. Change a value there and run `dvc repro`, or set it for
one experiment:

```
dvc exp run -S train.epochs=40 -S 'augment.crop=[96, 96]'
```

Only the stages that read a changed param run again. An unknown key or a value that is not allowed stops the run before
it does any work:

```
$ dvc exp run -S train.epochs=0
...
train: params.yaml: train.epochs must be at least 1. Received: 0
DVC had removed the outputs of the last run; get them back with `dvc checkout data/model`.
...
```

In `params.yaml`, an empty value is `null`. `ci/`, each recipe and each of your projects have their own `params.yaml`
with the same keys.
"""
# The heading of each section and the sentence above its table; {comment} is the section's own comment.
SECTIONS = {
    "": ("Pipeline", "These keys belong to the pipeline as a whole."),
    "dataset": (
        "Data set: `dataset`",
        "The images and masks, how masks are read, and how images are divided into train, validation and test. "
        "[Your own images](own-data.md) explains them.",
    ),
    "preprocess": ("Preprocess: `preprocess`", "The size and the encoding of the images that training reads."),
    "model": (
        "Network: `model`",
        "The network and the weights that it starts with. [Networks and losses](networks.md) describes each network.",
    ),
    "augment": (
        "Augmentation: `augment`",
        "Augmentation is {comment}. [Training](training.md#augmentation) explains each kind.",
    ),
    "train": (
        "Training: `train`",
        "The length of training, the optimizer and the schedule. "
        "[Training](training.md#learning-rate-and-optimizer) explains them.",
    ),
    "train.loss": ("Losses: `train.loss`", "The {comment}. [Losses](networks.md#losses) has the formulas."),
    "train.loss_options": (
        "Options of losses: `train.loss_options`",
        "Each option belongs to one loss and changes nothing while the weight of that loss is 0.",
    ),
    "train.plateau": ("Schedule plateau: `train.plateau`", "Options of {comment}."),
    "evaluate": (
        "Evaluation: `evaluate`",
        "How the test images are predicted and scored. "
        "[Prediction](prediction.md#better-predictions-from-the-same-model) shows how they change the scores.",
    ),
    "evaluate.crf": ("CRF: `evaluate.crf`", "Options of the {comment}."),
}
LINE = re.compile(r"(?P<indent> *)(?P<key>\w+):(?P<value>[^#]*)(?:# (?P<comment>.*))?")


class Param(NamedTuple):
    """A key of params.yaml: its value as YAML, None for a section, and the comments in front of it and after it."""

    name: str
    value: str | None
    comment: str
    note: str

    @property
    def section(self) -> str:
        """The name of the section that holds it."""
        return self.name.rpartition(".")[0]


def read_params() -> Iterator[Param]:
    """Yield the keys of params.yaml in order.

    A key without a comment of its own is described by the last line in front of it; the lines before are a note.
    """
    values, path, above = read_yaml(PARAMS), [], []
    for line in PARAMS.read_text(encoding="utf-8").splitlines():
        if line.lstrip().startswith("#"):
            above.append(line.lstrip("# "))
            continue
        if found := LINE.fullmatch(line):
            path = [*path[: len(found["indent"]) // 2], found["key"]]
            value = functools.reduce(dict.__getitem__, path, values)
            text = None if isinstance(value, dict) else found["value"].strip() or json.dumps(value)
            comment = found["comment"] or (above.pop() if above else "")
            yield Param(".".join(path), text, comment, " ".join(above))
        above = []


def page() -> str:
    """Return the text of docs/params.md."""
    params = list(read_params())
    comments = {param.name: param.comment for param in params}
    parts = ["<!-- Written from params.yaml by `python docs/generate_params.py`. -->\n\n" + TOP]
    for name, (title, sentence) in SECTIONS.items():
        rows = [_row(param) for param in params if param.section == name and param.value is not None]
        table = "\n".join(["| param | default | what it does |", "|---|---|---|", *rows])
        parts.append(f"## {title}\n\n{sentence.format(comment=comments.get(name))}\n\n{table}\n")
    return "\n".join(parts)


def _row(param: Param) -> str:
    # The note is above the comment in params.yaml and below it here.
    comment = param.comment.replace("one of those above", "one of those below")
    text = "<br>".join(filter(None, (comment, param.note))).replace("|", "\\|")
    return f"| `{param.name}` | `{param.value}` | {text} |"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
