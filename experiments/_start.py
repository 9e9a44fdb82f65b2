"""How an experiment starts from the command line."""

import os
import sys
from collections.abc import Callable

from snn5.errors import UserError
from snn5.files import find_root
from snn5.reproducible import keep_memory


def start(main: Callable[[], None]) -> None:
    """Run `main` in the project's root; what the user can mend ends it with one line on stderr and exit status 1."""
    try:
        os.chdir(find_root())
        keep_memory()
        main()
    except UserError as error:
        sys.exit(f"error: {error}")
