"""The ``tfcourse`` command; also ``python -m tfcourse``."""

from tfcourse.cli import app


def main() -> None:
    """Runs the command line."""
    app()


if __name__ == "__main__":
    main()
