"""Defect detection on RGB and normals: encoders, features, detectors, training, scoring.

The only room that imports torch; everything here is imported at use.
"""
