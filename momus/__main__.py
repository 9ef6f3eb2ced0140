"""``python -m momus`` is the ``momus`` command."""

from momus._cli import main

if __name__ == "__main__":
    main()
