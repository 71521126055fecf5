"""The science of Ichor: plain Python on numpy, torch, SimpleITK and pydicom. Imports neither Django nor ``apps``."""
