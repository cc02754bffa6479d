"""Calibration files, one format a module."""
