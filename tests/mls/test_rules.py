"""docs/mls-rules.md compared with the code, with the table of broken rules, and with the RFC."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from importlib import import_module
from pathlib import Path

import pytest

from tests.mls import broken_commits, broken_external_commits, broken_joins, broken_messages
from tests.mls.refusals import Refusal, refusal

ROOT = Path(__file__).parents[2]
RFC = ROOT.parent / "shared/rfc/rfc9420.md"
SECTIONS = ("7.3", "7.9", "11.1", "12.2", "12.4.2", "12.4.3")
"""Of which every MUST is in the list."""
HEADINGS = {
    "7.3": "Leaf Node Validation",
    "7.9": "Parent Hashes",
    "7.9.1": "Using Parent Hashes",
    "7.9.2": "Verifying Parent Hashes",
    "11.1": "Required Capabilities",
    "12.2": "Proposal List Validation",
    "12.4.2": "Processing a Commit",
    "12.4.3": "Adding Members to the Group",
    "12.4.3.1": "Joining via Welcome Message",
    "12.4.3.2": "Joining via External Commits",
    "12.4.3.3": "Ratchet Tree Extension",
}
"""The RFC's source has no numbers; its headings are as unique as those."""
LOCAL = (".check_live", ".check_own_process", ".check_signer", ".check_wire_format")
"""Ends of checks of our own caller, which no rule of the RFC is about."""


@dataclass(frozen=True)
class Rule:
    """One row of the list."""

    section: str
    is_must: bool
    words: str
    check: str
    proof: str

    @property
    def refused_as(self) -> str | None:
        if self.proof.startswith("§"):
            return f"RFC 9420 {self.proof}"
        return self.proof if self.proof.startswith("RFC") else None


def rules() -> list[Rule]:
    found = []
    for line in (ROOT / "docs/mls-rules.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 5 and cells[0][0].isdigit():
            section, kind, words, check, proof = cells
            assert kind in {"MUST", "step"}, line
            found.append(Rule(section, kind == "MUST", words, check.strip("`"), proof))
    return found


RULES = rules()


def functions(path: Path) -> Iterator[tuple[str, ast.FunctionDef]]:
    """Every function of a module with its name in it."""

    def visit(node: ast.AST, above: str) -> Iterator[tuple[str, ast.FunctionDef]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.ClassDef):
                name = f"{above}.{child.name}"
                if isinstance(child, ast.FunctionDef):
                    yield name, child
                yield from visit(child, name)

    yield from visit(ast.parse(path.read_text()), path.stem)


@pytest.fixture(scope="module")
def refusals() -> list[Refusal]:
    circle = broken_commits.scene_of_the_crime()
    return [
        *(refusal(broken_commits.attempt(circle, name)[2]) for name in broken_commits.ROWS),
        *(refusal(broken_external_commits.attempt(circle, name)[2]) for name in broken_external_commits.ROWS),
        *(refusal(broken_joins.attempt(name)[2]) for name in broken_joins.ROWS),
        *(refusal(broken_messages.attempt(name)[2]) for name in broken_messages.ROWS),
    ]


def test_every_function_in_the_list_is_there() -> None:
    for rule in RULES:
        module, *path = rule.check.split(".")
        assert callable(reduce(getattr, path, import_module(f"conclaved.mls.{module}"))), rule.check


def test_every_function_in_the_list_refuses_by_that_section(refusals: list[Refusal]) -> None:
    seen = {(site, each.rule) for each in refusals for site in each.sites}
    missing = [
        rule for rule in RULES if rule.refused_as is not None and (rule.check, rule.refused_as) not in seen
    ]
    assert missing == []


def test_every_test_in_the_list_is_there() -> None:
    text = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    for rule in RULES:
        if rule.refused_as is None:
            assert f"def {rule.proof}(" in text, rule.proof


def test_every_check_in_the_code_is_in_the_list() -> None:
    listed = {rule.check for rule in RULES}
    for path in (ROOT / "daemon/conclaved/mls").glob("*.py"):
        for name, _ in functions(path):
            if name.split(".")[-1].startswith("check_") and not name.endswith(LOCAL):
                assert name in listed, f"{name} is in no row of docs/mls-rules.md"


def test_a_check_says_what_it_prevents() -> None:
    for name, function in functions(ROOT / "daemon/conclaved/mls/validation.py"):
        if name.startswith("validation.check_"):
            assert ast.get_docstring(function), name


def section_texts() -> dict[str, str]:
    """The text of each section, without those below it, on one line."""
    chunks = re.split(r"^#+ +(.*?)(?: \{.*\})?$", RFC.read_text(), flags=re.MULTILINE)
    by_heading = dict(zip(chunks[1::2], chunks[2::2], strict=True))
    texts = {section: by_heading[heading] for section, heading in HEADINGS.items()}
    # A listing in this section has a comment that looks like a heading.
    texts["12.4.3.3"] = RFC.read_text().split("#### Ratchet Tree Extension")[1].split("\n# Extensibility")[0]
    return {section: " ".join(text.split()) for section, text in texts.items()}


needs_rfc = pytest.mark.skipif(not RFC.exists(), reason="the RFC's text is not beside the repository")


@needs_rfc
@pytest.mark.parametrize("section", HEADINGS)
def test_every_must_of_the_section_is_in_the_list(section: str) -> None:
    text = section_texts()[section]
    musts = {match.start() for match in re.finditer(r"\bMUST\b", text)}
    listed = []
    for rule in RULES:
        if rule.section == section and rule.is_must:
            assert text.count(rule.words) == 1, rule.words
            listed.append(text.index(rule.words) + rule.words.index("MUST"))
    assert listed == sorted(musts)


@needs_rfc
def test_every_step_in_the_list_is_in_its_section() -> None:
    texts = section_texts()
    for rule in RULES:
        if rule.section in HEADINGS:
            assert rule.words in texts[rule.section], rule.words


def test_the_list_covers_the_sections_that_it_says() -> None:
    assert {section for section in HEADINGS if section in SECTIONS} == set(SECTIONS)
    assert all(any(rule.section.startswith(section) for rule in RULES) for section in SECTIONS)
