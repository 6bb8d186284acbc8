"""The rules of the house as functions: one source file in, sentences about what breaks a rule out.

`tests/test_tidy.py` runs them over the repository and tries each on a planted violation.
A rule lives here, in the linter's configuration or in the reviewer's checklist; elsewhere it is
not a rule.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator

from tidy_source import Function, Source, at, dotted, imported, within

Rule = Callable[[Source], Iterator[str]]

FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 400
LINE_COLUMNS_MAX = 100
PARAMETERS_MAX = 7
POLL_PAUSE_SECONDS_MAX = 0.25
CLAIM_WORDS_MIN = 4

# A pure core needs these and no more: no clock, randomness, files, network, logging.
CORE_MAY_IMPORT = {
    "__future__", "abc", "bisect", "collections", "cronsim", "dataclasses", "datetime", "decimal",
    "difflib", "enum", "functools", "hashlib", "itertools", "msgspec", "operator", "polars", "re",
    "string", "types", "typing", "unicodedata", "zoneinfo", "tieout.core", "tieout.errors",
}  # fmt: skip

# Which part of the product may import a library at all (folders end with "/").
ONLY_HERE = {
    "apprise": ("messengers.py",),
    "argon2": ("store/passwords.py",),
    "authlib": ("verbs/elsewhere.py",),
    "prometheus_client": ("web/metrics.py",),
    "httpx2": ("http.py", "sim/"),
    "httpx": (),
    "requests": ("messengers.py",),
    "sqlalchemy": ("store/", "engine/"),
    "alembic": ("store/",),
    "sqlite3": ("store/own_sqlite.py", "sim/"),
    "pysqlite3": ("store/own_sqlite.py",),
    "psycopg": ("store/", "engine/"),
    "cryptography": ("store/", "way.py", "certificates.py", "sim/"),
    "obstore": ("store/bucket.py",),
    "dbos": ("engine/",),
    "starlette": ("web/",),
    "uvicorn": ("web/", "cli/"),
    "click": ("cli/",),
    "rich": ("cli/",),
    "xlsxwriter": ("verbs/sheets/",),
}

# The vendors' own spelling: fields of a page, of a task, of a token.
WIRE_WORDS = re.compile(
    r"\bF\d{4,5}[A-Z0-9]*_[A-Z0-9]+\b|\bfs_DATABROWSE|\b(taskState|currentStep|nestedResults"
    r"|localMessageText|failureDumpAvailable|tokenInfo|tokenValue|returnControlIDs"
    r"|dataServiceType|jde-AIS-Auth|AnaplanAuthToken)\b"
)

# What may be imported inside a function, because `tieout --help` must not pay for it.
LAZY_IMPORTS = {
    "store/migrate.py": ("alembic",),  # a sixth of every start, needed by nearly none
    "messengers.py": ("apprise", "requests"),  # two seconds, for who is told by mail or chat
    "cli/": ("tieout", "polars", "rich", "uvicorn"),
    "verbs/": ("tieout.app", "tieout.engine", "tieout.flows", "tieout.sim", "polars"),
}

# Where an unforeseen error ends in a sentence: command line, error page, loops of threads.
EDGES = {
    "cli/main.py", "web/errors.py", "engine/story.py", "engine/durable.py", "engine/scheduler.py",
    "verbs/notifying.py", "verbs/keeping_house.py"}  # fmt: skip

# Glossary, CONTRIBUTING.md: one word, one meaning; these have none.
BANNED_WORDS = {
    "etl", "entity", "entities", "handler", "handlers", "helper", "helpers", "job", "jobs",
    "manager", "managers", "processor", "processors", "service", "services", "sync", "syncer",
    "util", "utils",
}  # fmt: skip
VENDOR_PHRASES = re.compile("(data|form|token|app)_services?|batch_processor|service_user")

LIMIT_WORDS = {
    "BUDGET", "DEADLINE", "DELAY", "INTERVAL", "LIFE", "LIMIT", "MAX", "MIN", "OVERLAP", "PAUSE",
    "SIZE", "TIMEOUT", "TTL", "WAIT",
}  # fmt: skip
# A plural noun says what is counted (ROWS, SECONDS); these say it too, or only look like a plural.
UNIT_WORDS = {"DATE", "DEPTH", "JULIAN", "NUMBER", "PER", "PERCENT", "YEAR"}
NO_PLURALS = {"ACCESS", "ADDRESS", "CLASS", "PROCESS", "STATUS"}


# ---------------------------------------------------------------------------- size


def short_functions(source: Source) -> Iterator[str]:
    """A function has at most 70 lines, its docstring not counted."""
    for function in source.functions:
        lines = (function.end_lineno or function.lineno) - function.lineno + 1
        if ast.get_docstring(function) is not None:
            text = function.body[0]
            lines -= (text.end_lineno or text.lineno) - text.lineno + 1
        if lines > FUNCTION_LINES_MAX:
            yield f"{function.lineno}: {function.name} has {lines} lines, more than 70"


def short_files(source: Source) -> Iterator[str]:
    """A file has at most 400 lines."""
    if len(source.lines) > FILE_LINES_MAX:
        yield f"1: the file has {len(source.lines)} lines, more than 400"


def short_lines(source: Source) -> Iterator[str]:
    """A line has at most 100 columns, unless one word, such as a URL, does not fit."""
    for number, line in enumerate(source.lines, 1):
        words = line.strip("# ").split()
        if len(line) > LINE_COLUMNS_MAX and len(words) > 1 and "://" not in words[-1]:
            yield f"{number}: the line has {len(line)} columns, more than 100"


def few_parameters(source: Source) -> Iterator[str]:
    """A caller has to know at most 7 parameters; keyword-only options with a default are free."""
    for function in source.functions:
        if not source.in_product or _is_command(function):
            continue
        a = function.args
        required = [p.arg for p, d in zip(a.kwonlyargs, a.kw_defaults, strict=True) if d is None]
        names = [p.arg for p in a.posonlyargs + a.args if p.arg not in ("self", "cls")] + required
        if len(names) > PARAMETERS_MAX:
            yield f"{function.lineno}: {function.name} has {len(names)} parameters, more than 7"


def _is_command(function: Function) -> bool:
    """Whether Click fills the parameters: then they are the options of a command."""
    names = [dotted(d.func if isinstance(d, ast.Call) else d) for d in function.decorator_list]
    return any(n.split(".")[-1] in ("command", "option", "argument", "group") for n in names)


# ---------------------------------------------------------------------------- words


def first_sentence(source: Source) -> Iterator[str]:
    """A module says in its first sentence what it is for."""
    if not source.tree.body:
        return
    text = ast.get_docstring(source.tree) or ""
    first = text.split("\n\n")[0].strip()
    if not re.match(r"""[A-Z`"'].*[.:?]""", first, re.DOTALL):
        yield "1: the module has no first sentence that says what it is for"


def no_banned_words(source: Source) -> Iterator[str]:
    """No name or file name uses a word that the glossary refuses."""
    if not source.in_product:
        return
    names = [(1, part) for part in source.part.removesuffix(".py").split("/")]
    names += [(getattr(n, "lineno", 1), name) for n in source.nodes for name in _defined(n)]
    for line, name in names:
        spaced = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).lower()
        words = set(VENDOR_PHRASES.sub("", spaced).split("_"))
        for word in sorted(words & BANNED_WORDS):
            yield f"{line}: {name!r} uses {word!r}, a word the glossary refuses"


def _defined(node: ast.AST) -> list[str]:
    """The names a node introduces."""
    if isinstance(node, Function | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.arg):
        return [node.arg]
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        return [node.id]
    return []


def nothing_postponed(source: Source) -> Iterator[str]:
    """What is left to do stands in an issue, not in a comment."""
    for number, line in enumerate(source.lines, 1):
        if re.search(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b", line):
            yield f"{number}: what is left to do belongs in an issue"


def reasons_given(source: Source) -> Iterator[str]:
    """A suppressed warning says which and why: `# noqa: X - why`, `# type: ignore[x]  # why`."""
    good = re.compile(r"# noqa: [A-Z]+\d+(, ?[A-Z]+\d+)* - \w|# type: ignore\[[\w, -]+\] +# \w")
    for number, comment in source.comments:
        found = re.search(r"# *(noqa|type: *ignore)\b.*", comment)
        if found and not good.match(found.group()):
            yield f"{number}: a suppression without its code or its reason"


def limits_have_units(source: Source) -> Iterator[str]:
    """A numeric limit says its unit: WAIT_SECONDS_MAX, not WAIT_MAX."""
    for node in source.tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        targets = [node.target] if isinstance(node, ast.AnnAssign) else targets
        for name in [t.id for t in targets if isinstance(t, ast.Name)]:
            words = set(name.strip("_").split("_"))
            if words & LIMIT_WORDS and not _says_unit(words) and _is_number(node.value):
                yield f"{at(node)}: {name} is a limit without a unit"


def _says_unit(words: set[str]) -> bool:
    plurals = {
        word for word in words - NO_PLURALS - LIMIT_WORDS if re.fullmatch("[A-Z]{3,}S", word)
    }
    return bool(plurals or words & UNIT_WORDS)


def _is_number(node: ast.AST | None) -> bool:
    """Whether an expression is made of numbers only: 20, -1, 8 * 1024, Decimal("0.5")."""
    if isinstance(node, ast.Constant):
        return isinstance(node.value, int | float) and not isinstance(node.value, bool)
    if isinstance(node, ast.BinOp):
        return _is_number(node.left) and _is_number(node.right)
    if isinstance(node, ast.UnaryOp):
        return _is_number(node.operand)
    return isinstance(node, ast.Call) and dotted(node.func) == "Decimal"


# ---------------------------------------------------------------------------- place


def imports_at_the_top(source: Source) -> Iterator[str]:
    """Nothing is imported inside a function, except what LAZY_IMPORTS declares."""
    if not source.in_product:
        return
    allowed = next((v for k, v in LAZY_IMPORTS.items() if source.part.startswith(k)), ())
    inside = {node for function in source.functions for node in ast.walk(function)}
    for node in inside:
        for name in imported(node):
            if not within(name, allowed):
                yield f"{at(node)}: {name} is imported inside a function"


def libraries_in_their_place(source: Source) -> Iterator[str]:
    """A library is imported only by the part of the product that owns it."""
    if not source.in_product:
        return
    for node in source.nodes:
        for name in imported(node):
            places = ONLY_HERE.get(name.split(".")[0])
            # A file's name is a prefix of itself, a folder's name of everything in it.
            if places is not None and not source.part.startswith(places):
                yield f"{at(node)}: {name} belongs to {' and '.join(places) or 'nobody'}"


def practice_systems_apart(source: Source) -> Iterator[str]:
    """sim/ imports nothing of the product, and only cli/ and verbs/ know sim/."""
    if not source.in_product:
        return
    knows = source.in_sim or source.part.startswith(("cli/", "verbs/"))
    for node in source.nodes:
        for name in imported(node):
            ours = within(name, ("tieout",)) and not within(name, ("tieout.sim",))
            if (source.in_sim and ours) or (within(name, ("tieout.sim",)) and not knows):
                yield f"{at(node)}: {name} crosses the wall around the practice systems"


def wire_words_at_the_wire(source: Source) -> Iterator[str]:
    """The vendors' spelling stays in jde/, anaplan/ and sim/; what redacts it must know it too."""
    if not source.in_product or source.part.startswith(("jde/", "anaplan/", "sim/")):
        return
    for node in source.nodes:
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and "\n" not in node.value
        ):
            found = WIRE_WORDS.search(node.value)
            if found and source.part not in ("http.py", "redaction.py"):
                yield f"{at(node)}: {found.group()!r} is a word of the wire"


