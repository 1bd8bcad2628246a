"""What runs the models of the catalogue: a class for each runtime, behind the interfaces of `recognizer.model`.

A further runtime is one more class, and a line in `load`.
"""
