"""`python -m maskline`, for where the command `maskline` is not installed."""

from maskline.cli import main

if __name__ == "__main__":
    main()
