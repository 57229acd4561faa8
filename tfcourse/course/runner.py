"""A script's process: it runs the cells one after the other, as a notebook does.

``python -m tfcourse.course.runner SCRIPT``, with its output in a file. After each cell, a line of
the record has the length of that file: so the output of each cell is known.
"""

import json
import os
import sys
import types
from pathlib import Path

from tfcourse.course.cells import split_cells

__all__ = ["main"]


def main(path: Path) -> None:
    """Run a script's cells in a module ``__main__`` of its own."""
    module = types.ModuleType("__main__")
    module.__file__ = str(path)
    sys.modules["__main__"], sys.argv, sys.path[0] = module, [str(path)], str(path.parent)
    for number, cell in enumerate(split_cells(path.read_text(encoding="utf-8"))):
        if cell.kind == "code":
            # Line numbers of a traceback are those of the file.
            code = compile("\n" * (cell.line - 1) + cell.text, str(path), "exec")
            try:
                exec(code, vars(module))
            finally:
                _record_output(number)


def _record_output(cell: int) -> None:
    """Append a cell's number and the length of the output so far to the record."""
    sys.stdout.flush()
    line = json.dumps({"cell": cell, "length": os.fstat(1).st_size})
    with Path(os.environ["TFCOURSE_COURSE_RECORD"]).open("a", encoding="utf-8") as record:
        record.write(line + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
