"""Model cards: files with YAML between lines of three hyphens at their beginning.

Of a card are read ``base_model``, ``base_model_relation``, ``datasets``, ``tags`` (of which
``synthetic`` counts) and, of data sets, ``generated_by``; of models, ``version_of``. The name of
what a card describes is its place in the folder: ``org/chat.md``, ``models/org/chat/README.md`` and
``models--org--chat/…/README.md`` are all of ``org/chat``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from mcjax.errors import InputError, did_you_mean, naming
from mcjax.files import read_text
from mcjax.network.lineage import SYNTHETIC, Lineage

RELATIONS: dict[str, Callable[[Lineage, str, str], None]] = {
    "finetune": Lineage.tuned_from,
    "adapter": Lineage.tuned_from,
    "merge": Lineage.made_from,
    "quantized": Lineage.made_from,
}
"""Values of ``base_model_relation``; the first is the default."""
OF_DATA_SETS = ("dataset_info", "task_categories", "size_categories", "annotations_creators")
"""Fields that only cards of data sets have."""
LISTS = ("base_model", "datasets", "tags", "generated_by")
"""Fields that are a name or a list of names."""
FOLDERS = ("models", "datasets")
"""Folders that say what cards are of, and are no part of a name."""
DEEPEST = 50
"""Largest depth of nested YAML, far above that of real cards."""
FIELDS = (*LISTS, "base_model_relation", "version_of")
_WORDS = {"map": "fields", "seq": "a list", "int": "a number", "float": "a number"}
_NULL, _TEXT = "tag:yaml.org,2002:null", "tag:yaml.org,2002:str"
_FRONT = re.compile(r"---[ \t]*\n(.*?)^(?:---|\.\.\.)[ \t]*$", re.DOTALL | re.MULTILINE)
_CACHED = re.compile(r"(model|dataset)s--(.+)")


def is_card(text: str) -> bool:
    """Return whether a text begins with YAML between lines of three hyphens."""
    return bool(_FRONT.match(text))


def read_cards(folder: Path) -> Lineage | None:
    """Return the lineage of the cards in a folder and all folders within it; None if it has none.

    Raises
    ------
    InputError
        If a folder or a field cannot be read; the message names the file.
    """
    cards: dict[str, tuple[Path, dict[str, Any]]] = {}
    without = 0
    for path in _files(folder):
        with naming(path):
            text = read_text(path)
            if not is_card(text):
                without += 1
                continue
            name = _name_of(path.relative_to(folder))
            if name in cards:
                raise InputError("", f"is a second card of {name!r}, after {cards[name][0]}")
            cards[name] = path, _front_matter(text)
    if not cards:
        return None
    resolved = _Names(cards)
    lineage = Lineage()
    used = {resolved(d) for _, card in cards.values() for d in card.get("datasets", ())}
    for name, (path, card) in cards.items():
        with naming(path):
            _describe(lineage, name, card, resolved, data=_is_data_set(path, card, name in used))
    for _ in range(without):
        lineage.leave_out("files without YAML" if without > 1 else "file without YAML")
    return lineage


def read_card(text: str) -> Lineage:
    """Return the lineage of a single card, of a model called ``model``."""
    lineage = Lineage()
    card = _front_matter(text.lstrip())
    _describe(lineage, "model", card, str, data=_is_data_set(Path(), card, False))
    return lineage


class _Names:
    """The names of what cards describe, for those who mention them."""

    def __init__(self, names: Mapping[str, object]):
        self._known = set(names)
        self._last: dict[str, str] = {}
        for name in names:
            last = name.rpartition("/")[2]
            self._last[last] = "" if last in self._last else name

    def __call__(self, mention: str) -> str:
        """Return the card that is meant: of this name, or the only one of its last part."""
        if mention in self._known:
            return mention
        found = self._last.get(mention.rpartition("/")[2], "")
        return found if found and not ("/" in mention and "/" in found) else mention


def _files(folder: Path) -> Iterator[Path]:
    """Return the files *.md of a folder, in the order of their names; hidden ones are left out."""

    def refuse(error: OSError) -> None:
        problem = f"cannot be read ({error.strerror}); name another folder"
        raise InputError("", problem, str(error.filename))

    for place, folders, files in os.walk(folder, onerror=refuse):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if name.lower().endswith(".md") and not name.startswith("."):
                yield Path(place, name)


def _name_of(path: Path) -> str:
    """Return the name of what a card describes, by its place in the folder."""
    for part in path.parts:
        cached = _CACHED.fullmatch(part)
        if cached:
            return cached[2].removesuffix(".md").replace("--", "/")
    stem = path.with_suffix("")
    if stem.parts[0] in FOLDERS and len(stem.parts) > 1:
        stem = Path(*stem.parts[1:])
    if stem.name.lower() == "readme" and len(stem.parts) > 1:
        stem = stem.parent
    return stem.as_posix().replace("--", "/")


def _is_data_set(path: Path, card: Mapping[str, Any], used: bool) -> bool:
    """Return whether a card is of a data set."""
    if "base_model" in card or "datasets" in card:
        return False
    folder = any(part.startswith("datasets--") or part == "datasets" for part in path.parts)
    return folder or used or "generated_by" in card or bool(card["of data"])


def _describe(
    lineage: Lineage,
    name: str,
    card: Mapping[str, Any],
    resolved: Callable[[str], str],
    data: bool,
) -> None:
    """State what a card says of a model, or of a data set."""
    if SYNTHETIC in (tag.strip().lower() for tag in card.get("tags", ())):
        lineage.of_kind(name, SYNTHETIC)
    for maker in card.get("generated_by", ()):
        lineage.generated_by(name, resolved(maker))
    if data:
        return
    lineage.model(name)
    relation = card.get("base_model_relation", next(iter(RELATIONS)))
    if relation not in RELATIONS:
        hint = did_you_mean(relation, RELATIONS) or f"; read are {', '.join(RELATIONS)}"
        raise InputError("base_model_relation", f"is {relation!r}, which is not read{hint}")
    for base in card.get("base_model", ()):
        RELATIONS[relation](lineage, name, resolved(base))
    for used in card.get("datasets", ()):
        lineage.trained_on(name, resolved(used), {})
    if "version_of" in card:
        lineage.version_of(name, card["version_of"])


def _front_matter(text: str) -> dict[str, Any]:
    """Return the fields of a card that are read: lists of names, and names.

    Nothing but texts is made of YAML, so that what else stands in a card does not matter.
    """
    import yaml  # many a command reads no cards

    front = _FRONT.match(text)
    assert front is not None, "it has been asked"
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        deepest = _depth(yaml, front[1], loader)
        root = yaml.compose(front[1], loader) if deepest <= DEEPEST else None
    except yaml.YAMLError as error:
        reason = " ".join(str(error).split())
        raise InputError("", f"has YAML that cannot be read ({reason}); correct it") from error
    if deepest > DEEPEST:
        raise InputError("", "has YAML that is nested too deeply; write names and lists")
    if root is None:
        return {"of data": False}
    if not isinstance(root, yaml.MappingNode):
        raise InputError("", "has YAML without fields between its lines of ---; give base_model")
    fields: dict[str, Any] = {}
    for key, node in root.value:
        name = key.value
        if name not in FIELDS or node.tag == _NULL:
            continue
        if name in fields:
            raise InputError(name, "is given twice; keep one")
        several = isinstance(node, yaml.SequenceNode) and name in LISTS
        entries = node.value if several else [node]
        if name == "tags":  # of which one word counts, and some are numbers
            entries = [one for one in entries if one.tag == _TEXT and one.value.strip()]
        names = [_name(name, one) for one in entries]
        fields[name] = names if name in LISTS else names[0]
    return fields | {"of data": any(key.value in OF_DATA_SETS for key, _ in root.value)}


def _depth(yaml: Any, text: str, loader: Any) -> int:
    """Return how deeply YAML is nested, by a parser that does not recurse."""
    depth = deepest = 0
    for event in yaml.parse(text, loader):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        deepest = max(deepest, depth)
    return deepest


def _name(key: str, node: Any) -> str:
    """Return the text of a node of YAML."""
    kind = node.tag.rpartition(":")[2]
    if kind != "str" or not node.value.strip():
        word = "an empty text" if kind == "str" else _WORDS.get(kind, f"YAML of the type {kind}")
        raise InputError(key, f"has {word} where a name should be; give names, in quotes")
    return str(node.value).strip()