def threads_are_heard(source: Source) -> Iterator[str]:
    """What a thread returns or raises is collected: the result of submit or map is not dropped."""
    for node in source.nodes if source.in_product else []:
        dropped = node.value if isinstance(node, ast.Expr) else None
        called = dropped.func if isinstance(dropped, ast.Call) else None
        if isinstance(called, ast.Attribute) and called.attr in ("submit", "map"):
            yield f"{at(node)}: nobody collects the result of {called.attr}"


def environment_in_settings(source: Source) -> Iterator[str]:
    """Only settings.py reads the environment."""
    if not source.in_product or source.part == "settings.py":
        return
    for node in source.nodes:
        names = [a.name for a in node.names] if isinstance(node, ast.ImportFrom) else []
        direct = isinstance(node, ast.ImportFrom) and node.module == "os" and "environ" in names
        if direct or dotted(node) in ("os.environ", "os.getenv", "os.environb"):
            yield f"{at(node)}: the environment is read by settings.py only"


def errors_end_at_the_edges(source: Source) -> Iterator[str]:
    """`except Exception` stands at the three edges only, or raises what it caught again."""
    if not source.in_product:
        return
    for node in source.nodes:
        if not isinstance(node, ast.ExceptHandler) or _raises_again(node):
            continue
        kinds = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
        wide = {dotted(k) if k else "nothing" for k in kinds}
        wide &= {"nothing", "Exception", "BaseException"}
        if "nothing" in wide or (wide and source.part not in EDGES):
            yield f"{at(node)}: catches everything away from the three edges"


