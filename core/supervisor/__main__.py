"""Read the command line of ./loved and run one command."""

import argparse
import sys
from pathlib import Path

from core.supervisor import commands
from core.supervisor.places import ROOT, place_at
from core.supervisor.terminal import StopAsked, Trouble, plain
from core.supervisor.up import Options, up


def main(arguments: list[str]) -> int:
    """Run a command; say what only a person can mend in one sentence and return 1."""
    name, *rest = arguments
    try:
        return run(name, rest)
    except Trouble as trouble:
        print(trouble, file=sys.stderr)
    except OSError as error:
        print(plain(error), file=sys.stderr)
    except StopAsked:
        return 130
    return 1


def run(name: str, rest: list[str]) -> int:
    state = ROOT / "var"
    match name:
        case "up":
            options = read_options(rest)
            return up(
                Options(options.host, options.port, not options.no_demo, options.verbose), place=place_at(options.state)
            )
        case "test":
            return commands.test(rest, state=state)
        case "bench":
            return commands.bench(rest, state=state)
        case "check":
            return commands.check(state=state)
        case "manage":
            return commands.manage(rest, state=state)
        case "demo":
            return commands.manage(["demo", *rest], state=state)
        case "reset":
            return commands.reset(state=state, sure="--yes" in rest)
    raise Trouble(f"There is no command '{name}'.")


def read_options(rest: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./loved up", description="Run Loved on this machine.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
    parser.add_argument("--port", type=port, default=8000, help="port to listen on (default 8000)")
    parser.add_argument("--no-demo", action="store_true", help="make no demo organizations on the first start")
    parser.add_argument("--verbose", action="store_true", help="show the logs of all processes as they grow")
    parser.add_argument("--state", type=Path, default=ROOT / "var", help=argparse.SUPPRESS)
    return parser.parse_args(rest)


def port(word: str) -> int:
    if not word.isdigit() or not 1 <= int(word) <= 65535:
        raise argparse.ArgumentTypeError("must be a number from 1 to 65535")
    return int(word)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
