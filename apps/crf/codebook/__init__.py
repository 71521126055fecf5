"""The codebook: the data dictionary as a page to read, search and print."""
