"""A long transcript on the screen."""

from bench.report import Part

PARTS: tuple[Part, ...] = ()
