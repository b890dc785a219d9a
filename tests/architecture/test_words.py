"""What every reader is promised: room cards, docstrings, reference pages that tell of every setting and command."""

import ast
from pathlib import Path

import pytest

from estafette.cli.reference import PAGES, commands
from estafette.cli.root import root
from estafette.config import Config
from estafette.settings import sections_of, settings_of
from tests.architecture.test_imports import FILES, SRC, ids, tree_of

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
ROOMS = sorted(path.parent for path in FILES if path.name == "__init__.py" and path.parent != SRC)
FORBIDDEN_NAMES = {"util", "utils", "helper", "helpers", "common", "misc", "base", "manager"}


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.relative_to(SRC).as_posix())
def test_every_room_has_a_card(room: Path) -> None:
    card = ast.get_docstring(tree_of(room / "__init__.py")) or ""
    missing = [word for word in ("Takes", "Gives", "Owns", "Never") if f"{word}:" not in card]
    is_inner = room.parent != SRC
    assert card and (is_inner or not missing), f"the card does not say: {missing}"


@pytest.mark.parametrize("folder", sorted({path.parent for path in FILES}), ids=lambda folder: folder.relative_to(SRC).as_posix() or "estafette")
def test_every_folder_with_code_is_a_room(folder: Path) -> None:
    assert (folder / "__init__.py").exists()


@pytest.mark.parametrize("path", FILES, ids=ids)
def test_every_public_name_has_a_docstring(path: Path) -> None:
    """Modules, public functions and classes; classes that are nothing but fields need none when their names say all."""
    tree = tree_of(path)
    missing = [] if ast.get_docstring(tree) else ["the module"]
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) or node.name.startswith("_") or ast.get_docstring(node):
            continue
        if _is_plain(node) if isinstance(node, ast.ClassDef) else _is_unit(path):
            continue
        missing.append(node.name)
    assert missing == [], f"no docstring: {missing}"


def _is_unit(path: Path) -> bool:
    """The store's units are the verbs of `store/seam.py` under the same names, and documented there."""
    return path.parent.name == "store"


def _is_plain(node: ast.ClassDef) -> bool:
    """Nothing but fields (and no behaviour to explain)."""
    return not any(isinstance(entry, ast.FunctionDef | ast.AsyncFunctionDef) for entry in node.body)


@pytest.mark.parametrize("path", FILES, ids=ids)
def test_no_file_has_a_name_that_says_nothing(path: Path) -> None:
    assert not FORBIDDEN_NAMES & set(path.stem.split("_"))


@pytest.mark.parametrize("page", PAGES)
def test_the_reference_is_what_the_command_makes(page: str) -> None:
    assert (REFERENCE / page).read_text("utf-8") == PAGES[page](), "run: python -m estafette.cli.reference docs/reference"


def test_every_setting_is_documented_and_explained() -> None:
    text = (REFERENCE / "settings.md").read_text("utf-8")
    rows = [(section, row) for section, tree in sections_of(Config).items() for _, row in settings_of(tree)]
    assert [f"{section}.{row.key}" for section, row in rows if f"### {section}.{row.key}\n" not in text] == []
    assert [f"{section}.{row.key}" for section, row in rows if len(row.help) < 20 or not row.help.endswith(".")] == []


def test_every_command_is_documented_with_an_example() -> None:
    text = (REFERENCE / "commands.md").read_text("utf-8")
    for words, command in commands(root):
        assert f"## estafette {' '.join(words)}\n" in text
        assert "Example" in (command.help or ""), f"{words}: the help has no example"
        assert f"estafette {' '.join(words)}" in (command.help or ""), f"{words}: the example shows another command"


def test_every_command_takes_config_and_those_that_print_data_take_json() -> None:
    without_data = {("serve",), ("demo",)}
    for words, command in commands(root):
        names = {name for parameter in command.params for name in parameter.opts}
        assert "--config" in names, words
        assert ("--json" in names) == (words not in without_data), words
