"""
What the parser of `vllm serve` takes, asked of the parser itself. Runs with the Python of a virtual environment that has the
dependencies of vLLM, and with the modules of the version in question first on the path (PYTHONPATH).

    parser.py read          writes the flags as JSON: a line FLAGS {...}
    parser.py verify        reads {"cases": [[argument, ...], ...]} from standard input, writes the verdicts: a line VERDICTS [...]

Types are told by what they take and refuse, not by the names of functions, which change from version to version.
"""
import argparse
import contextlib
import enum
import importlib.machinery
import io
import json
import logging
import os
import sys
import types

logging.disable(logging.CRITICAL)


class Absent(types.ModuleType):
    """A package that this version of vLLM imports, the environment lacks, and the parser has no use for."""

    __path__ = []

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


class AbsentFinder:
    """Finds the packages that were missing when this program ran before."""

    names = frozenset(filter(None, os.environ.get("ABSENT_PACKAGES", "").split(",")))

    @classmethod
    def find_spec(cls, fullname, path=None, target=None):
        if fullname.split(".")[0] not in cls.names:
            return None
        return importlib.machinery.ModuleSpec(fullname, cls, is_package=True)

    @staticmethod
    def create_module(spec):
        return Absent(spec.name)

    @staticmethod
    def exec_module(module):
        pass


def run_without(package):
    """Starts this program anew with a package left out: half of vLLM is imported, and some of it cannot be twice."""
    if package in AbsentFinder.names or package == "vllm":
        raise ImportError(f"cannot do without {package}")
    os.environ["ABSENT_PACKAGES"] = ",".join([*AbsentFinder.names, package])
    os.execv(sys.executable, [sys.executable, *sys.argv])


def give_old_names():
    """Names of torch that older versions of vLLM ask for: which kernels to load, of which there are none here."""
    import torch

    for name in ("_is_avx2_supported", "_is_avx512_supported"):
        if not hasattr(torch._C._cpu, name):
            setattr(torch._C._cpu, name, lambda: False)


def serve_parser():
    """The parser of `vllm serve MODEL`, built as the command builds it."""
    try:
        from vllm.utils.argparse_utils import FlexibleArgumentParser
    except ImportError:
        from vllm.utils import FlexibleArgumentParser
    from vllm.entrypoints.cli.serve import cmd_init

    root = FlexibleArgumentParser(prog="vllm")
    commands = root.add_subparsers(dest="subparser")
    command = cmd_init()[0]
    return command.subparser_init(commands), root


def names_at_start():
    """Names that the parser lets pass and that vLLM refuses later while it starts, by flag."""
    from vllm.model_executor.layers.quantization import QUANTIZATION_METHODS

    names = {"quantization": list(QUANTIZATION_METHODS)}
    from vllm.model_executor import model_loader

    names["load-format"] = list(model_loader._LOAD_FORMAT_TO_MODEL_LOADER)
    for flag, manager, places in (
        ("tool-call-parser", "ToolParserManager", ("vllm.tool_parsers", "vllm.entrypoints.openai.tool_parsers")),
        ("reasoning-parser", "ReasoningParserManager", ("vllm.reasoning",)),
    ):
        found = registered(manager, places)
        if found is not None:
            names[flag] = found
    return {flag: sorted(found) for flag, found in names.items()}


def deprecated_methods():
    """Methods of quantization that need --allow-deprecated-quantization."""
    from vllm.model_executor.layers import quantization

    return sorted(getattr(quantization, "DEPRECATED_QUANTIZATION_METHODS", []))


def registered(manager, places):
    for place in places:
        try:
            module = __import__(place, fromlist=[manager])
        except ModuleNotFoundError as error:
            if error.name is None or not place.startswith(error.name):
                raise
            continue
        found = getattr(module, manager)
        if hasattr(found, "list_registered"):
            return list(found.list_registered())
        for attribute in ("tool_parsers", "reasoning_parsers"):
            if hasattr(found, attribute):
                return list(getattr(found, attribute))
    return None


def takes(parser, action, text):
    """Whether one value passes the type and the choices of an argument."""
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            parser._check_value(action, parser._get_value(action, text))
        return True
    except (argparse.ArgumentError, SystemExit, ValueError, TypeError, KeyError):
        return False


def takes_type(parser, action, text):
    """Whether one value passes the type of an argument, its choices aside."""
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            parser._get_value(action, text)
        return True
    except (argparse.ArgumentError, SystemExit, ValueError, TypeError, KeyError):
        return False


def functions_of(function, depth=0):
    """A type function with those that it closes over."""
    yield function
    if depth > 4:
        return
    for cell in getattr(function, "__closure__", None) or ():
        with contextlib.suppress(ValueError):
            yield from functions_of(cell.cell_contents, depth + 1)


