"""The scripts as notebooks."""

from collections.abc import Sequence
from pathlib import Path

from tfcourse.course.scripts import Script
from tfcourse.course.translations import texts
from tfcourse.errors import InputError
from tfcourse.files import write_atomically

__all__ = ["write_notebooks"]


def write_notebooks(scripts: Sequence[Script], folder: Path, language: str = "en") -> list[Path]:
    """Write the scripts as notebooks, without outputs, and return their paths.

    Args:
        scripts: The scripts.
        folder: The folder; it is made where it does not exist.
        language: The language of the Markdown cells; one without a translation is in English.

    Raises:
        InputError: jupytext is not installed.
    """
    try:
        import jupytext
    except ModuleNotFoundError:
        raise InputError(
            "--notebooks needs jupytext. Install it: pip install 'tfcourse[course]'."
        ) from None
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for script in scripts:
        notebook = jupytext.reads(script.text, fmt="py:percent")
        translations = texts(script, language)
        for number, cell in enumerate(notebook.cells):
            cell["id"] = f"cell-{number}"  # the same file each time
            if cell["cell_type"] == "markdown":
                first = cell["source"].partition("\n")[0]
                cell["source"] = translations.get(first, cell["source"])
        notebook.metadata["kernelspec"] = {
            "display_name": "Python 3",
            "language": "python",
            "name": "python3",
        }
        paths.append(folder / f"{script.name}.ipynb")
        write_atomically(paths[-1], jupytext.writes(notebook, fmt="ipynb"))
    return paths
