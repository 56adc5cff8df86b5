"""The command line `trajsim`: a file for each family of commands over the options they share."""
