"""Tell the quick tests from the slow ones, by their time in the last run of all.

``pytest --junitxml=build/tests.xml``, then ``python -m tests.tiers build/tests.xml``, on a machine
that does nothing else. It writes ``tests/slow.txt``: the test functions that ``-m "not slow"``
leaves out.
"""

import sys
from collections import defaultdict
from pathlib import Path
from xml.etree import ElementTree

LIST = Path(__file__).parent / "slow.txt"
# In seconds of all processes together; two of them also need some 15 s each to collect the tests.
BUDGET = 120
# Of a file without a quicker test, one that takes no longer stays.
LONGEST = 1.0


def function_of(case, name):
    """Return the test function of a case, as JUnit's format spells it, without its parameters."""
    return f"{case}.{name.split('[')[0]}"


def function_of_item(item):
    """Return the same of an item of pytest."""
    file, *parts = item.nodeid.split("[")[0].split("::")
    return ".".join([file.removesuffix(".py").replace("/", "."), *parts])


def slow_functions(cases, budget=BUDGET):
    """Return the names of the functions that are left out.

    Of each file the quickest one stays, if it takes at most `LONGEST` seconds, so that a quick run
    sees most of the library. Then those whose slowest case is quickest stay, until all together
    use up ``budget`` seconds.

    Args:
        cases: Triples of a file, a function's name, and the seconds that one of its cases took.
        budget: The seconds for all functions that stay.
    """
    files, times = {}, defaultdict(list)
    for file, function, seconds in cases:
        files[function] = file
        times[function].append(seconds)
    quickest_first = sorted(times, key=lambda function: (max(times[function]), function))
    quickest_of = {files[function]: function for function in reversed(quickest_first)}
    stay = {each for each in quickest_of.values() if max(times[each]) <= LONGEST}
    left = budget - sum(sum(times[function]) for function in stay)
    for function in quickest_first:
        left -= 0 if function in stay else sum(times[function])
        if left < 0:
            break
        stay.add(function)
    return sorted(set(times) - stay)


def read_cases(path):
    """Yield the cases of a report in JUnit's format."""
    for case in ElementTree.parse(path).iter("testcase"):
        name = function_of(case.get("classname"), case.get("name"))
        file = ".".join(part for part in name.split(".")[:-1] if not part.startswith("Test"))
        yield file, name, float(case.get("time"))


if __name__ == "__main__":
    LIST.write_text("".join(f"{name}\n" for name in slow_functions(read_cases(sys.argv[1]))))
