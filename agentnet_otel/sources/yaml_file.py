"""YAML files that users write; an error names the line. The only module that knows the YAML library."""

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from agentnet_otel.errors import ConfigurationError, MissingExtraError

MAX_FILE_BYTES: Final = 256 * 1024
"""Such files are short; what is longer is something else, and would take long to find out about."""
MAX_FLOW_DEPTH: Final = 20
"""Brackets within brackets: the library needs more than their square in time, and no such file has many."""


def load_yaml(path: Path, what: str) -> Any:
    """What a file holds, with the places of its keys; ``what`` it should be of is named in errors.

    Raises:
        ConfigurationError: the file cannot be read or is not YAML; the text names file and line.
        MissingExtraError: no YAML library is installed.
    """
    try:
        yaml = importlib.import_module("ruamel.yaml")
    except ImportError:
        package = "ruamel.yaml"
        raise MissingExtraError(package, "cli") from None
    try:
        loader = yaml.YAML(typ="rt")
        loader.Scanner = _bounded(yaml.scanner)
        loader.Constructor = _placing(yaml.constructor)
        return loader.load(_text_of(path, what))
    except OSError as error:
        message = f"{path}: cannot be read: {error.strerror}"
        raise ConfigurationError(message) from None
    except UnicodeDecodeError as error:
        message = f"{path}: is not UTF-8 text (byte {error.start})"
        raise ConfigurationError(message) from None
    except yaml.error.MarkedYAMLError as error:
        line = 1 + (error.problem_mark.line if error.problem_mark is not None else 0)
        message = f"{path}:{line}: not YAML: {error.problem}"
        raise ConfigurationError(message) from None
    except (yaml.error.YAMLError, ValueError, RecursionError) as error:  # characters, dates and depths that are none
        message = f"{path}: not YAML of {what}: {str(error).partition(chr(10))[0]}"
        raise ConfigurationError(message) from None
    except (AttributeError, LookupError, TypeError):  # the library's, of `!!set 5` and the like
        message = f"{path}: not YAML of {what}: a tag (!!...) stands before something of another kind"
        raise ConfigurationError(message) from None


def require_mapping(value: object, where: str, what: str) -> None:
    """Refuse what is no mapping.

    Raises:
        ConfigurationError: it is none.
    """
    if not isinstance(value, Mapping):
        kinds = (
            (list, "a list"),
            (str, "a text"),
            (bool, "a flag"),
            (int | float, "a number"),
            (type(None), "nothing"),
        )
        found = next((words for kind, words in kinds if isinstance(value, kind)), type(value).__name__)
        message = f"{where}: {what} has to be a mapping, not {found}"
        raise ConfigurationError(message)


def place_of(marked: Any, key: object, name: str) -> str:
    """``file:line`` of a key, or of an entry of a list; the library keeps the positions."""
    positions = getattr(getattr(marked, "lc", None), "data", None) or {}
    position = positions.get(key)
    return name if position is None else f"{name}:{position[0] + 1}"


def _bounded(scanner: Any) -> Any:
    """The library's scanner, which refuses depths while it looks ahead; what comes later would be too late."""

    class BoundedScanner(scanner.RoundTripScanner):  # type: ignore[misc]
        def fetch_flow_collection_start(self, *given: Any, **named: Any) -> None:
            if len(self.flow_context) >= MAX_FLOW_DEPTH:
                problem = f"more than {MAX_FLOW_DEPTH} brackets within each other"
                raise scanner.ScannerError(None, None, problem, self.reader.get_mark())
            super().fetch_flow_collection_start(*given, **named)

    return BoundedScanner


def _placing(constructor: Any) -> Any:
    """The library's constructor, which also tells the line of what Python takes for no value, or for no key."""

    class PlacingConstructor(constructor.RoundTripConstructor):  # type: ignore[misc]
        def construct_object(self, node: Any, *given: Any, **named: Any) -> Any:
            try:
                return super().construct_object(node, *given, **named)
            except ValueError as error:
                problem = str(error).partition(";")[0]
                raise constructor.ConstructorError(None, None, problem, node.start_mark) from None

        def check_mapping_key(self, node: Any, key_node: Any, *given: Any, **named: Any) -> Any:
            try:
                return super().check_mapping_key(node, key_node, *given, **named)
            except TypeError:  # the library looks it up, and its mappings have no hash
                problem = "a mapping cannot be a key"
                raise constructor.ConstructorError(None, None, problem, key_node.start_mark) from None

    return PlacingConstructor


def _text_of(path: Path, what: str) -> str:
    with path.open("rb") as file:
        data = file.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        message = f"{path}: more than {MAX_FILE_BYTES:,} bytes are no file of {what}"
        raise ConfigurationError(message)
    return data.decode("utf-8")
