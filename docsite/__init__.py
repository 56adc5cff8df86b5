"""Tools for the documentation: reference pages made of the code, and checks of what is written."""
