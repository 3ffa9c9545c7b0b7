"""Holds the table to the kinds' own lists of attributes, read from the source.

May not guess: what it cannot parse is an error, so that a kind written in
another way is not left out in silence.
"""

import re
from pathlib import Path

from mutations import CASES, NOT_COVERABLE
from mutations.case import WHOLE

KINDS = Path(__file__).parents[2] / "reconciler/core/src/kind"
#: Files there that are no kind.
OTHERS = {"mod.rs", "tests.rs"}
RULES = {"Owned", "Restart", "Replace", "Grow", "Initial", "InitialWhile"}


def attributes():
    """Kind to its attributes, with `tags` where the kind reads them."""
    found = {}
    for path in sorted(KINDS.glob("*.rs")):
        if path.name not in OTHERS:
            kind, names = parsed(path.read_text(), path.name)
            found[kind] = names
    return found


def parsed(text, where):
    kind = re.findall(r'const NAME: &\'static str = "([a-z-]+)";', text)
    lists = re.findall(r"const ATTRIBUTES: &'static \[\(&'static str, Rule\)\]\s*=\s*&\[(.*?)\];", text, re.DOTALL)
    assert len(kind) == len(lists) == 1, f"{where}: not one kind with one list of attributes"
    pairs = re.findall(r'\("(\w+)", Rule::(\w+)(?:\("\w+"\))?\)', lists[0])
    assert len(pairs) == lists[0].count("Rule::") > 0, f"{where}: an attribute is written in another way"
    unknown = {rule for _, rule in pairs} - RULES
    assert not unknown, f"{where}: rules of another name, {unknown}"
    reads_tags = "const READS_TAGS: bool = false;" not in text
    return kind[0], [name for name, _ in pairs] + (["tags"] if reads_tags else []) + [WHOLE]


def faults():
    """What is in neither list, in both, or in the table and no kind's."""
    there = {(kind, name) for kind, names in attributes().items() for name in names}
    tried, excused = {(case.kind, case.path) for case in CASES}, set(NOT_COVERABLE)
    return (
        [f"{kind} {name} is neither tried nor excused" for kind, name in sorted(there - tried - excused)]
        + [f"{kind} {name} is tried and excused" for kind, name in sorted(tried & excused)]
        + [f"{kind} {name} is nobody's" for kind, name in sorted((tried | excused) - there)]
    )
