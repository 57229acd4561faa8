"""The house rules: one direction of imports, one door to keras-tuner, small files and functions."""

import ast
import re
from pathlib import Path

import pytest

import tfcourse

ROOT = Path(tfcourse.__file__).parent
FILES = {
    ".".join(["tfcourse", *path.relative_to(ROOT).with_suffix("").parts]).removesuffix(
        ".__init__"
    ): path
    for path in sorted(ROOT.rglob("*.py"))
}

# A module imports from floors below its own, and from its own package. The foundation is what
# every floor stands on; its modules are one package here.
FLOORS = [
    {
        "backend",
        "console",
        "errors",
        "figures",
        "deletion",
        "files",
        "hyperparameters",
        "imports",
        "internals",
        "interrupts",
        "nesting",
        "notices",
        "public_names",
        "quiet",
        "time_limits",
        "types",
    },
    {"formulas", "data", "page"},
    {"toy_program"},
    {"layers", "losses", "optimizers", "toy"},
    {"models", "training", "toy_plot"},
    {"search"},
    {"babysit", "bench", "course", "doctor", "report", "sklearn", "strategy"},
    {"terminal"},
    {"cli"},
    {"__main__"},
]
# Within the training the same holds of its subpackages; its own modules stand on all of them.
TRAINING = ["programs", "data", "non_finite", "checkpoints"]
# And within the search: its packages, and above them its own modules.
SEARCH = [
    *("code", "space", "records", "engine", "strategies", "config", "data", "trials"),
    *("scheduler", "store", "results", "best", "runtime", "ray"),
]
# The public names are loaded from everywhere, on first use; whoever imports it is at the top.
PUBLIC = "tfcourse"

LINES_OF_A_FILE, LINES_OF_A_FUNCTION = 260, 45


def package(module):
    """``search`` for ``tfcourse.search.engine.oracle``; the foundation for its modules."""
    name = module.split(".")[1]
    return "foundation" if name in FLOORS[0] else name


def floor(module):
    name = module.split(".")[1]
    (number,) = (i for i, names in enumerate(FLOORS) if name in names)
    return number


def tree(module):
    return ast.parse(FILES[module].read_text(encoding="utf-8"))


def imported(nodes):
    """The names of modules that import statements among the nodes ask for."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide where a name comes from"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield whole if whole in FILES else node.module


def all_imports(module):
    """Also those inside functions."""
    return set(imported(ast.walk(tree(module))))


def imports_on_import(module):
    """Those that run when the module is imported: not in functions, not for type checkers."""

    def statements(body):
        for node in body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
                yield from statements(node.orelse)
                continue
            yield node
            for name in ("body", "orelse", "finalbody", "handlers"):
                yield from statements(getattr(node, name, []))

    return set(imported(statements(tree(module).body)))


def within_tfcourse(names):
    return {name for name in names if name.split(".")[0] == "tfcourse"}


def test_the_walk_sees_what_it_must():
    """A positive control: an import in a function, and one for type checkers only."""
    assert "tensorflow" in all_imports("tfcourse.terminal")
    assert "tensorflow" not in imports_on_import("tfcourse.terminal")
    assert "keras" in all_imports("tfcourse.types")
    assert "keras" not in imports_on_import("tfcourse.types")
    assert "keras" in imports_on_import("tfcourse.models.saving")


@pytest.mark.parametrize("module", [m for m in FILES if m != PUBLIC])
def test_a_module_imports_only_from_floors_below(module):
    own = floor(module)
    for name in within_tfcourse(all_imports(module)):
        if name == PUBLIC:
            assert own >= floor("tfcourse.cli"), "only the commands use the public names"
        else:
            assert package(name) == package(module) or floor(name) < own, f"imports {name}"


def training_floor(module):
    name = module.split(".")[2]
    return TRAINING.index(name) if name in TRAINING else len(TRAINING)


@pytest.mark.parametrize("module", [m for m in FILES if m.startswith("tfcourse.training.")])
def test_a_part_of_the_training_imports_only_from_parts_below(module):
    for name in all_imports(module):
        if name.startswith("tfcourse.training."):
            assert training_floor(name) <= training_floor(module), f"imports {name}"


def search_floor(module):
    name = module.split(".")[2]
    return SEARCH.index(name) if name in SEARCH else len(SEARCH)


@pytest.mark.parametrize("module", [m for m in FILES if m.startswith("tfcourse.search.")])
def test_a_part_of_the_search_imports_only_from_parts_below(module):
    for name in all_imports(module):
        if name.startswith("tfcourse.search."):
            assert search_floor(name) <= search_floor(module), f"imports {name}"


def cycles(graph):
    """The sets of nodes that lead to each other, from a graph as each node's next ones."""

    def reachable(start):
        seen, waiting = set(), [start]
        while waiting:
            new = graph.get(waiting.pop(), set()) - seen
            seen |= new
            waiting += new
        return seen

    reached = {node: reachable(node) for node in graph}
    own = {frozenset(m for m in reached[n] if n in reached.get(m, ())) for n in graph}
    return {cycle for cycle in own if cycle}


