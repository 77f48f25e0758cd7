"""Every place in the program that makes an error or a warning, with its words, read from the source.

An error is made where one of the error tree is constructed; a function that puts its own arguments into one, and
gives it back, is a *maker*, and each call of it is a place of its own, with its words filled in. A warning is made
where a text is put among warnings. What stands in a table (the words of git, of stores, of the system) is a place for
each line.

What is only known when it happens is a name in angle brackets.
"""

import ast
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2] / "src" / "alive_p2p"

WARNING = "warning"
_ROOT = "AliveP2PError"
_PARTS = ("code", "message", "hint", "untouched")
_PLACES = {"StoreProblem": ("kind", "code", "message", "hint"), "_Known": ("words", "code", "message", "hint")}
"""What is told as an error later, and what its arguments are."""
_LISTS = {"warnings", "_warnings", "notes", "problems", "unlogged"}
_FIELDS = {"warning", "warnings", "problem", "error"}
_TELLERS = {"warn": 0, "_warn": 0, "remember": 0, "_say": 1, "Signing": 1}
"""Functions that take a warning, and which of their arguments that is."""
_GIVERS = {
    "_not_sent_any_more", "_unknown_keys", "_version_warning", "describe", "loose_warning", "open_to_others",
    "regenerate", "unmatched", "_count", "_of_the_content", "_of_the_sender", "_of_the_way",
}  # fmt: skip
"""Functions that give warnings back; and those of which others have the name."""
_GIVERS_AT = {("sharing/remembering.py", "remember")}
_DETAILS = {
    "package/manifest_rules.py": "bad-manifest",
    "package/reader.py": "altered",
    "receiving/automatic.py": "needs-a-person",
    "receiving/layout.py _refuse_names_of_system": "names-of-other-systems",
}
"""Where what looks like a warning is one of several things that an error of this code says."""
_NOT_READ = ("cli/page",)
"""The page of a preview: its notes are no warnings."""
_DEEPEST = 5
_PLAIN = (ast.Constant, ast.JoinedStr, ast.IfExp, ast.BinOp, ast.BoolOp, ast.Name)

Words = Mapping[str, ast.expr]


@dataclass(frozen=True)
class Site:
    """One place that makes an error or a warning.

    Attributes:
        module: its path in the package, such as `relay/pairing.py`.
        function: its qualified name there.
        code: of the error, several where it depends; of a warning `warning`.
        message: what it says.
        hint: what to do, or empty.
        untouched: what was left, or empty.
        node: the expression.
        made_of: the class of the error, or empty.
        number: counts from 1 where a function has several with this code.
    """

    module: str
    function: str
    code: str
    message: str
    hint: str
    untouched: str
    node: ast.AST = field(compare=False, repr=False)
    made_of: str = ""
    number: int = 1

    @property
    def key(self) -> str:
        """What it is called in `causes.json`; a change of its words or of its line changes nothing here."""
        number = f" {self.number}" if self.number > 1 else ""
        return f"{self.module} {self.function} {self.code}{number}"


@dataclass(eq=False)
class _Function:
    """A function, or a class of errors with a constructor of its own, and what it is known by."""

    module: "_Module"
    name: str
    node: ast.FunctionDef | ast.AsyncFunctionDef | None
    within: "_Function | None" = None
    is_error: bool = False
    makes: list[tuple[ast.Call, dict[str, ast.expr], "_Function"]] = field(default_factory=list)

    @property
    def parameters(self) -> list[str]:
        if self.node is None:
            return []
        named = [one.arg for one in (*self.node.args.posonlyargs, *self.node.args.args)]
        return [one for one in named if one not in {"self", "cls"}]

    @property
    def all_parameters(self) -> set[str]:
        return {*self.parameters, *(one.arg for one in self.node.args.kwonlyargs)} if self.node is not None else set()

    def defaults(self) -> dict[str, ast.expr]:
        if self.node is None:
            return {}
        arguments = self.node.args
        named = [one.arg for one in (*arguments.posonlyargs, *arguments.args)]
        found = dict(zip(named[len(named) - len(arguments.defaults) :], arguments.defaults, strict=True))
        pairs = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
        return found | {one.arg: default for one, default in pairs if default is not None}


@dataclass(eq=False)
class _Module:
    path: str
    tree: ast.Module
    constants: dict[str, ast.expr] = field(default_factory=dict)
    imported: dict[str, ast.expr] = field(default_factory=dict)
    functions: list[_Function] = field(default_factory=list)


