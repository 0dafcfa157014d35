"""Write the pages that are made from the code, or with ``--check`` tell whether they are current.

``docs/cli.md`` has the commands with their options, ``docs/names.md`` every string that is read or written.
"""

import ast
import inspect
import re
import sys
from collections.abc import Callable, Iterator
from enum import Enum
from pathlib import Path
from typing import Any, get_args, get_type_hints

import typer

from agentnet_otel import cli, semconv

ROOT = Path(__file__).resolve().parent.parent
GENERATED = "<!-- Made by `make docs`; change the code instead. -->"
SECTION = re.compile(r"# --- (.+?) -+$")


def commands_page() -> str:
    """The commands, each with what its help says."""
    lines = ["# Commands", "", GENERATED, "", "What each command is for is told in [the guide](guide.md).", ""]
    app = cli.app_of()
    commands = {name_of(command): command for command in app.registered_commands}
    for group in app.registered_groups:
        within = [] if group.typer_instance is None else group.typer_instance.registered_commands
        commands |= {f"{group.name} {name_of(one)}": one for one in within}
    for name, command in sorted(commands.items()):
        lines += [f"## {name}", "", *paragraphs(inspect.getdoc(command.callback) or "")]
        lines += ["| | | default |", "|---|---|---|", *options(command.callback), ""]
    return "\n".join(lines)


def name_of(command: Any) -> str:
    """What the command is called by."""
    return str(command.name or command.callback.__name__.replace("_", "-"))


def paragraphs(help_text: str) -> Iterator[str]:
    """The help; the example as code."""
    for paragraph in help_text.split("\n\n"):
        text = " ".join(paragraph.split())
        example = text.removeprefix("Example: ")
        yield from (["```console", f"$ {example}", "```", ""] if example != text else [text, ""])


def options(callback: Any) -> Iterator[str]:
    """Rows of a table: arguments and options, as the command's function declares them."""
    hints = get_type_hints(callback, include_extras=True)
    for name, parameter in inspect.signature(callback).parameters.items():
        kind, info = get_args(hints[name])[:2]
        positional = isinstance(info, typer.models.ArgumentInfo)
        taken = "" if positional or kind is bool else " " + metavar(info, kind)
        words = [metavar(info, kind)] if positional else spellings(info) or [f"--{name.replace('_', '-')}"]
        shown = ", ".join(f"`{word}{taken}`" for word in words)
        yield f"| {shown} | {escaped(info.help or '')} | {default(parameter.default)} |"


def spellings(info: Any) -> list[str]:
    """How an option is written, where that does not follow from its name; the first stands where defaults stood."""
    return [word for word in (info.default, *(info.param_decls or ())) if isinstance(word, str)]


def metavar(info: Any, kind: Any) -> str:
    """What stands for the value."""
    if info.metavar:
        return str(info.metavar)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return "/".join(str(member.value) for member in kind)
    return {int: "N", float: "X"}.get(kind, "TEXT")


def default(value: object) -> str:
    """The default; nothing for switches and where there is none."""
    shown = getattr(value, "value", value)
    return "" if shown is None or isinstance(shown, bool) or shown is inspect.Parameter.empty else f"`{shown}`"


def names_page() -> str:
    """Every string of semconv.py, section by section."""
    lines = ["# Names", "", GENERATED, "", "Every string that agentnet-otel writes or reads, as `semconv.py` has it."]
    lines += ["What the attributes that it writes mean stands in [attributes.md](attributes.md)."]
    source = inspect.getsource(semconv)
    sections = {number: match[1] for number, line in enumerate(source.splitlines()) if (match := SECTION.match(line))}
    sections[0] = "the instrumentation scope"
    begun = None
    for line_number, name, note in constants(ast.parse(source).body):
        section = sections[max(number for number in sections if number < line_number)]
        if section != begun:
            lines += ["", f"## {section[0].upper()}{section[1:]}", "", "| name | in semconv.py | |", "|---|---|---|"]
            begun = section
        lines.append(f"| `{getattr(semconv, name)}` | `{name}` | {escaped(note)} |")
    return "\n".join(lines)


def constants(body: list[ast.stmt]) -> Iterator[tuple[int, str, str]]:
    """Line, name and docstring of each text."""
    for node, following in zip(body, [*body[1:], ast.Pass()], strict=True):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            name = node.target.id
            if isinstance(getattr(semconv, name), str):
                yield node.lineno, name, note_in(following)


def note_in(statement: ast.stmt) -> str:
    """The text of a docstring; nothing if the statement is none."""
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        return " ".join(str(statement.value.value).replace("``", "`").split())
    return ""


def escaped(text: str) -> str:
    """Text in a cell of a table."""
    return text.replace("|", "\\|")


PAGES: dict[str, Callable[[], str]] = {"docs/cli.md": commands_page, "docs/names.md": names_page}


def main() -> int:
    """Write or check."""
    check = "--check" in sys.argv[1:]
    stale = []
    for name, make in PAGES.items():
        path, text = ROOT / name, make().rstrip("\n") + "\n"
        if check and (not path.exists() or path.read_text(encoding="utf-8") != text):
            stale.append(name)
        elif not check:
            path.write_text(text, encoding="utf-8")
    if stale:
        print(f"not current: {', '.join(stale)}. Run `make docs` and commit the result.", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
