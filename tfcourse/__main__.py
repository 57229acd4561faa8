"""The ``tfcourse`` command; also ``python -m tfcourse``."""

from tfcourse.cli import app
from tfcourse.terminal import write_any_text


def main() -> None:
    """Runs the command line."""
    write_any_text()
    app()


if __name__ == "__main__":
    main()
