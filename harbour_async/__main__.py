"""``python -m harbour_async``: the command line."""

from harbour_async.cli import main

if __name__ == "__main__":
    main()
