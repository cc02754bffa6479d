"""A gantry in software: parts, materials, defects and lights, rendered with exact truth.

Its modules are imported by name; none of them loads the renderer before it is used.
"""
