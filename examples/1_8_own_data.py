# %% [markdown]
# # Searches over data of your own
#
# Five kinds of data that people bring, each with a config in `tuner_configs/` to begin from: a
# table with everything wrong in it, images in folders, texts, a time series, and two inputs with
# two outputs. The script runs each search, loads its best model with `tfcourse.load_run`, and gives
# it raw data: the levels, means and scales that were fitted to the train set are in the model.
#
# In a terminal the first one is
#
#     tfcourse check tuner_configs/messy_csv.toml
#     tfcourse search tuner_configs/messy_csv.toml

# %%
from tfcourse.course import QUICK, project_file, save

TRIALS = 1 if QUICK else None  # None: as many as the config has
EPOCHS = 1 if QUICK else None

# %%
import os
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pyarrow.csv

import tfcourse

OUT = tempfile.TemporaryDirectory(prefix="tfcourse-")
os.chdir(project_file("tuner_configs").parent)  # the configs name modules beside them
results = {}


def search(name, epochs=EPOCHS):
    """Run the search of a config, and return its best model."""
    config = project_file(f"tuner_configs/{name}.toml")
    run = tfcourse.Search.from_toml(config, out=OUT.name, trials=TRIALS, epochs=epochs)
    results[name] = run.run()
    test = results[name].summary.test
    print(f"{name}: test set", ", ".join(f"{key} {value:.3f}" for key, value in test.items()))
    return tfcourse.load_run(Path(OUT.name) / name)


# %% [markdown]
# ## A table with everything wrong in it
#
# Semicolons, decimal commas, a byte order mark, line breaks in quotes, categories, dates, missing
# values and classes with names. The model takes the columns as they are, and names the classes.

# %%
predictor = search("messy_csv")
table = pyarrow.csv.read_csv(
    project_file("tuner_configs/messy.csv"),
    parse_options=pyarrow.csv.ParseOptions(delimiter=";", newlines_in_values=True),
    convert_options=pyarrow.csv.ConvertOptions(decimal_point=","),
)
for name, outcome in zip(
    predictor.predict_classes(table.slice(0, 3)), table["outcome"].to_pylist(), strict=False
):
    print(f"  the table says {outcome!r}, the model {str(name)!r}")

# %% [markdown]
# ## Images in folders
#
# One folder for each class, read from the disk when a batch needs them. The model takes pixels from
# 0 to 255.

# %%
predictor = search("images")
white = np.full((1, 8, 8, 1), 255, np.uint8)
print(f"  a white image is taken for a {predictor.predict_classes(white)[0]}")

# %% [markdown]
# ## Texts
#
# Docstrings as bags of hashed words, made by a function in the module beside the config.

# %%
from tuner_configs.docstrings import PACKAGES, hashed_words

predictor = search("text")
words, packages = hashed_words()
likely = predictor.predict(words[:1])[0].argmax()
print(f"  of {list(PACKAGES)[packages[0]]}; the model says {list(PACKAGES)[likely]}")

# %% [markdown]
# ## A time series
#
# The rows are in the order of time: the dev set is after the train set, the test set after both.

# %%
from tuner_configs.lorenz import windows

predictor = search("time_series")
x, y = windows()
print(f"  the next value is {y[-1].item():.2f};", end=" ")
print(f"the model says {predictor.predict(x[-1:]).item():.2f}")

# %% [markdown]
# ## Two inputs and two outputs
#
# An image of a digit and a number; which digit it is, and their sum. x and y are dicts. A trial
# whose sum is wrong by more than 1 on average breaks the config's limit, and is never the best.

# %%
from tuner_configs.two_outputs import examples

predictor = search("two_outputs", epochs=None)  # after one epoch no trial is within the limit
x, y = examples()
outputs = predictor.predict({name: values[:1] for name, values in x.items()})
print(f"  {y['digit'][0]} and {y['sum'][0]}; the model says", end=" ")
print(f"{outputs['digit'].argmax()} and {outputs['sum'].item():.1f}")

# %% [markdown]
# ## The trials
#
# The score of each trial by its learning rate, which each search draws on a log scale over two
# decades or three. In four of the five the smallest rate is the worst: the epochs end too early for
# it. The good rates span a decade and more.

# %%
figure, axes = plt.subplots(1, len(results), figsize=(15, 3.2), layout="constrained")
for axis, (name, result) in zip(axes, results.items(), strict=True):
    trials = result.trials.values()
    axis.semilogx(
        [trial.values["learning_rate"] for trial in trials], [trial.score for trial in trials], "o"
    )
    axis.set(title=name, xlabel="learning_rate", ylabel=result.summary.objective, xlim=(8e-5, 0.12))
save(figure, "1_8_own_data")
OUT.cleanup()
