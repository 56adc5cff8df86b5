"""`python -m similarity` is `trajsim`."""

from similarity.cli import main

main(prog_name="trajsim")
