"""The ``tfcourse`` command; also ``python -m tfcourse``."""

from tfcourse.cli import app
from tfcourse.terminal import ready_streams


def main() -> None:
    """Run the command line."""
    ready_streams()
    app()


if __name__ == "__main__":
    main()