def one_way_to_wait(source: Source) -> Iterator[str]:
    """The product is synchronous; only web/ may await, where the framework demands it."""
    if not source.in_product or source.part.startswith("web/"):
        return
    for node in source.nodes:
        if isinstance(node, ast.AsyncFunctionDef) or "asyncio" in imported(node):
            yield f"{at(node)}: async code outside web/"


def _raises_again(caught: ast.ExceptHandler) -> bool:
    """Whether it ends in `raise`, or in `raise X from` the caught: nothing is swallowed."""
    last = caught.body[-1]
    if not isinstance(last, ast.Raise):
        return False
    return last.exc is None or (last.cause is not None and dotted(last.cause) == caught.name)


# ---------------------------------------------------------------------------- core


def core_is_exact(source: Source) -> Iterator[str]:
    """No float, no round, no Any in the core: an amount is a Decimal and a value has a type."""
    for node in source.nodes if source.in_core else []:
        name = dotted(node).split(".")[-1]
        number = isinstance(node, ast.Constant) and isinstance(node.value, float | complex)
        if number or name in ("float", "round", "Any", "Float32", "Float64", "FLOAT_DTYPES"):
            yield f"{at(node)}: {name or node.value} in the core"


def core_is_pure(source: Source) -> Iterator[str]:
    """The core imports its allow-list, and asks no clock."""
    for node in source.nodes if source.in_core else []:
        for name in imported(node):
            if not within(name, CORE_MAY_IMPORT):
                yield f"{at(node)}: the core imports {name}"
        if isinstance(node, ast.Call) and dotted(node.func).split(".")[-1] in (
            "now",
            "today",
            "open",
        ):
            yield f"{at(node)}: the core calls {dotted(node.func)}"


