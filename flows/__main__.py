"""`python -m flows PHASE...`: what `snn5 run` does, for machines where only the checkout is on the path."""

import sys

from flows._run import run
from snn5.errors import UserError


def main() -> None:
    """Run the phases that the command line names (default: the roadmap)."""
    try:
        run(sys.argv[1:] or ["roadmap"])
    except UserError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
