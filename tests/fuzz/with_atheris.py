"""The same targets, guided by coverage: `python tests/fuzz/with_atheris.py TARGET [options of libFuzzer]`.

It needs atheris, which no lock names, for it is large and not there for each Python: install it into an environment of
its own, and the package beside it. New entries of the corpus go into ``corpus-atheris``, which is not kept.
"""

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["agentnet_otel"]):
    import targets


def main() -> None:
    """Fuzz one target until something is found, or the options say that it is enough."""
    if len(sys.argv) == 1 or sys.argv[1] not in targets.TARGETS:
        sys.exit(f"name a target: {', '.join(targets.TARGETS)}")
    name = sys.argv[1]
    here = Path(__file__).parent
    made = here / "corpus-atheris" / name
    made.mkdir(parents=True, exist_ok=True)
    options = ["-rss_limit_mb=1024", "-timeout=10", "-max_len=16384", f"-artifact_prefix={made.parent}/"]
    atheris.Setup([sys.argv[0], *options, *sys.argv[2:], str(made), str(here / "corpus" / name)], targets.TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