class _Reader:
    """Reads the whole program."""

    def __init__(self, source: Path) -> None:
        self.modules = [
            _Module(path.relative_to(source).as_posix(), ast.parse(path.read_text(encoding="utf-8")))
            for path in sorted(source.rglob("*.py"))
        ]
        self.errors = self._error_classes()
        self.owner: dict[ast.AST, _Function] = {}
        self.raised = {
            one.exc for module in self.modules for one in ast.walk(module.tree) if isinstance(one, ast.Raise)
        }
        for module in self.modules:
            for statement in module.tree.body:
                for name, value in _assigned(statement):
                    module.constants[name] = value
            self._walk(module, module.tree, _Function(module, "", None))
        for module in self.modules:
            self._import(module)
        self.by_name: dict[str, list[_Function]] = defaultdict(list)
        for module in self.modules:
            for function in module.functions:
                self.by_name[function.name.rpartition(".")[2]].append(function)

    def _import(self, module: _Module) -> None:
        """What the module takes from others: constants by their names, and `module.CONSTANT`."""
        by_path = {one.path: one for one in self.modules}
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("alive_p2p"):
                folder = (node.module or "").replace(".", "/").removeprefix("alive_p2p").lstrip("/")
                for alias in node.names:
                    one = by_path.get(f"{folder}.py")
                    if one is not None and alias.name in one.constants:
                        module.imported[alias.asname or alias.name] = one.constants[alias.name]
                    inside = by_path.get(f"{folder}/{alias.name}.py".lstrip("/"))
                    if inside is not None:
                        module.imported |= {
                            f"{alias.asname or alias.name}.{name}": value for name, value in inside.constants.items()
                        }

    def _error_classes(self) -> dict[str, ast.FunctionDef | None]:
        classes = [one for module in self.modules for one in ast.walk(module.tree) if isinstance(one, ast.ClassDef)]
        found: dict[str, ast.FunctionDef | None] = {_ROOT: None}
        while new := {
            one.name: next(
                (each for each in one.body if isinstance(each, ast.FunctionDef) and each.name == "__init__"), None
            )
            for one in classes
            if one.name not in found and any(ast.unparse(base) in found for base in one.bases)
        }:
            found |= new
        return found

    def _walk(self, module: _Module, node: ast.AST, owner: _Function) -> None:
        for child in ast.iter_child_nodes(node):
            self.owner[child] = owner
            inner = owner
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                if child.name == "__init__" and owner.name in self.errors:
                    inner = _Function(module, owner.name, child, owner, is_error=True)
                else:
                    inner = _Function(module, _dotted(owner.name, child.name), child, owner)
                module.functions.append(inner)
            elif isinstance(child, ast.ClassDef):
                inner = _Function(module, _dotted(owner.name, child.name), None, owner)
            self._walk(module, child, inner)

    # -- what is made ------------------------------------------------------------------------------------------

    def sites(self) -> list[Site]:
        """All of them, in the order of the source, numbered."""
        grown = list(self._constructed())
        final: list[tuple[_Function, ast.AST, dict[str, ast.expr], str]] = []
        work = [(function, node, parts, self._class_of(node)) for function, node, parts in grown]
        for _ in range(_DEEPEST):
            following = []
            for function, node, parts, kind in work:
                wanted = _names_in(parts.values()) & function.all_parameters if node not in self.raised else set()
                calls = list(self._calls(function)) if wanted and not self._is_whole(function, parts, wanted) else []
                if not calls:
                    final.append((function, node, parts, kind))
                    continue
                for caller, call in calls:
                    given = self._given(function, call, caller)
                    filled = {name: _filled(value, given) for name, value in self._resolved(function, parts).items()}
                    following.append((caller, call, filled, kind))
            work = following
        final += work
        sites = [self._site(function, node, parts, kind) for function, node, parts, kind in final]
        sites += list(self._from_tables())
        unique = {(id(one.node), one.code, one.message): one for one in sites if one is not None}
        order = {module.path: index for index, module in enumerate(self.modules)}
        ordered = sorted(unique.values(), key=lambda one: (order[one.module], one.node.lineno, one.node.col_offset))
        counted: Counter[str] = Counter()
        numbered = []
        for one in ordered:
            counted[one.key] += 1
            numbered.append(replace(one, number=counted[one.key]))
        return numbered

    def _is_whole(self, function: _Function, parts: dict[str, ast.expr], wanted: set[str]) -> bool:
        """Whether what depends on parameters is only a name in the words, and not the words themselves."""
        words = self._resolved(function, parts)
        told = {
            name
            for name in ("code", "message", "hint")
            if (value := words.get(name)) is not None and _is_words(value, wanted)
        }
        return not told

    def _constructed(self) -> Iterator[tuple[_Function, ast.Call, dict[str, ast.expr]]]:
        for node, owner in self.owner.items():
            if owner.module.path.startswith(_NOT_READ):
                continue
            if isinstance(node, ast.Call):
                parts = self._parts(node, owner)
                if parts is not None:
                    yield owner, node, parts
            for text in _warnings_in(node, owner):
                yield owner, text, {"message": text}

    def _parts(self, call: ast.Call, owner: _Function) -> dict[str, ast.expr] | None:
        name = ast.unparse(call.func)
        last = name.rpartition(".")[2]
        if (name == "super().__init__" and owner.is_error) or (last in self.errors and self.errors[last] is None):
            names = _PARTS[:2]
        elif last in _PLACES and owner.node is not None:
            names = _PLACES[last]
        elif name in {"screen.error", "self.error"} and len(call.args) > 1 and owner.name != "Screen.show_error":
            names = _PARTS[:2]
        else:
            return None
        parts = dict(zip(names, call.args, strict=False))
        parts |= {one.arg: one.value for one in call.keywords if one.arg is not None}
        return {name: value for name, value in parts.items() if name in _PARTS}

    def _calls(self, function: _Function) -> Iterator[tuple[_Function, ast.Call]]:
        name = function.name.rpartition(".")[2]
        alone = len(self.by_name[name]) == 1
        for node, owner in self.owner.items():
            if not isinstance(node, ast.Call) or ast.unparse(node.func).rpartition(".")[2] != name:
                continue
            is_of_another = isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Call)
            is_known = owner.module is function.module or (alone and not name.startswith("__")) or function.is_error
            if is_known and not is_of_another:
                yield owner, node

    def _given(self, function: _Function, call: ast.Call, caller: _Function) -> dict[str, ast.expr]:
        given = function.defaults()
        given |= dict(zip(function.parameters, call.args, strict=False))
        given |= {one.arg: one.value for one in call.keywords if one.arg is not None}
        return {name: self._local(caller, value) for name, value in given.items()}

    def _resolved(self, function: _Function, parts: dict[str, ast.expr]) -> dict[str, ast.expr]:
        return {name: self._local(function, value) for name, value in parts.items()}

    def _local(self, function: _Function, value: ast.expr) -> ast.expr:
        """Names of this function's own variables and of constants, replaced by the texts that they hold."""
        holds: dict[str, list[ast.expr]] = defaultdict(list)
        around: _Function | None = function
        while around is not None:
            if around.node is not None:
                for statement in ast.walk(around.node):
                    for name, assigned in _assigned(statement):
                        if self.owner.get(statement) is around:
                            holds[name].append(assigned)
            around = around.within
        texts = {
            name: _either([one for one in each if name not in _names_in([one])])
            for name, each in holds.items()
            if name not in function.all_parameters and any(_is_text(one) for one in each)
        }
        constants = {**function.module.imported, **function.module.constants}
        texts |= {
            name: constant
            for name, constant in constants.items()
            if name not in holds and name not in function.all_parameters and _is_text(constant)
        }
        for _ in range(3):
            value = _filled(value, texts)
        return value

    def _class_of(self, node: ast.AST) -> str:
        name = ast.unparse(node.func).rpartition(".")[2] if isinstance(node, ast.Call) else ""
        return name if name in self.errors else ""

    def _site(self, function: _Function, node: ast.AST, parts: dict[str, ast.expr], made_of: str) -> Site | None:
        parts = self._resolved(function, parts)
        message = _text(parts.get("message"))
        place = f"{function.module.path} {function.name}"
        detail = _DETAILS.get(function.module.path, _DETAILS.get(place))
        code = _text(parts["code"]) if "code" in parts else f"{detail} (part)" if detail else WARNING
        if "<" in code:
            code = "of its cause"
        if not any(letter.isalpha() for letter in _without_names(message)):
            return None  # it hands on what another place says
        return Site(
            function.module.path,
            function.name,
            code,
            message,
            _text(parts.get("hint")),
            _text(parts.get("untouched")),
            node,
            made_of,
        )

    def _from_tables(self) -> Iterator[Site]:
        for module in self.modules:
            for name, value in module.constants.items():
                if module.path == "files.py" and name in {"_REASONS", "_NOT_REGULAR"}:
                    rows = value.values if isinstance(value, ast.Dict) else [value]
                    for row in rows:
                        code, reason, hint = (_text(self._local(_Function(module, "", None), one)) for one in row.elts)
                        yield Site(
                            module.path, name, code, f"cannot <do something with> '<path>': {reason}", hint, "", row
                        )
                for call in ast.walk(value):
                    if isinstance(call, ast.Call) and ast.unparse(call.func) == "_Known":
                        given = dict(zip(_PLACES["_Known"], call.args, strict=False))
                        texts = {
                            each: _text(self._local(_Function(module, "", None), one))
                            .replace("{", "<")
                            .replace("}", ">")
                            for each, one in given.items()
                        }
                        yield Site(module.path, name, texts["code"], texts["message"], texts.get("hint", ""), "", call)


