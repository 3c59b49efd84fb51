"""`python -m paenet`, for launchers that start modules."""

from paenet.cli import main

if __name__ == "__main__":
    main()
