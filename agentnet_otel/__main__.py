"""``python -m agentnet_otel`` and the console command: a missing extra is a sentence, not a traceback."""

import sys

from agentnet_otel.errors import MissingExtraError


def main() -> int:
    """Run the command line; returns the exit code."""
    try:
        from agentnet_otel.cli import run  # noqa: PLC0415 - needs the extra `cli`
    except MissingExtraError as error:
        sys.stderr.write(f"agentnet-otel: {error}\n")
        return 1
    return run()


if __name__ == "__main__":
    sys.exit(main())