def members_of_enum(action):
    for found in functions_of(action.type):
        if isinstance(found, type) and issubclass(found, enum.Enum):
            return [member.name for member in found]
        if isinstance(getattr(found, "__self__", None), type) and issubclass(found.__self__, enum.Enum):
            return [member.name for member in found.__self__]
    return None


def type_of(parser, action):
    def ok(text):
        return takes_type(parser, action, text)

    # A word that nobody gives a meaning, so that choices which a type looks up refuse it.
    if ok("no such word"):
        if not ok("{no json}"):
            return "jsonOrText"
        return "text"
    if ok("1k"):
        return "sizeOrAuto" if ok("auto") else "size"
    if ok("1.5") and ok("-0.25") and not ok("{}"):
        return "float"
    if ok("17") and not ok("{}") and not ok("1.5"):
        return "int"
    if ok("{}") or ok("[]") or ok('{"no_such_key":1}') or ok("[1]"):
        return "json"
    return "name"


JSON_PROBES = {"array": "[]", "number": "17", "string": '"text"', "boolean": "true"}


def json_kinds(parser, action):
    """Which JSON a value may be besides an object."""
    return [kind for kind, probe in JSON_PROBES.items() if takes_type(parser, action, probe)]


def kind_of(action):
    if action.nargs == 0:
        return "switch"
    if action.nargs in ("+", "*"):
        return "list"
    return "value"


def plain(value):
    """A default as JSON, or None where it is an object of vLLM."""
    if isinstance(value, enum.Enum):
        value = value.value
    if value is argparse.SUPPRESS:
        return None
    if isinstance(value, (bool, int, float, str)):
        return value
    return None


def read(parser, at_start):
    flags = []
    for action in parser._actions:
        # Also those that an action hides from the help.
        options = [option for option, other in parser._option_string_actions.items() if other is action]
        longs = [option for option in options if option.startswith("--")]
        if not longs or "--help" in longs:
            continue
        name = longs[0][2:]
        kind = kind_of(action)
        negated = f"--no-{name}" in longs
        aliases = [option for option in options if option not in (f"--{name}", f"--no-{name}")]
        flag = {"name": name, "kind": kind}
        if kind == "switch" and not negated:
            flag["positiveOnly"] = True
        if action.nargs == "?":
            flag["valueOptional"] = True
        if aliases:
            flag["aliases"] = [alias.removeprefix("--") for alias in aliases]
        default = plain(action.default)
        if default is not None:
            flag["default"] = default
        if kind != "switch":
            flag["type"] = type_of(parser, action)
            if flag["type"] == "json" and (kinds := json_kinds(parser, action)) != list(JSON_PROBES):
                flag["type"] = "object"
                if kinds:
                    flag["alsoJson"] = kinds
            if takes(parser, action, "None") and parser._get_value(action, "None") in (None, ""):
                flag["none"] = True
            choices = action.choices or (members_of_enum(action) if flag["type"] == "name" else None)
            if choices:
                written = sorted({str(plain(choice)) for choice in choices} - {"None"})
                flag["choices"] = [choice for choice in written if takes(parser, action, choice)]
                upper = flag["choices"][0].upper()
                if upper not in flag["choices"] and takes(parser, action, upper):
                    flag["anyCase"] = True
            if name in at_start:
                flag["names"] = at_start[name]
            if name == "quantization":
                flag["deprecated"] = deprecated_methods()
        flags.append(flag)
    return flags


def verdict(root, arguments, at_start):
    """Why vLLM refuses arguments, or None: what the parser says, then the names that it looks up while it starts."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
            parsed = root.parse_args(["serve", "org/model", *arguments])
    except SystemExit as ended:
        lines = said.getvalue().strip().splitlines()
        return None if ended.code == 0 else (lines[-1] if lines else "exit")[-300:]
    except Exception as error:
        return f"{type(error).__name__}: {error}"[:300]
    for flag, names in at_start.items():
        value = getattr(parsed, flag.replace("-", "_"), None)
        if value and value not in names:
            return f"{flag}: {value} is not one of {', '.join(names)}"[:300]
    if parsed.quantization in deprecated_methods() and not parsed.allow_deprecated_quantization:
        return f"quantization: {parsed.quantization} is deprecated"
    return None


def main():
    sys.meta_path.append(AbsentFinder)
    with contextlib.redirect_stdout(sys.stderr):
        give_old_names()
        try:
            parser, root = serve_parser()
            at_start = names_at_start()
        except ModuleNotFoundError as error:
            run_without((error.name or "").split(".")[0])
        if sys.argv[1] == "read":
            line = "FLAGS " + json.dumps(read(parser, at_start))
        else:
            cases = json.load(sys.stdin)["cases"]
            line = "VERDICTS " + json.dumps([verdict(root, case, at_start) for case in cases])
    print(line)


main()
