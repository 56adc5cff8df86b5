"""`python -m similarity` is `trajsim`."""

from similarity.cli.main import main

# A process that multiprocessing starts imports this again.
if __name__ == "__main__":
    main(prog_name="trajsim")
