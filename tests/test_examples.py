"""Every example runs from any folder, states its claims' verdicts and draws its picture.

They run in their quick mode. ``TFCOURSE_FULL=1 pytest tests/test_examples.py`` runs them as a
reader does, and expects the same figures.
"""

import os
import re
from pathlib import Path

import pytest

from tests import processes

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("[0-9EM]*_*.py"))
NAMES = [path.stem for path in EXAMPLES]
FULL = os.environ.get("TFCOURSE_FULL") == "1"
CAVIAR = r"0\.9\d{3}" if FULL else r"[01]\.\d{4}"

# What an example must print, as regular expressions. Measured figures only: the course's own
# stand beside them in the same line.
FIGURES = {
    "4_1_toy": [
        r"w before the first step( +0\.0){3}\n",
        r"w after 1 step( +0\.099999994){3}\n",
        r"w after 1000 steps( +4\.9999886){3}\n",
        r"1000 steps( +9\.999977){3}\n",
        r"w after 10000 steps: 4\.9999886 ",
        r"w after 1 step +0\.0999993( +0\.0999993\d?){2}\n",
        r"w after 1000 steps( +5\.000001){3}\n",
    ],
    "1_4_scales": [
        r"linear .* (89|90)\.\d%   course: 90 %",
        r"log( +2[45]\.\d%){4}   course: 25 %",
        r"E1, as circulated: α from 1\.\d+ to 99\d\d\.",
        r"β = 0\.9005 +10\.05 ",
        r"β = 0\.9995 +2000\.00 ",
        r"reverse_log +9[01]\.\d% +[89]\.\d% ",
        r"one_minus_log( +(49|50)\.\d%){2}",
    ],
    "2_6_batch_norm": [
        r"gradient descent +with batch norm +(14 \[14–14\] .* of 4|17 \[17–17\] .* of 13) +0\n",
        r"gradient descent +without .* of (4|13) +\d+\n",
        r"with batch norm +drift an epoch 0\.\d+ ",
    ],
    "2_8_test_time": [
        r"a digit alone and in a batch: probabilities at most (0e\+00|\de-0[6-9]) apart\n",
        r"different answers among these digits: +1 \[1–1\]\n",
    ],
    "3_1_softmax": [
        r"softmax \[0\.842 0\.042 0\.002 0\.114\] ",
        r"hardmax \[1\. 0\. 0\. 0\.\] ",
        r"as it stands: \[nan nan +0\.\]\n",
    ],
    "3_4_softmax_boundaries": [
        r"(no hidden layer +C = 3 +\de-08 \[.*\n)",
        r"two hidden layers +C = 6 +0\.\d+ ",
    ],
    "3_5_many_classes": [
        r"m × C matrix: +(\d\.\d{3})\d+\ncost in blocks: +\1",
        r"log C = (6\.908|8\.517), ",
    ],
    "1_8_search": [
        r"(3|14) trials, \1 completed",
        r"measured once: +(0\.\d+)\n.*loaded model: +\1\n",
        r"two workers with the values and the score of one: (2|6) of \1\n",
    ],
    "1_6_stale_intuitions": [
        r"on more images, [0-3] of (15|45) pairs .*\non the images of now, (9|\d\d) of \1 pairs ",
    ],
    "1_2_random_not_grid": [
        r"5 × 5 grid +5 .*\n +random +25 ",
        r"claim 1\.2: holds \(.*, above 1 in ([34] of 4|2\d of 30) seeds, median ",
        r"bowl( +\d\S*){2} +\d+ of (4|30)\nbranin( +\d\S*){2} .*\nrosenbrock( +\d\S*){2} ",
    ],
    "1_7_panda_or_caviar": [
        r"panda: +1 model, \d{2,} epochs, [1-9]\d* nudges\n",
        r"caviar: (8|32) models, \d+ epochs of each\n +the best: learning_rate \S+, beta_1 0\.9",
        r"seconds +panda +caviar +ahead\n"
        # How far the caviar comes in the three seconds of the quick mode is the machine's matter.
        r"( +\d+\.\d( +[01]\.\d{4}){2} +(panda|caviar|neither)\n){4}"
        rf" +\d+\.0 +0\.9\d{{3}} +{CAVIAR} +(panda|caviar|neither)\n",
    ],
    "5_3_backpropagation": [
        r"ReLU( +\d\.\de-1[5-7]){4}\n",
        r"tanh( +\d\.\de-1[5-7]){4}\n",
        r"difference of a weight after \d+ steps: \d\.\de-1[3-7]\n",
        r"written out( +\d\.\de-(08|09|10)){5}\n",
        r"erratum E9 +\d\.\de-(08|09|10)( +[5-9]\.\de-01){3} +\d\.\de-(08|09|10)\n",
    ],
    "4_4_multi_worker": [
        r"worker 0 of 2: dev accuracy 0\.[89]",
        r"worker 1 of 2: dev accuracy 0\.[89]",
        r"between the two workers: +0\.0e\+00\n",
        r"between them and one process: +(0\.0e\+00|\d\.\de-0[5-9])\n",
    ],
}


