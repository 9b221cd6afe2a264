"""Runs the command as ``python -m openrouter_async.cli``.

The rule of this file: nothing but that.
"""

import sys

from openrouter_async.cli import main

__all__: list[str] = []

if __name__ == "__main__":
    sys.exit(main())
