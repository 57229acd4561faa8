"""Tables of TOML and JSON that were changed in ways in which nobody means them."""

import copy
import datetime
import math

TEXTS = (
    *(
        "",
        " ",
        "a",
        "x" * 5000,
        "a\u0308",
        "\u202e",
        "\x7f",
        "\ufeff",
        "\n",
        "[red]x[/red]",
        "%s{}",
    ),
    *("nan", "1", "true", "../up", ":", "a:b:c", "no.module:f", "keras:nothing", "mlp", "csv"),
    *("random", "grid", "bayesian", "hyperband", "coarse_to_fine", "gp", "tpe", "adam", "log"),
    *("val_loss", "val_accuracy", "max", "min", "failed", "completed", "pruned", "infeasible"),
)
NUMBERS = (
    *(0, 1, -1, 2, 7, 10**6, 10**18, 2**31, 2**63 - 1, -(2**63), 10**30),
    *(-0.0, 0.5, 0.999, 1e-300, 1e308, 5e-324, math.nan, math.inf, -math.inf),
)
OTHERS = (
    *(True, False, [], {}, [[]], [{}], [1, "a"], [0.6, 0.2, 0.2], ["a", "a"], [math.nan]),
    *({"low": 1, "high": 2}, {"values": []}, {"values": [1, 2]}, datetime.date(2020, 1, 1)),
    *(datetime.time(1, 2), list(range(1000))),
)


def value(random):
    """A value of any type, sometimes many levels deep."""
    kind = random.random()
    if kind < 0.05:
        deep = 1
        for _ in range(random.choice([3, 30, 90])):
            deep = [deep] if random.random() < 0.5 else {"values": deep}
        return deep
    return copy.deepcopy(random.choice(random.choice([TEXTS, NUMBERS, OTHERS])))


def places(tables, depth=0):
    """Each place of a value, as its table or list and its key."""
    entries = tables.items() if isinstance(tables, dict) else enumerate(tables)
    inside = isinstance(tables, dict | list) and depth < 60
    found = []
    for key, entry in [*entries] if inside else ():
        found.append((tables, key))
        if isinstance(entry, dict | list):
            found += places(entry, depth + 1)
    return found


def changed(random, tables, keys=TEXTS, other=()):
    """Tables with one to five changes: other values, others' keys, and parts of other tables.

    Args:
        random: The source of randomness.
        tables: The tables.
        keys: Names that a table may get.
        other: Tables of the same kind, whose parts may replace theirs.
    """
    tables = copy.deepcopy(tables)
    for _ in range(random.choice([1, 1, 1, 2, 5])):
        if not (found := places(tables)):
            return tables
        table, key = random.choice(found)
        kind = random.randrange(8)
        if kind < 3:
            table[key] = value(random)
        elif kind == 3:
            table[key] = _near(random, table[key])
        elif kind == 4:
            del table[key]
        elif kind == 5 and isinstance(table, dict):
            table[random.choice(keys)] = value(random)
        elif kind == 6:
            source, place = random.choice(found)
            table[key] = copy.deepcopy(source[place])
        elif other and isinstance(tables, dict):
            source = random.choice(other)
            name = random.choice(sorted(source))
            tables[name] = copy.deepcopy(source[name])
    return tables


def _near(random, entry):
    """A value of the same kind as another one."""
    if isinstance(entry, bool):
        return not entry
    if isinstance(entry, int | float):
        return random.choice([-entry, entry + 1, entry - 1, str(entry), [entry]])
    if isinstance(entry, str):
        return random.choice([entry + "x", entry[:-1], entry.upper(), [entry], "\ud800"])
    if isinstance(entry, list):
        return random.choice([entry + entry, entry[:-1], entry[::-1], {"values": entry}])
    return [entry]


def damaged(random, content):
    """The bytes of a file with some of them missing, doubled or changed."""
    place = random.randrange(len(content) + 1)
    kind = random.randrange(6)
    if kind == 0:
        return content[:place]
    if kind == 1:
        return random.choice([bytes(len(content)), b"", content * 2])
    if kind == 2:
        return content[:place] + random.randbytes(20) + content[place:]
    if kind == 3:
        return content[:place] + content[place + random.choice([1, 10, 100]) :]
    changed = bytearray(content)
    for _ in range(random.choice([1, 5, 50])):
        changed[random.randrange(len(changed))] = random.randrange(256)
    return bytes(changed)
