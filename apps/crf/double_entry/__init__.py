"""Selective double entry: any form of any patient, entered again by any second person who does not see the first."""
