"""Files as users have them: JSON lines, CSV, TSV, text and Parquet, read record by record.

A byte-order mark, CRLF, carriage returns alone and blank lines are no error. "-" is standard input
or output.
"""
