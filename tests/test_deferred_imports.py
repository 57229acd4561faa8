"""What TensorFlow, Keras and keras-tuner import for others waits, and works when it is used."""

import ast
import json
import subprocess
import sys
import types
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from tfcourse.internals import deferred
from tfcourse.internals.deferred import DEFERRED, STAND_INS, deferred_imports

START = """
import json, sys
from tfcourse.quiet import quiet_start
with quiet_start():
    import keras, keras_tuner, numpy as np, tensorflow as tf
"""
PUT_OFF = ("IPython", "jax", "matplotlib", "pandas", "scipy.optimize", "sklearn")


def run(code):
    """The last line that a new Python prints as JSON after TensorFlow's start and this code."""
    command = [sys.executable, "-c", START + code]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def test_the_start_imports_none_of_them():
    code = f"print(json.dumps([name for name in {PUT_OFF} if name in sys.modules]))"
    assert run(code) == []


def test_what_was_put_off_works(tmp_path):
    code = """
import inspect, sklearn.base
for module in [*sys.modules.values()]:  # as inspect.getmodule and warnings do
    hasattr(module, "__file__"), getattr(module, "__warningregistry__", None)
unused = "keras.src.visualization.plot_image_gallery" not in sys.modules
wrapper = keras.wrappers.SKLearnClassifier
model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, "sigmoid")])
tf.lite.OpsSet, tf.compat.v1.lite.OpsSet
converted = tf.lite.TFLiteConverter.from_keras_model(model).convert()
interpreter = tf.lite.Interpreter(model_content=converted)
import pandas as pd
table = pd.DataFrame({"a": [0.0, 1.0, 2.0], "b": [1.0, 0.0, 3.0]})
same = np.array_equal(model.predict(table, verbose=0), model.predict(table.values, verbose=0))
oracle = keras_tuner.oracles.BayesianOptimizationOracle(
    keras_tuner.Objective("loss", "min"), max_trials=9, num_initial_points=2, seed=1)
oracle.hyperparameters.Float("a", 0.0, 1.0)
oracle._set_project_dir("{folder}", "p")
for step in range(4):
    trial = oracle.create_trial("t")
    oracle.update_trial(trial.trial_id, {"loss": float(trial.hyperparameters["a"])})
    trial.status = "COMPLETED"
    oracle.end_trial(trial)
scores = [t.hyperparameters["a"] for t in oracle.trials.values()]
files = [inspect.getsourcefile(keras.wrappers), inspect.getsourcefile(tf.lite)]
print(json.dumps({
    "unused": unused,
    "gallery": callable(keras.visualization.plot_image_gallery),
    "estimator": issubclass(wrapper, sklearn.base.BaseEstimator),
    "names": "SKLearnRegressor" in dir(keras.wrappers),
    "inputs": len(interpreter.get_input_details()), "same": bool(same),
    "trials": len(scores), "notebook": keras.src.saving.file_editor.is_ipython_notebook(),
    "files": all(file.endswith("__init__.py") for file in files)}))
"""
    assert run(code.replace("{folder}", str(tmp_path))) == {
        "unused": True,
        "gallery": True,
        "estimator": True,
        "names": True,
        "inputs": 1,
        "same": True,
        "trials": 4,
        "notebook": False,
        "files": True,
    }


@pytest.mark.parametrize("name", sorted(DEFERRED | set(STAND_INS)))
def test_the_modules_exist(name):
    assert find_spec(name) is not None


@pytest.mark.parametrize(("module", "packages"), STAND_INS.items())
def test_the_modules_look_for_those_packages(module, packages):
    syntax = ast.parse(Path(find_spec(module).origin).read_text(encoding="utf-8"))
    imports = [node for node in ast.walk(syntax) if isinstance(node, ast.Import)]
    found = {alias.name for node in imports for alias in node.names}
    assert set(packages) <= found


class TestAModule:
    @pytest.fixture
    def package(self, tmp_path, monkeypatch):
        """A package whose modules ``late`` and ``looks`` are put off."""
        folder = tmp_path / "put_off_package"
        folder.mkdir()
        (folder / "__init__.py").touch()
        (folder / "late.py").write_text("import sys\nVALUE = len(sys.argv) * 0 + 3\n__all__ = []\n")
        (folder / "broken.py").write_text("import no_such_package_at_all\n")
        (folder / "looks.py").write_text(
            "try:\n    import wave\n    has = wave.Error is not None\n"
            "except ImportError:\n    has = False\n"
        )
        names = {f"put_off_package.{name}" for name in ("late", "broken")}
        monkeypatch.setattr(deferred, "DEFERRED", names)
        monkeypatch.setattr(deferred, "STAND_INS", {"put_off_package.looks": ("wave",)})
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, "wave", raising=False)
        yield
        for name in [name for name in sys.modules if name.startswith("put_off_package")]:
            del sys.modules[name]

    def test_runs_at_the_first_use_of_a_name(self, package):
        with deferred_imports():
            from put_off_package import late
        assert "VALUE" not in vars(late) and not hasattr(late, "__wrapped__")
        assert late.VALUE == 3 and late.__file__.endswith("late.py")
        with pytest.raises(AttributeError, match=r"put_off_package\.late.*no attribute 'missing'"):
            late.missing  # noqa: B018

    def test_lists_its_names(self, package):
        with deferred_imports():
            from put_off_package import late
        assert "VALUE" in dir(late)

    def test_that_fails_raises_its_error_each_time(self, package):
        with deferred_imports():
            from put_off_package import broken
        for _ in range(2):
            with pytest.raises(ImportError, match="no_such_package_at_all"):
                broken.VALUE  # noqa: B018

    def test_gets_the_package_that_it_looked_for(self, package):
        with deferred_imports():
            from put_off_package import looks
        assert not looks.has and "wave" not in sys.modules
        assert isinstance(looks.wave, types.ModuleType)
        assert looks.wave.Error is sys.modules["wave"].Error

    def test_outside_runs_at_once(self, package):
        with deferred_imports():
            pass
        from put_off_package import late, looks

        assert "VALUE" in vars(late) and looks.has


def test_a_package_that_is_imported_already_is_no_stand_in(tmp_path, monkeypatch):
    (tmp_path / "sees_numpy.py").write_text("import numpy\nversion = numpy.__version__\n")
    monkeypatch.setattr(deferred, "STAND_INS", {"sees_numpy": ("numpy",)})
    monkeypatch.syspath_prepend(tmp_path)
    with deferred_imports():
        import sees_numpy
    assert sees_numpy.version == np.__version__ and sys.modules["numpy"] is np
    del sys.modules["sees_numpy"]
