"""The ``tfcourse`` command; also ``python -m tfcourse``."""

import gc

from tfcourse.cli import app
from tfcourse.terminal import ready_streams


def main() -> None:
    """Runs the command line."""
    ready_streams()
    try:
        app()
    finally:
        gc.freeze()  # or Python looks through all of TensorFlow for garbage before it ends: 1 s


if __name__ == "__main__":
    main()