def test_the_walk_finds_cycles():
    """A positive control: one cycle of three nodes, one of two, and what leads to them."""
    graph = {"a": {"b"}, "b": {"c", "d"}, "c": {"a"}, "d": {"e"}, "e": {"d"}, "f": {"a"}}
    assert cycles(graph) == {frozenset("abc"), frozenset("de")}
    assert cycles({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == set()


def test_no_files_import_each_other():
    # The package itself loads its public names on first use.
    graph = {m: within_tfcourse(all_imports(m)) - {PUBLIC} for m in FILES if m != PUBLIC}
    assert cycles(graph) == set()


def test_one_door_to_keras_tuner():
    doors = {m for m in FILES if any(n.split(".")[0] == "keras_tuner" for n in all_imports(m))}
    # The bench does not use it, but compares with it.
    doors -= {"tfcourse.bench.oracle", "tfcourse.bench.search_tuner"}
    assert len(doors) > 2
    assert {door.rpartition(".")[0] for door in doors} == {"tfcourse.search.engine"}


def test_one_door_to_optuna_which_only_its_strategies_open():
    doors = {m for m in FILES if {"optuna", "cmaes"} & {n.split(".")[0] for n in all_imports(m)}}
    others = ("tfcourse.bench.strategies", REPORT)
    doors = {door for door in doors if not door.startswith(others)}
    assert doors == {"tfcourse.search.engine.optuna_study"}
    users = {m for m in FILES if doors & all_imports(m)}
    assert users == {
        "tfcourse.search.config.samplers",
        "tfcourse.search.strategies.optuna_samplers",
    }
    assert not any(doors & imports_on_import(user) for user in users)


def test_one_door_to_ray_which_opens_only_for_a_search_on_it():
    doors = {m for m in FILES if any(n.split(".")[0] == "ray" for n in all_imports(m))}
    assert {door.rpartition(".")[0] for door in doors} == {"tfcourse.search.ray"}
    assert not any("ray" in imports_on_import(m) for m in loaded_with("tfcourse.search.run"))


BENCH, REPORT = "tfcourse.bench", "tfcourse.report"


def test_only_its_command_imports_the_bench_and_only_when_it_runs():
    users = {m for m in FILES if any(n.startswith(BENCH) for n in all_imports(m))}
    assert {m for m in users if not m.startswith(BENCH)} == {"tfcourse.cli.bench"}
    assert not any(n.startswith(BENCH) for n in imports_on_import("tfcourse.cli.bench"))


@pytest.mark.parametrize("module", [m for m in FILES if m.startswith(BENCH)])
def test_the_bench_measures_through_public_names(module):
    """Neither patches nor private attributes of anything but its own objects."""
    assert "unittest.mock" not in all_imports(module)
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Attribute) and re.match("_[^_]", node.attr):
            assert ast.unparse(node.value) == "self", ast.unparse(node)


@pytest.mark.parametrize("module", [m for m in FILES if m.startswith(REPORT)])
def test_the_report_reads_a_record_and_nothing_that_runs_a_search(module):
    """The Gaussian process of the strategies draws the contour."""
    allowed = {"records", "results", "space", "strategies"}
    names = [n.split(".") for n in all_imports(module) if n.startswith("tfcourse.search.")]
    assert {name[2] for name in names} <= allowed


def test_pandas_is_the_users_to_import():
    assert {m for m in FILES if any(n.split(".")[0] == "pandas" for n in all_imports(m))} == set()


def loaded_with(module):
    """The modules of tfcourse that importing one of them runs: its imports, and all packages."""
    loaded, waiting = set(), {module}
    while waiting:
        name = waiting.pop()
        loaded.add(name)
        parents = {".".join(name.split(".")[:n]) for n in range(1, name.count(".") + 1)}
        waiting |= (parents | within_tfcourse(imports_on_import(name))) - loaded
    return loaded


@pytest.mark.parametrize(
    "entry",
    [
        "tfcourse.cli",
        "tfcourse.__main__",
        "tfcourse.search.config.load",
        "tfcourse.search.run",
        "tfcourse.report.report",
        "tfcourse.search.best.trial",
        "tfcourse.babysit.client",
        "tfcourse.babysit.session",
        "tfcourse.types",
        "tfcourse.course.listing",
        "tfcourse.course.runner",
        "tfcourse.course.book.book",
    ],
)
def test_what_needs_no_training_imports_no_tensorflow(entry):
    heavy = {"tensorflow", "keras", "keras_tuner", "sklearn", "matplotlib", "scipy", "optuna"}
    heavy |= {"plotly"}
    loaded = loaded_with(entry)
    assert entry in loaded
    assert {
        (module, name)
        for module in loaded
        for name in imports_on_import(module)
        if name.split(".")[0] in heavy
    } == set()


def test_the_config_check_goes_through_the_modules_that_it_is_thought_to():
    """A positive control of the walk above."""
    needed = {"tfcourse.models.build", "tfcourse.data.sources", "tfcourse.hyperparameters"}
    assert needed <= loaded_with("tfcourse.search.run")
    assert "tfcourse.search.runtime.execution" not in loaded_with("tfcourse.search.run")


def test_a_file_is_one_idea():
    lines = {m: len(path.read_text(encoding="utf-8").splitlines()) for m, path in FILES.items()}
    assert {m: count for m, count in lines.items() if count > LINES_OF_A_FILE} == {}


def functions():
    for module in FILES:
        for node in ast.walk(tree(module)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield module, node


def lines_of_code(module, function):
    """The lines of a function's body without its docstring, comments and empty lines.

    Its signature does not count: a drop-in has as many arguments as what it replaces.
    """
    lines = FILES[module].read_text(encoding="utf-8").splitlines()
    counted = set(range(function.body[0].lineno, function.end_lineno + 1))
    if ast.get_docstring(function) is not None:
        docstring = function.body[0]
        counted -= set(range(docstring.lineno, docstring.end_lineno + 1))
    return sum(
        bool(text := lines[number - 1].strip()) and not text.startswith("#") for number in counted
    )


def test_a_function_is_short():
    lines = {f"{m}.{f.name}": lines_of_code(m, f) for m, f in functions()}
    assert lines["tfcourse.errors.nearest"] == 2  # a positive control: it has a docstring too
    assert {f: count for f, count in lines.items() if count > LINES_OF_A_FUNCTION} == {}