# Those that state no verdict.
WITHOUT_VERDICT = {
    *("1_7_panda_or_caviar", "1_8_own_data", "3_5_many_classes", "4_4_multi_worker"),
}


def claims_of(path):
    """The claims whose verdicts a script states, as its source says."""
    return re.findall(r"\bverdict\(\s*\"([^\"]+)\"", path.read_text(encoding="utf-8"))


def test_the_examples_are_found():
    assert set(FIGURES) | WITHOUT_VERDICT <= set(NAMES)


@pytest.mark.parametrize("path", EXAMPLES, ids=NAMES)
def test_an_example_is_named_after_the_first_claim_that_it_decides(path):
    number = path.stem.split("_")
    first = number[0] if number[0][0] in "EM" else ".".join(number[:2])
    assert (path.stem in WITHOUT_VERDICT) == (claims_of(path) == [])
    assert claims_of(path)[:1] in ([first], [])
    assert len(claims_of(path)) == len(set(claims_of(path)))


def test_a_claim_has_one_script():
    claims = [claim for path in EXAMPLES for claim in claims_of(path)]
    assert len(claims) == len(set(claims))


@pytest.mark.parametrize("path", EXAMPLES, ids=NAMES)
def test_an_example_opens_as_a_notebook(path):
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# %% [markdown]\n# # ")
    for cell in re.split(r"^# %%", text, flags=re.MULTILINE)[1:]:
        kind, *lines = cell.rstrip("\n").split("\n")
        assert kind in ("", " [markdown]")
        if kind == " [markdown]":
            assert all(line.startswith("#") for line in lines if line.strip())


@pytest.mark.parametrize("path", EXAMPLES, ids=NAMES)
def test_an_example_runs(path, tmp_path):
    from matplotlib.image import imread

    out, elsewhere = tmp_path / "pictures", tmp_path / "elsewhere"
    elsewhere.mkdir()
    settings = {
        "TFCOURSE_EXAMPLES_OUT": str(out),
        "TFCOURSE_QUICK": "0" if FULL else "1",
        "MPLBACKEND": "Agg",
        "PYTHONIOENCODING": "utf-8",
    }
    if not FULL:  # as many tests run at once as there are cores: threads of one operation wait
        settings["TF_NUM_INTRAOP_THREADS"] = "1"
    done = processes.run(
        [path],
        cwd=elsewhere,
        env={**os.environ, **settings},
        graph_optimizer=FULL,
        timeout=900 if FULL else 300,
    )
    assert done.returncode == 0, done.stderr[-4000:]

    for figure in FIGURES.get(path.stem, []):
        assert re.search(figure, done.stdout), f"not printed: {figure}\n\n{done.stdout}"

    verdicts = re.findall(
        r"^claim (\S+): (?:holds|does not hold) \(.+\)$", done.stdout, re.MULTILINE
    )
    assert sorted(verdicts) == sorted(claims_of(path))
    assert f"\npicture: {out / path.stem}.png\n" in done.stdout
    assert (out / f"{path.stem}.png").is_file()
    for picture in out.iterdir():
        height, width, _ = imread(picture).shape
        assert 600 <= width <= 3000
        assert 400 <= height <= 3000
        assert imread(picture)[..., :3].std() > 0.02, "the picture is blank"
    assert not any(elsewhere.iterdir())
