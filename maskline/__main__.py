"""`python -m maskline`, for where the command `maskline` is not installed."""

from maskline.cli.main import main

if __name__ == "__main__":
    main()
