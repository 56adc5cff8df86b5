"""`python -m trajsim` is `python -m similarity`, and so is the command `trajsim`."""

from similarity.__main__ import main

# A process that multiprocessing starts imports this again.
if __name__ == "__main__":
    main()
