"""`python -m maskline`, which works without the installed command `maskline`."""

from maskline.cli.main import main

if __name__ == "__main__":
    main()
