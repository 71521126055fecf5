"""Values from a file: a table of CSV or Excel is checked as a whole, then imported as a whole or not at all."""
