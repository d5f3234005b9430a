"""Run the command line as `python -m filterbed`."""

from filterbed.cli import main

if __name__ == "__main__":
    main()