def nothing_unused(source: Source) -> Iterator[str]:
    """A private function is used in its own file, or registered by its decorator."""
    if not source.in_product:
        return
    used = {n.id for n in source.nodes if isinstance(n, ast.Name)}
    used |= {n.attr for n in source.nodes if isinstance(n, ast.Attribute)}
    for node in source.tree.body:
        private = isinstance(node, Function) and node.name.startswith("_")
        if private and not node.decorator_list and node.name not in used:
            yield f"{at(node)}: nobody uses {node.name}"


# ---------------------------------------------------------------------------- tests


def tests_are_real(source: Source) -> Iterator[str]:
    """Tests are claims; they replace nothing of ours, and do not sleep to let time pass."""
    if not source.path.startswith("tests/"):
        return
    for function in source.functions:
        words = function.name.split("_")[1:]
        if function.name.startswith("test_") and len(words) < CLAIM_WORDS_MIN:
            yield f"{function.lineno}: {function.name} is no claim that one could deny"
    for node in source.nodes:
        for name in imported(node):
            if within(name, ("unittest.mock", "mock", "pytest_mock", "responses", "respx")):
                yield f"{at(node)}: {name} replaces something; inject the fault at the simulator"
        if not isinstance(node, ast.Call):
            continue
        if dotted(node.func) in ("monkeypatch.setattr", "monkeypatch.setitem"):
            yield f"{at(node)}: monkeypatch.setattr replaces something of ours"
        if dotted(node.func) in ("time.sleep", "sleep") and not _is_brief(node):
            yield f"{at(node)}: a test sleeps; move the clock instead"


def _is_brief(call: ast.Call) -> bool:
    first = call.args[0] if call.args else None
    value = first.value if isinstance(first, ast.Constant) else None
    return isinstance(value, int | float) and value <= POLL_PAUSE_SECONDS_MAX


RULES: tuple[Rule, ...] = (
    short_functions, short_files, short_lines, few_parameters, first_sentence, no_banned_words,
    nothing_postponed, reasons_given, limits_have_units, imports_at_the_top,
    libraries_in_their_place, practice_systems_apart, wire_words_at_the_wire, threads_are_heard,
    environment_in_settings,
    errors_end_at_the_edges, one_way_to_wait, core_is_exact, core_is_pure, nothing_unused,
    tests_are_real,
)  # fmt: skip