def _dotted(before: str, name: str) -> str:
    return f"{before}.{name}" if before else name


def _assigned(statement: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(statement, ast.Assign):
        for target in statement.targets:
            if isinstance(target, ast.Name):
                yield target.id, statement.value
            elif isinstance(target, ast.Tuple) and isinstance(statement.value, ast.Tuple):
                for one, value in zip(target.elts, statement.value.elts, strict=False):
                    if isinstance(one, ast.Name):
                        yield one.id, value
    elif (
        isinstance(statement, ast.AnnAssign) and statement.value is not None and isinstance(statement.target, ast.Name)
    ):
        yield statement.target.id, statement.value


def _is_text(value: ast.expr) -> bool:
    match value:
        case ast.Constant():
            return isinstance(value.value, str) or value.value is None
        case ast.JoinedStr():
            return True
        case ast.IfExp():
            return _is_text(value.body) and _is_text(value.orelse)
        case ast.BinOp(op=ast.Add()):
            return _is_text(value.left) or _is_text(value.right)
        case _:
            return False


def _is_words(value: ast.expr, wanted: set[str]) -> bool:
    """Whether a parameter is a whole text, or stands in one where words belong."""
    match value:
        case ast.Name():
            return value.id in wanted
        case ast.JoinedStr():
            return any(
                isinstance(one, ast.FormattedValue)
                and isinstance(one.value, ast.Name)
                and one.value.id in wanted
                and one.value.id in _WORDS
                for one in value.values
            )
        case ast.IfExp():
            return _is_words(value.body, wanted) or _is_words(value.orelse, wanted)
        case ast.BinOp():
            return _is_words(value.left, wanted) or _is_words(value.right, wanted)
        case ast.BoolOp():
            return any(_is_words(one, wanted) for one in value.values)
        case _:
            return False


_WORDS = {"why", "what", "reason", "told", "message", "problem", "hint", "words", "how", "cause", "seems"}
"""Parameters of these names are words, wherever they stand; others are names of things."""


def _names_in(values: object) -> set[str]:
    return {one.id for value in values for one in ast.walk(value) if isinstance(one, ast.Name)}  # type: ignore[attr-defined]


def _either(values: list[ast.expr]) -> ast.expr:
    found = values[0]
    for one in values[1:]:
        found = ast.IfExp(ast.Constant(True), found, one)
    return found


class _Filler(ast.NodeTransformer):
    def __init__(self, given: Words) -> None:
        self.given = given

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self.given.get(node.id, node)

    def visit_Call(self, node: ast.Call) -> ast.expr:
        return node  # what is computed of a text is not the text

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        return self.given.get(ast.unparse(node), node)


def _filled(value: ast.expr, given: Words) -> ast.expr:
    import copy

    return _Filler(given).visit(copy.deepcopy(value))  # type: ignore[no-any-return]


def _warnings_in(node: ast.AST, owner: _Function) -> Iterator[ast.expr]:
    """The texts that a statement or a call puts among warnings."""
    found: list[ast.expr] = []
    if isinstance(node, ast.Call):
        name = ast.unparse(node.func)
        parts = name.split(".")
        if parts[-1] == "append" and (_gives(owner) or (len(parts) > 1 and parts[-2] in _LISTS)):
            found += node.args
        elif len(node.args) > _TELLERS.get(parts[-1], len(node.args)):
            found.append(node.args[_TELLERS[parts[-1]]])
        found += [one.value for one in node.keywords if one.arg in _FIELDS]
    elif isinstance(node, ast.AugAssign) and ast.unparse(node.target).rpartition(".")[2] in _LISTS:
        found.append(node.value)
    elif isinstance(node, ast.Assign | ast.AnnAssign):
        for name, value in _assigned(node):
            if name in _LISTS:
                found.append(value)
            elif isinstance(value, ast.Dict) and _gives(owner):
                found += [one for one in value.keys if one is not None]
    elif isinstance(node, ast.Return | ast.Expr) and _gives(owner):
        value = node.value
        if isinstance(node, ast.Expr) and isinstance(value, ast.Yield | ast.Call):
            value = value.value if isinstance(value, ast.Yield) else None
        if value is not None and not isinstance(value, ast.Constant):
            found.append(value)
    for one in found:
        yield from _texts_in(one)


def _gives(owner: _Function) -> bool:
    name = owner.name.rpartition(".")[2]
    return name in _GIVERS or (owner.module.path, name) in _GIVERS_AT


def _texts_in(value: ast.expr) -> Iterator[ast.expr]:
    match value:
        case ast.List() | ast.Tuple():
            for one in value.elts:
                yield from _texts_in(one)
        case ast.Starred():
            yield from _texts_in(value.value)
        case ast.Dict():
            for each in value.values:
                yield from _texts_in(each)
        case ast.Subscript():
            yield from _texts_in(value.value)
        case ast.ListComp() | ast.GeneratorExp() | ast.SetComp():
            yield from _texts_in(value.elt)
        case ast.IfExp():
            yield from _texts_in(value.body)
            yield from _texts_in(value.orelse)
        case ast.Call() if value.args:
            yield from _texts_in(value.args[0])
        case ast.JoinedStr() | ast.Constant():
            if _is_text(value) and " " in ast.unparse(value):
                yield value
        case ast.Name():
            yield value
        case ast.BinOp(op=ast.Add()):
            if _is_text(value.left):
                yield value
            else:
                yield from _texts_in(value.right)
        case _:
            return


# -- from expressions to words ---------------------------------------------------------------------------------------


def _text(value: ast.expr | None, *, inside: bool = False) -> str:
    """An expression as the words that it gives."""
    match value:
        case None:
            return ""
        case ast.Constant():
            return "" if value.value is None else str(value.value)
        case ast.JoinedStr():
            return "".join(_text(one, inside=True) for one in value.values)
        case ast.FormattedValue():
            return _text(value.value, inside=True)
        case ast.BinOp(op=ast.Add()):
            return _text(value.left, inside=True) + _text(value.right, inside=True)
        case ast.IfExp():
            return _alternatives([_text(one, inside=inside) for one in _branches(value)], inside=inside)
        case ast.BoolOp():
            texts = [_text(one, inside=inside) for one in value.values]
            return _alternatives(texts, inside=inside) if isinstance(value.op, ast.Or) else texts[-1]
        case _:
            return f"<{_name(value)}>"


def _branches(value: ast.expr) -> Iterator[ast.expr]:
    if isinstance(value, ast.IfExp):
        yield from _branches(value.body)
        yield from _branches(value.orelse)
    elif isinstance(value, ast.JoinedStr) and len(value.values) == 1:
        yield from _branches(value.values[0])
    elif isinstance(value, ast.FormattedValue):
        yield from _branches(value.value)
    else:
        yield value


def _alternatives(texts: list[str], *, inside: bool) -> str:
    some = list(dict.fromkeys(one for one in texts if one))
    if not inside:
        return " / ".join(some)
    if len(some) < len(texts):
        return "".join(f"[{one}]" for one in some)
    return some[0] if len(some) == 1 else f"({' | '.join(some)})"


def _name(value: ast.expr) -> str:
    """A word for what is only known when it happens."""
    match value:
        case ast.Name():
            return value.id.strip("_").lower().replace("_", " ")
        case ast.Attribute():
            return value.attr.strip("_").replace("_", " ")
        case ast.Call(func=ast.Attribute(attr="join")) if value.args:
            return _name(value.args[0])
        case ast.Call() if value.args and not isinstance(value.args[0], ast.Constant):
            return _name(value.args[0])
        case ast.Call():
            return _name(value.func)
        case ast.Subscript():
            return _name(value.value)
        case ast.BinOp():
            return _name(value.left)
        case ast.GeneratorExp() | ast.ListComp():
            return _name(value.elt)
        case ast.Starred():
            return _name(value.value)
        case _:
            return "…"


def _without_names(text: str) -> str:
    out, depth = [], 0
    for letter in text:
        depth += letter == "<"
        if not depth:
            out.append(letter)
        depth -= letter == ">"
    return "".join(out)


def is_in_table(site: Site) -> bool:
    """Whether a place is a line of a table, which is reached whenever its module is."""
    return site.function.isupper()


def sites(source: Path = SOURCE) -> list[Site]:
    """Every place that makes an error or a warning, in the order of the source."""
    return _Reader(source).sites()
