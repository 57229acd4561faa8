"""A small script of a claim, which imports no TensorFlow."""

import textwrap

from tfcourse.course.scripts import Script

TEXT = """\
# %% [markdown]
# # A title

# %%
from tfcourse.course import QUICK, save, verdict

print("in full" if not QUICK else "quick")


class Figure:
    def savefig(self, path, dpi):
        path.write_text("a picture")


# %%
import subprocess, sys, pathlib

subprocess.run([sys.executable, "-c", "print('from a child: β')"], check=True)
print(pathlib.Path(__file__).name, __name__)
save(Figure(), "1_2_x")
verdict("1.2", True, "9 of 10 seeds")
"""


def script(folder, text=TEXT):
    path = folder / "1_2_x.py"
    path.write_text(textwrap.dedent(text), encoding="utf-8")
    return Script(path, path.read_text(encoding="utf-8"))
